package avro

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/conform/sinktest"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/rpc"
	"github.com/flume-go/flume/metrics"
	wire "github.com/flume-go/flume/wire/avro"
	"github.com/flume-go/flume/wire/thrift"
)

// client returns the settings of a client for hosts h0, h1, ….
func client(kind string, hosts []string, more ...string) []string {
	settings := append([]string{"client.type = " + kind}, more...)
	var names []string
	for i, addr := range hosts {
		names = append(names, fmt.Sprintf("h%d", i))
		settings = append(settings, fmt.Sprintf("hosts.h%d = %s", i, addr))
	}
	return append(settings, "hosts = "+strings.Join(names, " "))
}

func destinations(t testing.TB, n int) (ds []*destination, hosts []string) {
	for range n {
		d := newDestination(t, false)
		ds, hosts = append(ds, d), append(hosts, d.addr)
	}
	return ds, hosts
}

// dead returns an address where nobody listens.
func dead(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// shares requires how many events each destination has.
func shares(t testing.TB, ds []*destination, want ...int) {
	t.Helper()
	var got []int
	for _, d := range ds {
		events, _ := d.content()
		got = append(got, len(events))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the destinations have %v events, want %v", got, want)
	}
}

func deliver(t testing.TB, s *subject, n int) {
	t.Helper()
	for range n {
		if err := s.Deliver(t.Context(), batch(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFailover(t *testing.T) {
	ds, hosts := destinations(t, 2)
	s := open(t, client("default_failover", append([]string{dead(t)}, hosts...))...)
	deliver(t, s, 2)
	shares(t, ds, 2, 0)
	if got := s.connections(); got != [3]int64{1, 0, 1} {
		t.Errorf("connections made, closed and failed are %v", got)
	}
	// It goes on with the next, and stays there though the first is well again.
	ds[0].behave(sinktest.Refuse)
	deliver(t, s, 1)
	ds[0].behave(sinktest.Take)
	deliver(t, s, 2)
	shares(t, ds, 2, 3)
	if got := s.connections(); got != [3]int64{2, 1, 1} {
		t.Errorf("after a failure, connections are %v", got)
	}
	// When all have failed it begins anew.
	ds[0].behave(sinktest.Refuse)
	ds[1].behave(sinktest.Refuse)
	if err := s.Deliver(t.Context(), batch(t)); err == nil || flow.ClassOf(err) != flow.ClassRetry || !strings.Contains(err.Error(), "all 3 attempts failed") {
		t.Errorf("Deliver returned %v", err)
	}
	ds[0].behave(sinktest.Take)
	deliver(t, s, 1)
	shares(t, ds, 3, 3)
	if n := strings.Count(s.log.String(), "does not take events"); n != 3 {
		t.Errorf("the log tells of failures %d times:\n%s", n, s.log.String())
	}
}

// TestFailoverUnknown: what became of a batch stays unknown though a later host certainly
// does not have it.
func TestFailoverUnknown(t *testing.T) {
	ds, hosts := destinations(t, 2)
	s := open(t, client("default_failover", hosts)...)
	ds[0].behave(sinktest.Silent)
	ds[1].behave(sinktest.Refuse)
	if err := s.Deliver(t.Context(), batch(t)); err == nil || flow.ClassOf(err) != flow.ClassUnknown {
		t.Errorf("Deliver returned %v", err)
	}
	ds[1].behave(sinktest.Take)
	deliver(t, s, 1)
	shares(t, ds, 2, 1) // the first had it, too, and did not say so
}

func TestAttempts(t *testing.T) {
	for attempts, want := range map[string]bool{"1": false, "2": true} {
		ds, hosts := destinations(t, 3)
		s := open(t, client("default_failover", hosts, "max-attempts = "+attempts)...)
		ds[0].behave(sinktest.Refuse)
		if err := s.Deliver(t.Context(), batch(t)); (err == nil) != want {
			t.Errorf("%s attempts: %v", attempts, err)
		}
	}
}

func TestRoundRobin(t *testing.T) {
	ds, hosts := destinations(t, 3)
	s := open(t, client("default_loadbalance", hosts)...)
	deliver(t, s, 6)
	shares(t, ds, 2, 2, 2)
	ds[0].behave(sinktest.Refuse)
	deliver(t, s, 3)
	shares(t, ds, 2, 4, 3)
	if got := s.connections(); got != [3]int64{3, 1, 0} {
		t.Errorf("connections are %v", got)
	}
}

func TestRandom(t *testing.T) {
	ds, hosts := destinations(t, 2)
	s := open(t, client("default_loadbalance", hosts, "host-selector = RANDOM")...)
	deliver(t, s, 100)
	for _, d := range ds {
		if events, _ := d.content(); len(events) < 20 {
			t.Errorf("a destination has %d of 100 events", len(events))
		}
	}
}

// TestBackoff: a host that has failed is left alone, and for longer each time.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, client("default_loadbalance", []string{"a:1", "b:1"}, "backoff = true", "maxBackoff = 3000")...)
		r := s.Sink.(*routed)
		var asked []string
		r.options.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
			asked = append(asked, address)
			if address == "a:1" {
				return nil, errors.New("down")
			}
			here, there := net.Pipe()
			server := wire.NewServer(new(destination), false, nil, wire.Limits{})
			go func() {
				defer there.Close()
				_ = server.Serve(context.Background(), context.Background(), there)
			}()
			return here, nil
		}
		for i, tt := range []struct {
			wait time.Duration
			want []string
		}{
			{0, []string{"a:1", "b:1"}},
			{2 * time.Second, nil},
			{time.Millisecond, []string{"a:1"}},
			{3 * time.Second, nil},
			{time.Millisecond, []string{"a:1"}},
		} {
			<-time.After(tt.wait)
			deliver(t, s, 2)
			if !slices.Equal(asked, tt.want) {
				t.Errorf("step %d: connections were asked of %q, want %q", i, asked, tt.want)
			}
			asked = nil
		}
	})
}

// TestResetOfRoute: after the interval a failover begins with the first host.
func TestResetOfRoute(t *testing.T) {
	ds, hosts := destinations(t, 2)
	s := open(t, client("default_failover", hosts, "reset-connection-interval = 60")...)
	ds[0].behave(sinktest.Refuse)
	deliver(t, s, 1)
	ds[0].behave(sinktest.Take)
	deliver(t, s, 1)
	shares(t, ds, 0, 2)
	s.Sink.(*routed).since = time.Now().Add(-61 * time.Second)
	deliver(t, s, 1)
	shares(t, ds, 1, 2)
}

// TestThriftClient sends to the server of package wire/thrift.
func TestThriftClient(t *testing.T) {
	for _, protocol := range []string{"compact", "binary"} {
		t.Run(protocol, func(t *testing.T) {
			var mu sync.Mutex
			var bodies []string
			var refuse error
			addr := serveThrift(t, func(b *event.Batch) error {
				mu.Lock()
				defer mu.Unlock()
				if refuse != nil {
					return refuse
				}
				for i := range b.Len() {
					bodies = append(bodies, string(b.At(i).Body))
				}
				return nil
			})
			s := open(t, client("thrift", []string{addr}, "protocol = "+protocol)...)
			if p := s.Sink.(*routed).options.Protocol.String(); p != protocol { // the server takes both
				t.Errorf("%s is spoken", p)
			}
			deliver(t, s, 3)
			mu.Lock()
			if !slices.Equal(bodies, []string{"body", "body", "body"}) {
				t.Errorf("the events are %q", bodies)
			}
			refuse = errors.New("full")
			mu.Unlock()
			if err := s.Deliver(t.Context(), batch(t)); err == nil || flow.ClassOf(err) != flow.ClassRetry || !strings.Contains(err.Error(), addr) {
				t.Errorf("a refusal is told as %v", err)
			}
			if got := s.connections(); got != [3]int64{1, 1, 0} {
				t.Errorf("connections are %v", got)
			}
		})
	}
}

func serveThrift(t testing.TB, take func(*event.Batch) error) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	service := thrift.FlumeService()
	service.Status = func(err error) (int32, *thrift.Exception) {
		if err != nil {
			return int32(thrift.StatusFailed), nil
		}
		return int32(thrift.StatusOK), nil
	}
	server := &thrift.Server{
		Service: service, Framed: true, MaxMessage: 1 << 20,
		Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindSource, "test"),
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(ctx, ln, func(_ context.Context, b *event.Batch, _ []thrift.Request) error { return take(b) })
	}()
	t.Cleanup(func() {
		cancel()
		ln.Close()
		<-ended
	})
	return ln.Addr().String()
}

