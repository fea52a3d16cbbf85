package seq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// recorder is an emitter that keeps what it is given.
type recorder struct {
	bodies  []string
	batches []int
	calls   int
	fail    func(call int) error // if not nil
}

func (r *recorder) Emit(_ context.Context, b *event.Batch) error {
	r.calls++
	if r.fail != nil {
		if err := r.fail(r.calls); err != nil {
			return err
		}
	}
	r.batches = append(r.batches, b.Len())
	for _, e := range b.Events() {
		r.bodies = append(r.bodies, string(e.Body))
	}
	return nil
}

func newSource(t *testing.T, settings map[string]string) *source {
	t.Helper()
	set := property.Settings{}
	for k, v := range settings {
		set[k] = property.Value{Text: v}
	}
	entry, _ := component.Lookup(component.KindSource, "seq")
	d := component.Decode(entry, set, component.Scope{})
	if len(d.Problems) > 0 {
		t.Fatalf("decoding: %v", d.Problems)
	}
	src, err := component.New[flow.Source](d, component.Env{
		FS: vfs.NewMem(1), Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindSource, "r1"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return src.(*source)
}

// runUntilIdle runs src, in a bubble, until nothing more happens, and stops it.
func runUntilIdle(t *testing.T, src *source, out flow.Emitter) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, out) }()
	<-time.After(time.Hour) // of the bubble: all pauses are over
	synctest.Wait()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run returned %v", err)
	}
}

func count(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func TestCounts(t *testing.T) {
	for _, c := range []struct {
		settings map[string]string
		events   int
		batches  []int
	}{
		{map[string]string{"totalEvents": "3"}, 3, []int{1, 1, 1}},
		{map[string]string{"totalEvents": "25", "batchSize": "10"}, 25, []int{10, 10, 5}},
		{map[string]string{"totalEvents": "20", "batchSize": "10"}, 20, []int{10, 10}},
		{map[string]string{"totalEvents": "12345", "batchSize": "20000"}, 12345, []int{12345}},
		{map[string]string{"totalEvents": "0"}, 0, nil},
		{map[string]string{"totalEvents": "-1"}, 0, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			out := &recorder{}
			src := newSource(t, c.settings)
			runUntilIdle(t, src, out)
			if c.settings["batchSize"] == "" {
				if src.batches != nil {
					t.Errorf("%v: single events count as batches", c.settings)
				}
			} else if got := src.batches.Value(); got != int64(len(c.batches)) {
				t.Errorf("%v: AppendBatchAcceptedCount %d, want %d", c.settings, got, len(c.batches))
			}
			if diff := cmp.Diff(count(c.events), out.bodies); diff != "" {
				t.Errorf("%v: events (-want +got):\n%s", c.settings, diff)
			}
			if diff := cmp.Diff(c.batches, out.batches); diff != "" {
				t.Errorf("%v: batches (-want +got):\n%s", c.settings, diff)
			}
		})
	}
}

// TestSameNumbersAgain: a failed batch is sent again, after growing pauses.
func TestSameNumbersAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var calls []time.Duration
		out := &recorder{fail: func(call int) error {
			calls = append(calls, time.Since(begin))
			if call == 2 || call == 3 || call == 4 {
				return flow.ErrFull
			}
			return nil
		}}
		runUntilIdle(t, newSource(t, map[string]string{"totalEvents": "6", "batchSize": "2", "backoffSleepIncrement": "100", "maxBackoffSleep": "150"}), out)
		if diff := cmp.Diff(count(6), out.bodies); diff != "" {
			t.Error(diff)
		}
		// Pauses are 100, 150, 150 ms and up to a quarter more.
		want := []time.Duration{0, 0, 100, 250, 400, 400}
		if len(calls) != len(want) {
			t.Fatalf("calls at %v, want %d of them", calls, len(want))
		}
		for i, ms := range want {
			if lo := ms * time.Millisecond; calls[i] < lo || calls[i] > lo*5/4 {
				t.Errorf("call %d came after %v, want %v or a little more", i, calls[i], lo)
			}
		}
	})
}

// TestGoesOn: after an error that ends Run, the next Run begins where it was.
func TestGoesOn(t *testing.T) {
	reason := errors.New("broken")
	out := &recorder{fail: func(call int) error {
		if call == 2 {
			return flow.Fatal(reason)
		}
		return nil
	}}
	src := newSource(t, map[string]string{"totalEvents": "3"})
	if err := src.Run(t.Context(), out); !errors.Is(err, reason) || flow.ClassOf(err) != flow.ClassFatal {
		t.Errorf("Run returned %v", err)
	}
	synctest.Test(t, func(t *testing.T) { runUntilIdle(t, src, out) })
	if diff := cmp.Diff(count(3), out.bodies); diff != "" {
		t.Error(diff)
	}
}

// TestStopsWhileCounting: there is no need to be idle for a stop.
func TestStopsWhileCounting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &recorder{fail: func(call int) error {
		if call == 100 {
			cancel()
		}
		return nil
	}}
	if err := newSource(t, nil).Run(ctx, out); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if out.calls != 100 {
		t.Errorf("%d batches", out.calls)
	}
}

func TestLastNumbers(t *testing.T) {
	b := numbers(math.MaxInt64-3, 3)
	defer b.Release()
	if got := string(b.At(2).Body); got != "9223372036854775806" {
		t.Errorf("last of them is %s", got)
	}
	if span, n := b.Span(0, '\n'); n != 3 || len(span) != 60 {
		t.Errorf("the numbers are not lines of one run: %d of them, %q", n, span)
	}
}

func BenchmarkNumbers(b *testing.B) {
	b.ReportAllocs()
	for i := 0; i < b.N; i += 1000 {
		numbers(int64(i), 1000).Release()
	}
}
