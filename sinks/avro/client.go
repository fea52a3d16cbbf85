package avro

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/rpc"
	"github.com/flume-go/flume/wire/thrift"
)

// The values of host-selector.
const (
	roundRobin = "ROUND_ROBIN"
	random     = "RANDOM"
)

// mostBackoff is what a maxBackoff of 0 means.
const mostBackoff = 30 * time.Second

// kind returns the client that is asked for.
func (c Config) kind() (k rpc.Kind, remedy string, ok bool) {
	if c.ClientType == "" {
		return rpc.Default, "", true
	}
	return rpc.LookupKind(c.ClientType)
}

// checkClient checks what says which client there is, and where it sends.
func (c Config) checkClient(r *component.Report) {
	kind, remedy, ok := c.kind()
	if !ok {
		r.Error("client.type", fmt.Sprintf("there is no client %q, and classes of Java cannot be loaded", c.ClientType), remedy)
		return
	}
	c.checkHosts(r, kind)
	for _, p := range []struct {
		key string
		of  rpc.Kind
	}{
		{"max-attempts", rpc.DefaultFailover},
		{"host-selector", rpc.DefaultLoadBalance},
		{"backoff", rpc.DefaultLoadBalance},
		{"maxBackoff", rpc.DefaultLoadBalance},
		{"protocol", rpc.Thrift},
	} {
		if r.Given(p.key) && kind != p.of {
			r.Advise(p.key, fmt.Sprintf("has no effect with client.type = %v", kind), fmt.Sprintf("remove it, or set client.type = %v", p.of))
		}
	}
	switch kind {
	case rpc.DefaultLoadBalance:
		if !strings.EqualFold(c.Selector, roundRobin) && !c.random() {
			r.Error("host-selector", fmt.Sprintf("there is no selector %q, and classes of Java cannot be loaded", c.Selector), "use "+roundRobin+" or "+random)
		}
	case rpc.Thrift:
		if c.deflate() {
			r.Warn("compression-type", "has no effect with client.type = thrift: nothing is compressed", "remove it")
		}
		if c.Protocol != thrift.Binary.String() && !strings.EqualFold(c.Protocol, thrift.Compact.String()) {
			r.Warn("protocol", fmt.Sprintf("%q counts as compact, as with Apache Flume", c.Protocol), "write compact or binary, in lower case")
		}
	}
	if r.Given("maxConnections") {
		r.Advise("maxConnections", "has no effect: a sink has one connection to a host", "remove it")
	}
}

func (c Config) checkHosts(r *component.Report, kind rpc.Kind) {
	if _, err := c.addresses(kind); err != nil {
		r.Error("hosts", err.Error(), "give hosts.<name> = host:port")
		return
	}
	if !kind.Several() {
		if len(c.Hosts) > 1 {
			r.Advise("hosts", fmt.Sprintf("client.type = %v uses only the first one: %s", kind, c.Hosts[0]),
				"set client.type to default_failover or default_loadbalance, or use a sink group")
		}
		return
	}
	for _, name := range c.Hosts {
		if c.named(name) == "" {
			r.Warn("hosts", fmt.Sprintf("the host %q has no address and is left out", name), fmt.Sprintf("give hosts.%s = host:port", name))
		}
	}
	if kind == rpc.DefaultFailover && len(c.Hosts) == 0 {
		r.Advise("client.type", "there is one host, and none to go on with when it fails", "name more in hosts")
	}
}

// named returns what a name in hosts stands for, "" for nothing.
func (c Config) named(name string) string { return strings.TrimSpace(c.HostsByName[name]) }

// addresses returns where the client sends to, each as host:port. Names in hosts win, as
// in Flume.
func (c Config) addresses(kind rpc.Kind) ([]string, error) {
	var addresses []string
	switch {
	case len(c.Hosts) == 0:
		addresses = []string{net.JoinHostPort(c.Hostname, strconv.Itoa(c.Port))}
	case !kind.Several():
		if c.named(c.Hosts[0]) == "" {
			return nil, fmt.Errorf("the host %q has no address", c.Hosts[0])
		}
		return c.valid(c.Hosts[:1])
	default:
		var names []string
		for _, name := range c.Hosts {
			if c.named(name) != "" {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			return nil, errors.New("none of the hosts has an address")
		}
		var err error
		if addresses, err = c.valid(names); err != nil {
			return nil, err
		}
	}
	if kind == rpc.DefaultLoadBalance && len(addresses) < 2 {
		return nil, errors.New("a client that balances the load needs at least two hosts with an address, and there is one")
	}
	return addresses, nil
}

// valid returns the addresses of hosts that have one.
func (c Config) valid(names []string) ([]string, error) {
	addresses := make([]string, len(names))
	for i, name := range names {
		addresses[i] = c.named(name)
		if err := rpc.CheckAddress(addresses[i]); err != nil {
			return nil, fmt.Errorf("hosts.%s: %w", name, err)
		}
	}
	return addresses, nil
}

// attempts returns how often a batch is sent to hosts of that number.
func (c Config) attempts(hosts int) int {
	if c.MaxAttempts == nil {
		return hosts
	}
	return *c.MaxAttempts
}

func (c Config) random() bool { return strings.EqualFold(c.Selector, random) }

// backoff returns how long a host is left alone at most; 0: it never is.
func (c Config) backoff() time.Duration {
	switch {
	case !c.Backoff:
		return 0
	case c.MaxBackoff == 0:
		return mostBackoff
	default:
		return c.MaxBackoff
	}
}

// protocol returns what the client thrift speaks. As in Flume, only lower case means
// binary.
func (c Config) protocol() thrift.Protocol {
	if c.Protocol == thrift.Binary.String() {
		return thrift.Binary
	}
	return thrift.Compact
}
