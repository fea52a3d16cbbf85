package syslogudp

import (
	"net"
	"syscall"
)

// askBuffer asks for a receive buffer of n bytes: without the system's limit, if
// this process may, else within it.
func askBuffer(conn *net.UDPConn, n int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var forced error
	err = raw.Control(func(fd uintptr) {
		forced = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, n)
	})
	if err != nil || forced != nil {
		return conn.SetReadBuffer(n)
	}
	return nil
}

// bufferSize returns the size of the receive buffer as it was asked for: the
// kernel tells twice that, for what it needs itself.
func bufferSize(conn *net.UDPConn) (n int, ok bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		n, failed = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
	})
	return n / 2, err == nil && failed == nil
}
