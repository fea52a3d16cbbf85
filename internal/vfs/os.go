package vfs

import (
	"io"
	"io/fs"
	"os"
)

// OS is the file system of the operating system; the zero value is ready for use. Reading
// and writing its files costs what it costs on an [os.File].
//
// On macOS, Sync asks the drive to empty its cache. Windows has no way to sync a directory
// and SyncDir only checks that it exists: NTFS journals names by itself, in order.
type OS struct{}

var (
	_ FS            = OS{}
	_ SpaceReporter = OS{}
	_ File          = (*os.File)(nil)
)

// OpenFile implements [FS].
func (OS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return newOSFile(f, flag)
}

// MkdirAll implements [FS].
func (OS) MkdirAll(dir string, perm fs.FileMode) error { return os.MkdirAll(dir, perm) }

// Remove implements [FS].
func (OS) Remove(name string) error { return os.Remove(name) }

// Rename implements [FS].
func (OS) Rename(oldname, newname string) error { return os.Rename(oldname, newname) }

// Stat implements [FS].
func (OS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// ReadDir implements [FS].
func (OS) ReadDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }

// SyncDir implements [FS]. Some network file systems refuse to sync a directory as an
// invalid request; as there is nothing more to be done there, that counts as success.
func (OS) SyncDir(dir string) error { return syncDir(dir) }

// Lock implements [FS]. On Unix the lock is one of flock(2), which other hosts see on
// shared file systems only if those pass it on; on Windows the file is opened unshared.
func (OS) Lock(name string) (io.Closer, error) { return lockFile(name) }

// DiskFree implements [SpaceReporter].
func (OS) DiskFree(dir string) (uint64, error) { return diskFree(dir) }
