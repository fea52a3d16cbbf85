package thrift

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/metrics"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// text writes events as "{key=value} body", one a line, headers sorted.
func text(events []event.Event) string {
	var out strings.Builder
	for i := range events {
		var hs []string
		for _, h := range events[i].Headers {
			hs = append(hs, h.Key+"="+h.Value)
		}
		sort.Strings(hs)
		fmt.Fprintf(&out, "{%s} %s\n", strings.Join(hs, ", "), events[i].Body)
	}
	return out.String()
}

// recorder is a Store that keeps copies, and does as fail says.
type recorder struct {
	mu     sync.Mutex
	events []event.Event
	calls  []string
	fail   func(call int) error
	n      int
}

func (r *recorder) store(_ context.Context, b *event.Batch, calls []Request) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	if r.fail != nil {
		if err := r.fail(r.n); err != nil {
			return err
		}
	}
	for i := range b.Len() {
		r.events = append(r.events, b.At(i).Clone())
		// Interceptors come behind: the memory behind the events is theirs.
		b.SetHeader(b.At(i), "seen", b.String([]byte("yes")))
	}
	for _, c := range calls {
		r.calls = append(r.calls, fmt.Sprintf("%s %d", c.Method.Name, c.Events))
	}
	return nil
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return text(r.events)
}

func (r *recorder) callText() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.calls, ", ")
}

// flumeServer is a server of Flume's service.
func flumeServer(log io.Writer) *Server {
	if log == nil {
		log = io.Discard
	}
	service := FlumeService()
	service.Status = func(err error) (int32, *Exception) {
		if err != nil {
			return int32(StatusFailed), nil
		}
		return int32(StatusOK), nil
	}
	return &Server{
		Service: service, Framed: true, MaxMessage: 16_384_000,
		Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: metrics.NewSet(metrics.KindSource, "r1"),
	}
}

// start serves s on loopback until the end of the test, and returns its address.
func start(t testing.TB, s *Server, store Store) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ln, err := netio.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln, store) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve returned %v", err)
			}
		case <-time.After(limit):
			t.Error("Serve does not return")
		}
	})
	return ln.Addr().String()
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

// converse sends bytes, ends its direction and returns all that is answered.
func converse(t testing.TB, addr string, in []byte) []byte {
	t.Helper()
	conn := dial(t, addr)
	// A server that has had enough closes the connection before it has read all.
	if _, err := conn.Write(in); err == nil {
		conn.CloseWrite()
	}
	out, _ := io.ReadAll(conn)
	return out
}

// buffer is a log that is written and read by several goroutines.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// sample is a batch of n events of size bytes with some headers.
func sample(n, size, headers int) *event.Batch {
	b := event.NewBatch()
	body := strings.Repeat("x", size)
	for i := range n {
		e := b.AppendCopy([]byte(body))
		for h := range headers {
			b.SetHeader(e, fmt.Sprintf("key%d", h), b.String(fmt.Appendf(nil, "value %d", i)))
		}
	}
	return b
}

// totalSize is the sum of EventSize.
func totalSize(b *event.Batch) int {
	n := 0
	for i := range b.Len() {
		n += EventSize(b.At(i))
	}
	return n
}

// call is the message of a call of appendBatch, without its frame.
func call(p Protocol, b *event.Batch) []byte {
	var e Encoder
	e.AppendBatch(p, 7, b, 0, b.Len(), totalSize(b))
	return e.Written()[frameHead:]
}

// framed puts messages into frames.
func framed(messages ...[]byte) []byte {
	var e Encoder
	for _, m := range messages {
		start := e.FrameBegin()
		e.buf = append(e.buf, m...)
		e.FrameEnd(start)
	}
	return e.Written()
}

// batchOf makes a batch of copies.
func batchOf(events []event.Event) *event.Batch {
	b := event.NewBatch()
	for i := range events {
		b.AppendEvent(&events[i])
	}
	return b
}

// scripted is a connection that brings pieces, and keeps what is written.
type scripted struct {
	net.Conn
	pieces [][]byte
	out    []byte
}

func (c *scripted) Read(p []byte) (int, error) {
	for len(c.pieces) > 0 && len(c.pieces[0]) == 0 {
		c.pieces = c.pieces[1:]
	}
	if len(c.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.pieces[0])
	c.pieces[0] = c.pieces[0][n:]
	return n, nil
}

func (c *scripted) Write(p []byte) (int, error) {
	c.out = append(c.out, p...)
	return len(p), nil
}

func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }
