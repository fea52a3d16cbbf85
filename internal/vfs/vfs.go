package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// SectorSize is the number of bytes a disk is trusted to write whole or not at all.
const SectorSize = 512

// ErrLocked is wrapped by the error of [FS.Lock] when someone else, in this process or
// another, holds the lock.
var ErrLocked = errors.New("held by another owner")

// ErrCrashed is wrapped by every error of a file system, and of its open files and
// locks, once it has crashed.
var ErrCrashed = errors.New("file system has crashed")

// FS is a tree of files. Names are file paths in the form of the operating system.
// All methods may be called at any time by any goroutine. Errors are *[fs.PathError]
// (Rename's may be *[os.LinkError]) and answer to errors.Is with [fs.ErrNotExist] and
// its siblings, and with the system's error numbers.
type FS interface {
	// OpenFile opens, and with the flags O_CREATE, O_EXCL, O_TRUNC and O_APPEND of
	// package os creates, empties or appends to, a regular file. The caller closes it.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)

	// MkdirAll creates a directory and its missing parents. See [MkdirAllSync] to
	// have them survive a power cut.
	MkdirAll(dir string, perm fs.FileMode) error

	// Remove deletes a file or an empty directory. A file's open handles stay
	// usable, except on Windows, where the call fails.
	Remove(name string) error

	// Rename moves a file or directory in one step, replacing a file that has the
	// new name.
	Rename(oldname, newname string) error

	// Stat describes a file or directory.
	Stat(name string) (fs.FileInfo, error)

	// ReadDir lists a directory, sorted by name.
	ReadDir(dir string) ([]fs.DirEntry, error)

	// SyncDir makes the names created, removed and renamed in dir durable. It does
	// not sync what the files contain.
	SyncDir(dir string) error

	// Lock creates the file if need be and takes an exclusive advisory lock on it,
	// without waiting; the error wraps [ErrLocked] if it is held, also by this
	// process. Closing releases the lock and leaves the file: removing it would let
	// a third party lock a new file of the same name.
	Lock(name string) (io.Closer, error)
}

// File is an open file. ReadAt and WriteAt may be called by several goroutines at once.
// Read, Write, Seek and Writev share the position; callers serialise them where the order
// matters. After Close every method returns an error wrapping [fs.ErrClosed].
type File interface {
	io.Reader
	io.Writer
	io.Seeker
	io.ReaderAt

	// WriteAt is refused for files opened with O_APPEND.
	io.WriterAt

	// Close does not sync.
	io.Closer

	// Name returns the name the file was opened with.
	Name() string

	// Stat describes the file; its Size is current.
	Stat() (fs.FileInfo, error)

	// Truncate sets the length. What is added reads as zeros.
	Truncate(size int64) error

	// Sync makes content and attributes durable; not the name, see [FS.SyncDir].
	// After an error treat everything since the last successful Sync as lost.
	Sync() error
}

// DataSyncer is a [File] that can sync its content and length without its times.
type DataSyncer interface {
	// SyncData is Sync without what is not needed to read the data back.
	SyncData() error
}

// Preallocator is a [File] that can reserve space without writing it.
type Preallocator interface {
	// Preallocate has the contract of the function [Preallocate].
	Preallocate(size int64) error
}

// BehindReserver is a [File] that can reserve space behind its end.
type BehindReserver interface {
	// ReserveBehind has the contract of the function [ReserveBehind].
	ReserveBehind(off, n int64) error
}

// GatherWriter is a [File] that writes many slices in one system call.
type GatherWriter interface {
	// Writev has the contract of the function [Writev].
	Writev(bufs [][]byte) (int64, error)

	// WritevAt has the contract of the function [WritevAt].
	WritevAt(bufs [][]byte, off int64) (int64, error)
}

// SpaceReporter is an [FS] that knows how much room it has.
type SpaceReporter interface {
	// DiskFree returns the bytes that an unprivileged process can still store on
	// the volume of dir.
	DiskFree(dir string) (uint64, error)
}
