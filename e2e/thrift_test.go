//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
)

// thriftListeners are the ways to speak Thrift that Apache Flume has on both ends.
func thriftListeners(t *testing.T) []listener {
	t.Helper()
	stores, err := filepath.Abs("../internal/tlsconf/testdata")
	if err != nil {
		t.Fatal(err)
	}
	store, trusted := filepath.Join(stores, "server.jks"), filepath.Join(t.TempDir(), "trust.p12")
	harness.Binary(t) // runs setup.sh, which installs a JDK
	runThrift(t, "keytool", "-importcert", "-noprompt", "-alias", "server", "-file", filepath.Join(stores, "server-cert.pem"),
		"-keystore", trusted, "-storetype", "PKCS12", "-storepass", "changeit")
	trust := []string{"ssl = true", "truststore = " + trusted, "truststore-password = changeit", "truststore-type = PKCS12"}
	return []listener{
		{"compact", []string{"type = thrift"}, []string{"type = thrift"}, []string{"client.type=thrift"}},
		{"binary", []string{"type = thrift", "protocol = binary"},
			[]string{"type = thrift", "protocol = binary"}, []string{"client.type=thrift", "protocol=binary"}},
		{"tls", []string{"type = thrift", "ssl = true", "keystore = " + store, "keystore-password = changeit"},
			append([]string{"type = thrift"}, trust...),
			[]string{"client.type=thrift", "ssl=true", "truststore=" + trusted, "truststore-password=changeit",
				"truststore-type=PKCS12"}},
	}
}

// thriftReceiver is an agent that stores what its thrift sources receive.
func thriftReceiver(listeners []listener) string {
	var c topology
	for _, l := range listeners {
		c.source(l.name, l.name, "bind = 127.0.0.1", "port = <port "+l.name+">")
		c.add("sources", l.name, l.source...)
		c.store(l.name, "sink.serializer = header_and_text")
	}
	return c.String()
}

// TestThriftClients sends with Flume's own client library to sources of every kind.
func TestThriftClients(t *testing.T) {
	t.Parallel()
	listeners, want := thriftListeners(t), make(seen)
	for _, l := range listeners {
		want[l.name] = "{n=0} one\n{n=1} zwei €\n{n=2} \n{n=3} single\n"
	}
	conf := thriftReceiver(listeners)
	differentialOn(t, harness.SystemsWith(t, "thrift"), want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(conf)})
		for _, l := range listeners {
			harness.Dial(t, site.Addr(l.name)).Close()
			args := append([]string{"hosts=h1", "hosts.h1=" + site.Addr(l.name), "batch-size=2"}, l.client...)
			if out := harness.RunJavaClient(t, "RpcSend", "one\nzwei €\n\nsingle\n", args...); !strings.Contains(out, "sent 4\n") {
				t.Errorf("the client did not send everything with %v:\n%s", args, out)
			}
		}
		got := make(seen)
		stored(t, site, want, got, "compact", "binary", "tls")
		return got
	})
}

// TestThriftTiers sends through two agents, with Java Flume and ours on either side.
func TestThriftTiers(t *testing.T) {
	t.Parallel()
	var (
		c         topology
		all       strings.Builder
		listeners = thriftListeners(t)
		want      = make(seen)
	)
	for i := range 250 { // more than one batch of the sinks and one transaction of the channels
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
	sender, receiver := c.String(), thriftReceiver(listeners)
	input := strings.ReplaceAll(all.String(), "{dc=west} ", "")
	t.Run("on", func(t *testing.T) {
		systems := harness.SystemsWith(t, "thrift")
		for _, from := range systems {
			for _, to := range systems {
				t.Run(from.Name+"-"+to.Name, func(t *testing.T) {
					t.Parallel()
					site, got := harness.NewSite(t), make(seen)
					to.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(receiver)})
					for _, l := range listeners {
						harness.Dial(t, site.Addr(l.name)).Close()
					}
					from.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(sender)})
					for _, l := range listeners {
						answers := harness.Converse(t, site.Addr("in-"+l.name), input)
						if diff := cmp.Diff(strings.Repeat("OK\n", 250), answers); diff != "" {
							t.Errorf("answers of the netcat source before %s (-want +got):\n%s", l.name, diff)
						}
					}
					stored(t, site, want, got, "compact", "binary", "tls")
					for name := range want {
						// A resend may repeat and reorder events; loss and invention never happen.
						lines := strings.SplitAfter(got[name], "\n")
						slices.Sort(lines)
						if diff := cmp.Diff(want[name], strings.Join(slices.Compact(lines), "")); diff != "" {
							t.Errorf("%s (-sent +received):\n%s", name, diff)
						}
					}
				})
			}
		}
	})
}

// thriftLimit is how long a client in Python may take.
const thriftLimit = 30 * time.Second

