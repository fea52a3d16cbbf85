package udp

import (
	"net"
	"syscall"
)

// AskBuffer asks for a receive buffer of n bytes: without the system's limit, if
// this process may, else within it. It returns how many bytes there are now, as
// far as the system tells, else n.
func AskBuffer(conn *net.UDPConn, n int) (got int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var forced error
	err = raw.Control(func(fd uintptr) {
		forced = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, n)
	})
	if err != nil || forced != nil {
		if err := conn.SetReadBuffer(n); err != nil {
			return 0, err
		}
	}
	var untold error
	err = raw.Control(func(fd uintptr) {
		got, untold = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
	})
	if err != nil || untold != nil {
		return n, nil //nolint:nilerr // the buffer was set; how large it is stays unknown
	}
	return got / 2, nil // the kernel doubles it, for what it needs itself
}
