package netcat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

// TestConversations sends bytes and compares the answers and the events.
func TestConversations(t *testing.T) {
	const refused10 = "FAILED: Event exceeds the maximum length (10 chars, including newline)\n"
	for _, c := range []struct {
		name     string
		settings []string
		input    string
		answers  string
		bodies   []string
	}{
		{"lines", nil, "one\ntwo\r\n\nünï € 😀\n", "OK\nOK\nOK\nOK\n", []string{"one", "two\r", "", "ünï € 😀"}},
		{"nothing", nil, "", "", nil},
		{"no acknowledgements", []string{"ack-every-event = false"}, "a\nb\n", "", []string{"a", "b"}},
		{"rest is discarded", nil, "one\nnot ended", "OK\n", []string{"one"}},
		{"rest is kept", []string{"unterminated-line = keep"}, "one\nnot ended", "OK\nOK\n", []string{"one", "not ended"}},
		{"rest is kept alone", []string{"unterminated-line = keep"}, "x", "OK\n", []string{"x"}},
		{"no rest to keep", []string{"unterminated-line = keep"}, "one\n", "OK\n", []string{"one"}},
		{"longest line", []string{"max-line-length = 10"}, "123456789\n", "OK\n", []string{"123456789"}},
		{"limit counts characters", []string{"max-line-length = 10"}, "üüüüüüüüü\n", "OK\n", []string{"üüüüüüüüü"}},
		{"two characters outside the basic plane", []string{"max-line-length = 10"}, "😀😀😀😀x\n", "OK\n", []string{"😀😀😀😀x"}},
		{"too many of them", []string{"max-line-length = 10"}, "😀😀😀😀😀\n", refused10, nil},
		{"too long line ends the connection", []string{"max-line-length = 10"}, "a\n1234567890\nb\n", "OK\n" + refused10, []string{"a"}},
		{"too long without newline", []string{"max-line-length = 10"}, "1234567890", refused10, nil},
		{"as long as can be without newline", []string{"max-line-length = 10"}, "123456789", "", nil},
		{"too long is told without acknowledgements", []string{"max-line-length = 10", "ack-every-event = false"}, "1234567890\n", refused10, nil},
		{"malformed bytes are kept", nil, "good\n\xff\xfe\nafter\n", "OK\nOK\nOK\n", []string{"good", "\xff\xfe", "after"}},
		{"malformed bytes close", []string{"malformed-input = close"}, "good\n\xff\xfe\nafter\n", "OK\n", []string{"good"}},
		{"malformed rest closes", []string{"malformed-input = close", "unterminated-line = keep"}, "good\n\xff", "OK\n", []string{"good"}},
		{"latin-1", []string{"encoding = ISO-8859-1"}, "gr\xfcn\n", "OK\n", []string{"grün"}},
		{"cp1252", []string{"encoding = Cp1252"}, "5 \x80\n", "OK\n", []string{"5 €"}},
		{"utf-16be", []string{"encoding = UTF-16BE"}, "\x00g\x00\xfc\x00\n", "\x00O\x00K\x00\n", []string{"gü"}},
		{"utf-16 writes one mark", []string{"encoding = UTF-16"}, "\xff\xfea\x00\n\x00b\x00\n\x00", "\xfe\xff\x00O\x00K\x00\n\x00O\x00K\x00\n", []string{"a", "b"}},
		{"malformed ascii is replaced", []string{"encoding = US-ASCII"}, "a\xe9b\n", "OK\n", []string{"a\uFFFDb"}},
		{"malformed ascii closes", []string{"encoding = US-ASCII", "malformed-input = close"}, "x\na\xe9b\n", "OK\n", []string{"x"}},
		{"half a character at the end", []string{"encoding = UTF-16BE", "unterminated-line = keep"}, "\x00a\x00", "\x00O\x00K\x00\n", []string{"a\uFFFD"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := &recorder{}
			addr, stop := start(t, newSource(t, nil, c.settings...), out)
			if got := converse(t, addr, c.input); got != c.answers {
				t.Errorf("answers %q, want %q", got, c.answers)
			}
			stop()
			if diff := cmp.Diff(c.bodies, out.all()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPieces sends a byte at a time: lines are joined over many reads, and each
// is answered as soon as it is complete.
func TestPieces(t *testing.T) {
	out := &recorder{}
	addr, stop := start(t, newSource(t, nil), out)
	conn := dial(t, addr)
	if err := conn.SetNoDelay(true); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"first", "", "zwölf"} {
		for i := range len(line) {
			if _, err := conn.Write([]byte{line[i]}); err != nil {
				t.Fatal(err)
			}
		}
		if got := send(t, conn, "\n", 3); got != "OK\n" {
			t.Fatalf("answer %q", got)
		}
	}
	stop()
	if diff := cmp.Diff([]string{"first", "", "zwölf"}, out.all()); diff != "" {
		t.Error(diff)
	}
}

// TestLongLine sends a line of many blocks between short ones.
func TestLongLine(t *testing.T) {
	long := strings.Repeat("0123456789", 200_000)
	out := &recorder{}
	addr, stop := start(t, newSource(t, nil, "max-line-length = 3000000"), out)
	if got := converse(t, addr, "before\n"+long+"\nafter\n"); got != "OK\nOK\nOK\n" {
		t.Errorf("answers %q", got)
	}
	stop()
	if diff := cmp.Diff([]string{"before", long, "after"}, out.all()); diff != "" {
		t.Error("events differ")
	}
}

// TestManyClients floods from several connections; each one's order is kept.
func TestManyClients(t *testing.T) {
	t.Parallel()
	const clients, lines = 4, 20_000
	out := &recorder{}
	addr, stop := start(t, newSource(t, nil), out)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			var text strings.Builder
			for i := range lines {
				fmt.Fprintf(&text, "%d %d\n", c, i)
			}
			conn := dial(t, addr)
			go func() {
				io.WriteString(conn, text.String()) //nolint:errcheck // shows in the answers
				conn.CloseWrite()                   //nolint:errcheck // likewise
			}()
			answers, err := io.ReadAll(conn)
			if err != nil || len(answers) != 3*lines {
				t.Errorf("%d bytes of answers, %v", len(answers), err)
			}
		})
	}
	wg.Wait()
	stop()
	var next [clients]int
	for _, body := range out.all() {
		var c, i int
		if _, err := fmt.Sscan(body, &c, &i); err != nil {
			t.Fatalf("event %q: %v", body, err)
		}
		if i != next[c] {
			t.Fatalf("client %d: event %d after %d", c, i, next[c]-1)
		}
		next[c]++
	}
	for c, n := range next {
		if n != lines {
			t.Errorf("client %d: %d events", c, n)
		}
	}
}

// TestFailedAnswer: with acknowledgements each line of a refused batch is told so.
func TestFailedAnswer(t *testing.T) {
	var log syncBuffer
	out := &recorder{fail: func(call int, _ *event.Batch) error {
		if call <= 2 {
			return fmt.Errorf("putting into c1:\n%w", flow.ErrFull)
		}
		return nil
	}}
	addr, stop := start(t, newSource(t, &log), out)
	conn := dial(t, addr)
	const failed = "FAILED: putting into c1: channel is full\n"
	for range 2 {
		if got := send(t, conn, "a\n", len(failed)); got != failed {
			t.Errorf("answer %q, want %q", got, failed)
		}
	}
	if got := send(t, conn, "b\nc\n", 6); got != "OK\nOK\n" {
		t.Errorf("answer %q after the trouble", got)
	}
	stop()
	if diff := cmp.Diff([]string{"b", "c"}, out.all()); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"handing on events fails", "handing on events works again"} {
		if n := strings.Count(log.String(), text); n != 1 {
			t.Errorf("%q is logged %d times", text, n)
		}
	}
}

