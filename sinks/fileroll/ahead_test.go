package fileroll

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// reserving is a file system whose files can reserve space. It notes what is
// reserved and given back, in MiB.
type reserving struct {
	vfs.FS
	steps   []string
	full    error // of reservations
	stuck   error // of truncations
	writing error // of the next write, which does half of it
}

func (r *reserving) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := r.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &reservingFile{f, r}, nil
}

type reservingFile struct {
	vfs.File
	fs *reserving
}

func (f *reservingFile) ReserveBehind(off, n int64) error {
	f.fs.steps = append(f.fs.steps, fmt.Sprintf("reserve %g+%g", float64(off)/mib, float64(n)/mib))
	return f.fs.full
}

func (f *reservingFile) Truncate(size int64) error {
	f.fs.steps = append(f.fs.steps, fmt.Sprintf("truncate %g", float64(size)/mib))
	if f.fs.stuck != nil {
		return f.fs.stuck
	}
	return f.File.Truncate(size)
}

func (f *reservingFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.fs.writing
	if f.fs.writing = nil; err == nil {
		return f.File.WriteAt(p, off)
	}
	n, writeErr := f.File.WriteAt(p[:len(p)/2], off)
	return n, errors.Join(err, writeErr)
}

const mib = 1 << 20

// TestSpaceIsReservedBehindLargeFiles delivers batches of 1 MiB.
func TestSpaceIsReservedBehindLargeFiles(t *testing.T) {
	for _, c := range []struct {
		name    string
		batches int
		fail    int // the batch at which prepare is called
		prepare func(r *reserving)
		retried bool // that batch is refused once
		want    []string
	}{
		{name: "small", batches: 8},
		{name: "large", batches: 20, want: []string{"reserve 8+9", "reserve 17+9", "truncate 20"}},
		{name: "all used", batches: 17, want: []string{"reserve 8+9"}},
		{
			name: "no space", batches: 16, prepare: func(r *reserving) { r.full = syscall.ENOSPC },
			want: []string{"reserve 8+9", "truncate 16"}, // a part may have been reserved
		},
		{
			name: "no such thing", batches: 20, prepare: func(r *reserving) { r.full = errors.ErrUnsupported },
			want: []string{"reserve 8+9"},
		},
		{
			name: "a batch that fails", batches: 12, fail: 10, prepare: func(r *reserving) { r.writing = errDisk }, retried: true,
			want: []string{"reserve 8+9", "truncate 10", "reserve 10+9", "truncate 12"}, // cutting it back gives all back
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, dir := &reserving{FS: vfs.OS{}}, t.TempDir()
			s := build(t, r, map[string]string{"sink.directory": dir, "sink.rollInterval": "0"})
			open(t, s)
			for i := range c.batches {
				if i == c.fail && c.prepare != nil {
					c.prepare(r)
				}
				b := lines(t, strings.Repeat(string(rune('a'+i)), mib-1))
				err := s.Deliver(context.Background(), b)
				if c.retried && i == c.fail {
					if !errors.Is(err, errDisk) {
						t.Fatalf("a write that fails gives %v", err)
					}
					err = s.Deliver(context.Background(), b)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.steps, c.want) {
				t.Errorf("did %q, want %q", r.steps, c.want)
			}
			content := onlyFile(t, dir)
			if len(content) != c.batches*mib {
				t.Fatalf("%d bytes, want %d MiB", len(content), c.batches)
			}
			for i := range c.batches {
				if line := content[i*mib : (i+1)*mib]; line != strings.Repeat(string(rune('a'+i)), mib-1)+"\n" {
					t.Errorf("batch %d is not as it was delivered", i)
				}
			}
		})
	}
}

// TestSpaceThatCannotBeGivenBack is reported when the file is closed; no event is lost.
func TestSpaceThatCannotBeGivenBack(t *testing.T) {
	r, dir := &reserving{FS: vfs.OS{}, stuck: errDisk}, t.TempDir()
	s := build(t, r, map[string]string{"sink.directory": dir, "sink.rollInterval": "0"})
	open(t, s)
	for range 9 {
		deliver(t, s, strings.Repeat("x", mib-1))
	}
	if err := s.Close(context.Background()); !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "giving back") {
		t.Errorf("closing gives %v", err)
	}
	if content := onlyFile(t, dir); len(content) != 9*mib {
		t.Errorf("the file holds %d bytes, want %d", len(content), 9*mib)
	}
}

// onlyFile returns what the one file in a directory of the system holds.
func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	content, err := os.ReadFile(onlyName(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func onlyName(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("the directory holds %q, %v", names, err)
	}
	return names[0]
}
