package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// network is what the system and its name servers know about the host.
type network interface {
	// hostname returns the name that the kernel has.
	hostname() (string, error)
	// addresses returns the addresses of a name.
	addresses(ctx context.Context, name string) ([]netip.Addr, error)
	// names returns the names of an address.
	names(ctx context.Context, addr netip.Addr) ([]string, error)
	// interfaces returns the addresses of the interfaces that are up, in the
	// order of the interfaces.
	interfaces() ([]netip.Addr, error)
}

// address returns the address of the host: of those that its name stands for the
// best one. Where the name stands for the loopback alone, as on Debian, or for
// nothing, the best one of its interfaces.
func address(ctx context.Context, n network) (string, error) {
	var candidates []netip.Addr
	host, hostErr := n.hostname()
	if hostErr == nil {
		candidates, hostErr = n.addresses(ctx, host)
	}
	if best, ok := pick(candidates); ok && !best.IsLoopback() {
		return best.String(), nil
	}
	own, ownErr := n.interfaces()
	if best, ok := pick(own); ok && !best.IsLoopback() {
		return best.String(), nil
	}
	if best, ok := pick(append(candidates, own...)); ok {
		return best.String(), nil
	}
	for _, err := range []error{hostErr, ownErr} {
		if err != nil {
			return "", fmt.Errorf("finding the address of the host: %w", err)
		}
	}
	return "", errors.New("finding the address of the host: no interface has an address")
}

// pick returns the first address of the best kind: IPv4 before IPv6, as Java does
// by default, and those that others can reach before link-local ones and the
// loopback.
func pick(addrs []netip.Addr) (netip.Addr, bool) {
	best, bestRank := netip.Addr{}, 1<<10
	for _, a := range addrs {
		if a = a.Unmap().WithZone(""); a.IsValid() && !a.IsUnspecified() && rank(a) < bestRank {
			best, bestRank = a, rank(a)
		}
	}
	return best, best.IsValid()
}

func rank(a netip.Addr) int {
	r := 0
	switch {
	case a.IsLoopback():
		r = 4
	case a.IsLinkLocalUnicast():
		r = 2
	}
	if a.Is6() {
		r++
	}
	return r
}

// fullName returns the full name of the host: the name of one of the addresses that
// its short name stands for, else the name that the kernel has.
func fullName(ctx context.Context, n network) (string, error) {
	host, err := n.hostname()
	if err != nil {
		return "", fmt.Errorf("finding the name of the host: %w", err)
	}
	addrs, err := n.addresses(ctx, host)
	if err != nil {
		return host, nil //nolint:nilerr // a name that no server knows is the name all the same
	}
	for _, a := range addrs {
		names, err := n.names(ctx, a)
		if err != nil {
			continue
		}
		for _, full := range names {
			if full = strings.TrimSuffix(full, "."); full != "" && !isLocalhost(full) {
				return full, nil
			}
		}
	}
	return host, nil
}

// isLocalhost reports whether a name is the one that every host has.
func isLocalhost(name string) bool {
	first, _, _ := strings.Cut(strings.ToLower(name), ".")
	return first == "localhost" || first == "ip6-localhost" || first == "localhost6"
}

// system asks the operating system.
type system struct{}

func (system) hostname() (string, error) {
	h, err := os.Hostname()
	if err == nil && h == "" {
		err = errors.New("the system has no host name")
	}
	return h, err
}

func (system) addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

func (system) names(ctx context.Context, addr netip.Addr) ([]string, error) {
	return net.DefaultResolver.LookupAddr(ctx, addr.String())
}

func (system) interfaces() ([]netip.Addr, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing interfaces: %w", err)
	}
	var out []netip.Addr
	for _, i := range list {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				out = append(out, p.Addr())
			}
		}
	}
	return out, nil
}
