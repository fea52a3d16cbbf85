package fileroll

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// TestClosedFileTakesWhatItHolds looks at a real file: what is reserved while it
// is written is given back, and its length is never more than what it holds.
func TestClosedFileTakesWhatItHolds(t *testing.T) {
	dir := t.TempDir()
	s := build(t, vfs.OS{}, map[string]string{"sink.directory": dir, "sink.rollInterval": "0"})
	open(t, s)
	for i := range 10 {
		deliver(t, s, strings.Repeat("x", mib-1))
		if info := statOf(t, dir); info.Size() != int64(i+1)*mib {
			t.Fatalf("the file is %d bytes long after %d MiB", info.Size(), i+1)
		}
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	info := statOf(t, dir)
	if takes := info.Sys().(*syscall.Stat_t).Blocks * 512; takes > info.Size()+mib {
		t.Errorf("a closed file of %d bytes takes %d", info.Size(), takes)
	}
}

func statOf(t *testing.T, dir string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(onlyName(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return info
}
