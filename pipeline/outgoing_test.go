package pipeline

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
	_ "github.com/flume-go/flume/processors/failover"
	"github.com/flume-go/flume/property"
)

// curable rejects bodies that begin with "bad", by index, until it is cured.
type curable struct {
	scriptedSink
	cured bool
}

func newCurable() *curable {
	c := &curable{}
	reject := poison(true)
	c.answer = func(bodies []string) error {
		if c.cured {
			return nil
		}
		return reject(bodies)
	}
	return c
}

func (c *curable) cure() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cured = true
}

// TestWithoutDeadLettersOnlyRejectedEventsAreTriedAgain: the others are delivered,
// and each return to the channel would deliver them once more.
func TestWithoutDeadLettersOnlyRejectedEventsAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, sink := memory(t), newCurable()
		r, set := runSink(t, ch, sink, nil)
		put(t, ch, "0", "bad1", "2", "bad3", "bad4", "5")
		pass(time.Minute)
		if got := sink.delivered(); !slices.Equal(got, []string{"0", "2", "5"}) {
			t.Errorf("delivered %v", got)
		}
		if s := ch.Stats(); s.Events != 6 {
			t.Errorf("the channel holds %d events; want all until the last is delivered", s.Events)
		}
		if s := r.Status(); s.State != StateRetrying || s.Healthy() {
			t.Errorf("status %+v", s)
		}
		if n := set.OwnCounter("events_poison", "").Value(); n < 5 {
			t.Errorf("%d rejections counted in a minute", n)
		}
		if n := set.Counter("EventDrainSuccessCount").Value(); n != 3 {
			t.Errorf("EventDrainSuccessCount = %d", n)
		}
		sink.cure()
		put(t, ch, "6")
		pass(10 * time.Second)
		if got := sink.delivered(); !slices.Equal(got, []string{"0", "2", "5", "bad1", "bad3", "bad4", "6"}) {
			t.Errorf("delivered %v in the end", got)
		}
		if s := ch.Stats(); s.Events != 0 {
			t.Errorf("the channel still holds %d events", s.Events)
		}
		if s := r.Status(); s.State != StateRunning {
			t.Errorf("status %+v in the end", s)
		}
	})
}

// TestStopGivesBackWhatIsHeld: nothing is lost, and the delivery is settled before
// the sink is closed.
func TestStopGivesBackWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, sink := memory(t), newCurable()
		r, _ := runSink(t, ch, sink, nil)
		put(t, ch, "0", "bad1", "2")
		pass(time.Second)
		start := time.Now()
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("the stop took %v", d)
		}
		if s := ch.Stats(); s.Events != 3 || s.InFlight != 0 {
			t.Errorf("channel %+v; want all three events back", s)
		}
		sink.cure()
		r.Start()
		pass(time.Second)
		if got := sink.delivered(); !slices.Equal(got, []string{"0", "2", "0", "bad1", "2"}) {
			t.Errorf("delivered %v", got)
		}
	})
}

// TestFailuresDoNotBringBackWhatIsDelivered: the rest is held whatever the next
// tries fail with.
func TestFailuresDoNotBringBackWhatIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := memory(t)
		reject, calls := poison(true), 0
		sink := &scriptedSink{answer: func(bodies []string) error {
			switch calls++; calls {
			case 1:
				return reject(bodies)
			case 2:
				return errScripted
			case 3:
				return flow.Fatal(errScripted)
			case 4:
				return flow.ErrClosed
			case 5:
				return flow.Reject(errScripted, 1) // of two: a part again
			default:
				return nil
			}
		}}
		runSink(t, ch, sink, nil)
		put(t, ch, "0", "bad1", "2", "bad3")
		pass(2 * time.Minute)
		if got := sink.delivered(); !slices.Equal(got, []string{"0", "2", "bad1", "bad3"}) {
			t.Errorf("delivered %v", got)
		}
		if s := ch.Stats(); s.Events != 0 {
			t.Errorf("the channel still holds %d events", s.Events)
		}
	})
}

// TestRejectionsThatNameNoEventOfTheBatch say nothing about the others: all is
// tried again.
func TestRejectionsThatNameNoEventOfTheBatch(t *testing.T) {
	for name, indexes := range map[string][]int{"beyond": {0, 3}, "before": {-1, 0}, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ch, calls := memory(t), 0
				sink := sinkFunc(func(_ context.Context, b *event.Batch) error {
					if calls++; calls == 1 {
						return flow.Reject(errScripted, indexes...)
					}
					if b.Len() != 3 {
						t.Errorf("%d events are tried again", b.Len())
					}
					return nil
				})
				runSink(t, ch, sink, nil)
				put(t, ch, "0", "1", "2")
				pass(time.Minute)
				if calls != 2 || ch.Stats().Events != 0 {
					t.Errorf("%d deliveries, %d events left", calls, ch.Stats().Events)
				}
			})
		})
	}
}

// TestNextSinkOfAGroupGetsOnlyWhatIsRejected: failover still works for rejected
// events, and does not deliver the others twice.
func TestNextSinkOfAGroupGetsOnlyWhatIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, set := memory(t), metrics.NewSet(metrics.KindSink, "k")
		first, second := newCurable(), &scriptedSink{}
		e, ok := component.Lookup(component.KindProcessor, "failover")
		if !ok {
			t.Fatal("failover is not registered")
		}
		d := component.Decode(e, property.Settings{"priority.k1": {Text: "2"}, "priority.k2": {Text: "1"}}, component.Scope{})
		group, err := component.New[flow.Sink](d, component.Env{Log: discard}, []flow.Member{
			{Name: "k1", Sink: Reject("k1", Measure(first, set, 10), nil, discard, set)},
			{Name: "k2", Sink: Reject("k2", Measure(second, set, 10), nil, discard, set)},
		})
		if err != nil {
			t.Fatal(err)
		}
		r := &SinkRunner{Name: "g", Channel: ch, Sink: group, Batch: 10, Log: discard, Sets: []*metrics.Set{set}}
		r.Start()
		put(t, ch, "0", "bad1", "2")
		pass(time.Minute)
		if got := strings.Join(first.delivered(), " "); got != "0 2" {
			t.Errorf("the first sink has %s", got)
		}
		if got := strings.Join(second.delivered(), " "); got != "bad1" {
			t.Errorf("the second sink has %s", got)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if s := ch.Stats(); s.Events != 0 {
			t.Errorf("the channel still holds %d events", s.Events)
		}
	})
}
