package intake

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/syslog"
	"github.com/flume-go/flume/internal/tlsconf"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
)

// buffer is a log that is written and read by several goroutines.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
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

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// recorder is an emitter that keeps copies, and does as fail says.
type recorder struct {
	mu     sync.Mutex
	events []event.Event
	sizes  []int // of the batches
	fail   func(call int) error
	calls  int
}

func (r *recorder) Emit(_ context.Context, b *event.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.fail != nil {
		if err := r.fail(r.calls); err != nil {
			return err
		}
	}
	r.sizes = append(r.sizes, b.Len())
	for i := range b.Len() {
		r.events = append(r.events, b.At(i).Clone())
		// Interceptors come behind: headers are the emitter's to change.
		b.SetHeader(b.At(i), "seen", "yes")
	}
	return nil
}

func (r *recorder) bodies() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for i := range r.events {
		s := string(r.events[i].Body)
		if status, ok := r.events[i].Header(syslog.HeaderStatus); ok {
			s += " (" + status + ")"
		}
		out = append(out, s)
	}
	return out
}

func newTCP(o Options, log io.Writer) *TCP {
	if o.EventSize == 0 {
		o.EventSize = 2500
	}
	if log == nil {
		log = io.Discard
	}
	return New(o, component.Env{
		Agent: "a1", Name: "r1", FS: vfs.OS{}, Log: slog.New(slog.NewTextHandler(log, nil)),
		Metrics: metrics.NewSet(metrics.KindSource, "r1"),
	})
}

// start serves t on loopback until the end of the test, and returns its address.
func start(t *testing.T, tcp *TCP, out flow.Emitter) string {
	t.Helper()
	secure, err := tcp.TLS()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ln, err := tcp.Listen(ctx, "127.0.0.1", "0", "port")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tcp.Serve(ctx, ln, secure, out) }()
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

func dial(t *testing.T, addr string) *net.TCPConn {
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

// send writes text and waits until the source has seen the end of the connection.
func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, conn)
}

