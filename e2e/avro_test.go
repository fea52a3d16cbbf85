//go:build e2e

package e2e

import (
	"flag"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
)

var captures = flag.String("avro.captures", "", "write what Java's clients and servers send each other to this folder")

// avroKinds are the ways in which two ends may be set up.
var avroKinds = []struct {
	name         string
	deflate, ssl bool
}{
	{"plain", false, false}, {"deflate", true, false}, {"tls", false, true}, {"both", true, true},
}

// avroReceiver is an agent with a source of each kind.
func avroReceiver(stores harness.TLSStores) string {
	var c topology
	for _, k := range avroKinds {
		c.source(k.name, k.name, "type = avro", "bind = 127.0.0.1", "port = <port "+k.name+">")
		if k.deflate {
			c.add("sources", k.name, "compression-type = deflate")
		}
		if k.ssl {
			c.add("sources", k.name, "ssl = true", "keystore = "+stores.Keystore, "keystore-password = "+stores.Password)
		}
		c.store(k.name, "sink.serializer = header_and_text")
	}
	return c.String()
}

// avroEvents is what is sent: long and short bodies, and text beyond ASCII.
func avroEvents() (input, want string) {
	var in, out strings.Builder
	for i := range 60 {
		body := fmt.Sprintf("event %d € ", i) + strings.Repeat("0123456789", i*i)
		fmt.Fprintln(&in, body)
		fmt.Fprintf(&out, "{n=%d} %s\n", i, body)
	}
	return in.String(), out.String()
}

// TestAvroClients sends with Flume's client library of two versions to sources of ours of each kind.
func TestAvroClients(t *testing.T) {
	t.Parallel()
	stores := harness.NewTLSStores(t)
	input, text := avroEvents()
	for name, send := range map[string]func(testing.TB, string, string, ...string) string{
		"1.11": harness.RunJavaClient, "1.9": harness.RunJavaClient19,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := harness.NewSite(t)
			harness.StartFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(avroReceiver(stores))})
			want, got := make(seen), make(seen)
			for _, k := range avroKinds {
				want[k.name] = text
				harness.Dial(t, site.Addr(k.name)).Close()
				args := []string{"hosts=h1", "hosts.h1=" + site.Addr(k.name), "batch-size=25"}
				if k.deflate {
					args = append(args, "compression-type=deflate")
				}
				if k.ssl {
					args = append(args, "ssl=true", "truststore="+stores.Truststore, "truststore-password="+stores.Password)
					if name == "1.9" {
						// Its Netty does not understand TLS 1.3, which its Java offers.
						args = append(args, "include-protocols=TLSv1.2")
					}
				}
				if out := send(t, "RpcSend", input, args...); !strings.Contains(out, "sent 60\n") {
					t.Errorf("the client did not send everything with %v:\n%s", args, out)
				}
			}
			stored(t, site, want, got, "plain", "deflate", "tls", "both")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-sent +stored):\n%.2000s", diff)
			}
		})
	}
}

// TestAvroSinks sends with sinks of ours of each kind to sources of Apache Flume of two versions, and of ours.
func TestAvroSinks(t *testing.T) {
	t.Parallel()
	stores := harness.NewTLSStores(t)
	var all strings.Builder
	for i := range 150 {
		fmt.Fprintf(&all, "{dc=west} event %03d\n", i)
	}
	input := strings.ReplaceAll(all.String(), "{dc=west} ", "")
	for name, start := range map[string]func(testing.TB, harness.Launch) *harness.Process{
		"1.11": harness.StartJavaFlume, "1.9": harness.StartJavaFlume19, "ours": harness.StartFlume,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := harness.NewSite(t)
			start(t, harness.Launch{Name: "a1", Conf: site.Expand(avroReceiver(stores))})
			var c topology
			want, got := make(seen), make(seen)
			for _, k := range avroKinds {
				want[k.name] = all.String()
				harness.Dial(t, site.Addr(k.name)).Close()
				c.netcat("in-"+k.name, "out-"+k.name, "interceptors = s", "interceptors.s.type = static",
					"interceptors.s.key = dc", "interceptors.s.value = west")
				c.channel("out-"+k.name, "type = memory", "capacity = 1000")
				c.sink("out-"+k.name, "out-"+k.name, "type = avro", "hostname = localhost", "port = <port "+k.name+">", "batch-size = 40")
				if k.deflate {
					c.add("sinks", "out-"+k.name, "compression-type = deflate", "compression-level = 9")
				}
				if k.ssl {
					c.add("sinks", "out-"+k.name, "ssl = true", "truststore = "+stores.Truststore,
						"truststore-password = "+stores.Password, "verify-hostname = true")
				}
				if k.deflate && k.ssl && name == "1.9" {
					c.add("sinks", "out-"+k.name, "deflate-inside-tls = true")
				}
			}
			harness.StartFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(c.String())})
			for _, k := range avroKinds {
				answers := harness.Converse(t, site.Addr("in-"+k.name), input)
				if diff := cmp.Diff(strings.Repeat("OK\n", 150), answers); diff != "" {
					t.Errorf("answers of the netcat source before %s (-want +got):\n%s", k.name, diff)
				}
			}
			stored(t, site, want, got, "plain", "deflate", "tls", "both")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-sent +stored):\n%.2000s", diff)
			}
		})
	}
}

