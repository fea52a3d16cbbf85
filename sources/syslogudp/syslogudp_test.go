package syslogudp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/syslog"
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

func newRecorder() *recorder { return &recorder{events: make(chan event.Event, 100_000)} }

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

// handler catches the address that the source logs.
type handler struct {
	slog.Handler
	address chan string
}

func (h handler) Enabled(context.Context, slog.Level) bool { return true }

func (h handler) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "address" {
			h.address <- a.Value.String()
		}
		return true
	})
	return nil
}

// start runs a source until the end of the test and returns a socket connected
// to it.
func start(t testing.TB, out flow.Emitter, settings ...string) (*source, net.Conn) {
	t.Helper()
	set := property.Settings{"host": {Text: "127.0.0.1"}, "port": {Text: "0"}}
	for _, line := range settings {
		key, value, _ := strings.Cut(line, " = ")
		set[key] = property.Value{Text: value}
	}
	entry, ok := component.Lookup(component.KindSource, "org.apache.flume.source.SyslogUDPSource")
	if !ok {
		t.Fatal("the class name of Flume is not known")
	}
	d := component.Decode(entry, set, component.Scope{Prefix: "a1.sources.r1."})
	if d.Failed() {
		t.Fatalf("problems:\n%v", d.Problems)
	}
	log := handler{slog.DiscardHandler, make(chan string, 10)}
	src, err := component.New[flow.Source](d, component.Env{
		Agent: "a1", Name: "r1", FS: vfs.NewMem(1),
		Log: slog.New(log), Metrics: metrics.NewSet(metrics.KindSource, "r1"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, out) }()
	t.Cleanup(sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(limit):
			t.Error("Run does not return")
		}
	}))
	conn, err := net.Dial("udp", <-log.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return src.(*source), conn
}

func send(t *testing.T, conn net.Conn, datagram string) {
	t.Helper()
	if _, err := conn.Write([]byte(datagram)); err != nil {
		t.Fatal(err)
	}
}

func TestDatagrams(t *testing.T) {
	large := "<13>1 - h " + strings.Repeat("x", 60_000)
	for compat, want := range map[string][]string{
		"none":  {"a", "b", "one\ntwo", "<", large[10:], "bad", "last"},
		"flume": {"a", "b", "one", large[10:], "bad", "last"},
	} {
		out := newRecorder()
		src, conn := start(t, out, "compat = "+compat)
		for _, d := range []string{
			"<13>1 - h a", "\n<13>1 - h b\n", "<13>1 - h one\ntwo\n", "", "\n\n", "<", large, "bad", "<13>1 - h last",
		} {
			send(t, conn, d)
		}
		var got []string
		for range want {
			e := out.next(t)
			got = append(got, string(e.Body))
			if status, _ := e.Header("flume.syslog.status"); (status == "Invalid") != (string(e.Body) == "bad" || string(e.Body) == "<") {
				t.Errorf("event %.20q has status %q", e.Body, status)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("compat = %s (-want +got):\n%s", compat, diff)
		}
		empty := int64(2)
		if compat == "flume" {
			empty++
		}
		if n := src.readFail.Value(); n != empty {
			t.Errorf("compat = %s: EventReadFail is %d, want %d", compat, n, empty)
		}
	}
}

func TestClientHeaders(t *testing.T) {
	out := newRecorder()
	_, conn := start(t, out, "clientIPHeader = ip", "clientHostnameHeader = name")
	for range 3 {
		send(t, conn, "<13>x")
		e := out.next(t)
		ip, _ := e.Header("ip")
		name, ok := e.Header("name")
		if ip != "127.0.0.1" || !ok || name == "" {
			t.Errorf("headers %v", e.Headers)
		}
	}
}

// counting is a resolver that counts.
type counting struct{ asked *int }

func (c counting) LookupAddr(_ context.Context, addr string) ([]string, error) {
	*c.asked++
	return []string{"host-" + addr}, nil
}

func (c counting) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr(strings.TrimPrefix(host, "host-"))}, nil
}