// TestWaitsWithoutAcknowledgements: nobody would send again, so nothing is dropped.
func TestWaitsWithoutAcknowledgements(t *testing.T) {
	t.Parallel()
	out := &recorder{fail: func(call int, _ *event.Batch) error {
		if call <= 2 {
			return flow.ErrFull
		}
		return nil
	}}
	addr, stop := start(t, newSource(t, nil, "ack-every-event = false"), out)
	if got := converse(t, addr, "a\nb\n"); got != "" {
		t.Errorf("answers %q", got)
	}
	stop()
	if diff := cmp.Diff([]string{"a", "b"}, out.all()); diff != "" {
		t.Error(diff)
	}
}

// TestNotCurable: what trying again does not cure is told even without acknowledgements.
func TestNotCurable(t *testing.T) {
	out := &recorder{fail: func(int, *event.Batch) error { return flow.Reject(errors.New("no good")) }}
	addr, _ := start(t, newSource(t, nil, "ack-every-event = false"), out)
	if got, want := converse(t, addr, "a\nb\n"), "FAILED: no good\nFAILED: no good\n"; got != want {
		t.Errorf("answers %q, want %q", got, want)
	}
}

// TestStop stops the source while one client is idle and another's line is on
// its way to the channel: that line is stored and answered.
func TestStop(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	out := &recorder{}
	out.fail = func(int, *event.Batch) error {
		close(arrived)
		<-release
		return nil
	}
	src := newSource(t, nil)
	addr, stop := start(t, src, out)
	idle, busy := dial(t, addr), dial(t, addr)
	if _, err := io.WriteString(idle, "no newline"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(busy, "line\n"); err != nil {
		t.Fatal(err)
	}
	<-arrived
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	if rest, err := io.ReadAll(idle); err != nil && !isReset(err) || len(rest) > 0 {
		t.Errorf("idle client got %q, %v", rest, err)
	}
	close(release)
	if answer, err := io.ReadAll(busy); err != nil || string(answer) != "OK\n" {
		t.Errorf("busy client got %q, %v", answer, err)
	}
	<-stopped
	if got := src.open.Value(); got != 0 {
		t.Errorf("%d connections open after the stop", got)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the port is not free after the stop: %v", err)
	}
	ln.Close()
}

// isReset: a connection closed with unread input may be reset.
func isReset(err error) bool { return strings.Contains(err.Error(), "reset") }

// TestStopDuringTrouble: a source that waits for a full channel still stops.
func TestStopDuringTrouble(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	out := &stuck{arrived: arrived}
	addr, stop := start(t, newSource(t, nil, "ack-every-event = false"), out)
	if _, err := io.WriteString(dial(t, addr), "line\n"); err != nil {
		t.Fatal(err)
	}
	<-arrived
	begin := time.Now()
	stop()
	if d := time.Since(begin); d > limit/2 {
		t.Errorf("stopping took %v", d)
	}
}

// stuck is an emitter whose channel is full until the end of the context.
type stuck struct{ arrived chan struct{} }

func (s *stuck) Emit(ctx context.Context, _ *event.Batch) error {
	select {
	case s.arrived <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestClientThatDoesNotRead is not waited for longer than it is allowed. A pipe
// stands for a connection whose buffers are full.
func TestClientThatDoesNotRead(t *testing.T) {
	var log syncBuffer
	src := newSource(t, &log)
	src.cfg.WriteTimeout = 20 * time.Millisecond
	server, client := net.Pipe()
	defer client.Close()
	defer server.Close()
	out := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		newSession(src, server, out).serve(t.Context())
	}()
	if _, err := io.WriteString(client, "stored\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatal("the session goes on")
	}
	if diff := cmp.Diff([]string{"stored"}, out.all()); diff != "" {
		t.Error(diff)
	}
	if text := "the client does not read its answers"; !strings.Contains(log.String(), text) {
		t.Errorf("the log does not say that %s:\n%s", text, log.String())
	}
}

func TestMaxConnections(t *testing.T) {
	out := &recorder{}
	src := newSource(t, nil, "max-connections = 1")
	addr, _ := start(t, src, out)
	first := dial(t, addr)
	if got := send(t, first, "a\n", 3); got != "OK\n" {
		t.Fatalf("answer %q", got)
	}
	if got := src.open.Value(); got != 1 {
		t.Errorf("OpenConnectionCount is %d", got)
	}
	got, err := io.ReadAll(dial(t, addr))
	if want := "FAILED: All 1 connections are in use\n"; err != nil || string(got) != want {
		t.Errorf("second client got %q, %v", got, err)
	}
	if got := send(t, first, "b\n", 3); got != "OK\n" {
		t.Errorf("answer %q", got)
	}
}

func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := fmt.Sprint(ln.Addr().(*net.TCPAddr).Port)
	err = newSource(t, nil, "port = "+port).Run(t.Context(), &recorder{})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:"+port) || !strings.Contains(err.Error(), "port") {
		t.Errorf("Run returned %v", err)
	}
}

