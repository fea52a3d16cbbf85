package monitor

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/agent"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/pipeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fake is a subject whose state a test sets.
type fake struct {
	mu       sync.Mutex
	registry *metrics.Registry
	status   []agent.Status
	reloads  agent.ReloadStatus
	stopping bool
}

func (f *fake) Metrics() *metrics.Registry { return f.registry }

func (f *fake) Status() []agent.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *fake) Reloads() agent.ReloadStatus { return f.reloads }

func (f *fake) Stopping() bool { return f.stopping }

// then is the moment at which the tests' agents stand still.
var then = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// newFake returns a subject in which source r1, channel c1 and sink k1 run.
func newFake() *fake {
	f := &fake{registry: metrics.NewRegistry()}
	source := f.add(metrics.KindSource, "r1", "netcat", "c1")
	source.Counter("EventReceivedCount").Add(30)
	source.Counter("EventAcceptedCount").Add(29)
	source.Gauge("OpenConnectionCount").Set(2)
	h := source.OwnHistogram("emit_seconds", "Time from Emit to the commit in every required channel.", []float64{.1, 1})
	h.Observe(.05)
	h.Observe(.5)
	source.OwnCounter("malformed_lines", "Lines that were no text.").Add(3)
	channel := f.add(metrics.KindChannel, "c1", "memory")
	channel.Gauge("ChannelSize").Set(25)
	channel.Gauge("ChannelCapacity").Set(100)
	channel.Text("ChannelFillPercentage", func() string { return "25.0" })
	channel.Counter("EventPutSuccessCount").Add(29)
	channel.Counter("EventTakeSuccessCount").Add(4)
	channel.OwnGauge("bytes", "Bytes of the bodies of the events in the channel.", func() float64 { return 2048 })
	f.status[1].Events, f.status[1].Capacity, f.status[1].Oldest = 25, 100, then.Add(-90*time.Second)
	sink := f.add(metrics.KindSink, "k1", "logger", "c1")
	sink.Counter("EventDrainAttemptCount").Add(5)
	sink.Counter("EventDrainSuccessCount").Add(4)
	return f
}

func (f *fake) add(kind metrics.Kind, name, typ string, channels ...string) *metrics.Set {
	s := metrics.NewSet(kind, name)
	s.Gauge("StartTime").Set(then.UnixMilli())
	f.registry.Register(s)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = append(f.status, agent.Status{
		Kind: strings.ToLower(string(kind)), Name: name, Type: typ, Channels: channels,
		Status: pipeline.Status{State: pipeline.StateRunning, Since: then.Add(-time.Hour)},
	})
	return s
}

// fail brings component i into a state with an error.
func (f *fake) fail(i int, state pipeline.State, text string) {
	f.status[i].State = state
	f.status[i].Error, f.status[i].ErrorAt, f.status[i].Failures = errors.New(text), then.Add(-time.Minute), 7
}

func options(t *testing.T) Options {
	t.Helper()
	return Options{Agent: "a1", Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}
}

// logged returns options that log into the returned buffer.
func logged(t *testing.T) (Options, *logBuffer) {
	t.Helper()
	b := &logBuffer{more: make(chan struct{})}
	o := options(t)
	o.Log = slog.New(slog.NewTextHandler(b, nil))
	return o, b
}

type logBuffer struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{} // closed with each line
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// await waits for a line with text.
func (l *logBuffer) await(t *testing.T, text string) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		l.mu.Lock()
		more, found := l.more, strings.Contains(l.b.String(), text)
		l.mu.Unlock()
		if found {
			return
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("no line with %q in\n%s", text, l)
		}
	}
}

// start starts r and closes it with the test.
func start(t *testing.T, r Reporter) {
	t.Helper()
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}

// ask sends one request straight to a handler. headers are names and values in turn.
func ask(t *testing.T, h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
