package rpc

import (
	"fmt"
	"strings"

	"github.com/flume-go/flume/component"
)

// Kind is a client of Apache Flume's client library: a value of client.type.
type Kind int

const (
	// Default sends to one Avro source.
	Default Kind = iota
	// Thrift sends to one Thrift source.
	Thrift
	// DefaultFailover is Failover for Avro sources.
	DefaultFailover
	// DefaultLoadBalance is Balancer for Avro sources.
	DefaultLoadBalance
)

// kinds are their names and classes.
var kinds = [...]struct{ name, class string }{
	Default:            {"default", "org.apache.flume.api.NettyAvroRpcClient"},
	Thrift:             {"thrift", "org.apache.flume.api.ThriftRpcClient"},
	DefaultFailover:    {"default_failover", "org.apache.flume.api.FailoverRpcClient"},
	DefaultLoadBalance: {"default_loadbalance", "org.apache.flume.api.LoadBalancingRpcClient"},
}

// LookupKind returns the client of a name, in any case, or class. If there is none, remedy
// says what to do about it.
func LookupKind(name string) (k Kind, remedy string, ok bool) {
	var names []string
	for i, k := range kinds {
		if strings.EqualFold(name, k.name) || name == k.class {
			return Kind(i), "", true
		}
		names = append(names, k.name)
	}
	if near := component.Nearest(name, names); near != "" {
		return 0, fmt.Sprintf("did you mean %q?", near), false
	}
	return 0, "use " + strings.Join(names, ", "), false
}

// String returns the name.
func (k Kind) String() string { return kinds[k].name }

// Several reports whether the client chooses between hosts.
func (k Kind) Several() bool { return k == DefaultFailover || k == DefaultLoadBalance }
