//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
	"github.com/flume-go/flume/sdk"
)

// sdkProperties are client properties, given as key=value.
func sdkProperties(pairs ...string) map[string]string {
	props := make(map[string]string)
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		props[key] = value
	}
	return props
}

// openSDK makes a client of the Go library, which is closed when the test ends.
func openSDK(t *testing.T, pairs ...string) sdk.Client {
	t.Helper()
	client, err := sdk.Open(t.Context(), sdkProperties(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("closing a client: %v", err)
		}
	})
	return client
}

// sdkEvents makes events from one number to another.
func sdkEvents(from, to int) []sdk.Event {
	events := make([]sdk.Event, 0, to-from)
	for i := from; i < to; i++ {
		events = append(events, sdk.Event{
			Headers: map[string]string{"n": fmt.Sprint(i)}, Body: fmt.Appendf(nil, "event %d € ", i),
		})
	}
	return events
}

// sdkText is what an agent stores of these events.
func sdkText(from, to int) string {
	var text strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&text, "{n=%d} event %d € \n", i, i)
	}
	return text.String()
}

// TestSDKClients sends with the Go library to every kind of RPC source, one event by itself and the others as
// batches, by the properties that Flume's own library takes.
func TestSDKClients(t *testing.T) {
	t.Parallel()
	want := make(seen)
	for _, l := range listeners {
		want[l.name] = sdkText(0, 61)
	}
	conf := receiver()
	differentialOn(t, rpcSystems(t), want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(conf)})
		for _, l := range listeners {
			harness.Dial(t, site.Addr(l.name)).Close()
			client := openSDK(t, append([]string{"hosts=h1", "hosts.h1=" + site.Addr(l.name), "batch-size=7"}, l.client...)...)
			if err := client.Append(t.Context(), sdkEvents(0, 1)[0]); err != nil {
				t.Errorf("%s: %v", l.name, err)
			}
			if err := client.AppendBatch(t.Context(), sdkEvents(1, 61)); err != nil {
				t.Errorf("%s: %v", l.name, err)
			}
		}
		got := make(seen)
		stored(t, site, want, got, "avro", "deflate", "compact", "binary")
		return got
	})
}

// sdkDurable is an agent whose events survive it.
func sdkDurable() string {
	var c topology
	c.source("in", "in", "type = avro", "bind = 127.0.0.1", "port = <port in>")
	c.channel("in", "type = file", "checkpointDir = <dir checkpoint>", "dataDirs = <dir data>", "capacity = 10000", "keep-alive = 1")
	c.sink("in", "in", "type = file_roll", "sink.directory = <dir in>", "sink.rollInterval = 0", "sink.serializer = header_and_text")
	return c.String()
}

// TestSDKFailover kills one of two agents while events are sent to them. All that were acknowledged are stored
// in the end.
func TestSDKFailover(t *testing.T) {
	t.Parallel()
	for _, s := range rpcSystems(t) {
		for _, kind := range []string{"default_failover", "default_loadbalance"} {
			t.Run(s.Name+" "+kind, func(t *testing.T) {
				t.Parallel()
				one, two := harness.NewSite(t), harness.NewSite(t)
				first := harness.Launch{Name: "a1", Conf: one.Expand(sdkDurable())}
				victim := s.Start(t, first)
				s.Start(t, harness.Launch{Name: "a1", Conf: two.Expand(sdkDurable())})
				for _, site := range []*harness.Site{one, two} {
					harness.Dial(t, site.Addr("in")).Close()
				}
				client := openSDK(t, "client.type="+kind, "hosts=h1 h2", "hosts.h1="+one.Addr("in"), "hosts.h2="+two.Addr("in"),
					"batch-size=10", "backoff=true")
				const calls = 50
				killed := make(chan struct{})
				for i := range calls {
					if i == calls/2 { // while the next events are on their way
						go func() {
							defer close(killed)
							victim.Signal(t, os.Kill)
						}()
					}
					if err := client.AppendBatch(t.Context(), sdkEvents(20*i, 20*i+20)); err != nil {
						t.Fatalf("call %d: %v", i, err)
					}
				}
				<-killed
				victim.Wait(t, deliveryLimit)
				s.Start(t, first)
				harness.Eventually(t, deliveryLimit, "all acknowledged events", func() bool {
					text := harness.ReadFiles(t, one.Dir("in")) + harness.ReadFiles(t, two.Dir("in"))
					have := make(map[string]bool)
					for line := range strings.Lines(text) {
						have[line] = true
					}
					for line := range strings.Lines(sdkText(0, 20*calls)) {
						if !have[line] {
							return false
						}
					}
					return true
				})
				if harness.ReadFiles(t, two.Dir("in")) == "" {
					t.Error("the second agent had nothing to do")
				}
			})
		}
	}
}