// generated returns a folder with what the Thrift compiler makes of thrift/*.thrift.
func generated(t *testing.T) string {
	t.Helper()
	harness.Binary(t) // runs setup.sh, which installs the compiler
	dir := t.TempDir()
	for _, name := range []string{"flume", "scribe", "legacy"} {
		runThrift(t, "thrift", "--gen", "py", "-out", dir, "thrift/"+name+".thrift")
	}
	return dir
}

// sendPython runs thrift/send.py and returns what it printed.
func sendPython(t *testing.T, code string, port int, what string) string {
	t.Helper()
	// The one that Debian's library of Thrift belongs to.
	return runThrift(t, "/usr/bin/python3", "thrift/send.py", code, strconv.Itoa(port), what)
}

func runThrift(t *testing.T, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), thriftLimit)
	defer cancel()
	out, err := harness.RunChild(exec.CommandContext(ctx, argv[0], argv[1:]...))
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// TestThriftPython sends with a client in another language, which the standard compiler has made, to
// Java Flume and to ours: plain events, what a later version might send, and what cannot be stored.
func TestThriftPython(t *testing.T) {
	t.Parallel()
	code := generated(t)
	var text strings.Builder
	text.WriteString("{a=1, ü=ö} single\n")
	for i := range 20 {
		fmt.Fprintf(&text, "{n=%d} batch %d\n", i, i)
	}
	fmt.Fprintf(&text, "{} \n{big=%s} %s\n", strings.Repeat("x", 300), strings.Repeat("y", 200_000))
	var many []string
	for i := range 40 {
		many = append(many, fmt.Sprintf("h%d=v", i))
	}
	slices.Sort(many)
	fmt.Fprintf(&text, "{%s} many\n{l=1} later\n{l=1} later\n{l=1} later\n{} last\n", strings.Join(many, ", "))
	answers := strings.Repeat("OK\n", 8) + "exception 1\nOK\nexception 7\n"

	var c topology
	want := make(seen)
	ways := map[string]string{"compact": "compact", "binary": "binary", "old": "binary", "accelerated": "binary"}
	for name, protocol := range ways {
		c.source(name, name, "type = thrift", "bind = 127.0.0.1", "port = <port "+name+">", "protocol = "+protocol)
		c.store(name, "sink.serializer = header_and_text")
		want[name], want["answers "+name] = text.String(), answers
	}
	conf := c.String()
	differentialOn(t, harness.SystemsWith(t, "thrift"), want, func(t *testing.T, s harness.System) seen {
		site, got := harness.NewSite(t), make(seen)
		s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(conf)})
		for name := range ways {
			harness.Dial(t, site.Addr(name)).Close()
			got["answers "+name] = sendPython(t, code, site.Port(name), name)
			got[name] = sortHeaders(lines(t, site, name, strings.Count(text.String(), "\n")))
		}
		return got
	})
}

// TestThriftServices sends with generated clients to the sources for other services, which the Java
// installation of these tests does not have.
func TestThriftServices(t *testing.T) {
	t.Parallel()
	code := generated(t)
	var c topology
	c.source("scribe", "scribe", "type = org.apache.flume.source.scribe.ScribeSource", "bind = 127.0.0.1", "port = <port scribe>")
	c.store("scribe", "sink.serializer = header_and_text")
	c.source("legacy", "legacy", "type = org.apache.flume.source.thriftLegacy.ThriftLegacySource", "host = 127.0.0.1", "port = <port legacy>")
	c.store("legacy", "sink.serializer = header_and_text")
	site := harness.NewSite(t)
	harness.StartFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(c.String())})
	for _, name := range []string{"scribe", "legacy"} {
		harness.Dial(t, site.Addr(name)).Close()
	}
	// 0 is OK, 1 is TRY_LATER: an entry has no message.
	if got := sendPython(t, code, site.Port("scribe"), "scribe"); got != "0\n0\n1\n0\n0\n1\n" {
		t.Errorf("the Scribe client was answered\n%s", got)
	}
	if got := sendPython(t, code, site.Port("legacy"), "legacy"); got != "None\n" {
		t.Errorf("the legacy client was answered\n%s", got)
	}
	want, got := make(seen), make(seen)
	for _, name := range []string{"binary", "old"} {
		want["scribe"] += fmt.Sprintf("{category=%[1]s} one\n{category=%[1]s} zwei €\n{} bare\n", name)
	}
	for i := range 100 {
		want["legacy"] += fmt.Sprintf("{host=old, timestamp=%d, pri=WARN, nanos=%d, k=v%d, FlumeOG=yes} line %d\n", 1_700_000_000_000+i, i, i, i)
	}
	stored(t, site, want, got, "scribe", "legacy")
	for name := range want {
		if diff := cmp.Diff(want[name], got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
