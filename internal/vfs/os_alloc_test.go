//go:build linux && !race

package vfs_test

import (
	"path/filepath"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// TestOSDoesNotAllocate does not run with the race detector, under which pools forget.
func TestOSDoesNotAllocate(t *testing.T) {
	f := openRW(t, vfs.OS{}, filepath.Join(t.TempDir(), "a"))
	defer f.Close()
	b := make([]byte, 100)
	bufs := [][]byte{b, b, b}
	for _, tt := range []struct {
		name string
		call func() error
	}{
		{"Write", func() error { _, err := f.Write(b); return err }},
		{"WriteAt", func() error { _, err := f.WriteAt(b, 0); return err }},
		{"ReadAt", func() error { _, err := f.ReadAt(b, 0); return err }},
		{"Writev", func() error { _, err := vfs.Writev(f, bufs); return err }},
		{"WritevAt", func() error { _, err := vfs.WritevAt(f, bufs, 0); return err }},
	} {
		must(t, tt.call())
		var last error
		if n := testing.AllocsPerRun(100, func() { last = tt.call() }); n != 0 || last != nil {
			t.Errorf("%s allocates %v times, error %v", tt.name, n, last)
		}
	}
}