// TestAvroClientCommand sends with the command avro-client of Java Flume and of ours to agents of both.
func TestAvroClientCommand(t *testing.T) {
	t.Parallel()
	const input = "one\r\nzwei €\n\nlast"
	senders := map[string]func(t *testing.T, args ...string){
		"java": func(t *testing.T, args ...string) {
			harness.RunJavaClient(t, "org.apache.flume.client.avro.AvroCLIClient", input, args...)
		},
		"flume": func(t *testing.T, args ...string) {
			out, status := harness.RunProgram(t, harness.Program{
				Name: "avro-client", Argv: append([]string{harness.Binary(t), "avro-client"}, args...), Stdin: input,
			})
			if status != 0 {
				t.Errorf("avro-client %q ended with status %d:\n%s", args, status, out)
			}
		},
	}
	text := func(header string) string {
		return fmt.Sprintf("{%s} one\n{%s} zwei €\n{%s} \n{%s} last\n", header, header, header, header)
	}
	var c topology
	c.source("stdin", "stdin", "type = avro", "bind = 127.0.0.1", "port = <port stdin>")
	c.source("dir", "dir", "type = avro", "bind = 127.0.0.1", "port = <port dir>")
	c.source("props", "props", "type = avro", "bind = 127.0.0.1", "port = <port props>", "compression-type = deflate")
	for _, name := range []string{"stdin", "dir", "props"} {
		c.store(name, "sink.serializer = header_and_text")
	}
	want := seen{
		"stdin": text(""), "dir": text(""), "props": text("k=v"),
		"files": "done.fileSuffix newfileSuffix old.COMPLETEDfileSuffix",
	}
	want["dir"] = "{} from old\n" + want["dir"]
	for sender, send := range senders {
		t.Run(sender, func(t *testing.T) {
			t.Parallel()
			differentialOn(t, rpcSystems(t), want, func(t *testing.T, s harness.System) seen {
				site := harness.NewSite(t)
				s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(c.String())})
				for _, name := range []string{"stdin", "dir", "props"} {
					harness.Dial(t, site.Addr(name)).Close()
				}
				send(t, "-H", "127.0.0.1", "-p", fmt.Sprint(site.Port("stdin")))
				spool := site.Dir("spool")
				harness.WriteFile(t, spool+"/done.fileSuffix", "not this\n")
				harness.WriteFile(t, spool+"/old.COMPLETED", "from old\n")
				harness.WriteFile(t, spool+"/new", strings.ReplaceAll(input, "\r", ""))
				age(t, spool+"/old.COMPLETED")
				send(t, "--host", "127.0.0.1", "--port", fmt.Sprint(site.Port("dir")), "--dirname", spool)
				harness.WriteFile(t, site.Path("headers"), "k = v\n")
				harness.WriteFile(t, site.Path("text"), input)
				harness.WriteFile(t, site.Path("client"), site.Expand("hosts = h1\nhosts.h1 = 127.0.0.1:<port props>\ncompression-type = deflate\n"))
				send(t, "-P", site.Path("client"), "-F", site.Path("text"), "-R", site.Path("headers"))
				got := make(seen)
				stored(t, site, want, got, "stdin", "dir", "props")
				got["files"] = strings.Join(visible(t, spool), " ")
				return got
			})
		})
	}
}

// age makes a file an hour old.
func age(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	old := info.ModTime().Add(-3600e9)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

// visible returns the names of the files of a folder, sorted, but those that begin with a dot.
func visible(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestSDKSettings: the Go library understands what Java's does of the same properties, and says the same of what is
// no use.
func TestSDKSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pairs []string
		java  string // part of Java's output; empty if it works up to the connection
	}{
		{[]string{"hosts=h1"}, "not found"},
		{[]string{"hosts=h1", "hosts.h1=localhost"}, "Invalid hostname"},
		{[]string{"hosts=h1", "hosts.h1=localhost:1", "client.type=nothing"}, "No such client"},
		{[]string{"hosts=h1", "hosts.h1=localhost:1", "client.type=default_loadbalance"}, "At least two hosts"},
	} {
		if _, _, err := sdk.Parse(sdkProperties(tt.pairs...)); err == nil {
			t.Errorf("%q was taken", tt.pairs)
		}
		p := harness.StartJavaClient(t, "RpcSend", tt.pairs...)
		if status := p.Wait(t, deliveryLimit); status == 0 || !strings.Contains(strings.ToLower(p.Output()), strings.ToLower(tt.java)) {
			t.Errorf("Java takes %q, or says something else:\n%s", tt.pairs, cmp.Diff(tt.java, p.Output()))
		}
	}
}
