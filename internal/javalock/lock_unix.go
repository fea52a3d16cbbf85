//go:build linux || darwin || freebsd

package javalock

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockFile takes a write lock over the whole file, without waiting.
func lockFile(f *os.File) error {
	by, err := opener(f)
	if err != nil {
		return err
	}
	if by == "" {
		if err = fcntl(f, syscall.F_SETLK, whole()); !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EACCES) {
			return err
		}
		// On a network file system the holder may be on another machine.
		if by = locker(f); by == "" {
			by = "another agent"
		}
	}
	return fmt.Errorf("%w by %s, an agent or a tool; stop it, or give this channel directories of its own", ErrLocked, by)
}

// userOf names another process that has f locked or open; empty for none.
func userOf(f *os.File) (string, error) {
	if by := locker(f); by != "" {
		return by, nil
	}
	return opener(f)
}

// locker names another process that has f locked.
func locker(f *os.File) string {
	owner := whole()
	if fcntl(f, syscall.F_GETLK, owner) == nil && owner.Type != syscall.F_UNLCK && owner.Pid > 0 {
		return fmt.Sprintf("process %d", owner.Pid)
	}
	return ""
}

// opener names another process that has an open file open, too, where the system tells: Linux does, about the
// processes of the same user and to root about all.
func opener(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	handles, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return "", err
	}
	own := strconv.Itoa(os.Getpid())
	for _, handle := range handles {
		pid := strings.Split(handle, "/")[2]
		if pid == own {
			continue
		}
		target, err := os.Readlink(handle)
		if err != nil || filepath.Base(target) != Name {
			continue // errors: it was closed meanwhile, or is none of our business
		}
		if other, err := os.Stat(handle); err == nil && os.SameFile(info, other) {
			return "process " + pid, nil
		}
	}
	return "", nil
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
