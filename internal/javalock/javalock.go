// Package javalock takes the locks by which Apache Flume keeps other agents from a file channel's directories, so that
// an agent in Java and this program never use one directory at once.
//
// The lock is a POSIX record lock over the whole of the file in_use.lock, which is what Java's FileChannel.tryLock
// takes. Such locks belong to the process: they do not keep two channels of one process apart, and closing any
// descriptor of the file gives them up. So this package never opens a file again that it holds, and callers have a lock
// of their own besides against others of their kind. The file stays when the lock goes; removing it could
// take it from under somebody who has just locked it.
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

// Lock locks directories, which must exist, all or none. Close gives them up. On a file system that is not the operating
// system's, and on systems without record locks, there is no agent in Java to be kept away, and
// Lock does nothing.
func Lock(fsys vfs.FS, dirs ...string) (io.Closer, error) {
	if _, ok := fsys.(vfs.OS); !ok {
		return locks(nil), nil
	}
	var all locks
	for _, dir := range dirs {
		l, err := held.lock(dir)
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all = append(all, l)
	}
	return all, nil
}

// locks are given up together.
type locks []*lock

// Close gives up the locks. Closing twice does nothing.
func (l locks) Close() error {
	var errs []error
	for _, one := range l {
		errs = append(errs, held.release(one))
	}
	return errors.Join(errs...)
}

// lock is a file that is locked while it is open.
type lock struct {
	file *os.File
	info fs.FileInfo
}

// registry is what this process has locked: the system does not tell it.
type registry struct {
	mu   sync.Mutex
	held map[*lock]bool
}

var held = registry{held: make(map[*lock]bool)}

func (r *registry) lock(dir string) (*lock, error) {
	path := filepath.Join(dir, Name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if info, err := os.Stat(path); err == nil {
		for l := range r.held {
			if os.SameFile(info, l.info) {
				return nil, fmt.Errorf("locking %s: %w by another channel of this agent; give each channel its own", dir, ErrLocked)
			}
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	info, err := f.Stat()
	if err == nil {
		err = lockFile(f)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", dir, err), f.Close())
	}
	l := &lock{file: f, info: info}
	r.held[l] = true
	return l, nil
}

func (r *registry) release(l *lock) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.held[l] {
		return nil
	}
	delete(r.held, l)
	return l.file.Close()
}
