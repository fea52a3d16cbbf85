//go:build !linux

package udp

import "net"

// AskBuffer asks for a receive buffer of n bytes. What the system really gives is
// not known here: got is n.
func AskBuffer(conn *net.UDPConn, n int) (got int, err error) {
	return n, conn.SetReadBuffer(n)
}
