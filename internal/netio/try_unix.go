//go:build unix

package netio

import (
	"errors"
	"io"
	"os"
	"syscall"
)

const canTry = true

// tryRead reads once without waiting. It reports false if there was nothing to
// read: the caller then waits, while the memory is back where it came from.
func (r *Reader) tryRead(fd uintptr) bool {
	buf := r.mem.Lend()
	n, err := readNow(fd, buf)
	if n > 0 {
		if r.n = n; err != nil {
			r.err = os.NewSyscallError("read", err)
		}
		return true
	}
	r.mem.Return()
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return false
	case err == nil:
		r.err = io.EOF
	default:
		r.err = os.NewSyscallError("read", err)
	}
	return true
}
