package intake

import (
	"net"
	"net/netip"
)

// addrOf returns the address of a peer over TCP.
func addrOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}
