package roles

import (
	"io/fs"
	"sync/atomic"

	"github.com/flume-go/flume/internal/vfs"
)

// countedFS is the operating system's file system with a count of the calls that move or
// sync data. Counting here and not with a tracer leaves the timing alone, and counts the
// same in every run. One gathering write is one call, as it is one system call.
type countedFS struct {
	vfs.OS
	calls calls
}

// calls are numbers of file operations. Safe for concurrent use.
type calls struct{ writes, syncs, reads atomic.Int64 }

var (
	_ vfs.FS            = (*countedFS)(nil)
	_ vfs.SpaceReporter = (*countedFS)(nil)
)

func (c *countedFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := c.OS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &countedFile{File: f, calls: &c.calls}, nil
}

// SyncDir counts as a sync: the disk has as much to do with it.
func (c *countedFS) SyncDir(dir string) error {
	c.calls.syncs.Add(1)
	return c.OS.SyncDir(dir)
}

// countedFile is a file of a countedFS. The package functions of vfs behind each optional
// method fall back to plain calls where the system has none.
type countedFile struct {
	vfs.File
	calls *calls
}

var (
	_ vfs.DataSyncer   = (*countedFile)(nil)
	_ vfs.Preallocator = (*countedFile)(nil)
	_ vfs.GatherWriter = (*countedFile)(nil)
)

func (f *countedFile) Read(p []byte) (int, error) {
	f.calls.reads.Add(1)
	return f.File.Read(p)
}

func (f *countedFile) ReadAt(p []byte, off int64) (int, error) {
	f.calls.reads.Add(1)
	return f.File.ReadAt(p, off)
}

func (f *countedFile) Write(p []byte) (int, error) {
	f.calls.writes.Add(1)
	return f.File.Write(p)
}

func (f *countedFile) WriteAt(p []byte, off int64) (int, error) {
	f.calls.writes.Add(1)
	return f.File.WriteAt(p, off)
}

func (f *countedFile) Writev(bufs [][]byte) (int64, error) {
	f.calls.writes.Add(1)
	return vfs.Writev(f.File, bufs)
}

func (f *countedFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	f.calls.writes.Add(1)
	return vfs.WritevAt(f.File, bufs, off)
}

func (f *countedFile) Sync() error {
	f.calls.syncs.Add(1)
	return f.File.Sync()
}

func (f *countedFile) SyncData() error {
	f.calls.syncs.Add(1)
	return vfs.SyncData(f.File)
}

func (f *countedFile) Preallocate(size int64) error { return vfs.Preallocate(f.File, size) }
