package http

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sort"
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

// recorder is an emitter that keeps what it gets and does as fail says.
type recorder struct {
	mu     sync.Mutex
	events []string // as shown does
	calls  int
	fail   func(ctx context.Context, call int) error // if not nil
}

// shown writes an event as Flume's serializer of headers and text does, headers
// sorted.
func shown(e *event.Event) string {
	headers := make([]string, 0, len(e.Headers))
	for _, h := range e.Headers {
		headers = append(headers, h.Key+"="+h.Value)
	}
	sort.Strings(headers)
	return "{" + strings.Join(headers, ", ") + "} " + string(e.Body)
}

// Emit implements flow.Emitter.
func (r *recorder) Emit(ctx context.Context, b *event.Batch) error {
	r.mu.Lock()
	r.calls++
	call, fail := r.calls, r.fail
	r.mu.Unlock()
	if fail != nil {
		if err := fail(ctx, call); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range b.Len() {
		r.events = append(r.events, shown(b.At(i)))
	}
	return nil
}

// take returns the events so far and forgets them.
func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := strings.Join(r.events, "\n")
	r.events = nil
	return all
}

// lines is a log that a test reads.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
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

func decode(t testing.TB, settings ...string) *component.Decoded {
	t.Helper()
	set := property.Settings{"port": {Text: "0"}, "bind": {Text: "127.0.0.1"}}
	for _, line := range settings {
		key, value, ok := strings.Cut(line, " = ")
		if !ok {
			t.Fatalf("bad setting %q", line)
		}
		set[key] = property.Value{Text: value}
	}
	entry, _ := component.Lookup(component.KindSource, "http")
	return component.Decode(entry, set, component.Scope{Prefix: "a1.sources.r1."})
}

// subject is a source that is being tested.
type subject struct {
	*source
	out  *recorder
	log  *lines
	fs   vfs.FS
	set  *metrics.Set
	addr string
	stop func()
	http *http.Client
}

// prepare makes a source; settings are lines "key = value" of a configuration.
func prepare(t testing.TB, settings ...string) *subject {
	t.Helper()
	d := decode(t, settings...)
	if d.Failed() {
		t.Fatalf("decoding: %v", d.Problems)
	}
	s := &subject{out: &recorder{}, log: &lines{}, fs: vfs.NewMem(1), set: metrics.NewSet(metrics.KindSource, "r1")}
	made, err := component.New[flow.Source](d, component.Env{
		Agent: "a1", Name: "r1", FS: s.fs, Metrics: s.set,
		Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.source, _ = made.(*source)
	return s
}

// begin makes a source and runs it.
func begin(t testing.TB, settings ...string) *subject {
	t.Helper()
	s := prepare(t, settings...)
	s.start(t)
	return s
}

// start runs s until the end of the test or until s.stop, which waits for Run.
func (s *subject) start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	bound := make(chan net.Addr, 1)
	s.listening = func(a net.Addr) { bound <- a }
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, s.out) }()
	s.stop = sync.OnceFunc(func() {
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
	t.Cleanup(s.stop)
	select {
	case a := <-bound:
		s.addr = a.String()
	case err := <-done:
		t.Fatalf("Run returned %v before it listened", err)
	case <-time.After(limit):
		t.Fatal("the source does not listen")
	}
	transport := &http.Transport{DisableCompression: true}
	s.http = &http.Client{Transport: transport, Timeout: limit}
	t.Cleanup(transport.CloseIdleConnections)
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   string
}

// send posts a request; headers are lines "Name: value".
func (s *subject) send(t testing.TB, method, path string, body []byte, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.addr+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	answer, err := s.http.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	return reply{answer.StatusCode, answer.Header, string(text)}
}

const asJSON = "Content-Type: application/json"

// post sends JSON.
func (s *subject) post(t testing.TB, body string, headers ...string) reply {
	t.Helper()
	return s.send(t, http.MethodPost, "/", []byte(body), append([]string{asJSON}, headers...)...)
}

// raw sends text over a connection of its own and returns all of what comes back.
func (s *subject) raw(t testing.TB, text string) string {
	t.Helper()
	c := s.dial(t)
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	answer, _ := io.ReadAll(c) // a reset connection has said what it had to
	return string(answer)
}

func (s *subject) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// counted returns the metrics of s that are not zero, those that the runner keeps
// and times left out.
func (s *subject) counted() map[string]string {
	out := map[string]string{}
	for _, m := range s.set.Metrics() {
		switch m.Name {
		case "StartTime", "StopTime", "Type", "OpenConnectionCount":
			continue
		}
		if v := m.String(); v != "0" && v != "" {
			out[m.Name] = v
		}
	}
	return out
}

// jsonArray is a request of n events, each with headers and a body of that size.
func jsonArray(n, size int) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"headers":{"host":"web-%d.example.com","timestamp":"17322%08d"},"body":"%s"}`,
			i%7, i, strings.Repeat("0123456789abcdef", size/16))
	}
	b.WriteByte(']')
	return b.Bytes()
}
