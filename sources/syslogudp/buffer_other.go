//go:build !linux

package syslogudp

import "net"

// askBuffer asks for a receive buffer of n bytes.
func askBuffer(conn *net.UDPConn, n int) error { return conn.SetReadBuffer(n) }

// bufferSize is not known here.
func bufferSize(*net.UDPConn) (n int, ok bool) { return 0, false }
