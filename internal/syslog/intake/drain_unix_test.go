//go:build unix

package intake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStopLosesNothing: a client that looks at its connection before it writes,
// as rsyslog does, loses nothing to a source that stops.
func TestStopLosesNothing(t *testing.T) {
	out := new(recorder)
	tcp := newTCP(Options{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ln, err := tcp.Listen(ctx, "127.0.0.1", "0", "port")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tcp.Serve(ctx, ln, nil, out) }()
	conn := dial(t, ln.Addr().String())
	sent := 0
	for !ended(t, conn) {
		if _, err := fmt.Fprintf(conn, "<13>1 - h %d\n", sent); err != nil {
			t.Fatalf("writing message %d: %v", sent, err)
		}
		if sent++; sent == 1000 {
			cancel()
		}
	}
	conn.Close()
	if err := <-done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	var want []string
	for i := range sent {
		want = append(want, strconv.Itoa(i))
	}
	if diff := cmp.Diff(want, out.bodies()); diff != "" {
		t.Errorf("of %d messages (-sent +stored):\n%s", sent, diff)
	}
}

// ended asks the kernel whether the connection has ended, as rsyslog does. There
// must be nothing to read before.
func ended(t *testing.T, conn *net.TCPConn) bool {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	var failure error
	if err := raw.Control(func(fd uintptr) {
		n, _, failure = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}); err != nil {
		t.Fatal(err)
	}
	if errors.Is(failure, syscall.EAGAIN) {
		return false
	}
	if n > 0 || failure != nil {
		t.Fatalf("looking at the connection: %d bytes, %v", n, failure)
	}
	return true
}
