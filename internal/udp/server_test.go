package udp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/internal/udp/udptest"
)

// rig is a server whose events are the datagrams, and what it told its owner.
type rig struct {
	Server
	failed, stored, lost, dropped atomic.Int64
}

func newRig(log *slog.Logger) *rig {
	r := &rig{}
	r.Server = Server{
		Host: "127.0.0.1", Properties: "address and hole", What: "letters", Log: log,
		Convert: func(_ context.Context, b *event.Batch, packets []Packet) {
			for _, p := range packets {
				if len(p.Data) > 0 {
					b.Append(p.Data)
				}
			}
		},
		Failed: func(error) { r.failed.Add(1) },
		Stored: func() { r.stored.Add(1) },
		Lost:   func(n int) { r.lost.Add(int64(n)) },
	}
	return r
}

// start runs a server after change has had a look at it.
func start(t *testing.T, out flow.Emitter, change func(*rig)) (*rig, *udptest.Running) {
	t.Helper()
	var r *rig
	running := udptest.Run(t, out, func(log *slog.Logger) flow.Source {
		r = newRig(log)
		if change != nil {
			change(r)
		}
		return r
	})
	return r, running
}

// held returns a recorder whose first Emit says that it has begun and ends once
// release is closed, and the next fails, so that a source tries again.
func held() (out *udptest.Recorder, begun, release chan struct{}) {
	begun, release = make(chan struct{}), make(chan struct{})
	out = udptest.NewRecorder()
	out.Fail = func(call int) error {
		switch call {
		case 1:
			close(begun)
			<-release
			return flow.ErrFull
		case 2:
			return flow.ErrFull
		}
		return nil
	}
	return out, begun, release
}

// TestWaitingDatagrams: what arrives while the server is busy, or its channel
// full, makes large batches and is not lost.
func TestWaitingDatagrams(t *testing.T) {
	const n = 200
	out, begun, release := held()
	r, in := start(t, out, func(r *rig) {
		r.Prepare = func(conn *net.UDPConn) error { return conn.SetReadBuffer(1 << 20) }
	})
	in.Send(t, "0")
	<-begun
	for i := 1; i < n; i++ {
		in.Send(t, fmt.Sprint(i))
	}
	close(release)
	for i := range n {
		if e := out.Next(t); string(e.Body) != fmt.Sprint(i) {
			t.Fatalf("event %d is %q", i, e.Body)
		}
	}
	in.Stop(t)
	if runtime.GOOS != "windows" && out.Largest() < 2 { // elsewhere nobody says that more are waiting
		t.Error("each datagram was a batch of its own")
	}
	if r.failed.Load() != 2 || r.stored.Load() == 0 || r.lost.Load() != 0 {
		t.Errorf("told of %d failures, %d stored batches and %d lost events", r.failed.Load(), r.stored.Load(), r.lost.Load())
	}
}

// TestManyLargeDatagrams: a batch ends before its block cannot take another.
func TestManyLargeDatagrams(t *testing.T) {
	out := udptest.NewRecorder()
	_, in := start(t, out, func(r *rig) {
		r.Prepare = func(conn *net.UDPConn) error { return conn.SetReadBuffer(4 << 20) }
	})
	for i := range 40 {
		in.Send(t, strings.Repeat(string(rune('a'+i%26)), 50_000+i))
		if i%4 != 3 { // no more than any receive buffer holds
			continue
		}
		for j := i - 3; j <= i; j++ {
			if e := out.Next(t); len(e.Body) != 50_000+j || e.Body[0] != byte('a'+j%26) {
				t.Fatalf("event %d has %d bytes", j, len(e.Body))
			}
		}
	}
}

// TestNoEvents: a batch of which nothing is left is not handed on.
func TestNoEvents(t *testing.T) {
	out := udptest.NewRecorder()
	out.Fail = func(call int) error {
		if call == 1 {
			return nil
		}
		return flow.Fatal(errors.New("emitted more than what had events"))
	}
	_, in := start(t, out, nil)
	for _, d := range []string{"", "", "some"} {
		in.Send(t, d)
	}
	if e := out.Next(t); string(e.Body) != "some" {
		t.Errorf("event %q", e.Body)
	}
}

func TestSenders(t *testing.T) {
	out := udptest.NewRecorder()
	_, in := start(t, out, func(r *rig) {
		r.Senders = true
		r.Convert = func(_ context.Context, b *event.Batch, packets []Packet) {
			for _, p := range packets {
				b.AppendCopy([]byte(p.From.String()))
			}
		}
	})
	in.Send(t, "who am I?")
	if e := out.Next(t); string(e.Body) != in.Conn.LocalAddr().String() {
		t.Errorf("%s is called %s", in.Conn.LocalAddr(), e.Body)
	}
}

