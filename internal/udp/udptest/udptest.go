// Package udptest is what tests of sources that receive datagrams share: an
// emitter that shows the events, and a running source with a client.
package udptest

import (
	"context"
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
)

// Limit is how long a test waits for what must happen.
const Limit = 20 * time.Second

// Recorder is an emitter that hands copies of events to the test. Make it with
// NewRecorder.
type Recorder struct {
	Events chan event.Event
	// Fail, if not nil, is asked at each call of Emit, counted from 1, what that
	// returns; without an error the events are recorded. It may wait.
	Fail func(call int) error

	mu      sync.Mutex
	calls   int
	largest int
}

// NewRecorder returns a recorder that keeps 100,000 events.
func NewRecorder() *Recorder { return &Recorder{Events: make(chan event.Event, 100_000)} }

// Emit implements flow.Emitter, for one goroutine.
func (r *Recorder) Emit(_ context.Context, b *event.Batch) error {
	r.calls++
	if r.Fail != nil {
		if err := r.Fail(r.calls); err != nil {
			return err
		}
	}
	r.mu.Lock()
	r.largest = max(r.largest, b.Len())
	r.mu.Unlock()
	for i := range b.Len() {
		r.Events <- b.At(i).Clone()
	}
	return nil
}

// Largest returns the number of events in the largest batch that was recorded.
func (r *Recorder) Largest() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.largest
}

// Next returns the next event, for which it waits.
func (r *Recorder) Next(t testing.TB) event.Event {
	t.Helper()
	select {
	case e := <-r.Events:
		return e
	case <-time.After(Limit):
		t.Fatal("no event")
		return event.Event{}
	}
}

// New returns a source of this type, or class name, with properties that are lines
// "key = value"; those for the host must be among them. It logs to log.
func New(t testing.TB, kind string, log *slog.Logger, settings ...string) flow.Source {
	t.Helper()
	set := property.Settings{"port": {Text: "0"}}
	for _, line := range settings {
		key, value, ok := strings.Cut(line, " = ")
		if !ok {
			t.Fatalf("bad setting %q", line)
		}
		set[key] = property.Value{Text: value}
	}
	entry, ok := component.Lookup(component.KindSource, kind)
	if !ok {
		t.Fatalf("there is no source %s", kind)
	}
	d := component.Decode(entry, set, component.Scope{Prefix: "a1.sources.r1."})
	if len(d.Problems) > 0 {
		t.Fatalf("decoding: %v", d.Problems)
	}
	src, err := component.New[flow.Source](d, component.Env{
		Agent: "a1", Name: "r1", FS: vfs.NewMem(1),
		Log: log, Metrics: metrics.NewSet(metrics.KindSource, "r1"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// Running is a source that runs until Stop, or until the end of the test, which
// then fails if Run returned an error. For one goroutine.
type Running struct {
	Source flow.Source
	Conn   net.Conn // connected to it

	cancel  context.CancelFunc
	done    chan error // gets what Run returns
	awaited bool       // and has given it to the test
}

// Start runs a source of this type with these properties, see New, and connects to
// it.
func Start(t testing.TB, out flow.Emitter, kind string, settings ...string) *Running {
	t.Helper()
	return Run(t, out, func(log *slog.Logger) flow.Source { return New(t, kind, log, settings...) })
}

// Run runs the source that build returns, and connects to the address that it logs.
func Run(t testing.TB, out flow.Emitter, build func(log *slog.Logger) flow.Source) *Running {
	t.Helper()
	log := addresses{slog.DiscardHandler, make(chan string, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Running{Source: build(slog.New(log)), cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- r.Source.Run(ctx, out) }()
	t.Cleanup(func() { r.Stop(t) })
	select {
	case addr := <-log.found:
		conn, err := new(net.Dialer).DialContext(ctx, "udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		r.Conn = conn
	case err := <-r.done:
		r.awaited = true
		t.Fatalf("Run returned %v before it listened", err)
	}
	return r
}

// Send sends a datagram to the source.
func (r *Running) Send(t testing.TB, datagram string) {
	t.Helper()
	if _, err := r.Conn.Write([]byte(datagram)); err != nil {
		t.Fatal(err)
	}
}

// Tell tells the source to stop and does not wait.
func (r *Running) Tell() { r.cancel() }

// Stop tells the source to stop and waits until it has, without an error.
func (r *Running) Stop(t testing.TB) {
	t.Helper()
	r.cancel()
	if r.awaited {
		return
	}
	if err := r.Wait(t); err != nil {
		t.Errorf("Run returned %v", err)
	}
}

// Wait waits until Run returns, and returns its error. It may be called once.
func (r *Running) Wait(t testing.TB) error {
	t.Helper()
	r.awaited = true
	select {
	case err := <-r.done:
		return err
	case <-time.After(Limit):
		t.Fatal("Run does not return")
		return nil
	}
}

// addresses is a log handler that catches the address listened on.
type addresses struct {
	slog.Handler
	found chan string
}

func (addresses) Enabled(context.Context, slog.Level) bool { return true }

func (h addresses) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "address" {
			h.found <- a.Value.String()
		}
		return true
	})
	return nil
}