func TestMessages(t *testing.T) {
	long := "<13>" + strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		flume bool
		text  string
		want  []string
	}{
		"lines":           {false, "<13>1 - h a\n<13>1 - h b\n", []string{"a", "b"}},
		"counted":         {false, "12 <13>1 - h ab11 <13>1 - h c", []string{"ab", "c"}},
		"half a message":  {false, "<13>1 - h a\n<13>1 - h b", []string{"a", "b (Incomplete)"}},
		"half a count":    {false, "<13>1 - h a\n12", []string{"a", "12 (Invalid)"}},
		"half, in Flume":  {true, "<13>1 - h a\n<13>1 - h b", []string{"a"}},
		"counted, Flume":  {true, "12 <13>1 - h ab\n", []string{"12 <13>1 - h ab (Invalid)"}},
		"too long":        {false, long + "\n<13>1 - h a\n", []string{long[:2500] + " (Incomplete)", long[2500:5000] + " (Invalid)", long[5000:] + " (Invalid)", "a"}},
		"without end":     {false, strings.Repeat("y", 5001), []string{strings.Repeat("y", 2500) + " (Invalid)", strings.Repeat("y", 2500) + " (Invalid)", "y (Invalid)"}},
		"nothing":         {false, "", nil},
		"only newlines":   {false, "\n\n\n", nil},
		"not a message":   {false, "GET / HTTP/1.1\r\n\r\n", []string{"GET / HTTP/1.1\r (Invalid)", "\r (Invalid)"}},
		"binary":          {false, "\x16\x03\x01\x00\n", []string{"\x16\x03\x01\x00 (Invalid)"}},
		"lines and count": {false, "<13>1 - h a\n12 <13>1 - h b\n<13>1 - h c\n", []string{"a", "b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := new(recorder)
			send(t, dial(t, start(t, newTCP(Options{Parser: syslog.Options{Flume: c.flume}}, nil), out)), c.text)
			if diff := cmp.Diff(c.want, out.bodies()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSmallPieces: a message may come byte by byte, and be a large one.
func TestSmallPieces(t *testing.T) {
	out := new(recorder)
	conn := dial(t, start(t, newTCP(Options{Shared: Shared{EventSize: 100_000}}, nil), out))
	large := strings.Repeat("z", 60_000)
	if err := conn.SetNoDelay(true); err != nil {
		t.Fatal(err)
	}
	for _, c := range "<13>1 - h a\n12 <13>1 - h bc" {
		if _, err := conn.Write([]byte(string(c))); err != nil {
			t.Fatal(err)
		}
	}
	send(t, conn, "<13>1 - h "+large+"\n")
	if diff := cmp.Diff([]string{"a", "bc", large}, out.bodies()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestBatches: what one read brings is one batch, or several of the size that was
// set; each is the emitter's own to change.
func TestBatches(t *testing.T) {
	for _, limit := range []int{0, 10} {
		out := new(recorder)
		out.fail = func(call int) error {
			if call == 2 {
				return flow.ErrFull
			}
			return nil
		}
		text := strings.Repeat("<13>1 - h a\n", 95)
		send(t, dial(t, start(t, newTCP(Options{BatchSize: limit, ReadSize: 1 << 16}, nil), out)), text)
		if n := len(out.bodies()); n != 95 {
			t.Fatalf("batch size %d: %d events", limit, n)
		}
		for _, n := range out.sizes {
			if limit > 0 && n > limit {
				t.Errorf("batch size %d: a batch of %d", limit, n)
			}
		}
		if limit > 0 && len(out.sizes) > 12 || limit == 0 && len(out.sizes) > 3 {
			t.Errorf("batch size %d: batches of %v", limit, out.sizes)
		}
	}
}

func TestClientHeaders(t *testing.T) {
	out := new(recorder)
	tcp := newTCP(Options{
		Shared:     Shared{Settings: syslog.Settings{ClientIP: "ip", ClientHostname: "host"}},
		PortHeader: "port",
	}, nil)
	tcp.resolver = names{"127.0.0.1": "client.example."}
	addr := start(t, tcp, out)
	send(t, dial(t, addr), "<13>1 - h a\nbad\n")
	_, port, _ := net.SplitHostPort(addr)
	out.mu.Lock()
	defer out.mu.Unlock()
	for _, e := range out.events {
		for _, want := range []event.Header{{Key: "ip", Value: "127.0.0.1"}, {Key: "host", Value: "client.example"}, {Key: "port", Value: port}} {
			if got, _ := e.Header(want.Key); got != want.Value {
				t.Errorf("event %q: header %s is %q, want %q", e.Body, want.Key, got, want.Value)
			}
		}
	}
	if len(out.events) != 2 {
		t.Errorf("%d events", len(out.events))
	}
}

// names is a resolver: addresses and their names.
type names map[string]string

func (n names) LookupAddr(_ context.Context, addr string) ([]string, error) {
	if name, ok := n[addr]; ok {
		return []string{name}, nil
	}
	return nil, errors.New("no such address")
}

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	for addr, name := range n {
		if name == host {
			return []netip.Addr{netip.MustParseAddr(addr)}, nil
		}
	}
	return nil, errors.New("no such host")
}

func TestCountersAndLog(t *testing.T) {
	for _, d := range []syslog.Dialect{syslog.Stream, syslog.Line} {
		var log buffer
		out := new(recorder)
		tcp := newTCP(Options{Parser: syslog.Options{Dialect: d}, Shared: Shared{EventSize: 20}}, &log)
		addr := start(t, tcp, out)
		for range 3 {
			send(t, dial(t, addr), "bad\n<13>1 - h "+strings.Repeat("x", 12)+"\n<13>1 - h a\n")
		}
		// The rest behind the limit is invalid, too.
		if got := [2]int64{tcp.watch.invalid.Value(), tcp.watch.incomplete.Value()}; got != [2]int64{6, 3} {
			t.Errorf("dialect %v: invalid and incomplete are %v", d, got)
		}
		if d == syslog.Line && tcp.watch.readFail.Value() != 6 {
			t.Errorf("EventReadFail is %d", tcp.watch.readFail.Value())
		}
		if n := strings.Count(log.String(), "invalid or incomplete"); n != 1 {
			t.Errorf("dialect %v: the log:\n%s", d, log.String())
		}
	}
}

// TestTLS: messages come over TLS, from clients with a certificate; others are
// counted and told apart from those who break off.
func TestTLS(t *testing.T) {
	const stores = "../../tlsconf/testdata/"
	out := new(recorder)
	var log buffer
	tcp := newTCP(Options{Shared: Shared{Config: tlsconf.Config{
		SSL: true, Keystore: stores + "server.jks", KeystorePassword: "changeit",
		ClientAuth: "require", Truststore: stores + "trust.jks", TruststorePassword: "changeit",
	}}}, &log)
	addr := start(t, tcp, out)
	cert, err := tls.LoadX509KeyPair(stores+"client.pem", stores+"client.pem")
	if err != nil {
		t.Fatal(err)
	}
	client := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}}
	send(t, tls.Client(dial(t, addr), client), "<13>1 - h "+strings.Repeat("a", 2000)+"\n12 <13>1 - h bc")
	if diff := cmp.Diff([]string{strings.Repeat("a", 2000), "bc"}, out.bodies()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	plain := dial(t, addr)
	send(t, plain, "<13>1 - h not encrypted\n")
	stranger := tls.Client(dial(t, addr), &tls.Config{InsecureSkipVerify: true})
	io.WriteString(stranger, "<13>1 - h without a certificate\n") //nolint:errcheck // it fails now, or nothing comes of it
	io.Copy(io.Discard, stranger)                                 //nolint:errcheck // ends when the source has closed the connection
	// A client hears of its failure before it is counted.
	for deadline := time.Now().Add(limit); tcp.refused.Value() < 2 && time.Now().Before(deadline); {
		flow.Sleep(t.Context(), time.Millisecond)
	}
	if n := tcp.refused.Value(); n != 2 || len(out.bodies()) != 2 {
		t.Errorf("failed_handshakes is %d, and there are %d events\n%s", n, len(out.bodies()), log.String())
	}
}

// TestNotCurable: a client whose messages cannot be handed on loses its
// connection, and can keep what it has not sent.
func TestNotCurable(t *testing.T) {
	var log buffer
	out := new(recorder)
	out.fail = func(int) error { return flow.Fatal(errors.New("broken")) }
	conn := dial(t, start(t, newTCP(Options{}, &log), out))
	if _, err := io.WriteString(conn, "<13>1 - h a\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the connection is not closed: %v", err)
	}
	if !strings.Contains(log.String(), "broken") {
		t.Errorf("the log:\n%s", log.String())
	}
}
