package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

// pass lets time pass in a bubble and waits until everything has reacted.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's clock
	synctest.Wait()
}

// gated is simple with a channel that opens only while the gate is open.
func gated(bench string, more ...string) string {
	return simple(bench, append([]string{"a1.channels.c1.type = testgate", "a1.channels.c1.bench = " + bench}, more...)...)
}

// TestWhatWasReplacedNeverStarts: a source and a sink wait for a channel that
// cannot be opened when a reload replaces them.
func TestWhatWasReplacedNeverStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := benches.get(t.Name())
		b.shut.Store(true)
		a := newAgent(t, 10*time.Second)
		start(t, a, gated(t.Name()))
		for _, change := range []string{"a1.sources.r1.knob = turned\na1.sinks.k1.batchSize = 20", "a1.sources.r1.knob = again\na1.sinks.k1.batchSize = 30"} {
			if err := a.Reload(t.Context(), topologyText(t, gated(t.Name(), change))); err != nil {
				t.Fatal(err)
			}
		}
		b.shut.Store(false)
		pass(time.Minute)
		if sources, sinks := b.working(); sources != 1 || sinks != 1 {
			t.Errorf("%d sources and %d sinks work, want one of each", sources, sinks)
		}
		if err := a.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestUndoneReloadWaitsForTheChannelAsBefore: a reload fails at a channel that
// could be opened neither before nor after it.
func TestUndoneReloadWaitsForTheChannelAsBefore(t *testing.T) {
	for _, change := range []string{"", "a1.sources.r1.knob = turned"} {
		t.Run(change, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := benches.get(t.Name())
				b.shut.Store(true)
				a := newAgent(t, 10*time.Second)
				start(t, a, gated(t.Name()))
				err := a.Reload(t.Context(), topologyText(t, gated(t.Name(), change, "a1.channels.c1.capacity = 500")))
				if !errors.Is(err, errShut) {
					t.Fatalf("the reload said %v", err)
				}
				pass(time.Minute)
				if sources, sinks := b.working(); sources != 0 || sinks != 0 {
					t.Errorf("%d sources and %d sinks work, but their channel is not open", sources, sinks)
				}
				b.shut.Store(false)
				pass(time.Minute)
				if sources, sinks := b.working(); sources != 1 || sinks != 1 {
					t.Errorf("%d sources and %d sinks work, want one of each", sources, sinks)
				}
				b.in <- "x"
				pass(time.Second)
				if n := b.count("x"); n != 1 {
					t.Errorf("the event was delivered %d times", n)
				}
				if err := a.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestUndoneReloadShowsTheOldChannels: the metrics are those of the channels at work.
func TestUndoneReloadShowsTheOldChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := benches.get(t.Name())
		a := newAgent(t, 10*time.Second)
		two := func(more ...string) string {
			return gated(t.Name(), append([]string{"a1.channels = c0 c1", "a1.channels.c0.type = memory", "a1.sources.r1.channels = c0 c1"}, more...)...)
		}
		start(t, a, two())
		b.shut.Store(true)
		err := a.Reload(t.Context(), topologyText(t, two("a1.channels.c0.type = pseudotxn", "a1.channels.c1.capacity = 500")))
		if !errors.Is(err, errShut) {
			t.Fatalf("the reload said %v", err)
		}
		for _, u := range a.current().channels {
			if !slices.ContainsFunc(a.Metrics().Sets(), func(s *metrics.Set) bool { return s == u.set }) {
				t.Errorf("the metrics of channel %s are not those of the one at work", u.spec.Name)
			}
		}
		b.shut.Store(false)
		pass(time.Minute)
		_ = a.Stop(t.Context()) // c0 has no sink
	})
}

// TestStopDeliversWhatAMoverCarries: the stop comes while a channel's events are
// on their way to its successor of another type.
func TestStopDeliversWhatAMoverCarries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := benches.get(t.Name())
		a := newAgent(t, time.Minute)
		start(t, a, simple(t.Name(), "a1.sinks.k1.stuck = true"))
		for i := range 50 {
			b.in <- fmt.Sprint(i)
		}
		synctest.Wait()
		b.shut.Store(true)
		if err := a.Reload(t.Context(), topologyText(t, gated(t.Name(), "a1.sinks.k1.batchSize = 1", "a1.sinks.k1.slow = 10"))); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { b.shut.Store(false) })
		if err := a.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if got := b.total(); got != 50 {
			t.Errorf("%d of 50 events were delivered before the stop ended", got)
		}
	})
}

