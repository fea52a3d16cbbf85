package thrift

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
	wire "github.com/flume-go/flume/wire/thrift"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// decode turns lines "key = value" into a configuration.
func decode(lines ...string) *component.Decoded {
	settings := property.Settings{}
	for _, line := range append([]string{"bind = 127.0.0.1", "port = 0"}, lines...) {
		key, value, _ := strings.Cut(line, " = ")
		settings[key] = property.Value{Text: value, Raw: value}
	}
	entry, _ := component.Lookup(component.KindSource, "org.apache.flume.source.ThriftSource")
	return component.Decode(entry, settings, component.Scope{Prefix: "a1.sources.r1."})
}

// emitter keeps bodies, and does as fail says.
type emitter struct {
	mu     sync.Mutex
	fail   error
	bodies []string
}

func (e *emitter) Emit(_ context.Context, b *event.Batch) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return e.fail
	}
	for i := range b.Len() {
		e.bodies = append(e.bodies, string(b.At(i).Body))
	}
	return nil
}

func (e *emitter) set(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fail = err
}

// lines is a log that is written and read by several goroutines, and tells where
// the source listens.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// begin runs a source until the end of the test and returns where it listens.
func begin(t *testing.T, out flow.Emitter, settings ...string) (addr string, set *metrics.Set, log *lines) {
	t.Helper()
	d := decode(settings...)
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	set, log = metrics.NewSet(metrics.KindSource, "r1"), new(lines)
	s, err := component.New[flow.Source](d, component.Env{
		Agent: "a1", Name: "r1", FS: vfs.OS{}, Metrics: set, Log: slog.New(slog.NewTextHandler(log, nil)),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, out) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		if _, rest, found := strings.Cut(log.String(), "address="); found {
			return strings.Fields(rest)[0], set, log
		}
	}
	t.Fatalf("the source does not listen:\n%s", log)
	return "", nil, nil
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(limit))
	return conn
}

func one(body string) *event.Batch {
	b := event.NewBatch()
	b.AppendCopy([]byte(body))
	return b
}

// TestAnswersAndCounters: clients are told what became of their events, and
// Flume's counters count calls.
func TestAnswersAndCounters(t *testing.T) {
	out := new(emitter)
	addr, set, log := begin(t, out)
	c := wire.NewClient(dial(t, addr), wire.Binary)
	for _, step := range []struct {
		fail error
		want string
	}{
		{nil, "OK <nil>"},
		{flow.ErrFull, "FAILED <nil>"},
		{errors.New("an interceptor"), "FAILED <nil>"},
		{flow.Unknown(errors.New("some")), "FAILED <nil>"},
		{flow.Reject(errors.New("poison")), "OK Internal error processing the call: poison (exception 6)"},
		{flow.Fatal(errors.New("broken")), "OK Internal error processing the call: broken (exception 6)"},
		{nil, "OK <nil>"},
	} {
		out.set(step.fail)
		b := one("x")
		status, err := c.AppendBatch(b, 0, 1, 100)
		b.Release()
		if got := fmt.Sprint(status, " ", err); got != step.want {
			t.Errorf("Emit returns %v, the client hears %q, not %q", step.fail, got, step.want)
		}
	}
	// append, one event, from the interface definition's notes.
	conn := dial(t, addr)
	io.WriteString(conn, "\x00\x00\x00\x18\x82\x21\x01\x06append\x1c\x1b\x01\x88\x01k\x01v\x18\x02hi\x00\x00")
	answer := make([]byte, 18)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "\x00\x00\x00\x0e\x82\x41\x01\x06append\x05\x00\x00\x00" {
		t.Errorf("append is answered with %q, %v", answer, err)
	}
	for name, want := range map[string]int64{
		"AppendReceivedCount": 1, "AppendAcceptedCount": 1, "AppendBatchReceivedCount": 7, "AppendBatchAcceptedCount": 2,
	} {
		if got := set.Counter(name).Value(); got != want {
			t.Errorf("%s is %d, not %d", name, got, want)
		}
	}
	if got := set.Gauge("OpenConnectionCount").Value(); got != 2 {
		t.Errorf("OpenConnectionCount is %d", got)
	}
	if n := strings.Count(log.String(), "handing on events"); n != 2 {
		t.Errorf("%d lines about handing on:\n%s", n, log)
	}
}

func TestTLS(t *testing.T) {
	const stores = "../../internal/tlsconf/testdata/"
	out := new(emitter)
	addr, set, log := begin(t, out, "ssl = true", "keystore = "+stores+"server.jks", "keystore-password = changeit", "threads = 1")
	conn := tls.Client(dial(t, addr), &tls.Config{InsecureSkipVerify: true})
	c := wire.NewClient(conn, wire.Compact)
	for _, body := range []string{"a", strings.Repeat("b", 100_000), "c"} {
		b := one(body)
		status, err := c.AppendBatch(b, 0, 1, wire.EventSize(b.At(0)))
		b.Release()
		if err != nil || status != wire.StatusOK {
			t.Fatalf("%v, %v\n%s", status, err, log)
		}
	}
	if len(out.bodies) != 3 || len(out.bodies[1]) != 100_000 {
		t.Errorf("%d events", len(out.bodies))
	}
	plain := dial(t, addr)
	io.WriteString(plain, "\x00\x00\x00\x04\x82\x21\x01\x00")
	io.Copy(io.Discard, plain)
	for deadline := time.Now().Add(limit); set.OwnCounter("failed_handshakes", "").Value() == 0 && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
	if !strings.Contains(log.String(), "no agreement on TLS") {
		t.Errorf("the log:\n%s", log)
	}
}

func TestConfig(t *testing.T) {
	for lines, want := range map[string]string{
		"protocol = Binary":                       "",
		"protocol = json":                         "protocol",
		"threads = many":                          "",
		"threads = -1":                            "",
		"ssl = true":                              "keystore",
		"kerberos = true":                         "kerberos",
		"agent-principal = flume/_HOST@EXAMPLE":   "agent-principal",
		"max-frame-size = 12":                     "max-frame-size",
		"exclude-protocols = SSLv3\nthreads = 10": "",
	} {
		d := decode(strings.Split(lines, "\n")...)
		if d.Failed() != (want != "") || want != "" && !strings.Contains(fmt.Sprint(d.Problems), want) {
			t.Errorf("%s: %v", lines, d.Problems)
		}
	}
	if claims := (Config{Port: 4353, Bind: "0.0.0.0"}).Claims(); len(claims) != 1 || claims[0].ID != "4353" {
		t.Errorf("claims %v", claims)
	}
}
