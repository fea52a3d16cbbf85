package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

// runSink starts a runner of sink on ch and stops it at the end of the test.
func runSink(t *testing.T, ch flow.Channel, sink flow.Sink, letters *Branch) (*SinkRunner, *metrics.Set) {
	t.Helper()
	set := metrics.NewSet(metrics.KindSink, "k")
	r := &SinkRunner{
		Name: "k", Channel: ch, Batch: 10, Log: discard, Sets: []*metrics.Set{set}, Empty: set.Counter("BatchEmptyCount"),
		Sink: Reject("k", Measure(sink, set, 10), letters, discard, set),
	}
	r.Start()
	t.Cleanup(func() { _ = r.Stop(context.Background()) })
	return r, set
}

func put(t *testing.T, ch flow.Channel, bodies ...string) {
	t.Helper()
	b := batchOf(bodies...)
	defer b.Release()
	if err := ch.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func TestSinkRunnerDeliversInOrderAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, sink := memory(t), &scriptedSink{}
		_, set := runSink(t, ch, sink, nil)
		want := numbers(25)
		put(t, ch, want...)
		synctest.Wait()
		if got := sink.delivered(); !slices.Equal(got, want) {
			t.Errorf("delivered %v", got)
		}
		for name, n := range map[string]int64{
			"EventDrainAttemptCount": 25, "EventDrainSuccessCount": 25, "BatchCompleteCount": 2, "BatchUnderflowCount": 1, "EventWriteFail": 0,
		} {
			if got := set.Counter(name).Value(); got != n {
				t.Errorf("%s = %d, want %d", name, got, n)
			}
		}
		pass(17 * time.Second)
		if got := set.Counter("BatchEmptyCount").Value(); got != 2 {
			t.Errorf("BatchEmptyCount = %d after two periods without events, want 2", got)
		}
	})
}

func TestSinkRunnerTriesAgainInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := memory(t)
		fails := 3
		sink := &scriptedSink{answer: func([]string) error {
			if fails > 0 {
				fails--
				return errScripted
			}
			return nil
		}}
		r, set := runSink(t, ch, sink, nil)
		put(t, ch, "1", "2", "3")
		synctest.Wait()
		if s := r.Status(); s.State != StateRetrying || !errors.Is(s.Error, errScripted) {
			t.Errorf("status %+v", s)
		}
		put(t, ch, "4")
		pass(5 * time.Second)
		if got := sink.delivered(); !slices.Equal(got, []string{"1", "2", "3", "4"}) {
			t.Errorf("delivered %v", got)
		}
		if s := r.Status(); s.State != StateRunning || s.Failures != 0 {
			t.Errorf("status %+v after recovery", s)
		}
		if got := set.Counter("EventWriteFail").Value(); got != 3 {
			t.Errorf("EventWriteFail = %d", got)
		}
	})
}

func TestSinkPanicIsAFailureLikeAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := memory(t)
		calls := 0
		sink := &scriptedSink{answer: func([]string) error {
			if calls++; calls == 1 {
				panic("boom")
			}
			return nil
		}}
		runSink(t, ch, sinkFunc(func(ctx context.Context, b *event.Batch) error { return deliverUnlocked(sink, b) }), nil)
		put(t, ch, "x")
		pass(time.Second)
		if calls != 2 {
			t.Errorf("%d deliveries, want a second after the panic", calls)
		}
	})
}

type sinkFunc func(context.Context, *event.Batch) error

func (f sinkFunc) Deliver(ctx context.Context, b *event.Batch) error { return f(ctx, b) }

func deliverUnlocked(s *scriptedSink, b *event.Batch) error {
	var bodies []string
	for _, e := range b.Events() {
		bodies = append(bodies, string(e.Body))
	}
	return s.answer(bodies)
}

// poison rejects bodies that begin with "bad": the whole batch, or by index.
func poison(byIndex bool) func([]string) error {
	return func(bodies []string) error {
		var bad []int
		for i, b := range bodies {
			if strings.HasPrefix(b, "bad") {
				bad = append(bad, i)
			}
		}
		switch {
		case len(bad) == 0:
			return nil
		case byIndex:
			return flow.Reject(errors.New("cannot be written"), bad...)
		default:
			return flow.Reject(errors.New("cannot be written"))
		}
	}
}

