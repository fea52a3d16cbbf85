//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
)

// listener is an RPC source and how a client of it is set up, beyond host and port.
type listener struct {
	name   string
	source []string // settings of the source
	sink   []string // settings of a sink that sends to it
	client []string // settings of Flume's client library
}

var listeners = []listener{
	{"avro", []string{"type = avro"}, []string{"type = avro"}, nil},
	{"deflate", []string{"type = avro", "compression-type = deflate"},
		[]string{"type = avro", "compression-type = deflate", "compression-level = 9"}, []string{"compression-type=deflate"}},
	{"compact", []string{"type = thrift"}, []string{"type = thrift"}, []string{"client.type=thrift"}},
	{"binary", []string{"type = thrift", "protocol = binary"},
		[]string{"type = thrift", "protocol = binary"}, []string{"client.type=thrift", "protocol=binary"}},
}

// rpcSystems returns the systems that have the RPC components: ours as soon as its list of types names them.
func rpcSystems(t *testing.T) []harness.System {
	t.Helper()
	return harness.SystemsWith(t, "avro", "thrift")
}

// receiver is an agent that stores what its RPC sources receive.
func receiver() string {
	var c topology
	for _, l := range listeners {
		c.source(l.name, l.name, "bind = 127.0.0.1", "port = <port "+l.name+">")
		c.add("sources", l.name, l.source...)
		c.store(l.name, "sink.serializer = header_and_text")
	}
	return c.String()
}

// TestRPCClients sends with Flume's own client library to every kind of RPC source.
func TestRPCClients(t *testing.T) {
	t.Parallel()
	want := make(seen)
	for _, l := range listeners {
		want[l.name] = "{n=0} one\n{n=1} zwei €\n{n=2} \n{n=3} single\n"
	}
	conf := receiver()
	differentialOn(t, rpcSystems(t), want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(conf)})
		for _, l := range listeners {
			harness.Dial(t, site.Addr(l.name)).Close()
			args := append([]string{"hosts=h1", "hosts.h1=" + site.Addr(l.name), "batch-size=2"}, l.client...)
			out := harness.RunJavaClient(t, "RpcSend", "one\nzwei €\n\nsingle\n", args...)
			if !strings.Contains(out, "sent 4\n") {
				t.Errorf("the client did not send everything with %v:\n%s", args, out)
			}
		}
		got := make(seen)
		stored(t, site, want, got, "avro", "deflate", "compact", "binary")
		return got
	})
}

// TestTiers sends through two agents, with Java Flume and ours on either side.
func TestTiers(t *testing.T) {
	t.Parallel()
	var (
		c    topology
		want = make(seen)
		all  strings.Builder
	)
	for i := range 150 { // more than one batch of the sinks and one transaction of the channels
		fmt.Fprintf(&all, "{dc=west} event %03d\n", i)
	}
	for _, l := range listeners {
		c.netcat("in-"+l.name, "out-"+l.name, "interceptors = s", "interceptors.s.type = static",
			"interceptors.s.key = dc", "interceptors.s.value = west")
		c.channel("out-"+l.name, "type = memory", "capacity = 1000", "keep-alive = 1")
		c.sink("out-"+l.name, "out-"+l.name, "hostname = 127.0.0.1", "port = <port "+l.name+">", "batch-size = 40")
		c.add("sinks", "out-"+l.name, l.sink...)
		want[l.name] = all.String()
	}
	sender := c.String()
	input := strings.ReplaceAll(all.String(), "{dc=west} ", "")
	t.Run("on", func(t *testing.T) {
		systems := rpcSystems(t)
		for _, from := range systems {
			for _, to := range systems {
				t.Run(from.Name+"-"+to.Name, func(t *testing.T) {
					t.Parallel()
					sendOn(t, from, to, sender, input, want)
				})
			}
		}
	})
}

// sendOn runs sender on one system and receiver on another, sends the input into every listener's branch
// and requires all of it, with the sender's header, on the other side.
func sendOn(t *testing.T, from, to harness.System, sender, input string, want seen) {
	t.Helper()
	site := harness.NewSite(t)
	to.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(receiver())})
	for _, l := range listeners {
		harness.Dial(t, site.Addr(l.name)).Close()
	}
	from.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(sender)})
	got := make(seen)
	for _, l := range listeners {
		answers := harness.Converse(t, site.Addr("in-"+l.name), input)
		if diff := cmp.Diff(strings.Repeat("OK\n", 150), answers); diff != "" {
			t.Errorf("answers of the netcat source before %s (-want +got):\n%s", l.name, diff)
		}
	}
	stored(t, site, want, got, "avro", "deflate", "compact", "binary")
	for name := range want {
		// A resend may repeat and reorder events; loss and invention never happen.
		lines := strings.SplitAfter(got[name], "\n")
		slices.Sort(lines)
		if diff := cmp.Diff(want[name], strings.Join(slices.Compact(lines), "")); diff != "" {
			t.Errorf("%s (-sent +received):\n%s", name, diff)
		}
	}
}
