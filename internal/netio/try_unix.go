//go:build unix

package netio

import (
	"io"
	"os"
	"syscall"
)

const canTry = true

// tryRead reads once without waiting. It reports false if there was nothing to
// read: the caller then waits, while the memory is back where it came from.
func (r *Reader) tryRead(fd uintptr) bool {
	buf := r.mem.Lend()
	n, err := syscall.Read(int(fd), buf)
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), buf)
	}
	if n > 0 {
		r.n = n
		return true
	}
	r.mem.Return()
	switch err {
	case syscall.EAGAIN:
		return false
	case nil:
		r.err = io.EOF
	default:
		r.err = os.NewSyscallError("read", err)
	}
	return true
}
