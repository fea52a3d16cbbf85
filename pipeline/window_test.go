package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// remote is a sink whose destination takes a second for each answer, however many batches
// are under way. answer is asked when it comes.
type remote struct {
	scriptedSink
	window  int
	refused int // sends that fail before anything is sent
	under   int // batches under way
	most    int
	failed  bool // one of them has failed
}

func (r *remote) Window() int { return r.window }

func (r *remote) Send(_ context.Context, b *event.Batch) (flow.Sending, error) {
	if r.refused > 0 {
		r.refused--
		return nil, errScripted
	}
	if r.under == 0 { // who sends knows
		r.failed = false
	}
	r.under++
	r.most = max(r.most, r.under)
	return &remoteSending{r, b, time.Now().Add(time.Second)}, nil
}

type remoteSending struct {
	remote *remote
	batch  *event.Batch
	due    time.Time
}

func (s *remoteSending) Wait(ctx context.Context) error {
	s.remote.under--
	if !flow.Sleep(ctx, time.Until(s.due)) {
		return ctx.Err()
	}
	if s.remote.failed {
		return errScripted // it was behind one that was not taken
	}
	err := s.remote.Deliver(ctx, s.batch)
	s.remote.failed = err != nil
	return err
}

// TestSinkThatSendsAhead: as many batches are under way as may be, and arrive in order.
func TestSinkThatSendsAhead(t *testing.T) {
	for _, c := range []struct {
		window, size, most int
		seconds            time.Duration
	}{
		{1, 1, 1, 10},
		{2, 1, 2, 5},
		{4, 1, 4, 3},
		{20, 1, 10, 1},
		{4, enoughAhead / 15, 2, 5}, // 10 events are two thirds of what is enough
		{4, enoughAhead / 10, 1, 10},
	} {
		t.Run(fmt.Sprintf("window=%d/size=%d", c.window, c.size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ch, sink := memory(t, "capacity", "100"), &remote{window: c.window}
				want := numbers(100)
				for i := range want {
					want[i] += strings.Repeat("x", c.size)
				}
				put(t, ch, want...)
				_, set := runSink(t, ch, sink, nil)
				start := time.Now()
				for ch.Stats().Events > 0 && time.Since(start) < time.Minute {
					pass(time.Second / 2)
				}
				if took := time.Since(start).Truncate(time.Second); took != c.seconds*time.Second {
					t.Errorf("ten batches took %v, want %d s", took, c.seconds)
				}
				if got := sink.delivered(); !slices.Equal(got, want) {
					t.Errorf("delivered %d events, not in order", len(got))
				}
				if sink.most != c.most {
					t.Errorf("%d batches were under way, want %d", sink.most, c.most)
				}
				for name, n := range map[string]int64{"EventDrainAttemptCount": 100, "EventDrainSuccessCount": 100, "BatchCompleteCount": 10, "EventWriteFail": 0} {
					if got := set.Counter(name).Value(); got != n {
						t.Errorf("%s = %d, want %d", name, got, n)
					}
				}
			})
		})
	}
}

// TestAheadNothingIsLeftOpen: when there is nothing more to send answers are waited for.
func TestAheadNothingIsLeftOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, sink := memory(t), &remote{window: 4}
		runSink(t, ch, sink, nil)
		put(t, ch, numbers(13)...)
		pass(2500 * time.Millisecond) // the batch of ten, and the three behind it
		if s := ch.Stats(); s.Events != 0 {
			t.Errorf("%d of 13 events are in the channel after all answers", s.Events)
		}
	})
}

// TestAheadFailures: what has failed is sent again, in its order, and nothing else.
func TestAheadFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, sink := memory(t), &remote{window: 4}
		fails := 1
		sink.answer = func(bodies []string) error {
			if bodies[0] == "10" && fails > 0 {
				fails--
				return errScripted
			}
			return nil
		}
		put(t, ch, numbers(50)...)
		sink.refused = 1
		r, set := runSink(t, ch, sink, nil)
		for start := time.Now(); ch.Stats().Events > 0 && time.Since(start) < time.Minute; {
			pass(time.Second / 2)
		}
		if got := sink.delivered(); !slices.Equal(got, numbers(50)) {
			t.Errorf("delivered %v", got)
		}
		if s := r.Status(); s.State != StateRunning {
			t.Errorf("status %+v", s)
		}
		if n := set.Counter("EventWriteFail").Value(); n != 5 {
			t.Errorf("EventWriteFail = %d, want the one that was not sent, the one that was not taken and three behind it", n)
		}
	})
}

// TestAheadStop: a stop waits for the answers; one that may not gives the events back.
func TestAheadStop(t *testing.T) {
	for _, c := range []struct {
		patience time.Duration
		left     int
	}{{5 * time.Second, 60}, {time.Millisecond, 100}} {
		t.Run(c.patience.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ch, sink := memory(t), &remote{window: 4}
				put(t, ch, numbers(100)...)
				r, _ := runSink(t, ch, sink, nil)
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), c.patience)
				defer cancel()
				if err := r.Stop(ctx); err != nil {
					t.Error(err)
				}
				if s := ch.Stats(); s.Events != c.left || s.InFlight != 0 {
					t.Errorf("channel %+v, want %d events and none under way", s, c.left)
				}
				if sink.under != 0 {
					t.Errorf("%d answers are not waited for", sink.under)
				}
			})
		})
	}
}

// TestAheadRejection: of a batch of which a part is rejected only that part is tried again.
func TestAheadRejection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, sink := memory(t), &remote{window: 1}
		rejects := 2
		sink.answer = func(bodies []string) error {
			if i := slices.Index(bodies, "13"); i >= 0 && rejects > 0 {
				rejects--
				return flow.Reject(errScripted, i)
			}
			return nil
		}
		put(t, ch, numbers(30)...)
		r, _ := runSink(t, ch, sink, nil)
		for start := time.Now(); ch.Stats().Events > 0 && time.Since(start) < 10*time.Minute; {
			pass(time.Second)
		}
		want := slices.DeleteFunc(numbers(20), func(s string) bool { return s == "13" })
		want = append(append(want, "13"), numbers(30)[20:]...)
		if got := sink.delivered(); !slices.Equal(got, want) {
			t.Errorf("delivered %v, want %v", got, want)
		}
		if s := ch.Stats(); s.Events != 0 || r.Status().State != StateRunning {
			t.Errorf("%d events are left, status %+v", s.Events, r.Status())
		}
	})
}

// TestAheadPanic: a sink that panics fails like any other.
func TestAheadPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, sink := memory(t), &remote{window: 2}
		panics := 1
		sink.answer = func([]string) error {
			if panics > 0 {
				panics--
				panic("scripted")
			}
			return nil
		}
		put(t, ch, numbers(20)...)
		runSink(t, ch, sink, nil)
		pass(time.Minute)
		if got := sink.delivered(); len(got) != 20 || ch.Stats().Events != 0 {
			t.Errorf("delivered %v, %d are left", got, ch.Stats().Events)
		}
	})
}
