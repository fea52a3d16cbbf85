package avro

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/conform/sinktest"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/rpc"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// decode reads lines "key = value" besides an address.
func decode(t testing.TB, settings ...string) *component.Decoded {
	t.Helper()
	set := property.Settings{"hostname": {Text: "localhost"}, "port": {Text: "4141"}}
	for _, line := range settings {
		key, value, _ := strings.Cut(line, " = ")
		set[key] = property.Value{Text: value}
	}
	entry, ok := component.Lookup(component.KindSink, "org.apache.flume.sink.AvroSink")
	if !ok {
		t.Fatal("the class name of Flume is not known")
	}
	return component.Decode(entry, set, component.Scope{Prefix: "a1.sinks.k1."})
}

// subject is an open sink.
type subject struct {
	flow.Sink
	log bytes.Buffer
	set *metrics.Set
}

func open(t testing.TB, settings ...string) *subject {
	t.Helper()
	d := decode(t, settings...)
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	s := &subject{set: metrics.NewSet(metrics.KindSink, "k1")}
	var err error
	s.Sink, err = component.New[flow.Sink](d, component.Env{
		Agent: "a1", Name: "k1", FS: vfs.OS{}, Log: slog.New(slog.NewTextHandler(&s.log, nil)), Metrics: s.set,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	life := s.Sink.(flow.Lifecycle)
	if err := life.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := life.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// connections returns how many were made, closed, and failed.
func (s *subject) connections() [3]int64 {
	return [3]int64{
		s.set.Counter("ConnectionCreatedCount").Value(), s.set.Counter("ConnectionClosedCount").Value(), s.set.Counter("ConnectionFailedCount").Value(),
	}
}

func batch(t testing.TB) *event.Batch {
	b := event.NewBatch()
	t.Cleanup(b.Release)
	b.AppendCopy([]byte("body"))
	return b
}

func to(addr string) []string {
	host, port, _ := net.SplitHostPort(addr)
	return []string{"hostname = " + host, "port = " + port}
}

func TestConnections(t *testing.T) {
	d := newDestination(t, false)
	s := open(t, to(d.addr)...)
	for range 3 {
		if err := s.Deliver(t.Context(), batch(t)); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.connections(); got != [3]int64{1, 0, 0} {
		t.Errorf("connections made, closed and failed are %v", got)
	}
	d.behave(sinktest.Refuse)
	if err := s.Deliver(t.Context(), batch(t)); err == nil || !strings.Contains(err.Error(), d.addr) || !strings.Contains(err.Error(), "FAILED") {
		t.Errorf("a refusal is told as %v", err)
	}
	if got := s.connections(); got != [3]int64{1, 0, 0} {
		t.Errorf("after a refusal, connections are %v", got)
	}
	d.behave(sinktest.Silent)
	if err := s.Deliver(t.Context(), batch(t)); err == nil || flow.ClassOf(err) != flow.ClassUnknown {
		t.Errorf("silence is told as %v", err)
	}
	d.behave(sinktest.Take)
	if err := s.Deliver(t.Context(), batch(t)); err != nil {
		t.Fatal(err)
	}
	if got := s.connections(); got != [3]int64{2, 1, 0} {
		t.Errorf("after a connection broke, connections are %v", got)
	}
	if n := strings.Count(s.log.String(), "msg=connected"); n != 2 {
		t.Errorf("the log tells of connections %d times:\n%s", n, s.log.String())
	}
}

// TestClosedWhileIdle: a connection that the other side has closed is not sent into.
func TestClosedWhileIdle(t *testing.T) {
	d := newDestination(t, false)
	s := open(t, to(d.addr)...)
	if err := s.Deliver(t.Context(), batch(t)); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	for _, conn := range d.conns {
		conn.Close()
	}
	d.mu.Unlock()
	client := s.Sink.(*sink).client
	for deadline := time.Now().Add(10 * time.Second); client.Active(); flow.Sleep(t.Context(), time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the end of the connection goes unnoticed")
		}
	}
	if err := s.Deliver(t.Context(), batch(t)); err != nil {
		t.Errorf("the next batch: %v", err)
	}
}

func TestReset(t *testing.T) {
	d := newDestination(t, false)
	s := open(t, append(to(d.addr), "reset-connection-interval = 60")...)
	for _, age := range []time.Duration{0, 59 * time.Second, 61 * time.Second, 0} {
		s.Sink.(*sink).since = time.Now().Add(-age)
		if err := s.Deliver(t.Context(), batch(t)); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.connections(); got != [3]int64{2, 1, 0} {
		t.Errorf("connections are %v", got)
	}
}

// TestNobodyThere: nothing was sent, so nothing is unknown.
func TestNobodyThere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	s := open(t, to(addr)...)
	if err := s.Deliver(t.Context(), batch(t)); err == nil || flow.ClassOf(err) != flow.ClassRetry || !strings.Contains(err.Error(), addr) {
		t.Errorf("Deliver returned %v", err)
	}
	if got := s.connections(); got != [3]int64{0, 0, 1} {
		t.Errorf("connections are %v", got)
	}
}

// TestOtherLayers: what does not fit the source is an error that can be tried again.
func TestOtherLayers(t *testing.T) {
	d := newDestination(t, false)
	for _, settings := range [][]string{
		{"compression-type = deflate"},
		{"ssl = true", "trust-all-certs = true"},
		{"ssl = true", "truststore = /none.jks"},
	} {
		s := open(t, append(to(d.addr), settings...)...)
		if err := s.Deliver(t.Context(), batch(t)); err == nil || flow.ClassOf(err) != flow.ClassRetry {
			t.Errorf("%v: Deliver returned %v", settings, err)
		}
		if got := s.connections(); got != [3]int64{0, 0, 1} {
			t.Errorf("%v: connections are %v", settings, got)
		}
	}
}

func TestHosts(t *testing.T) {
	d := newDestination(t, false)
	s := open(t, "hosts = h1", "hosts.h1 = "+d.addr)
	if err := s.Deliver(t.Context(), batch(t)); err != nil {
		t.Error(err)
	}
	for address, c := range map[string]Config{
		"h:1":     {Hostname: "h", Port: 1},
		"[::1]:2": {Hostname: "::1", Port: 2},
		"o:3":     {Hostname: "h", Port: 1, Hosts: []string{"b", "a"}, HostsByName: map[string]string{"a": "x:1", "b": " o:3 "}},
	} {
		if got, err := c.addresses(rpc.Default); err != nil || !slices.Equal(got, []string{address}) {
			t.Errorf("%+v: the addresses are %q, %v", c, got, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct{ settings, want []string }{
		"defaults":          {nil, nil},
		"all":               {[]string{"batch-size = 10", "connect-timeout = 5000", "request-timeout = 5000", "compression-type = DEFLATE", "compression-level = 9", "client.type = DEFAULT"}, nil},
		"Flume's tolerance": {[]string{"batch-size = 0", "connect-timeout = 10", "request-timeout = x"}, []string{"warning batch-size", "warning connect-timeout", "warning request-timeout"}},
		"unknown type":      {[]string{"compression-type = gzip"}, []string{"warning compression-type"}},
		"level alone":       {[]string{"compression-level = 9"}, []string{"advice compression-level"}},
		"layers":            {[]string{"deflate-inside-tls = true"}, []string{"warning deflate-inside-tls"}},
		"workers":           {[]string{"maxIoWorkers = 3"}, []string{"advice maxIoWorkers"}},
		"a class":           {[]string{"client.type = com.example.Client"}, []string{"error client.type"}},
		"Flume's class":     {[]string{"client.type = org.apache.flume.api.ThriftRpcClient", "protocol = binary"}, nil},
		"failover":          {[]string{"client.type = Default_Failover", "max-attempts = 3", "hosts = a b", "hosts.a = a:1", "hosts.b = b:1"}, nil},
		"failover of one":   {[]string{"client.type = default_failover"}, []string{"advice client.type"}},
		"a nameless host":   {[]string{"client.type = default_failover", "hosts = a b", "hosts.b = b:1"}, []string{"warning hosts"}},
		"nameless hosts":    {[]string{"client.type = default_failover", "hosts = a b"}, []string{"error hosts"}},
		"a port too high":   {[]string{"client.type = default_failover", "hosts = a", "hosts.a = a:70000"}, []string{"error hosts"}},
		"load balance": {[]string{
			"client.type = DEFAULT_LOADBALANCE", "host-selector = random", "backoff = true", "maxBackoff = 0", "hosts = a b", "hosts.a = a:1", "hosts.b = b:1",
		}, nil},
		"load balance of one": {[]string{"client.type = default_loadbalance", "hosts = a", "hosts.a = a:1"}, []string{"error hosts"}},
		"a selector": {[]string{
			"client.type = default_loadbalance", "host-selector = com.example.Selector", "hosts = a b", "hosts.a = a:1", "hosts.b = b:1",
		}, []string{"error host-selector"}},
		"a bad back-off":      {[]string{"maxBackoff = x"}, []string{"error maxBackoff"}},
		"others' properties":  {[]string{"backoff = true", "max-attempts = 2", "protocol = binary"}, []string{"advice max-attempts", "advice backoff", "advice protocol"}},
		"thrift, compressed":  {[]string{"client.type = thrift", "compression-type = deflate"}, []string{"warning compression-type"}},
		"thrift, loud":        {[]string{"client.type = thrift", "protocol = BINARY"}, []string{"warning protocol"}},
		"thrift, connections": {[]string{"client.type = thrift", "maxConnections = 5"}, []string{"advice maxConnections"}},
		"a host without one":  {[]string{"hosts = h1"}, []string{"error hosts"}},
		"a bad host":          {[]string{"hosts = h1", "hosts.h1 = nowhere"}, []string{"error hosts"}},
		"two hosts":           {[]string{"hosts = h1 h2", "hosts.h1 = a:1", "hosts.h2 = b:1"}, []string{"advice hosts"}},
		"store without TLS":   {[]string{"truststore = x"}, []string{"warning truststore"}},
		"a typo":              {[]string{"batchsize = 3"}, []string{"warning batchsize"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			d := decode(t, c.settings...)
			for _, p := range d.Problems {
				got = append(got, p.Severity.String()+" "+strings.TrimPrefix(p.Key, "a1.sinks.k1."))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s\n%v", diff, d.Problems)
			}
		})
	}
}
