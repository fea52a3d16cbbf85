package netio_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/flume-go/flume/internal/netio"
)

// connected returns both ends of a TCP connection.
func connected(t testing.TB) (one, other net.Conn) {
	t.Helper()
	ln, err := netio.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	one, err = new(net.Dialer).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { one.Close(); other.Close() })
	return one, other
}

// TestDirect holds a connection against what all connections of Go do.
func TestDirect(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		one, other := connected(t)
		return netio.Direct(one), netio.Direct(other), func() { one.Close(); other.Close() }, nil
	})
}

// TestDirectMovesMuch writes more at once than sockets hold, to a reader that takes it in pieces.
func TestDirectMovesMuch(t *testing.T) {
	one, other := connected(t)
	sent := bytes.Repeat([]byte("0123456789abcde\n"), 1<<20)
	written := make(chan error, 1)
	go func() {
		n, err := netio.Direct(one).Write(sent)
		if err == nil && n != len(sent) {
			err = io.ErrShortWrite
		}
		written <- errors.Join(err, one.Close())
	}()
	got, err := io.ReadAll(struct{ io.Reader }{netio.Direct(other)})
	if err = errors.Join(err, <-written); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes, %v", len(got), len(sent), err)
	}
}

// TestDirectErrors has errors in the form that those of the package net have.
func TestDirectErrors(t *testing.T) {
	one, other := connected(t)
	c := netio.Direct(one)
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(err.Error(), "read tcp 127.0.0.1:") {
		t.Errorf("reading behind the deadline: %v", err)
	}
	if err := other.(*net.TCPConn).SetLinger(0); err != nil { // its end resets the connection
		t.Fatal(err)
	}
	other.Close()
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Read(make([]byte, 1))
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "read" || !strings.Contains(err.Error(), "connection reset by peer") {
		t.Errorf("reading from a connection that was reset: %v", err)
	}
	_, err = c.Write([]byte("x"))
	if !errors.As(err, &op) || op.Op != "write" {
		t.Errorf("writing to it: %v", err)
	}
	c.Close()
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "write tcp") {
		t.Errorf("writing to one that is closed: %v", err)
	}
}

// TestDirectAllocatesNothing counts for a write and a read.
func TestDirectAllocatesNothing(t *testing.T) {
	one, other := connected(t)
	from, to, p := netio.Direct(one), netio.Direct(other), make([]byte, 1000)
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := from.Write(p); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(to, p); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations for a write and a read", allocs)
	}
}