// TestAvroCaptures has Java's clients talk to Java's sources through a relay, which can keep what both say for
// the tests of the protocol.
func TestAvroCaptures(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	var c topology
	for _, name := range []string{"plain", "deflate"} {
		c.source(name, name, "type = avro", "bind = 127.0.0.1", "port = <port "+name+">", "compression-type = "+name)
		c.store(name, "sink.serializer = header_and_text")
	}
	conf := site.Expand(c.String())
	for name, v := range map[string]struct {
		start func(testing.TB, harness.Launch) *harness.Process
		send  func(testing.TB, string, string, ...string) string
	}{
		"1.11": {harness.StartJavaFlume, harness.RunJavaClient}, "1.9": {harness.StartJavaFlume19, harness.RunJavaClient19},
	} {
		t.Run(name, func(t *testing.T) {
			p := v.start(t, harness.Launch{Name: "a1", Conf: conf})
			for _, kind := range []string{"plain", "deflate"} {
				harness.Dial(t, site.Addr(kind)).Close()
				r := relay(t, site.Addr(kind))
				v.send(t, "RpcSend", "one\nzwei €\n\n"+strings.Repeat("long ", 4000)+"\nsingle\n",
					"hosts=h1", "hosts.h1="+r.addr, "batch-size=3", "compression-type="+kind)
				client, server := r.heard()
				if len(client) == 0 || len(server) == 0 {
					t.Fatalf("the relay has heard %d and %d bytes", len(client), len(server))
				}
				if *captures != "" {
					base := filepath.Join(*captures, "java-"+name+"-"+kind)
					harness.WriteFile(t, base+".client.bin", string(client))
					harness.WriteFile(t, base+".server.bin", string(server))
				}
			}
			p.Stop(t)
		})
	}
}

// recorder is a relay for one connection that keeps what passes.
type recorder struct {
	addr           string
	done           sync.WaitGroup
	client, server []byte
}

func relay(t *testing.T, to string) *recorder {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	r := &recorder{addr: ln.Addr().String()}
	r.done.Go(func() {
		from, err := ln.Accept()
		if err != nil {
			return
		}
		defer from.Close()
		other := harness.Dial(t, to)
		defer other.Close()
		r.done.Go(func() { r.server = passOn(other, from) })
		r.client = passOn(from, other)
		other.CloseWrite()
	})
	return r
}

// passOn copies until the end and returns what was copied.
func passOn(from io.Reader, to io.Writer) []byte {
	var all strings.Builder
	_, _ = io.Copy(io.MultiWriter(to, &all), from) // the ends of connections are no errors here
	return []byte(all.String())
}

// heard waits for the end of the connection.
func (r *recorder) heard() (client, server []byte) {
	r.done.Wait()
	return r.client, r.server
}

// legacyProtocol is that of Flume 0.9. Its documentation makes it another text than any that a source knows.
const legacyProtocol = `{"protocol":"FlumeOGEventAvroServer","namespace":"com.cloudera.flume.handlers.avro","doc":"Old.",
"types":[{"type":"enum","name":"Priority","symbols":["FATAL","ERROR","WARN","INFO","DEBUG","TRACE"]},
{"type":"record","name":"AvroFlumeOGEvent","fields":[{"name":"timestamp","type":"long"},{"name":"priority","type":"Priority"},
{"name":"body","type":"bytes"},{"name":"nanos","type":"long"},{"name":"host","type":"string"},
{"name":"fields","type":{"type":"map","values":"bytes"}}]}],
"messages":{"append":{"request":[{"name":"evt","type":"AvroFlumeOGEvent"}],"response":"null"}}}`

// TestAvroLegacy sends events of Flume 0.9 with Avro's Java library.
func TestAvroLegacy(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	harness.WriteFile(t, site.Path("old.avpr"), legacyProtocol)
	var c topology
	c.source("old", "old", "type = org.apache.flume.source.avroLegacy.AvroLegacySource", "host = 127.0.0.1", "port = <port old>")
	c.store("old", "sink.serializer = header_and_text")
	harness.StartFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(c.String())})
	harness.Dial(t, site.Addr("old")).Close()
	out := harness.RunJavaClient(t, "LegacyAvroSend", "one\nzwei €\n", "http://"+site.Addr("old")+"/", site.Path("old.avpr"))
	if !strings.Contains(out, "sent 2\n") {
		t.Errorf("the client says:\n%s", out)
	}
	const headers = "{host=old, timestamp=170000000000%d, pri=WARN, nanos=7, n=%d, FlumeOG=yes} "
	want := seen{"old": fmt.Sprintf(headers+"one\n"+headers+"zwei €\n", 0, 0, 1, 1)}
	got := make(seen)
	stored(t, site, want, got, "old")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +stored):\n%s", diff)
	}
}
