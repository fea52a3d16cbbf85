package avro

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/flume-go/flume/internal/javaregex"
	"github.com/flume-go/flume/internal/netio"
)

// filter decides by its rules who may connect. Safe for concurrent use.
type filter struct {
	rules []filterRule
	// resolver asks name servers; another one in tests.
	resolver netio.Resolver
	hostname func() (string, error)
}

// filterRule is one rule of Flume's form, such as deny:ip:10.*.
type filterRule struct {
	allow     bool
	name      bool              // the pattern is for the name, not the address
	localhost bool              // name:localhost, which means this host
	pattern   *javaregex.Regexp // nil: matches nothing
}

// parseFilter reads rules that are separated by commas.
func parseFilter(text string) (*filter, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("ipFilter needs rules")
	}
	f := &filter{resolver: net.DefaultResolver, hostname: os.Hostname}
	for part := range strings.SplitSeq(text, ",") {
		r, err := parseRule(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		f.rules = append(f.rules, r)
	}
	return f, nil
}

func parseRule(text string) (r filterRule, err error) {
	access, rest, _ := strings.Cut(text, ":")
	kind, pattern, ok := strings.Cut(rest, ":")
	if !ok || access != "allow" && access != "deny" || kind != "ip" && kind != "name" {
		return r, fmt.Errorf("%q is no rule: one has the form allow or deny, ip or name, and a pattern, with colons between", text)
	}
	r.allow, r.name = access == "allow", kind == "name"
	r.localhost = r.name && pattern == "localhost"
	if pattern == "" {
		return r, nil
	}
	// As in Flume, whatever else means something in a regular expression does so here.
	expression := strings.NewReplacer(".", `\.`, "*", ".*", "?", ".").Replace(pattern)
	if r.pattern, err = javaregex.Compile(expression); err != nil {
		return r, fmt.Errorf("the pattern of %q: %w", text, err)
	}
	return r, nil
}

func (r *filterRule) matches(text string) bool {
	if r.pattern == nil {
		return false
	}
	ok, err := r.pattern.Matches([]byte(text))
	return err == nil && ok
}

// allows reports whether a client may connect: what the first rule says that
// matches, or yes. It may ask name servers, for some seconds at most.
func (f *filter) allows(ctx context.Context, client net.Addr) bool {
	tcp, ok := client.(*net.TCPAddr)
	if !ok {
		return true
	}
	addr := tcp.AddrPort().Addr().Unmap()
	name, asked := "", false
	for i := range f.rules {
		r := &f.rules[i]
		switch {
		case !r.name:
			if !r.matches(netio.AddressText(addr)) {
				continue
			}
		case r.localhost:
			if !f.isLocal(ctx, addr) {
				continue
			}
		default:
			if !asked {
				name, asked = netio.Hostname(ctx, f.resolver, addr), true
			}
			if !r.matches(name) {
				continue
			}
		}
		return r.allow
	}
	return true
}

// isLocal reports whether an address is what Flume takes for this host's: 127.0.0.1,
// or the one that its name stands for.
func (f *filter) isLocal(ctx context.Context, addr netip.Addr) bool {
	if addr == netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
		return true
	}
	name, err := f.hostname()
	if err != nil {
		return false
	}
	mine, err := f.resolver.LookupNetIP(ctx, "ip", name)
	same := func(a netip.Addr) bool { return a.Unmap() == addr.WithZone("") }
	return err == nil && slices.ContainsFunc(mine, same)
}
