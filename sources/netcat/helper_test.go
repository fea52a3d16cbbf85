package netcat

import (
	"context"
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
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// recorder is an emitter that keeps the bodies and does as fail says.
type recorder struct {
	mu     sync.Mutex
	bodies []string
	fail   func(call int, b *event.Batch) error // if not nil
	calls  int
}

func (r *recorder) Emit(ctx context.Context, b *event.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.fail != nil {
		if err := r.fail(r.calls, b); err != nil {
			return err
		}
	}
	for _, e := range b.Events() {
		if len(e.Headers) != 0 {
			return flow.Fatal(io.ErrUnexpectedEOF)
		}
		r.bodies = append(r.bodies, string(e.Body))
	}
	return nil
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.bodies...)
}

// settings are lines "key = value" of a configuration.
func newSource(t testing.TB, log io.Writer, settings ...string) *source {
	t.Helper()
	set := property.Settings{
		"bind": {Text: "127.0.0.1"},
		"port": {Text: "0"},
	}
	for _, line := range settings {
		key, value, ok := strings.Cut(line, " = ")
		if !ok {
			t.Fatalf("bad setting %q", line)
		}
		set[key] = property.Value{Text: value}
	}
	entry, _ := component.Lookup(component.KindSource, "netcat")
	d := component.Decode(entry, set, component.Scope{Prefix: "a1.sources.r1."})
	if len(d.Problems) > 0 {
		t.Fatalf("decoding: %v", d.Problems)
	}
	if log == nil {
		log = io.Discard
	}
	src, err := component.New[flow.Source](d, component.Env{
		Agent: "a1", Name: "r1", FS: vfs.NewMem(1),
		Log:     slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: metrics.NewSet(metrics.KindSource, "r1"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return src.(*source)
}

// start runs src until the end of the test or until stop is called, which waits
// for Run to return.
func start(t testing.TB, src *source, out flow.Emitter) (addr string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	bound := make(chan net.Addr, 1)
	src.listening = func(a net.Addr) { bound <- a }
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, out) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run returned %v", err)
				}
			case <-time.After(limit):
				t.Error("Run did not return after the end of its context")
			}
		})
	}
	t.Cleanup(stop)
	select {
	case a := <-bound:
		return a.String(), stop
	case err := <-done:
		t.Fatalf("Run returned %v before it listened", err)
	case <-time.After(limit):
		t.Fatal("the source does not listen")
	}
	return "", nil
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// converse sends text, closes its half of the connection and returns the answers.
func converse(t testing.TB, addr, text string) string {
	t.Helper()
	conn := dial(t, addr)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answers, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("reading answers: %v", err)
	}
	return string(answers)
}

// send writes text and reads n bytes of answers.
func send(t testing.TB, conn net.Conn, text string, n int) string {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, n)
	if got, err := io.ReadFull(conn, buf); err != nil {
		t.Fatalf("reading answers: %v after %q", err, buf[:got])
	}
	return string(buf)
}
