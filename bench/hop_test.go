//go:build linux

package bench

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// anonymous is a sink that is not told where events come from, and otherwise does what the one in it does.
type anonymous struct{ flow.Sender }

// unnamed returns b without where it comes from. The caller releases it.
func unnamed(b *event.Batch) *event.Batch {
	view := b.View(0, b.Len())
	view.DropOrigin()
	return view
}

// Deliver implements flow.Sink.
func (s anonymous) Deliver(ctx context.Context, b *event.Batch) error {
	view := unnamed(b)
	defer view.Release()
	return s.Sender.Deliver(ctx, view)
}

// Send implements flow.Sender.
func (s anonymous) Send(ctx context.Context, b *event.Batch) (flow.Sending, error) {
	view := unnamed(b)
	sending, err := s.Sender.Send(ctx, view)
	if err != nil {
		view.Release()
		return nil, err
	}
	return anonymousSending{sending, view}, nil
}

type anonymousSending struct {
	flow.Sending
	view *event.Batch
}

// Wait implements flow.Sending.
func (s anonymousSending) Wait(ctx context.Context) error {
	defer s.view.Release()
	return s.Sending.Wait(ctx)
}

// Open implements flow.Lifecycle.
func (s anonymous) Open(ctx context.Context) error { return s.Sender.(flow.Lifecycle).Open(ctx) }

// Close implements flow.Lifecycle.
func (s anonymous) Close(ctx context.Context) error { return s.Sender.(flow.Lifecycle).Close(ctx) }

// noting is an emitter that counts events, and those that have an identity.
type noting struct {
	flow.Emitter
	events, named atomic.Int64
}

// Emit implements flow.Emitter.
func (n *noting) Emit(ctx context.Context, b *event.Batch) error {
	n.events.Add(int64(b.Len()))
	if _, ok := b.Origin(); ok {
		n.named.Add(int64(b.Len()))
	}
	return n.Emitter.Emit(ctx, b)
}

// hopRig is two pipelines: a file channel, the avro sink, the avro source, and another file channel.
type hopRig struct {
	front, back *rig
	arrived     *noting
}

func fileChannel(tb testing.TB) flow.Channel {
	tb.Helper()
	dir := tb.TempDir()
	return decode[flow.Channel](tb, component.KindChannel, "file", "c1", nil,
		"checkpointDir", filepath.Join(dir, "checkpoint"), "dataDirs", filepath.Join(dir, "data"), "transactionCapacity", "1000")
}

// newHopRig has batches of that many events on the hop. identity says whether the sink tells which events it sends.
func newHopRig(tb testing.TB, batch int, identity bool) hopRig {
	tb.Helper()
	port := freePort(tb)
	back := newRigWith(tb, fileChannel(tb))
	source := decode[flow.Source](tb, component.KindSource, "avro", "r1", nil, "bind", "127.0.0.1", "port", port)
	ctx, cancel := context.WithCancel(tb.Context())
	ended := make(chan error, 1)
	arrived := &noting{Emitter: back.emitter}
	go func() { ended <- source.Run(ctx, arrived) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("the source ended with %v", err)
		}
	})
	sink := decode[flow.Sink](tb, component.KindSink, "avro", "k1", nil,
		"hostname", "127.0.0.1", "port", port, "batch-size", strconv.Itoa(batch))
	if !identity {
		sink = anonymous{sink.(flow.Sender)}
	}
	return hopRig{newRigTo(tb, fileChannel(tb), sink, batch), back, arrived}
}

// freePort finds a port that nobody listens on.
func freePort(tb testing.TB) string {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

// pass emits so many batches and waits until the second sink has them all.
func (h hopRig) pass(tb testing.TB, batches int) {
	tb.Helper()
	for range batches {
		if err := h.front.emit(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for h.front.channel.Stats().Events+h.back.channel.Stats().Events > 0 {
		select {
		case <-tick.C:
		case <-tb.Context().Done():
			tb.Fatal(context.Cause(tb.Context()))
		}
	}
}

// What BenchmarkDurableHop measures at least: pairs of rounds of so many emitted batches.
const (
	round = 20
	pairs = 40
)

// BenchmarkDurableHop is an event of bodyBytes from one file channel to another by the avro protocol, with the identity that keeps it from
// being stored twice and without. Rounds of both make pairs, for what a machine does changes more from second to second than they
// differ: the median of the pairs' ratios is steadier than the ratio of the sums. One operation is one event each; processor
// time is that of both ends.
func BenchmarkDurableHop(b *testing.B) {
	for _, batch := range []int{100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			rigs := [2]hopRig{newHopRig(b, batch, false), newHopRig(b, batch, true)}
			for _, h := range rigs {
				h.pass(b, round) // segments are made, and the sink is connected
			}
			var sum [2]time.Duration
			var ratios []float64
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			for i := range max(pairs, b.N/(round*batchEvents)) {
				var took [2]time.Duration
				for k := range rigs {
					which := (i + k) % 2 // neither is always first
					began := processorTime(b)
					rigs[which].pass(b, round)
					took[which] = processorTime(b) - began
					sum[which] += took[which]
				}
				ratios = append(ratios, float64(took[1])/float64(took[0]))
			}
			elapsed := time.Since(start)
			runtime.ReadMemStats(&after)
			slices.Sort(ratios)
			n := len(ratios)
			events := float64(n * round * batchEvents)
			b.ReportMetric(float64(elapsed.Nanoseconds())/events, "ns/op")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/events, "B/op")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/events, "allocs/op")
			b.ReportMetric(float64(sum[0].Nanoseconds())/events, "cpu-ns/event")
			b.ReportMetric(float64(sum[1].Nanoseconds())/events, "cpu-ns/event-with-identity")
			b.ReportMetric(ratios[n/2], "of-that-without")
			b.ReportMetric(ratios[n/4], "lower-quartile")
			b.ReportMetric(ratios[3*n/4], "upper-quartile")
		})
	}
}

// processorTime is what this process has taken so far.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestHopRig passes events on with identity and without, so that the benchmark compares what it says.
func TestHopRig(t *testing.T) {
	for identity, want := range map[bool]int64{true: 3 * batchEvents, false: 0} {
		h := newHopRig(t, 1000, identity)
		h.pass(t, 3)
		if events, named := h.arrived.events.Load(), h.arrived.named.Load(); events != 3*batchEvents || named != want {
			t.Errorf("identity %t: %d events arrived, %d of them with one; want %d and %d", identity, events, named, 3*batchEvents, want)
		}
	}
}
