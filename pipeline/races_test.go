package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

// plain hides what else a channel can do, such as reserving.
type plain struct{ flow.Channel }

// shutting is a channel that is closed under every put.
type shutting struct {
	flow.Channel
	closed chan struct{}
}

func (s shutting) Put(context.Context, *event.Batch) error {
	<-s.closed
	return flow.ErrClosed
}

// TestHalfStoredBatchMeetsAnotherTransactionCapacity: one channel has a part of
// the batch when the other is replaced, and the new route cuts parts of another
// size. Neither channel may miss or double any event.
func TestHalfStoredBatchMeetsAnotherTransactionCapacity(t *testing.T) {
	for name, limits := range map[string][2]int{
		"larger": {2, 0}, "smaller": {0, 2}, "smaller, not a divisor": {5, 3}, "the same": {2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := memory(t), memory(t)
				gone := shutting{b, make(chan struct{})}
				e, _ := newEmitter(t, Route{Selector: toAll{}, Branches: []Branch{branch("a", plain{a}, limits[0]), branch("b", gone, limits[0])}})
				var err error
				go func() { err = emit(t, e, numbers(9)...) }()
				synctest.Wait()
				e.Hold()
				close(gone.closed)
				synctest.Wait()
				if err := e.Install(t.Context(), Route{Selector: toAll{}, Branches: []Branch{branch("a", plain{a}, limits[1]), branch("b", plain{b}, limits[1])}}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if err != nil {
					t.Error(err)
				}
				for name, ch := range map[string]flow.Channel{"a": a, "b": b} {
					if got := contents(t, ch); !slices.Equal(got, numbers(9)) {
						t.Errorf("channel %s holds %v", name, got)
					}
				}
			})
		})
	}
}

// TestEmitWaitsForAChannelThatIsNotOpenYet: a source that goes on through a
// reload meets a new channel that cannot be opened for a while.
func TestEmitWaitsForAChannelThatIsNotOpenYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := memory(t)
		if err := ch.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		e, _ := newEmitter(t, Route{Selector: toAll{}, Branches: []Branch{branch("c", ch, 0)}})
		answer := make(chan error, 1)
		go func() { answer <- emit(t, e, "x") }()
		pass(time.Minute)
		select {
		case err := <-answer:
			t.Fatalf("the batch was answered with %v while its channel was not open", err)
		default:
		}
		if err := ch.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-answer; err != nil {
			t.Error(err)
		}
		if got := contents(t, ch); !slices.Equal(got, []string{"x"}) {
			t.Errorf("the channel holds %v", got)
		}

		if err := ch.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		b := batchOf("y")
		defer b.Release()
		if err := e.Emit(ctx, b); !errors.Is(err, flow.ErrClosed) {
			t.Errorf("a stopping source was told %v", err)
		}
	})
}

// TestPanicDoesNotHoldUpTheNextRoute: a route whose interceptor panicked is as
// empty as any other.
func TestPanicDoesNotHoldUpTheNextRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := NamedInterceptor{"i", interceptFunc(func(*event.Batch) error { panic("boom") })}
		e, _ := newEmitter(t, Route{Interceptors: []NamedInterceptor{boom}, Selector: toAll{}, Branches: []Branch{branch("c", memory(t), 0)}})
		if err := emit(t, e, "x"); err == nil || !strings.Contains(err.Error(), "boom") {
			t.Errorf("the emit said %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := e.Hold().Wait(ctx); err != nil {
			t.Errorf("no batch is under way, yet: %v", err)
		}
	})
}

// overlap finds out whether something is run by two at the same time.
type overlap struct{ running, most atomic.Int32 }

func (o *overlap) enter() {
	o.most.Store(max(o.most.Load(), o.running.Add(1)))
}

func (o *overlap) leave() { o.running.Add(-1) }

// deaf is a sink that hangs for an hour, whatever it is told.
type deaf struct{ overlap }

func (d *deaf) Deliver(context.Context, *event.Batch) error {
	d.enter()
	defer d.leave()
	time.Sleep(time.Hour) //nolint:forbidigo // the bubble's clock
	return nil
}

