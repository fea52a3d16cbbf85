//go:build !race

package netio

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// The race detector knows of what passes through sockets by the package syscall, so that it is left to that under race detection.

// mostAtOnce is the most that one call reads or writes: the scheduler cannot interrupt it.
const mostAtOnce = 256 << 10

// Direct returns conn, or, if it is a TCP connection, one that does the same without telling Go's scheduler of each read and
// write. They are of memory that is there, and never wait; but to copy a quarter of a megabyte takes longer than the scheduler
// lets a system call keep its processor. It then wakes another thread for that, which the first has to wait for when it
// comes back: where all processors are busy that costs more than the copy.
func Direct(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn // it is closed
	}
	c := &direct{TCPConn: tcp}
	c.in.when, c.in.try = raw.Read, c.in.read
	c.out.when, c.out.try = raw.Write, c.out.write
	return c
}

// direct is a connection made by Direct.
type direct struct {
	*net.TCPConn
	in, out transfer
}

// transfer is the reads of a connection, or its writes, one at a time.
type transfer struct {
	mu  sync.Mutex // guards all of it
	p   []byte     // of the call under way
	n   int        // bytes of it that are done
	err error

	try  func(fd uintptr) (done bool)   // does what can be done now
	when func(func(uintptr) bool) error // runs try until it is done, and waits for the socket meanwhile
}

// Read implements net.Conn.
func (c *direct) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.in.run(p)
	if err == nil && n == 0 {
		return 0, io.EOF
	}
	return n, c.named("read", err)
}

// Write implements net.Conn.
func (c *direct) Write(p []byte) (int, error) {
	n, err := c.out.run(p)
	return n, c.named("write", err)
}

// named gives an error the form that those of the package net have.
func (c *direct) named(op string, err error) error {
	if err == nil {
		return nil
	}
	if known := (*net.OpError)(nil); errors.As(err, &known) {
		known.Op = op // it was raw-read or raw-write
		return known
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, err)}
}

// run does a call.
func (t *transfer) run(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p, t.n, t.err = p, 0, nil
	err := t.when(t.try)
	if err == nil {
		err = t.err
	}
	t.p = nil
	return t.n, err
}

func (t *transfer) read(fd uintptr) bool {
	t.n, t.err = readNow(fd, t.p)
	return !errors.Is(t.err, syscall.EAGAIN)
}

func (t *transfer) write(fd uintptr) bool {
	for t.n < len(t.p) {
		rest := t.p[t.n:min(len(t.p), t.n+mostAtOnce)]
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(rest))), uintptr(len(rest)))
		switch errno {
		case 0:
			t.n += int(n)
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			t.err = errno
			return true
		}
	}
	return true
}

// readNow reads what there is from a socket that does not block, up to len(p) bytes. With an error there may be some as well: a
// socket tells of a reset once, and says afterwards that its input has ended.
func readNow(fd uintptr, p []byte) (n int, err error) { return readParts(fd, p, mostAtOnce) }

// readParts is readNow with calls for at most so many bytes.
func readParts(fd uintptr, p []byte, most int) (n int, err error) {
	for {
		part := p[n:min(len(p), n+most)]
		got, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(part))), uintptr(len(part)))
		switch errno {
		case 0:
			n += int(got)
			if int(got) < most || n == len(p) {
				return n, nil
			}
		case syscall.EINTR:
		case syscall.EAGAIN:
			if n > 0 {
				return n, nil
			}
			return 0, errno
		default:
			return n, errno
		}
	}
}