func TestRunAfterStop(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := newSource(t, nil).Run(ctx, &recorder{}); err != nil {
		t.Errorf("Run with an ended context returned %v", err)
	}
}

func TestIPv6(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Log("no IPv6 loopback on this machine: only the error is checked")
		if err := newSource(t, nil, "bind = ::1").Run(t.Context(), &recorder{}); err == nil || !strings.Contains(err.Error(), "[::1]:0") {
			t.Errorf("Run returned %v", err)
		}
		return
	}
	ln.Close()
	addr, _ := start(t, newSource(t, nil, "bind = ::1"), &recorder{})
	if got := converse(t, addr, "six\n"); got != "OK\n" {
		t.Errorf("answer %q", got)
	}
}

func TestCounters(t *testing.T) {
	src := newSource(t, nil, "malformed-input = close", "max-line-length = 5")
	addr, stop := start(t, src, &recorder{})
	for _, input := range []string{"a\xff\n", "12345\n", "rest"} {
		converse(t, addr, input)
	}
	stop()
	if m, r, u := src.malformed.Value(), src.readFail.Value(), src.unterminated.Value(); m != 1 || r != 2 || u != 1 {
		t.Errorf("malformed_lines %d, EventReadFail %d, unterminated_lines %d; want 1, 2, 1", m, r, u)
	}
}

func TestUnknownEncoding(t *testing.T) {
	_, err := New(Config{Encoding: "klingon-8"}, component.Env{Metrics: metrics.NewSet(metrics.KindSource, "r1")})
	if err == nil || !strings.Contains(err.Error(), "klingon-8") || !strings.Contains(err.Error(), "property encoding") {
		t.Errorf("New returned %v", err)
	}
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