// fakeHost notes the calls it gets, and fails at one.
type fakeHost struct {
	rpc.Host
	calls []string
	fail  int // at this call, counted from 1
	metas int
}

func (h *fakeHost) Call(_ context.Context, c rpc.Call) (bool, error) {
	if len(h.calls)+1 == h.fail {
		h.fail = 0
		return false, errors.New("down")
	}
	var ids strings.Builder
	for i := range c.Batch.Len() {
		ids.Write(c.Batch.At(i).Body[:1])
	}
	h.calls = append(h.calls, ids.String())
	h.metas += len(c.Meta)
	return false, nil
}

// TestOrigin: every client of avro sources says where events come from, to each host.
func TestOrigin(t *testing.T) {
	for _, kind := range []string{"default", "default_failover", "default_loadbalance"} {
		ds, hosts := destinations(t, 2)
		s := open(t, client(kind, hosts)...)
		b := batch(t)
		b.SetOrigin(event.Origin{Log: [16]byte{1}, Here: true})
		b.At(0).Number = 7
		want := 1
		if kind != "default" {
			ds[0].behave(sinktest.Refuse)
			want = 2
		}
		if err := s.Deliver(t.Context(), b); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if got := ds[0].origins + ds[1].origins; got != want {
			t.Errorf("%s: %d calls say where events come from, want %d", kind, got, want)
		}
	}
}

// TestParts: a batch that is too long for a call goes in several, and those that were
// taken are not sent to the next host.
func TestParts(t *testing.T) {
	b := event.NewBatch()
	defer b.Release()
	for _, body := range []string{"a", "b", "c", "d", "e"} {
		n := 40
		if body == "d" {
			n = 400
		}
		b.AppendCopy(bytes.Repeat([]byte(body), n))
	}
	p := parcel{batch: b, limit: 2*thrift.EventSize(b.At(0)) + 1}
	one, two := &fakeHost{fail: 2}, &fakeHost{}
	if err := p.send(t.Context(), one); err == nil {
		t.Error("the first host has taken all")
	}
	if err := p.send(t.Context(), two); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(one.calls, two.calls); got != "[ab] [c d e]" {
		t.Errorf("the calls are %s", got)
	}
	p = parcel{batch: b, meta: wire.Meta{{Key: "k", Value: []byte("v")}}}
	all := &fakeHost{}
	if err := p.send(t.Context(), all); err != nil || len(all.calls) != 1 || all.metas != 1 {
		t.Errorf("an avro source has calls %q, %d of metadata, %v", all.calls, all.metas, err)
	}
}
