package roles

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// poster sends requests on one connection, each after the answer to the one before, with two system calls for each and without a
// copy: the kernel sends the pages of a file in memory. What the generator does not take of the processor is there for the programs
// that it is for, which are all served by it alike.
//
// The other side must have read a request before the next is written to the memory: its answer says so. One goroutine
// uses it, which the system calls block.
type poster struct {
	file *os.File // in memory; it is mapped as mem
	mem  []byte
	conn *os.File // a second descriptor of the connection
	from int      // number of file
	to   int      // number of conn
}

// newPoster returns a poster for requests of up to size bytes. The caller closes it before the connection.
func newPoster(conn *net.TCPConn, size int) (_ *poster, err error) {
	fd, err := unix.MemfdCreate("requests", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a file in memory: %w", err)
	}
	p := &poster{file: os.NewFile(uintptr(fd), "requests"), from: fd}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if err = unix.Ftruncate(fd, int64(size)); err != nil {
		return nil, fmt.Errorf("making a file in memory: %w", err)
	}
	if p.mem, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("mapping a file in memory: %w", err)
	}
	if p.conn, err = conn.File(); err != nil {
		return nil, fmt.Errorf("taking a connection over: %w", err)
	}
	p.to = int(p.conn.Fd()) // which also has it block
	return p, nil
}

// close leaves the connection itself open.
func (p *poster) close() error {
	err := p.file.Close()
	if p.conn != nil {
		err = errors.Join(err, p.conn.Close())
	}
	if p.mem != nil {
		err = errors.Join(err, unix.Munmap(p.mem))
	}
	return err
}

// memory is where requests are to stand.
func (p *poster) memory() []byte { return p.mem }

// send sends the first n bytes of the memory.
func (p *poster) send(n int) error {
	for sent := int64(0); sent < int64(n); {
		_, err := unix.Sendfile(p.to, p.from, &sent, n-int(sent))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("sendfile", err)
		}
	}
	return nil
}

// Read reads what the other side answers.
func (p *poster) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(p.to, b)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}
