//go:build linux || darwin || freebsd

package javalock

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// lockFile takes a write lock over the whole file, without waiting.
func lockFile(f *os.File) error {
	err := fcntl(f, syscall.F_SETLK, whole())
	if !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EACCES) {
		return err
	}
	owner := whole()
	if fcntl(f, syscall.F_GETLK, owner) == nil && owner.Type != syscall.F_UNLCK && owner.Pid > 0 {
		return fmt.Errorf("%w by process %d, an agent or a tool; stop it, or give this channel directories of its own", ErrLocked, owner.Pid)
	}
	// On a network file system the holder may be on another machine.
	return fmt.Errorf("%w by another agent; stop it, or give this channel directories of its own", ErrLocked)
}

func whole() *syscall.Flock_t {
	return &syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
}

func fcntl(f *os.File, command int, l *syscall.Flock_t) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = raw.Control(func(fd uintptr) {
		for {
			if lockErr = syscall.FcntlFlock(fd, command, l); !errors.Is(lockErr, syscall.EINTR) {
				return
			}
		}
	})
	return errors.Join(err, lockErr)
}
