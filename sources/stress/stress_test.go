package stress

import (
	"context"
	"errors"
	"log/slog"
	"strings"
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

// recorder is an emitter that notes the batches it is given.
type recorder struct {
	batches []int // sizes of the batches, those that failed included
	times   []time.Duration
	bodies  map[string]int
	fail    func(call int) error // if not nil
	begin   time.Time
}

func newRecorder() *recorder { return &recorder{bodies: map[string]int{}, begin: time.Now()} }

func (r *recorder) Emit(_ context.Context, b *event.Batch) error {
	r.batches = append(r.batches, b.Len())
	r.times = append(r.times, time.Since(r.begin))
	if r.fail != nil {
		if err := r.fail(len(r.batches)); err != nil {
			return err
		}
	}
	for _, e := range b.Events() {
		if len(e.Headers) == 0 {
			r.bodies[string(e.Body)]++
		}
	}
	return nil
}

func newSource(t *testing.T, settings map[string]string) *source {
	t.Helper()
	set := property.Settings{}
	for k, v := range settings {
		set[k] = property.Value{Text: v}
	}
	entry, _ := component.Lookup(component.KindSource, "org.apache.flume.source.StressSource")
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

// runFor runs src, in a bubble, for d and stops it.
func runFor(t *testing.T, d time.Duration, src *source, out flow.Emitter) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, out) }()
	<-time.After(d) // of the bubble
	synctest.Wait()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run returned %v", err)
	}
}

func TestLimits(t *testing.T) {
	failFirst := func(n int) func(int) error {
		return func(call int) error {
			if call <= n {
				return flow.ErrFull
			}
			return nil
		}
	}
	for _, c := range []struct {
		name     string
		settings map[string]string
		fail     func(int) error
		batches  []int
		stored   int
	}{
		{"total", map[string]string{"maxTotalEvents": "3"}, nil, []int{1, 1, 1}, 3},
		{"last batch is shorter", map[string]string{"maxTotalEvents": "7", "batchSize": "3"}, nil, []int{3, 3, 1}, 7},
		{"total counts failures", map[string]string{"maxTotalEvents": "7", "batchSize": "3"}, failFirst(1), []int{3, 3, 1}, 4},
		{"successful is exceeded", map[string]string{"maxSuccessfulEvents": "7", "batchSize": "3"}, nil, []int{3, 3, 3}, 9},
		{"successful does not count failures", map[string]string{"maxSuccessfulEvents": "2"}, failFirst(2), []int{1, 1, 1, 1}, 2},
		{"both", map[string]string{"maxSuccessfulEvents": "100", "maxTotalEvents": "2"}, nil, []int{1, 1}, 2},
		{"nothing", map[string]string{"maxTotalEvents": "0"}, nil, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := newRecorder()
				out.fail = c.fail
				src := newSource(t, c.settings)
				runFor(t, time.Hour, src, out)
				if diff := cmp.Diff(c.batches, out.batches); diff != "" {
					t.Errorf("batches (-want +got):\n%s", diff)
				}
				if got := out.bodies[strings.Repeat("\x7f", 500)]; got != c.stored {
					t.Errorf("%d events stored, want %d", got, c.stored)
				}
				sent := 0
				for _, n := range out.batches {
					sent += n
				}
				if got := int(src.failed.Value()); got != sent-c.stored {
					t.Errorf("failed_events is %d, want %d", got, sent-c.stored)
				}
			})
		})
	}
}

func TestSize(t *testing.T) {
	for size, want := range map[string]string{"0": "", "10": strings.Repeat("\x7f", 10)} {
		synctest.Test(t, func(t *testing.T) {
			out := newRecorder()
			runFor(t, time.Second, newSource(t, map[string]string{"size": size, "maxTotalEvents": "2"}), out)
			if diff := cmp.Diff(map[string]int{want: 2}, out.bodies); diff != "" {
				t.Errorf("size %s (-want +got):\n%s", size, diff)
			}
		})
	}
}

// TestPauses: failures are followed by pauses that grow and end.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newRecorder()
		out.fail = func(call int) error {
			if call == 4 {
				return nil
			}
			return flow.ErrFull
		}
		runFor(t, time.Hour, newSource(t, map[string]string{"maxTotalEvents": "6"}), out)
		// Pauses are 1, 2, 4, (stored) and 1 s again, and up to a quarter more.
		want := []time.Duration{0, 1, 3, 7, 7, 8}
		if len(out.times) != len(want) {
			t.Fatalf("batches at %v, want %d of them", out.times, len(want))
		}
		for i, s := range want {
			if lo := s * time.Second; out.times[i] < lo || out.times[i] > lo*5/4 {
				t.Errorf("batch %d came after %v, want %v or a little more", i, out.times[i], lo)
			}
		}
	})
}

// TestRate: batches are evenly spread, and the rate is kept over a longer time.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newRecorder()
		runFor(t, 10*time.Second, newSource(t, map[string]string{"maxEventsPerSecond": "100", "batchSize": "20"}), out)
		for i, at := range out.times {
			if want := time.Duration(i) * 200 * time.Millisecond; at != want {
				t.Fatalf("batch %d came at %v, want %v", i, at, want)
			}
		}
		if n := len(out.times); n < 50 || n > 51 {
			t.Errorf("%d batches in 10 s, want 50", n)
		}
	})
}

// TestRateAfterPause: what could not be sent in time is not sent as a flood.
func TestRateAfterPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(1000)
		p.wait(t.Context(), 1)
		<-time.After(time.Hour)
		begin, n := time.Now(), 0
		for time.Since(begin) < time.Second {
			p.wait(t.Context(), 1)
			n++
		}
		if n < 1000 || n > 1101 {
			t.Errorf("%d events in the second after the pause, want 1000 to 1101", n)
		}
	})
}

func TestFatal(t *testing.T) {
	reason := errors.New("broken")
	out := newRecorder()
	out.fail = func(int) error { return flow.Fatal(reason) }
	if err := newSource(t, nil).Run(t.Context(), out); !errors.Is(err, reason) {
		t.Errorf("Run returned %v", err)
	}
}

func TestStopsAtFullSpeed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := newRecorder()
	out.fail = func(call int) error {
		if call == 100 {
			cancel()
		}
		return nil
	}
	if err := newSource(t, nil).Run(ctx, out); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if n := len(out.batches); n != 100 {
		t.Errorf("%d batches", n)
	}
}
