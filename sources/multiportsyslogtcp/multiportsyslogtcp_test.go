package multiportsyslogtcp

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// recorder is an emitter that hands events to the test.
type recorder chan event.Event

func (r recorder) Emit(_ context.Context, b *event.Batch) error {
	for i := range b.Len() {
		r <- b.At(i).Clone()
	}
	return nil
}

func (r recorder) next(t *testing.T) event.Event {
	t.Helper()
	select {
	case e := <-r:
		return e
	case <-time.After(limit):
		t.Fatal("no event")
		return event.Event{}
	}
}

// buffer is a log that several goroutines write.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func decode(t *testing.T, settings ...string) *component.Decoded {
	t.Helper()
	set := property.Settings{"host": {Text: "127.0.0.1"}}
	for _, line := range settings {
		key, value, _ := strings.Cut(line, " = ")
		set[key] = property.Value{Text: value}
	}
	entry, ok := component.Lookup(component.KindSource, "org.apache.flume.source.MultiportSyslogTCPSource")
	if !ok {
		t.Fatal("the class name of Flume is not known")
	}
	return component.Decode(entry, set, component.Scope{Prefix: "a1.sources.r1."})
}

// start runs a source until the end of the test.
func start(t *testing.T, log io.Writer, settings ...string) recorder {
	t.Helper()
	d := decode(t, settings...)
	if d.Failed() {
		t.Fatalf("problems:\n%v", d.Problems)
	}
	src, err := component.New[flow.Source](d, component.Env{
		Agent: "a1", Name: "r1", FS: vfs.NewMem(1),
		Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: metrics.NewSet(metrics.KindSource, "r1"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	out := make(recorder, 100)
	go func() { done <- src.Run(ctx, out) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(limit):
			t.Error("Run does not return")
		}
	})
	return out
}

// dial connects to a port as soon as something listens there.
func dial(t *testing.T, port string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return conn
		}
		if !flow.Sleep(ctx, 10*time.Millisecond) {
			t.Fatal(err)
		}
	}
}

// occupy returns a listener and its port.
func occupy(t *testing.T) (net.Listener, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return ln, port
}

func TestPortsAndCharsets(t *testing.T) {
	first, one := occupy(t)
	second, two := occupy(t)
	first.Close()
	second.Close()
	out := start(t, io.Discard, "ports = "+one+" "+two+" "+one, "portHeader = port",
		"charset.port."+two+" = ISO-8859-1", "numProcessors = 3")
	for _, c := range []struct {
		port, host, status string
	}{{one, "", "Invalid"}, {two, "höst", ""}} {
		conn := dial(t, c.port)
		io.WriteString(conn, "<13>1 - h\xf6st b\n")
		e := out.next(t)
		port, _ := e.Header("port")
		host, _ := e.Header("host")
		status, _ := e.Header("flume.syslog.status")
		if diff := cmp.Diff([]string{c.port, c.host, c.status}, []string{port, host, status}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestPortInUse: the other ports are served meanwhile, and the port once it is
// free.
func TestPortInUse(t *testing.T) {
	free, one := occupy(t)
	other, two := occupy(t)
	free.Close()
	var log buffer
	out := start(t, &log, "ports = "+one+" "+two)
	io.WriteString(dial(t, one), "<13>1 - h a\n")
	if e := out.next(t); string(e.Body) != "a" {
		t.Errorf("event %q", e.Body)
	}
	if !strings.Contains(log.String(), "127.0.0.1:"+two) {
		t.Errorf("the log does not name the port %s:\n%s", two, log.String())
	}
	other.Close()
	io.WriteString(dial(t, two), "<13>1 - h b\n")
	if e := out.next(t); string(e.Body) != "b" {
		t.Errorf("event %q", e.Body)
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		want     []string
	}{
		"least":           {[]string{"ports = 1"}, nil},
		"no ports":        {nil, []string{"error ports"}},
		"not a port":      {[]string{"ports = 1 70000 x"}, []string{"error ports", "error ports"}},
		"twice":           {[]string{"ports = 1 1"}, []string{"warning ports"}},
		"any, twice":      {[]string{"ports = 0 0"}, nil},
		"names of Flume":  {[]string{"ports = 1", "readBufferSize = 2048", "batchSize = 5", "portHeader = p"}, nil},
		"processors":      {[]string{"ports = 1", "numProcessors = 4"}, []string{"advice numProcessors"}},
		"charset":         {[]string{"ports = 1", "charset.default = utf-9"}, []string{"error charset.default"}},
		"wide charset":    {[]string{"ports = 1", "charset.port.1 = UTF-16"}, []string{"error charset.port.1"}},
		"other port":      {[]string{"ports = 1", "charset.port.2 = UTF-8"}, []string{"warning charset.port.2"}},
		"shared settings": {[]string{"ports = 1", "keepFields = x"}, []string{"warning keepFields"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := decode(t, c.settings...)
			var got []string
			for _, p := range d.Problems {
				got = append(got, p.Severity.String()+" "+strings.TrimPrefix(p.Key, "a1.sources.r1."))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s\n%v", diff, d.Problems)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	var got []string
	for _, c := range (Config{Host: "h", Ports: []string{"1", "0", "2", "1"}}).Claims() {
		got = append(got, c.What+" "+c.Host+":"+c.ID)
	}
	if diff := cmp.Diff([]string{"TCP port h:1", "TCP port h:2"}, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}
