//go:build !race

package netio

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
)

// TestResetBehindInput has the error of a connection that was reset come with the last bytes before it: it does not come again.
func TestResetBehindInput(t *testing.T) {
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := new(net.Dialer).DialContext(context.Background(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := client.Write([]byte("0123456789abcdef")); err != nil {
		t.Fatal(err)
	}
	tcp, ok := client.(*net.TCPConn)
	if !ok {
		t.Fatalf("a connection is a %T", client)
	}
	if err := errors.Join(tcp.SetLinger(0), tcp.Close()); err != nil {
		t.Fatal(err)
	}
	raw, err := server.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	var got [64]byte
	if rawErr := raw.Read(func(fd uintptr) bool {
		n, err = readParts(fd, got[:], 8)
		return !errors.Is(err, syscall.EAGAIN)
	}); rawErr != nil {
		t.Fatal(rawErr)
	}
	if string(got[:n]) != "0123456789abcdef" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %q, %v", got[:n], err)
	}
}
