// Package javalock knows the locks by which Apache Flume keeps others from a file channel's directories, so that
// an agent in Java and this program never use one directory at once.
//
// The lock is a POSIX record lock over the whole of the file in_use.lock, which is what Java's FileChannel.tryLock
// takes. Such locks belong to the process: they do not keep two channels of one process apart, and closing any
// descriptor of the file gives them up. So this package never opens a file again that it holds, and callers have a
// lock of their own besides against others of their kind.
//
// Apache Flume itself respects the lock when it starts, but does not keep it: to see whether locks work it tries a
// second time, and closes that descriptor. What it does keep is the file open. A process that has it open is
// therefore taken for one that uses the directory, where the system tells.
package javalock

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/flume-go/flume/internal/vfs"
)

// Name is the name of the file in each directory.
const Name = "in_use.lock"

// ErrLocked is wrapped by the error for a directory that is in use.
var ErrLocked = errors.New("the directory is in use")

// Lock locks directories, which must exist, all or none. Close gives the locks up, and removes the lock files that
// this call made. On a file system that is not the operating system's the lock is [vfs.FS.Lock].
func Lock(fsys vfs.FS, dirs ...string) (io.Closer, error) {
	var all locks
	for _, dir := range dirs {
		l, err := lockOne(fsys, dir)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", dir, err), all.Close())
		}
		all = append(all, l)
	}
	return all, nil
}

func lockOne(fsys vfs.FS, dir string) (io.Closer, error) {
	if _, ok := fsys.(vfs.OS); ok {
		return held.lock(filepath.Join(dir, Name))
	}
	name := filepath.Join(dir, Name)
	_, err := fsys.Stat(name)
	l := &plainLock{}
	if errors.Is(err, fs.ErrNotExist) {
		l.made = func() error { return fsys.Remove(name) }
	}
	if l.Closer, err = fsys.Lock(name); errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("%w by another channel or agent", ErrLocked)
	}
	return l, err
}

// User says who else uses a directory, as in "process 17"; it is empty for nobody, which includes this process. It
// changes nothing. Users of other users' processes and on systems other than Linux may go unnoticed.
func User(fsys vfs.FS, dir string) (string, error) {
	name := filepath.Join(dir, Name)
	if _, ok := fsys.(vfs.OS); ok {
		return held.user(name)
	}
	if _, err := fsys.Stat(name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // asking would make the file
		}
		return "", err
	}
	l, err := fsys.Lock(name)
	if errors.Is(err, vfs.ErrLocked) {
		return "another channel or agent", nil
	}
	if err != nil {
		return "", err
	}
	return "", l.Close()
}

// locks are given up together.
type locks []io.Closer

// Close gives up the locks. Closing twice does nothing.
func (l locks) Close() error {
	var errs []error
	for _, one := range l {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// plainLock is a lock of another file system than the operating system's.
type plainLock struct {
	io.Closer
	made func() error // removes the file if it was not there before; nil if it was, or is removed
}

// Close removes the file while it is locked: afterwards it may be somebody else's.
func (l *plainLock) Close() error {
	if l.made != nil {
		if err := l.made(); err != nil {
			return errors.Join(err, l.Closer.Close())
		}
		l.made = nil
	}
	return l.Closer.Close()
}

// lock is a file that is locked while it is open.
type lock struct {
	file *os.File
	info fs.FileInfo
	made bool // it was not there before
}

// Close gives up the lock.
func (l *lock) Close() error { return held.release(l) }

// registry is what this process has locked: the system does not tell it.
type registry struct {
	mu   sync.Mutex
	held map[*lock]bool
}

var held = registry{held: make(map[*lock]bool)}

// holds reports whether this process has the file locked.
func (r *registry) holds(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	for l := range r.held {
		if os.SameFile(info, l.info) {
			return true
		}
	}
	return false
}

func (r *registry) lock(path string) (*lock, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holds(path) {
		return nil, fmt.Errorf("%w by another channel of this agent; give each channel its own", ErrLocked)
	}
	for {
		_, err := os.Stat(path)
		l := &lock{made: errors.Is(err, fs.ErrNotExist)}
		if l.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
			return nil, err
		}
		if l.info, err = l.file.Stat(); err == nil {
			err = lockFile(l.file)
		}
		if err != nil {
			return nil, errors.Join(err, l.file.Close())
		}
		// Who held the lock before may have removed the file: then the lock is worth nothing.
		if now, err := os.Stat(path); err != nil || !os.SameFile(now, l.info) {
			l.file.Close()
			continue
		}
		r.held[l] = true
		return l, nil
	}
}

func (r *registry) release(l *lock) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.held[l] {
		return nil
	}
	delete(r.held, l)
	var err error
	if l.made {
		// While it is locked: afterwards it may be somebody else's.
		if err = os.Remove(l.file.Name()); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return errors.Join(err, l.file.Close())
}

func (r *registry) user(path string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holds(path) {
		return "", nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	return userOf(f)
}
