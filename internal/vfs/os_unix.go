//go:build linux || darwin || freebsd

package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		info, statErr := d.Stat()
		if statErr == nil && info.IsDir() {
			err = nil
		}
	}
	return errors.Join(err, d.Close())
}

// lockFile relies on flock belonging to the open file, not to the process: a second attempt
// in the same process fails too, and closing some other handle of the file does not unlock it.
func lockFile(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: name, Err: err}, f.Close())
	}
	return f, nil
}

func flock(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = raw.Control(func(fd uintptr) {
		lockErr = retryInterrupted(func() error {
			return syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB)
		})
	})
	if err != nil {
		return err
	}
	return lockErr
}

func diskFree(dir string) (uint64, error) {
	var st syscall.Statfs_t
	err := retryInterrupted(func() error { return syscall.Statfs(dir, &st) })
	if err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	// The field types differ between systems. Available blocks can be negative where a
	// reserve for the superuser is in use.
	blocks := int64(st.Bavail) //nolint:unconvert // unsigned on Linux
	return uint64(max(blocks, 0)) * uint64(st.Bsize), nil
}

// retryInterrupted repeats a system call that a signal cut short; the Go runtime itself uses
// signals to preempt.
func retryInterrupted(call func() error) error {
	for {
		err := call()
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
