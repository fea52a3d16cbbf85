package intake

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// lookupTime bounds the search for the name of a peer: its messages wait for it.
const lookupTime = 2 * time.Second

// Resolver asks name servers; it is net.DefaultResolver but in tests.
type Resolver interface {
	LookupAddr(ctx context.Context, addr string) ([]string, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Hostname returns the name of a host, its address as text if name servers do not
// tell it or do not agree that the name is that of this address: whoever sends
// messages chooses what the name server for its address says.
func Hostname(ctx context.Context, r Resolver, addr netip.Addr) string {
	addr = addr.Unmap()
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	names, err := r.LookupAddr(ctx, addr.String())
	if err != nil || len(names) == 0 {
		return AddressText(addr)
	}
	addresses, err := r.LookupNetIP(ctx, "ip", names[0])
	same := func(a netip.Addr) bool { return a.Unmap() == addr.WithZone("") }
	if err != nil || !slices.ContainsFunc(addresses, same) {
		return AddressText(addr)
	}
	return strings.TrimSuffix(names[0], ".")
}

// AddressText writes an address as Java does: all eight groups of one of IPv6.
func AddressText(addr netip.Addr) string {
	addr = addr.Unmap()
	if !addr.Is6() {
		if !addr.IsValid() {
			return ""
		}
		return addr.String()
	}
	var out []byte
	groups := addr.As16()
	for i := 0; i < len(groups); i += 2 {
		if i > 0 {
			out = append(out, ':')
		}
		out = strconv.AppendUint(out, uint64(groups[i])<<8|uint64(groups[i+1]), 16)
	}
	if zone := addr.Zone(); zone != "" {
		out = append(append(out, '%'), zone...)
	}
	return string(out)
}

// addrOf returns the address of a peer over TCP.
func addrOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}
