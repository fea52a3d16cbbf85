package netio

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// lookupTime bounds the search for the name of a peer: what it sends waits for it.
const lookupTime = 2 * time.Second

// Resolver asks name servers; it is net.DefaultResolver but in tests.
type Resolver interface {
	LookupAddr(ctx context.Context, addr string) ([]string, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Hostname returns the name of a host, its address as text if name servers do not
// tell it within two seconds, or do not agree that the name is that of this address:
// whoever sends messages chooses what the name server for its address says.
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
