package netio

import (
	"context"
	"errors"
	"net/netip"
	"testing"
)

// names is a resolver: addresses and their names. That of 10.0.0.2 is not its own.
type names map[string]string

func (n names) LookupAddr(_ context.Context, addr string) ([]string, error) {
	if name, ok := n[addr]; ok {
		return []string{name}, nil
	}
	return nil, errors.New("no such address")
}

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	for addr, name := range n {
		if name == host && addr != "10.0.0.2" {
			return []netip.Addr{netip.MustParseAddr(addr)}, nil
		}
	}
	return nil, errors.New("no such host")
}

func TestHostname(t *testing.T) {
	r := names{"10.0.0.1": "one.example.", "10.0.0.2": "liar.example.", "fe80::1": "six.example"}
	for addr, want := range map[string]string{
		"10.0.0.1": "one.example", "::ffff:10.0.0.1": "one.example", "10.0.0.2": "10.0.0.2", "10.0.0.3": "10.0.0.3",
		"fe80::1": "six.example", "2001:db8::1": "2001:db8:0:0:0:0:0:1",
	} {
		if got := Hostname(t.Context(), r, netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is %q, want %q", addr, got, want)
		}
	}
	if got := AddressText(netip.Addr{}); got != "" {
		t.Errorf("no address is %q", got)
	}
	if got := AddressText(netip.MustParseAddr("fe80::1%eth0")); got != "fe80:0:0:0:0:0:0:1%eth0" {
		t.Errorf("an address with a zone is %q", got)
	}
}
