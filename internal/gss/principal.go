package gss

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/go-krb5/krb5/iana/nametype"
	"github.com/go-krb5/krb5/types"
)

// Principal is the name of somebody whom Kerberos knows.
type Principal struct {
	Name  string // parts, separated by "/": flume/host.example.org
	Realm string // "" for the default realm
}

// ParsePrincipal reads a name such as flume/host.example.org@EXAMPLE.ORG.
func ParsePrincipal(s string) (Principal, error) {
	name, realm, found := strings.Cut(s, "@")
	switch {
	case s == "":
		return Principal{}, errors.New("a principal has no name")
	case strings.ContainsAny(s, " \t\r\n\x00\\"):
		return Principal{}, fmt.Errorf("principal %q has characters that are not allowed", s)
	case found && (realm == "" || strings.Contains(realm, "@")):
		return Principal{}, fmt.Errorf("principal %q has no realm behind its @", s)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" {
			return Principal{}, fmt.Errorf("principal %q has an empty part", s)
		}
	}
	return Principal{Name: name, Realm: realm}, nil
}

// String is the inverse of ParsePrincipal.
func (p Principal) String() string {
	if p.Realm == "" {
		return p.Name
	}
	return p.Name + "@" + p.Realm
}

// Host returns the host of a service's principal, "" if it has none.
func (p Principal) Host() string {
	if parts := strings.Split(p.Name, "/"); len(parts) == 2 {
		return parts[1]
	}
	return ""
}

func (p Principal) encoded() types.PrincipalName {
	return types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, p.Name)
}

// principalOf is the inverse of encoded.
func principalOf(name types.PrincipalName, realm string) Principal {
	return Principal{Name: name.PrincipalNameString(), Realm: realm}
}

// hostPattern stands for this machine's name in a principal.
const hostPattern = "_HOST"

// HasHostPattern reports whether the host of a principal is _HOST.
func (p Principal) HasHostPattern() bool { return p.Host() == hostPattern }

// Resolve replaces _HOST by the canonical name of this machine, in lower case, as
// Hadoop's libraries do for Flume. It may ask DNS.
func (p Principal) Resolve(ctx context.Context) (Principal, error) {
	if !p.HasHostPattern() {
		return p, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return p, fmt.Errorf("resolving _HOST in principal %s: %w; write the host's name instead", p, err)
	}
	primary, _, _ := strings.Cut(p.Name, "/")
	p.Name = primary + "/" + strings.ToLower(canonical(ctx, net.DefaultResolver, host))
	return p, nil
}

// resolver is what canonical needs of net.Resolver.
type resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

// canonical returns the name that the address of host has, and host itself if
// there is none.
func canonical(ctx context.Context, r resolver, host string) string {
	addrs, err := r.LookupHost(ctx, host)
	if err != nil || len(addrs) == 0 {
		return host
	}
	names, err := r.LookupAddr(ctx, addrs[0])
	if err != nil || len(names) == 0 {
		return host
	}
	return strings.TrimSuffix(names[0], ".")
}