// TestSourceGoesOnIntoAChannelThatOpensLater: a source that runs through the
// reload keeps its batches until the channel is there.
func TestSourceGoesOnIntoAChannelThatOpensLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := benches.get(t.Name())
		a := newAgent(t, 10*time.Second)
		start(t, a, simple(t.Name()))
		b.shut.Store(true)
		if err := a.Reload(t.Context(), topologyText(t, gated(t.Name()))); err != nil {
			t.Fatal(err)
		}
		b.in <- "x"
		pass(time.Minute)
		b.shut.Store(false)
		pass(time.Minute)
		if n := b.count("x"); n != 1 {
			t.Errorf("the event was delivered %d times", n)
		}
		if sources, _ := b.working(); sources != 1 {
			t.Errorf("the source was started %d times", sources)
		}
		if err := a.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestAStoppedAgentStartsAgain, one that waits for a channel included.
func TestAStoppedAgentStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := benches.get(t.Name())
		a := newAgent(t, 10*time.Second)
		for round := range 2 {
			b.shut.Store(true)
			start(t, a, gated(t.Name()))
			b.shut.Store(false)
			pass(time.Minute)
			if sources, sinks := b.working(); sources != round+1 || sinks != 1 {
				t.Errorf("round %d: %d sources were started, %d sinks are open", round, sources, sinks)
			}
			if err := a.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// handing is a channel whose last event goes to another while it is looked at.
type handing struct {
	flow.Channel
	events int
	to     *handing
}

func (h *handing) Volatile() bool              { return true }
func (h *handing) Open(context.Context) error  { return nil }
func (h *handing) Close(context.Context) error { return nil }

func (h *handing) Stats() flow.Stats {
	if h.to != nil && h.events > 0 {
		h.to.events += h.events
		h.events = 0
	}
	return flow.Stats{Events: h.events}
}

// TestDrainedSeesDeadLettersThatMoveWhileItLooks: the channel of the letters is
// looked at before the one they come from.
func TestDrainedSeesDeadLettersThatMoveWhileItLooks(t *testing.T) {
	last := &handing{}
	middle := &handing{to: last}
	first := &handing{to: middle, events: 1}
	var channels []*channelUnit
	for i, ch := range []*handing{last, middle, first} {
		u := newChannelUnit(&config.Channel{Name: fmt.Sprint(i)}, ch, metrics.NewSet(metrics.KindChannel, fmt.Sprint(i)), nil)
		u.open()
		channels = append(channels, u)
	}
	if drained(channels) {
		t.Error("the channels count as empty while one holds an event")
	}
	last.events = 0
	if !drained(channels) {
		t.Error("empty channels count as not empty")
	}
}

// TestChannelThatIsReopenedKeepsItsEvents: an undone reload has left a channel
// that holds events and cannot be opened again yet. Neither a reload that removes
// it nor a stop may take it for empty.
func TestChannelThatIsReopenedKeepsItsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := benches.get(t.Name())
		a := newAgent(t, 10*time.Second)
		start(t, a, gated(t.Name(), "a1.sinks.k1.stuck = true"))
		for i := range 10 {
			b.in <- fmt.Sprint(i)
		}
		synctest.Wait()
		b.shut.Store(true)
		if err := a.Reload(t.Context(), topologyText(t, gated(t.Name(), "a1.channels.c1.capacity = 500"))); !errors.Is(err, errShut) {
			t.Fatalf("the reload said %v", err)
		}
		other := strings.ReplaceAll(simple(t.Name()), "c1", "c2")
		if err := a.Reload(t.Context(), topologyText(t, other)); err == nil || !strings.Contains(err.Error(), "10 events") {
			t.Fatalf("removing a channel that holds events said %v", err)
		}
		if err := a.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "10 events") {
			t.Errorf("stopping said %v", err)
		}
	})
}