// TestPeers: names are asked for once in a while, not for each datagram, and
// senders that are made up do not fill the memory.
func TestPeers(t *testing.T) {
	asked := 0
	p := newPeers(counting{&asked}, syslog.Settings{ClientHostname: "name"})
	now := time.Now()
	name := func(addr string, at time.Time) string {
		b := event.NewBatch()
		defer b.Release()
		e := b.Append([]byte("x"))
		p.headers(t.Context(), b, e, netip.MustParseAddr(addr), at)
		value, _ := e.Header("name")
		return strings.Clone(value)
	}
	for _, addr := range []string{"10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.1"} {
		if got := name(addr, now); got != "host-"+addr {
			t.Errorf("%s is called %q", addr, got)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times for two senders", asked)
	}
	name("10.0.0.1", now.Add(peerTime+time.Second))
	if asked != 3 {
		t.Errorf("after %v, asked %d times", peerTime, asked)
	}
	for i := range maxPeers + 100 {
		name(netip.AddrFrom4([4]byte{11, 0, byte(i >> 8), byte(i)}).String(), now)
	}
	if len(p.known) > maxPeers {
		t.Errorf("%d senders are remembered", len(p.known))
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
	_, conn := start(t, out, "receiveBuffer = 1048576", "clientIPHeader = ip")
	send(t, conn, "<13>1 - h 0")
	<-arrived
	for i := 1; i < n; i++ {
		send(t, conn, fmt.Sprintf("<13>1 - h %d", i))
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

// TestDrops: what the kernel drops since its buffer is full is counted, if it tells.
func TestDrops(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	out := newRecorder()
	out.fail = func(call int) error {
		if call == 1 {
			close(arrived)
			<-release
		}
		return nil
	}
	src, conn := start(t, out, "receiveBuffer = 4096")
	send(t, conn, "<13>1 - h first")
	<-arrived
	const n = 500
	for range n {
		send(t, conn, "<13>1 - h "+strings.Repeat("x", 1000))
	}
	close(release)
	send(t, conn, "<13>1 - h last") // there is space as soon as the source reads
	received := int64(0)
	deadline := time.Now().Add(limit)
	for total := int64(0); total < n+2; total = received + src.dropped.Value() {
		select {
		case <-out.events:
			received++
		default:
			flow.Sleep(t.Context(), time.Millisecond)
		}
		if runtime.GOOS != "linux" && received > 0 {
			return // nobody counts here
		}
		if time.Now().After(deadline) {
			t.Fatalf("of %d datagrams %d arrived, and %d are counted as dropped", n+2, received, src.dropped.Value())
		}
	}
	if src.dropped.Value() == 0 {
		t.Error("the buffer was large enough for all, which it was not to be")
	}
}

func TestNotCurable(t *testing.T) {
	out := newRecorder()
	out.fail = func(int) error { return flow.Fatal(errors.New("broken")) }
	entry, _ := component.Lookup(component.KindSource, "syslogudp")
	d := component.Decode(entry, property.Settings{"host": {Text: "127.0.0.1"}, "port": {Text: "0"}}, component.Scope{})
	log := handler{slog.DiscardHandler, make(chan string, 1)}
	built, err := component.New[flow.Source](d, component.Env{
		Log: slog.New(log), Metrics: metrics.NewSet(metrics.KindSource, "r1"), FS: vfs.NewMem(1),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- built.Run(t.Context(), out) }()
	conn, err := net.Dial("udp", <-log.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send(t, conn, "<13>x")
	if err := <-done; flow.ClassOf(err) != flow.ClassFatal {
		t.Errorf("Run returned %v", err)
	}
	if n := built.(*source).lost.Value(); n != 1 {
		t.Errorf("dropped_messages is %d", n)
	}
}