func TestRejectedEventsGoToTheDeadLetterChannel(t *testing.T) {
	for name, byIndex := range map[string]bool{"named by index": true, "found by halving": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ch, letters := memory(t), memory(t, "capacity", "2", "transactionCapacity", "1", "keep-alive", "1")
				sink := &scriptedSink{answer: poison(byIndex)}
				_, set := runSink(t, ch, sink, &Branch{Name: "dlc", Channel: letters, Transaction: 1})
				put(t, ch, "bad0", "1", "2", "bad3", "4", "5", "6", "bad7", "8", "9")
				put(t, ch, "10")
				synctest.Wait()
				// The letters' channel holds two: the third waits for space.
				var got []string
				for range 3 {
					d, err := letters.Take(t.Context(), 1)
					if err != nil {
						t.Fatal(err)
					}
					e := d.Batch().At(0)
					got = append(got, string(e.Body))
					for header, want := range map[string]string{HeaderReason: "cannot be written", HeaderComponent: "k"} {
						if v, _ := e.Header(header); v != want {
							t.Errorf("header %s = %q, want %q", header, v, want)
						}
					}
					if v, _ := e.Header(HeaderTime); v == "" {
						t.Error("no time of death")
					}
					if v, _ := e.Header(HeaderAttempts); v == "" || v == "0" {
						t.Errorf("attempts %q", v)
					}
					if err := d.Ack(); err != nil {
						t.Fatal(err)
					}
					pass(10 * time.Second)
				}
				if !slices.Equal(got, []string{"bad0", "bad3", "bad7"}) {
					t.Errorf("dead letters %v", got)
				}
				if got := sink.delivered(); !slices.Equal(got, []string{"1", "2", "4", "5", "6", "8", "9", "10"}) {
					t.Errorf("delivered %v", got)
				}
				if n := set.OwnCounter("events_dead_lettered", "").Value(); n != 3 {
					t.Errorf("%d dead letters counted", n)
				}
			})
		})
	}
}

func TestWithoutDeadLettersRejectedEventsAreTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, sink := memory(t), &scriptedSink{answer: poison(false)}
		r, set := runSink(t, ch, sink, nil)
		put(t, ch, "1", "bad")
		pass(time.Minute)
		if n := ch.Stats().Events; n != 2 {
			t.Errorf("the channel holds %d events, want both", n)
		}
		if got := sink.delivered(); len(got) != 0 {
			t.Errorf("delivered %v of a rejected batch", got)
		}
		if n := set.OwnCounter("events_poison", "").Value(); n < 5 {
			t.Errorf("%d rejections counted in a minute", n)
		}
		if s := r.Status(); s.State != StateRetrying {
			t.Errorf("status %+v", s)
		}
	})
}

// TestHalvingSurvivesFailures mixes rejection with failures that pass: nothing
// is delivered twice, since the parts already delivered are not given back.
func TestHalvingSurvivesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, letters := memory(t), memory(t)
		calls := 0
		reject := poison(false)
		sink := &scriptedSink{answer: func(bodies []string) error {
			if err := reject(bodies); err != nil {
				return err
			}
			if calls++; calls%2 == 1 {
				return errScripted
			}
			return nil
		}}
		runSink(t, ch, sink, &Branch{Name: "dlc", Channel: letters})
		put(t, ch, "0", "1", "2", "bad", "4", "5", "6", "7")
		pass(time.Minute)
		got := sink.delivered()
		slices.Sort(got)
		if !slices.Equal(got, []string{"0", "1", "2", "4", "5", "6", "7"}) {
			t.Errorf("delivered %v", got)
		}
		if got := contents(t, letters); !slices.Equal(got, []string{"bad"}) {
			t.Errorf("dead letters %v", got)
		}
	})
}

func TestStopCancelsADeliveryThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := memory(t)
		sink := sinkFunc(func(ctx context.Context, _ *event.Batch) error { <-ctx.Done(); return ctx.Err() })
		r, _ := runSink(t, ch, sink, nil)
		put(t, ch, "x")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := r.Stop(ctx); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("stopped after %v", d)
		}
		if n := ch.Stats(); n.Events != 1 || n.InFlight != 0 {
			t.Errorf("channel %+v; want the event back", n)
		}
	})
}

// opener is a sink whose Open fails some times.
type opener struct {
	scriptedSink
	failures, opens, closes int
}

func (o *opener) Open(context.Context) error {
	if o.opens++; o.opens <= o.failures {
		return errScripted
	}
	return nil
}

func (o *opener) Close(context.Context) error { o.closes++; return nil }

func TestSinkIsOpenedUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, sink := memory(t), &opener{failures: 4}
		r, _ := runSink(t, ch, sink, nil)
		put(t, ch, "x")
		synctest.Wait()
		if s := r.Status(); s.State != StateRetrying || !strings.Contains(s.Error.Error(), "opening") {
			t.Errorf("status %+v", s)
		}
		pass(time.Minute)
		if got := sink.delivered(); !slices.Equal(got, []string{"x"}) {
			t.Errorf("delivered %v", got)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if sink.closes != sink.opens {
			t.Errorf("opened %d times, closed %d times", sink.opens, sink.closes)
		}
	})
}