// TestRunnersDoNotOverlap: what did not stop in time and is started again, as
// when a reload is undone, runs only after it has ended.
func TestRunnersDoNotOverlap(t *testing.T) {
	for name, stops := range map[string]int{"started again": 1, "started and stopped again": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var source overlap
				hang := sourceFunc(func(context.Context, flow.Emitter) error {
					source.enter()
					defer source.leave()
					time.Sleep(time.Hour) //nolint:forbidigo // the bubble's clock
					return nil
				})
				sink := &deaf{}
				ch := memory(t)
				if err := ch.Put(t.Context(), batchOf("1", "2", "3")); err != nil {
					t.Fatal(err)
				}
				in := newSourceRunner(t, hang)
				out := &SinkRunner{Name: "k", Channel: ch, Sink: sink, Batch: 1, Log: discard}
				for range stops {
					in.Start()
					out.Start()
					pass(time.Second)
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					if in.Stop(ctx) == nil || out.Stop(ctx) == nil {
						t.Error("stopping what hangs succeeded")
					}
					if in.Stop(ctx) == nil || out.Stop(ctx) == nil {
						t.Error("stopping again what still hangs succeeded")
					}
					cancel()
				}
				in.Start()
				out.Start()
				pass(90 * time.Minute)
				if a, b := source.most.Load(), sink.most.Load(); a != 1 || b != 1 {
					t.Errorf("at the same time ran %d sources and %d sinks", a, b)
				}
				if a, b := source.running.Load(), sink.running.Load(); a != 1 || b != 1 {
					t.Errorf("after the hour ran %d sources and %d sinks, want both again", a, b)
				}
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
				defer cancel()
				if err := errors.Join(in.Stop(ctx), out.Stop(ctx)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// doubtful is a channel that does not know what became of the first put.
type doubtful struct {
	flow.Channel
	puts int
}

func (d *doubtful) Put(ctx context.Context, b *event.Batch) error {
	if d.puts++; d.puts == 1 {
		return flow.Unknown(flow.ErrFull)
	}
	return d.Channel.Put(ctx, b)
}

// TestLettersOfUnknownFateDoNotDoubleTheirBatch: the rest of the batch is
// delivered and must not come again because of a letter.
func TestLettersOfUnknownFateDoNotDoubleTheirBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &scriptedSink{answer: func([]string) error { return flow.Reject(errScripted, 0) }}
		letters := memory(t)
		to := branch("letters", &doubtful{Channel: letters}, 0)
		r := Reject("k", sink, &to, discard, metrics.NewSet(metrics.KindSink, "k"))
		b := batchOf("bad", "good")
		defer b.Release()
		if err := r.Deliver(t.Context(), b); err != nil {
			t.Errorf("Deliver: %v", err)
		}
		if got := contents(t, letters); !slices.Equal(got, []string{"bad"}) {
			t.Errorf("the letters are %v", got)
		}
	})
}

// turning gives event i of its call n to channel i+n: never twice the same.
type turning struct{ calls *int }

func (s turning) Select(b *event.Batch, plan *flow.Plan) error {
	for i := range b.Events() {
		plan.Add((i+*s.calls)%len(plan.Required()), i)
	}
	*s.calls++
	return nil
}

// TestHalfStoredBatchMeetsAnotherSelection: the selector of the next route would
// give the channels other events than those that the first has stored.
func TestHalfStoredBatchMeetsAnotherSelection(t *testing.T) {
	for name, second := range map[string]string{"channel replaced": "b", "channel gone": "c"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := memory(t), memory(t)
				gone := shutting{b, make(chan struct{})}
				selector := turning{new(int)}
				e, _ := newEmitter(t, Route{Selector: selector, Branches: []Branch{branch("a", plain{a}, 4), branch("b", gone, 4)}})
				var err error
				go func() { err = emit(t, e, numbers(9)...) }()
				synctest.Wait()
				e.Hold()
				close(gone.closed)
				synctest.Wait()
				if err := e.Install(t.Context(), Route{Selector: selector, Branches: []Branch{branch("a", plain{a}, 1), branch(second, plain{b}, 1)}}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if err != nil {
					t.Error(err)
				}
				got := append(contents(t, a), contents(t, b)...)
				slices.Sort(got)
				if !slices.Equal(got, numbers(9)) {
					t.Errorf("the channels hold %v", got)
				}
			})
		})
	}
}

// TestHalfStoredBatchWhoseOtherChannelIsGone: with the channel that could not be
// reached gone, the batch is stored.
func TestHalfStoredBatchWhoseOtherChannelIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := memory(t)
		gone := shutting{a, make(chan struct{})}
		e, _ := newEmitter(t, Route{Selector: toAll{}, Branches: []Branch{branch("a", plain{a}, 4), branch("b", gone, 4)}})
		var err error
		go func() { err = emit(t, e, numbers(9)...) }()
		synctest.Wait()
		e.Hold()
		close(gone.closed)
		synctest.Wait()
		if err := e.Install(t.Context(), Route{Selector: toAll{}, Branches: []Branch{branch("a", plain{a}, 2)}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := contents(t, a); err != nil || !slices.Equal(got, numbers(9)) {
			t.Errorf("the channel holds %v, error %v", got, err)
		}
	})
}
