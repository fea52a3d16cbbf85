package avro

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
)

// directory is a name server.
type directory map[string]string // names of addresses

func (d directory) LookupAddr(_ context.Context, addr string) ([]string, error) {
	if name, ok := d[addr]; ok {
		return []string{name + "."}, nil
	}
	return nil, errors.New("no such address")
}

func (d directory) LookupNetIP(_ context.Context, _, host string) (found []netip.Addr, err error) {
	for addr, name := range d {
		if name == host || name+"." == host {
			found = append(found, netip.MustParseAddr(addr))
		}
	}
	if found == nil {
		return nil, errors.New("no such name")
	}
	return found, nil
}

func TestFilter(t *testing.T) {
	names := directory{"10.1.2.3": "web.example.org", "10.9.9.9": "self", "fe80::1": "six.example.org"}
	for _, c := range []struct {
		rules, client string
		want          bool
	}{
		{"allow:ip:10.*", "10.1.2.3", true},
		{"allow:ip:10.*", "11.1.2.3", true}, // no match means allow
		{"allow:ip:10.*,deny:ip:*", "11.1.2.3", false},
		{"deny:ip:10.1.2.3", "10.1.2.3", false},
		{"deny:ip:10.1.2.3", "10.1.2.30", true},
		{"deny:ip:10.1.2.?", "10.1.2.3", false},
		{"deny:ip:10.1.2.?", "10.1.2.33", true},
		{"deny:ip:10.1.2.3", "10.192.2.3", true},    // a dot is a dot
		{"deny:ip:10.1.2.(3|4)", "10.1.2.4", false}, // the rest is a regular expression
		{"deny:ip:10.1.2.[0-5]", "10.1.2.3", false},
		{"deny:ip:", "10.1.2.3", true},
		{"deny:ip:127.0.0.1,allow:ip:*", "127.0.0.1", false},
		{" deny:ip:127.0.0.1 , allow:ip:* ", "127.0.0.1", false},
		{"allow:ip:127.0.0.1,deny:ip:127.*", "127.0.0.1", true},
		{"deny:name:web.*", "10.1.2.3", false},
		{"deny:name:*.example.org", "10.1.2.3", false},
		{"deny:name:*.example.org", "10.1.2.4", true},
		{"deny:name:10.1.2.4", "10.1.2.4", false}, // without a name the address stands for it
		{"deny:name:localhost", "127.0.0.1", false},
		{"deny:name:localhost", "10.9.9.9", false}, // what the host's name stands for
		{"deny:name:localhost", "::1", true},
		{"deny:name:localhost", "10.1.2.3", true},
		{"deny:ip:0:0:0:0:0:0:0:1", "::1", false},
		{"deny:ip:::1", "::1", true}, // not as Java writes it
		{"deny:ip:fe80:0:0:0:0:0:0:1%*", "fe80::1%eth0", false},
		{"deny:ip:10.1.2.3", "::ffff:10.1.2.3", false},
	} {
		f, err := parseFilter(c.rules)
		if err != nil {
			t.Fatalf("%s: %v", c.rules, err)
		}
		f.resolver, f.hostname = names, func() (string, error) { return "self", nil }
		addr := netip.MustParseAddr(c.client)
		if got := f.allows(t.Context(), net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 1))); got != c.want {
			t.Errorf("with %s, %s may connect: %v", c.rules, c.client, got)
		}
	}
}

func TestBadRules(t *testing.T) {
	for _, rules := range []string{"", " ", ",", "allow", "allow:ip", "Allow:ip:*", "deny:IP:*", "deny:address:*", "deny:ip:*,", "allow ip *", "deny:ip:("} {
		if _, err := parseFilter(rules); err == nil {
			t.Errorf("%q is taken for rules", rules)
		}
	}
}
