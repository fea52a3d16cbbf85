package thrift

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/conform/sinktest"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// decode turns lines "key = value" into a configuration.
func decode(lines ...string) *component.Decoded {
	settings := property.Settings{}
	for _, line := range lines {
		key, value, _ := strings.Cut(line, " = ")
		settings[key] = property.Value{Text: value, Raw: value}
	}
	entry, _ := component.Lookup(component.KindSink, "org.apache.flume.sink.ThriftSink")
	return component.Decode(entry, settings, component.Scope{Prefix: "a1.sinks.k1."})
}

// open returns an open sink.
func open(t *testing.T, lines ...string) (*sink, *metrics.Set) {
	t.Helper()
	d := decode(lines...)
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	set := metrics.NewSet(metrics.KindSink, "k1")
	made, err := component.New[flow.Sink](d, component.Env{
		Agent: "a1", Name: "k1", FS: vfs.OS{}, Metrics: set, Log: slog.New(slog.DiscardHandler),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := made.(*sink)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s, set
}

func bodies(sizes ...int) *event.Batch {
	b := event.NewBatch()
	for i, n := range sizes {
		b.AppendCopy([]byte(strings.Repeat(string(rune('a'+i%26)), n)))
	}
	return b
}

// TestLongBatches: a batch is cut into calls that the source takes, and what fits
// into none is rejected when all else is delivered.
func TestLongBatches(t *testing.T) {
	for _, c := range []struct {
		sizes    []int
		calls    string
		rejected []int
	}{
		{[]int{100, 200, 300}, "[3]", nil},
		{[]int{900, 900, 900, 10, 10}, "[1 1 2 1]", nil},
		{[]int{5000}, "[]", []int{0}},
		{[]int{5000, 1, 5000, 5000, 2, 3, 5000}, "[1 2]", []int{0, 2, 3, 6}},
		{[]int{943}, "[1]", nil}, // 1024 less what surrounds it
		{[]int{944}, "[]", []int{0}},
	} {
		d := newDestination(t, false)
		s, _ := open(t, append(settingsFor(d), "max-frame-size = 1024")...)
		b := bodies(c.sizes...)
		err := s.Deliver(t.Context(), b)
		b.Release()
		if got := flow.Rejected(fmtErr(err)); !slices.Equal(got, c.rejected) {
			t.Errorf("%v: rejected are %v (%v), not %v", c.sizes, got, err, c.rejected)
		}
		if got := fmt.Sprint(d.sizes); got != c.calls {
			t.Errorf("%v: calls of %s events, not %s", c.sizes, got, c.calls)
		}
	}
}

// fmtErr makes nil an error that flow can be asked about.
func fmtErr(err error) error {
	if err == nil {
		return fmt.Errorf("none")
	}
	return err
}

// TestReset: a connection is replaced when it has the age for it.
func TestReset(t *testing.T) {
	d := newDestination(t, false)
	s, set := open(t, append(settingsFor(d), "connection-reset-interval = 60")...)
	deliver := func() {
		t.Helper()
		b := bodies(1)
		defer b.Release()
		if err := s.Deliver(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	deliver()
	deliver()
	s.link.since = s.link.since.Add(-time.Minute)
	deliver()
	deliver()
	if got := [2]int64{set.Counter("ConnectionCreatedCount").Value(), set.Counter("ConnectionClosedCount").Value()}; got != [2]int64{2, 1} || d.conns != 2 {
		t.Errorf("connections made and closed: %v; the destination has seen %d", got, d.conns)
	}
}

// TestNobodyListens: the failure names the place, and is counted.
func TestNobodyListens(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	host, port, _ := net.SplitHostPort(ln.Addr().String())
	s, set := open(t, "hostname = "+host, "port = "+port)
	b := bodies(1)
	defer b.Release()
	err = s.Deliver(t.Context(), b)
	if err == nil || flow.ClassOf(err) != flow.ClassRetry || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("Deliver returned %v", err)
	}
	if got := set.Counter("ConnectionFailedCount").Value(); got != 1 {
		t.Errorf("ConnectionFailedCount is %d", got)
	}
}

// TestStranger: a source whose certificate nobody trusted has signed gets nothing,
// unless any will do.
func TestStranger(t *testing.T) {
	d := newDestination(t, true)
	for setting, want := range map[string]string{
		"truststore = " + stores + "second.p12": "TLS", // no authority of d's
		"trust-all-certs = true":                "",
		"truststore = /nowhere":                 "trust store /nowhere",
	} {
		s, set := open(t, append(settingsFor(d), "ssl = true", "truststore-password = changeit", setting)...)
		b := bodies(1)
		err := s.Deliver(t.Context(), b)
		b.Release()
		if (err == nil) != (want == "") || !strings.Contains(fmtErr(err).Error(), want) {
			t.Errorf("%s: Deliver returned %v", setting, err)
		}
		if failed := set.Counter("ConnectionFailedCount").Value(); (failed == 1) != (want != "") {
			t.Errorf("%s: ConnectionFailedCount is %d", setting, failed)
		}
	}
}

// TestRequestTimeout: a source that does not answer is given up.
func TestRequestTimeout(t *testing.T) {
	d := newDestination(t, false)
	s, _ := open(t, append(settingsFor(d), "request-timeout = 1000")...)
	d.behave(sinktest.Hang)
	b := bodies(1)
	defer b.Release()
	begin := time.Now()
	if err := s.Deliver(t.Context(), b); flow.ClassOf(fmtErr(err)) != flow.ClassUnknown || time.Since(begin) < time.Second {
		t.Errorf("after %v Deliver returned %v", time.Since(begin), err)
	}
}

func TestConfig(t *testing.T) {
	for lines, want := range map[string]string{
		"":                              "",
		"batch-size = 0":                "",
		"batch-size = x":                "",
		"protocol = BINARY":             "",
		"protocol = json":               "",
		"request-timeout = 10":          "",
		"connection-reset-interval = 5": "",
		"maxConnections = 5":            "",
		"kerberos = true":               "kerberos",
		"server-principal = a/b":        "server-principal",
	} {
		all := []string{"hostname = h", "port = 1"}
		if lines != "" {
			all = append(all, lines)
		}
		d := decode(all...)
		if d.Failed() != (want == "kerberos") || want != "" && !strings.Contains(fmt.Sprint(d.Problems), want) {
			t.Errorf("%s: %v", lines, d.Problems)
		}
	}
	d := decode("hostname = h", "port = 1", "batch-size = 0", "request-timeout = 10", "connect-timeout = x", "protocol = json")
	if c := d.Config.(Config); c.BatchSize != 100 || c.RequestTimeout != 20*time.Second || c.ConnectTimeout != 20*time.Second || c.Protocol != "compact" {
		t.Errorf("defaults in place of what is wrong: %+v", c)
	}
}