// TestReloadReplacesASinkThatHangs: its delivery is cancelled when the limit is
// over, and its events come to the next sink.
func TestReloadReplacesASinkThatHangs(t *testing.T) {
	for name, change := range map[string]string{"sink": "", "channel and sink": "a1.channels.c1.capacity = 500", "type of the channel": "a1.channels.c1.type = pseudotxn"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := benches.get(t.Name())
				a := newAgent(t, 10*time.Second)
				start(t, a, simple(t.Name(), "a1.sinks.k1.hang = true"))
				for i := range 50 {
					b.in <- fmt.Sprint(i)
				}
				pass(time.Second)
				if err := a.Reload(t.Context(), topologyText(t, simple(t.Name(), change))); err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
				for i := range 50 {
					if n := b.count(fmt.Sprint(i)); n != 1 {
						t.Errorf("event %d was delivered %d times", i, n)
					}
				}
				if err := a.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestWhatADirectChannelDeliveredOfABatchIsNotDeliveredAgain when the channel is
// replaced or goes while the rest of the batch is still to be delivered.
func TestWhatADirectChannelDeliveredOfABatchIsNotDeliveredAgain(t *testing.T) {
	next := map[string]string{
		"by another of its type": "a1.channels.c1.type = direct\na1.channels.c1.keep-alive = 100",
		"by another type":        "a1.channels.c1.type = memory",
		"by another channel":     "a1.channels = c2\na1.channels.c2.type = memory\na1.sources.r1.channels = c2\na1.sinks.k1.channel = c2",
	}
	for name, change := range next {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := benches.get(t.Name())
				a := newAgent(t, 10*time.Second)
				start(t, a, simple(t.Name(), "a1.channels.c1.type = direct", "a1.sinks.k1.batchSize = 1", "a1.sinks.k1.stuck = true", "a1.sinks.k1.after = 2"))
				b.in <- "1 2 3 4 5"
				pass(time.Second)
				if n := b.total(); n != 2 {
					t.Fatalf("%d events were delivered before the reload, want 2", n)
				}
				if err := a.Reload(t.Context(), topologyText(t, simple(t.Name(), change))); err != nil {
					t.Fatal(err)
				}
				pass(time.Minute)
				for _, body := range strings.Fields("1 2 3 4 5") {
					if n := b.count(body); n != 1 {
						t.Errorf("event %s was delivered %d times", body, n)
					}
				}
				if err := a.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestRowOfDeadLetterChannelsIsRemovedAtOnce while all of them hold events: each is
// emptied into the next before its sinks are stopped.
func TestRowOfDeadLetterChannelsIsRemovedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := benches.get(t.Name())
		row := []string{"a1.channels = c1 second first", "a1.sinks = k1 k2 k3", "a1.sinks.k1.deadLetter = first"}
		for sink, channel := range map[string]string{"k2": "first", "k3": "second"} {
			row = append(row, "a1.channels."+channel+".type = memory", "a1.sinks."+sink+".channel = "+channel,
				"a1.sinks."+sink+".type = testsink", "a1.sinks."+sink+".bench = "+t.Name(), "a1.sinks."+sink+".batchSize = 1", "a1.sinks."+sink+".slow = 50")
		}
		row = append(row, "a1.sinks.k1.reject = 1", "a1.sinks.k2.reject = 1", "a1.sinks.k2.deadLetter = second")
		a := newAgent(t, time.Minute)
		start(t, a, simple(t.Name(), row...))
		for i := range 20 {
			b.in <- fmt.Sprint(i)
		}
		pass(300 * time.Millisecond)
		if first, second := a.current().channelUnit("first").channel.Stats().Events, a.current().channelUnit("second").channel.Stats().Events; first < 2 || second == 0 {
			t.Fatalf("the channels hold %d and %d events: nothing to show", first, second)
		}
		if err := a.Reload(t.Context(), topologyText(t, simple(t.Name()))); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			if n := b.count(fmt.Sprint(i)); n != 1 {
				t.Errorf("event %d was delivered %d times", i, n)
			}
		}
		if err := a.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestSinkThatWaitsToPutALetterIsNotCutOff: when a reload or a stop comes, the
// channel for letters is full and the sink that empties it is to stop as well.
func TestSinkThatWaitsToPutALetterIsNotCutOff(t *testing.T) {
	with := func(slow int) string {
		return simple(t.Name(),
			"a1.channels = c1 letters", "a1.sinks = k1 k2", "a1.sinks.k1.batchSize = 10", "a1.sinks.k1.reject = 2", "a1.sinks.k1.deadLetter = letters",
			fmt.Sprintf("a1.sinks.k1.slow = %d", slow),
			"a1.channels.letters.type = testgate", "a1.channels.letters.bench = "+t.Name(), "a1.channels.letters.capacity = 1", "a1.channels.letters.transactionCapacity = 1",
			"a1.sinks.k2.type = testsink", "a1.sinks.k2.bench = "+t.Name(), "a1.sinks.k2.channel = letters", "a1.sinks.k2.batchSize = 1",
			fmt.Sprintf("a1.sinks.k2.slow = %d", 100+slow))
	}
	synctest.Test(t, func(t *testing.T) {
		b := benches.get(t.Name())
		a := newAgent(t, 20*time.Second)
		start(t, a, with(1))
		for round, change := range []func() error{
			func() error { return a.Reload(t.Context(), topologyText(t, with(2))) },
			func() error { return a.Stop(t.Context()) },
		} {
			var sent []string
			for i := range 10 {
				sent = append(sent, fmt.Sprintf("%d-%d", round, i))
			}
			b.in <- strings.Join(sent, " ")
			pass(150 * time.Millisecond)
			began := time.Now()
			if err := change(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took >= 20*time.Second {
				t.Errorf("round %d took %v: the letter was waited for in vain", round, took)
			}
			pass(time.Minute)
			for _, body := range sent {
				if n := b.count(body); n != 1 {
					t.Errorf("event %s was delivered %d times", body, n)
				}
			}
		}
	})
}
