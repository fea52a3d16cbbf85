package vfs_test

import (
	"io/fs"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/internal/vfs/vfstest"
)

func TestConformance(t *testing.T) {
	for name, newFS := range map[string]vfstest.NewFS{
		"OS":         newOS,
		"Mem":        newMem,
		"MemClone":   newMemClone,
		"FailingOS":  passing(newOS),
		"FailingMem": passing(newMem),
		"Plain":      plain(newOS),
	} {
		t.Run(name, func(t *testing.T) { vfstest.Run(t, newFS) })
	}
}

func newOS(t *testing.T) (vfs.FS, string) { return vfs.OS{}, t.TempDir() }

func newMem(t *testing.T) (vfs.FS, string) {
	m := vfs.NewMem(1)
	if err := vfs.MkdirAllSync(m, "/data/dir", 0o755); err != nil {
		t.Fatal(err)
	}
	return m, "/data/dir"
}

// newMemClone is a file system that was crashed: it must be as good as new.
func newMemClone(t *testing.T) (vfs.FS, string) {
	m, dir := newMem(t)
	return m.(*vfs.Mem).Crash(vfs.CrashPolicy{}), dir
}

func passing(inner vfstest.NewFS) vfstest.NewFS {
	return func(t *testing.T) (vfs.FS, string) {
		fsys, dir := inner(t)
		f := vfs.NewFailing(fsys, nil)
		t.Cleanup(func() {
			if f.Injected() != 0 || f.Count() == 0 {
				t.Errorf("%d operations, %d of them injected", f.Count(), f.Injected())
			}
		})
		return f, dir
	}
}

// plain hides all capabilities, so that the suite runs on the fallbacks.
func plain(inner vfstest.NewFS) vfstest.NewFS {
	return func(t *testing.T) (vfs.FS, string) {
		fsys, dir := inner(t)
		return plainFS{fsys}, dir
	}
}

type plainFS struct{ vfs.FS }

func (p plainFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := p.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return struct{ vfs.File }{f}, nil
}
