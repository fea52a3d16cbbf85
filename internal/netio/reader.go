// Package netio is what sources that listen for connections share: a server that
// accepts and stops cleanly, and a reader whose idle connections hold no memory
// to read into.
package netio

import (
	"io"
	"net"
	"syscall"
)

// Memory lends a Reader the memory to read into.
type Memory interface {
	// Lend returns memory, not empty, for one read. It is called when there is
	// (as far as can be told) something to read.
	Lend() []byte
	// Return takes the memory back unused.
	Return()
}

// Reader reads from a connection into memory that it borrows only once there is
// something to read: ten thousand idle connections cost ten thousand
// goroutines, not ten thousand buffers. Not safe for concurrent use.
//
// Where the platform or the connection does not offer this, memory is borrowed
// before the wait.
type Reader struct {
	conn io.Reader
	mem  Memory
	raw  syscall.RawConn              // nil: read the plain way
	try  func(fd uintptr) (done bool) // r.tryRead, made once

	n   int
	err error
}

// NewReader returns a reader of conn that borrows from mem.
func NewReader(conn net.Conn, mem Memory) *Reader {
	r := &Reader{conn: conn, mem: mem}
	if sc, ok := conn.(syscall.Conn); ok && canTry {
		if raw, err := sc.SyscallConn(); err == nil {
			r.raw, r.try = raw, r.tryRead
		}
	}
	return r
}

// Read waits for input, borrows memory and reads what there is. When n is 0 the memory
// has been returned, otherwise its first n bytes are filled and it is the
// caller's, with an error as well. The end of input is io.EOF.
func (r *Reader) Read() (n int, err error) {
	if r.raw == nil {
		return r.plainRead()
	}
	r.n, r.err = 0, nil
	if err := r.raw.Read(r.try); err != nil {
		return 0, err
	}
	return r.n, r.err
}

func (r *Reader) plainRead() (int, error) {
	n, err := r.conn.Read(r.mem.Lend())
	if n == 0 {
		r.mem.Return()
	}
	return n, err
}