// TestDrops: what the kernel drops since its buffer is full is counted, if it tells.
func TestDrops(t *testing.T) {
	out, begun, release := held()
	r, in := start(t, out, func(r *rig) {
		r.Prepare = func(conn *net.UDPConn) error { return conn.SetReadBuffer(4096) }
		r.Dropped = func(n int) { r.dropped.Add(int64(n)) }
	})
	in.Send(t, "first")
	<-begun
	const n = 500
	for range n {
		in.Send(t, strings.Repeat("x", 1000))
	}
	close(release)
	in.Send(t, "last") // may itself be dropped
	received := int64(0)
	deadline := time.Now().Add(udptest.Limit)
	for total := int64(0); total < n+2; total = received + r.dropped.Load() {
		select {
		case <-out.Events:
			received++
		default:
			flow.Sleep(t.Context(), time.Millisecond)
		}
		if runtime.GOOS != "linux" && received > 0 {
			return // nobody counts here
		}
		if time.Now().After(deadline) {
			t.Fatalf("of %d datagrams %d arrived, and %d are counted as dropped", n+2, received, r.dropped.Load())
		}
	}
	if r.dropped.Load() == 0 {
		t.Error("the buffer was large enough for all, which it was not to be")
	}
}

// TestStopLosesNothing: what has arrived by the time that the server is told to stop
// is handed on, in order.
func TestStopLosesNothing(t *testing.T) {
	const n = 100
	for name, senders := range map[string]bool{"with senders": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			out, begun, release := held()
			r, in := start(t, out, func(r *rig) { r.Senders = senders })
			in.Send(t, "0")
			<-begun
			for i := 1; i < n; i++ {
				in.Send(t, fmt.Sprint(i)) // on the loopback it has arrived
			}
			in.Tell()
			close(release)
			if err := in.Wait(t); err != nil {
				t.Fatal(err)
			}
			close(out.Events)
			got := 0
			for e := range out.Events {
				if string(e.Body) != fmt.Sprint(got) {
					t.Fatalf("event %d is %q", got, e.Body)
				}
				got++
			}
			if got != n || r.lost.Load() != 0 {
				t.Errorf("of %d datagrams that had arrived %d were handed on, and %d are counted as lost", n, got, r.lost.Load())
			}
		})
	}
}

// TestStopIsBounded: senders that never pause do not keep a server that was told to
// stop.
func TestStopIsBounded(t *testing.T) {
	senders := make(chan net.Conn, 1)
	_, in := start(t, udptest.NewRecorder(), func(r *rig) {
		r.Convert = func(_ context.Context, _ *event.Batch, packets []Packet) {
			conn := <-senders
			for range packets { // for each that was read there is another
				conn.Write([]byte("again")) //nolint:errcheck // shows in the time that the stop takes
			}
			senders <- conn
		}
	})
	senders <- in.Conn
	in.Send(t, "first")
	began := time.Now()
	in.Stop(t)
	if took := time.Since(began); took >= netio.Grace {
		t.Errorf("the stop took %v", took)
	}
}

func TestStop(t *testing.T) {
	_, in := start(t, udptest.NewRecorder(), nil)
	addr := in.Conn.RemoteAddr().String()
	in.Stop(t)
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatalf("the port is not free after the stop: %v", err)
	}
	pc.Close()
}

func TestNotCurable(t *testing.T) {
	out := udptest.NewRecorder()
	out.Fail = func(int) error { return flow.Fatal(errors.New("broken")) }
	r, in := start(t, out, nil)
	in.Send(t, "x")
	if err := in.Wait(t); flow.ClassOf(err) != flow.ClassFatal || !strings.HasPrefix(err.Error(), "handing on letters: ") {
		t.Errorf("Run returned %v", err)
	}
	if n := r.lost.Load(); n != 1 {
		t.Errorf("told of %d lost events", n)
	}
}

func TestPortInUse(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	r := newRig(slog.New(slog.DiscardHandler))
	r.Port = pc.LocalAddr().(*net.UDPAddr).Port
	err = r.Run(t.Context(), udptest.NewRecorder())
	want := fmt.Sprintf("listening on 127.0.0.1:%d (properties address and hole): ", r.Port)
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("Run returned %v", err)
	}
}

// TestPrepareFails: nothing is received with options that were not granted.
func TestPrepareFails(t *testing.T) {
	refused := errors.New("refused")
	r := newRig(slog.New(slog.DiscardHandler))
	r.Prepare = func(*net.UDPConn) error { return refused }
	if err := r.Run(t.Context(), udptest.NewRecorder()); !errors.Is(err, refused) {
		t.Errorf("Run returned %v", err)
	}
}

func TestAskBuffer(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	const n = 64 << 10 // any system gives this much
	if got, err := AskBuffer(conn, n); got != n || err != nil {
		t.Errorf("asked for %d bytes, got %d, %v", n, got, err)
	}
	conn.Close()
	if _, err := AskBuffer(conn, n); err == nil {
		t.Error("a closed socket got a buffer")
	}
}
