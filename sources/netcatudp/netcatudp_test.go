package netcatudp

import (
	"context"
	"fmt"
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
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// recorder is an emitter that hands events to the test.
type recorder struct {
	events  chan event.Event
	fail    func(call int) error // if not nil; may wait
	calls   int
	largest int // events in one batch
}

func newRecorder() *recorder { return &recorder{events: make(chan event.Event, 10_000)} }

func (r *recorder) Emit(_ context.Context, b *event.Batch) error {
	r.calls++
	if r.fail != nil {
		if err := r.fail(r.calls); err != nil {
			return err
		}
	}
	r.largest = max(r.largest, b.Len())
	for i := range b.Len() {
		r.events <- b.At(i).Clone()
	}
	return nil
}

func (r *recorder) next(t *testing.T) event.Event {
	t.Helper()
	select {
	case e := <-r.events:
		return e
	case <-time.After(limit):
		t.Fatal("no event")
		return event.Event{}
	}
}

func newSource(t *testing.T, settings ...string) *source {
	t.Helper()
	set := property.Settings{"bind": {Text: "127.0.0.1"}, "port": {Text: "0"}}
	for _, line := range settings {
		key, value, _ := strings.Cut(line, " = ")
		set[key] = property.Value{Text: value}
	}
	entry, _ := component.Lookup(component.KindSource, "netcatudp")
	d := component.Decode(entry, set, component.Scope{Prefix: "a1.sources.r1."})
	if len(d.Problems) > 0 {
		t.Fatalf("decoding: %v", d.Problems)
	}
	src, err := component.New[flow.Source](d, component.Env{
		Agent: "a1", Name: "r1", FS: vfs.NewMem(1),
		Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindSource, "r1"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return src.(*source)
}

// start runs src until the end of the test, or until stop is called, which waits
// for it, and returns a socket connected to it.
func start(t *testing.T, src *source, out flow.Emitter) (conn net.Conn, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	bound := make(chan net.Addr, 1)
	src.listening = func(a net.Addr) { bound <- a }
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, out) }()
	stop = sync.OnceFunc(func() {
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
	t.Cleanup(stop)
	select {
	case a := <-bound:
		conn, err := net.Dial("udp", a.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn, stop
	case err := <-done:
		t.Fatalf("Run returned %v before it listened", err)
		return nil, nil
	}
}

func send(t *testing.T, conn net.Conn, datagram string) {
	t.Helper()
	if _, err := conn.Write([]byte(datagram)); err != nil {
		t.Fatal(err)
	}
}

func TestDatagrams(t *testing.T) {
	large := strings.Repeat("x", 60_000)
	out := newRecorder()
	conn, _ := start(t, newSource(t), out)
	for _, c := range []struct{ datagram, want string }{
		{"plain", "plain"},
		{"line\n", "line"},
		{"first\nsecond\n", "first"},
		{"cr\r\n", "cr\r"},
		{"\n", ""},
		{"", ""},
		{"\x00\xff", "\x00\xff"},
		{large, large},
	} {
		send(t, conn, c.datagram)
		e := out.next(t)
		if string(e.Body) != c.want || len(e.Headers) != 0 {
			t.Errorf("datagram %.20q: event %.20q with %v", c.datagram, e.Body, e.Headers)
		}
	}
}

func TestRemoteAddress(t *testing.T) {
	for _, key := range []string{"remoteAddress", "remoteAddressHeader"} {
		out := newRecorder()
		conn, _ := start(t, newSource(t, key+" = from"), out)
		for range 2 {
			send(t, conn, "x")
			e := out.next(t)
			if diff := cmp.Diff([]event.Header{{Key: "from", Value: "/" + conn.LocalAddr().String()}}, e.Headers); diff != "" {
				t.Errorf("%s (-want +got):\n%s", key, diff)
			}
		}
	}
}

func TestAddressText(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.7:40312":          "/10.0.0.7:40312",
		"[::ffff:10.0.0.7]:514":   "/10.0.0.7:514",
		"[::1]:5":                 "/[0:0:0:0:0:0:0:1]:5",
		"[2001:db8::a0b:1]:65535": "/[2001:db8:0:0:0:0:a0b:1]:65535",
		"[fe80::1%eth0]:1":        "/[fe80:0:0:0:0:0:0:1%eth0]:1",
	} {
		if got := string(appendAddress(nil, netip.MustParseAddrPort(in))); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// TestWaitingDatagrams: what arrives while the source is busy, or its channel
// full, makes large batches and is not lost.
func TestWaitingDatagrams(t *testing.T) {
	const n = 200
	arrived, release := make(chan struct{}), make(chan struct{})
	out := newRecorder()
	out.fail = func(call int) error {
		switch call {
		case 1:
			close(arrived)
			<-release
			return flow.ErrFull
		case 2:
			return flow.ErrFull
		}
		return nil
	}
	conn, _ := start(t, newSource(t, "remoteAddress = from", "receiveBuffer = 1048576"), out)
	send(t, conn, "0")
	<-arrived
	for i := 1; i < n; i++ {
		send(t, conn, fmt.Sprint(i))
	}
	close(release)
	for i := range n {
		if e := out.next(t); string(e.Body) != fmt.Sprint(i) {
			t.Fatalf("event %d is %q", i, e.Body)
		}
	}
	if out.largest < 2 {
		t.Error("each datagram was a batch of its own")
	}
}

// TestManyLargeDatagrams: a batch ends before its block cannot take another.
func TestManyLargeDatagrams(t *testing.T) {
	out := newRecorder()
	conn, _ := start(t, newSource(t, "receiveBuffer = 4194304"), out)
	for i := range 40 {
		body := strings.Repeat(string(rune('a'+i%26)), 50_000+i)
		send(t, conn, body)
		if i%4 == 3 { // no more than any receive buffer holds
			for j := i - 3; j <= i; j++ {
				if e := out.next(t); len(e.Body) != 50_000+j || e.Body[0] != byte('a'+j%26) {
					t.Fatalf("event %d has %d bytes", j, len(e.Body))
				}
			}
		}
	}
}

func TestStop(t *testing.T) {
	src := newSource(t)
	conn, stop := start(t, src, newRecorder())
	addr := conn.RemoteAddr().String()
	stop()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatalf("the port is not free after the stop: %v", err)
	}
	pc.Close()
}

func TestNotCurable(t *testing.T) {
	out := newRecorder()
	out.fail = func(int) error { return flow.Fatal(fmt.Errorf("broken")) }
	src := newSource(t)
	bound := make(chan net.Addr, 1)
	src.listening = func(a net.Addr) { bound <- a }
	done := make(chan error, 1)
	go func() { done <- src.Run(t.Context(), out) }()
	conn, err := net.Dial("udp", (<-bound).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send(t, conn, "x")
	if err := <-done; flow.ClassOf(err) != flow.ClassFatal {
		t.Errorf("Run returned %v", err)
	}
	if got := src.lost.Value(); got != 1 {
		t.Errorf("dropped_datagrams is %d", got)
	}
}

func TestPortInUse(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	port := fmt.Sprint(pc.LocalAddr().(*net.UDPAddr).Port)
	err = newSource(t, "port = "+port).Run(t.Context(), newRecorder())
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:"+port) || !strings.Contains(err.Error(), "port") {
		t.Errorf("Run returned %v", err)
	}
}
