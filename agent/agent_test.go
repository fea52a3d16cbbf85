package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/pipeline"
)

func TestEventsGoThrough(t *testing.T) {
	b := benches.get(t.Name())
	a := newAgent(t, 10*time.Second)
	start(t, a, simple(t.Name()))
	for i := range 50 {
		b.in <- fmt.Sprint(i)
	}
	eventually(t, "50 events are delivered", func() bool { return b.total() == 50 })
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range a.Metrics().Sets() {
		if s.Key() == "SOURCE.r1" && s.Counter("EventAcceptedCount").Value() != 50 {
			t.Errorf("EventAcceptedCount %d", s.Counter("EventAcceptedCount").Value())
		}
	}
}

func TestStopDrainsMemoryChannels(t *testing.T) {
	b := benches.get(t.Name())
	a := newAgent(t, 10*time.Second)
	start(t, a, simple(t.Name(), "a1.sinks.k1.slow = 5", "a1.sinks.k1.batchSize = 1"))
	for i := range 40 {
		b.in <- fmt.Sprint(i)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.total(); got != 40 {
		t.Errorf("%d of 40 events were delivered before the stop ended", got)
	}
}

func TestStopReportsWhatIsLost(t *testing.T) {
	b := benches.get(t.Name())
	a := newAgent(t, 200*time.Millisecond)
	start(t, a, simple(t.Name(), "a1.sinks.k1.stuck = true"))
	for i := range 7 {
		b.in <- fmt.Sprint(i)
	}
	err := a.Stop(t.Context())
	if err == nil || !strings.Contains(err.Error(), "7 events") {
		t.Errorf("stopping said %v", err)
	}
}

// TestStopDoesNotWaitForAChannelWithoutSinks: nothing will ever take its events.
func TestStopDoesNotWaitForAChannelWithoutSinks(t *testing.T) {
	b := benches.get(t.Name())
	a := newAgent(t, time.Hour)
	start(t, a, simple(t.Name(), "a1.channels = c1 c2", "a1.channels.c2.type = memory", "a1.sources.r1.channels = c1 c2", "a1.sinks.k1.slow = 5"))
	for i := range 7 {
		b.in <- fmt.Sprint(i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := a.Stop(ctx)
	if err == nil || !strings.Contains(err.Error(), "7 events") {
		t.Errorf("stopping said %v", err)
	}
	if ctx.Err() != nil {
		t.Error("the stop waited for c2")
	}
	if got := b.total(); got != 7 {
		t.Errorf("%d of 7 events of c1 were delivered before the stop ended", got)
	}
}

func TestPortInUseIsRetriedAndShown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	a := newAgent(t, 10*time.Second)
	start(t, a, simple(t.Name(), "a1.sources = r1 n1", "a1.sources.n1.type = netcat", "a1.sources.n1.bind = 127.0.0.1",
		fmt.Sprintf("a1.sources.n1.port = %d", port), "a1.sources.n1.channels = c1"))
	state := func() pipeline.Status {
		for _, s := range a.Status() {
			if s.Name == "n1" {
				return s.Status
			}
		}
		return pipeline.Status{}
	}
	eventually(t, "the source is shown as retrying", func() bool { return state().State == pipeline.StateRetrying })
	if msg := state().Error.Error(); !strings.Contains(msg, fmt.Sprint(port)) {
		t.Errorf("the error does not name the port: %s", msg)
	}
	b := benches.get(t.Name())
	b.in <- "meanwhile"
	eventually(t, "others go on", func() bool { return b.count("meanwhile") == 1 })
	l.Close()
	eventually(t, "the source runs once the port is free", func() bool { return state().State == pipeline.StateRunning })
}

func TestReloadKeepsWhatIsTheSame(t *testing.T) {
	b := benches.get(t.Name())
	a := newAgent(t, 10*time.Second)
	start(t, a, simple(t.Name()))
	b.in <- "one"
	for _, more := range []string{
		"a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = testmark",
		"a1.channels.c1.capacity = 200",
		"a1.sinks.k1.batchSize = 20",
		"",
	} {
		if err := a.Reload(t.Context(), topologyText(t, simple(t.Name(), more))); err != nil {
			t.Fatal(err)
		}
	}
	b.in <- "two"
	eventually(t, "both events are delivered", func() bool { return b.total() == 2 })
	if b.starts != 1 {
		t.Errorf("the source was started %d times though it never changed", b.starts)
	}
	if err := a.Reload(t.Context(), topologyText(t, simple(t.Name(), "a1.sources.r1.knob = turned"))); err != nil {
		t.Fatal(err)
	}
	b.in <- "three"
	eventually(t, "the third is delivered", func() bool { return b.total() == 3 })
	if b.starts != 2 {
		t.Errorf("the source was started %d times, want 2 after a change of its own", b.starts)
	}
}

func TestReloadHandsEventsToTheSuccessor(t *testing.T) {
	for _, successor := range []string{"capacity = 3\na1.channels.c1.transactionCapacity = 3\na1.sinks.k1.batchSize = 3", "type = pseudotxn", "type = direct"} {
		t.Run(successor, func(t *testing.T) {
			b := benches.get(t.Name())
			a := newAgent(t, 10*time.Second)
			start(t, a, simple(t.Name(), "a1.sinks.k1.stuck = true"))
			for i := range 10 {
				b.in <- fmt.Sprint(i)
			}
			eventually(t, "all are in the channel", func() bool { return a.current().channels[0].channel.Stats().Events == 10 })
			if err := a.Reload(t.Context(), topologyText(t, simple(t.Name(), "a1.channels.c1."+successor))); err != nil {
				t.Fatal(err)
			}
			b.in <- "after"
			eventually(t, "all 11 are delivered", func() bool { return b.total() == 11 })
			for body, v := range b.delivered {
				if len(v) != 1 {
					t.Errorf("event %s was delivered %d times", body, len(v))
				}
			}
		})
	}
}

func TestRemovedChannelIsDrainedOrTheReloadFails(t *testing.T) {
	b := benches.get(t.Name())
	two := strings.Join([]string{
		"a1.channels = c1 c2", "a1.channels.c2.type = memory", "a1.sinks = k1 k2", "a1.sources.r1.channels = c1 c2",
		"a1.sources.r1.selector.type = load_balancing",
		"a1.sinks.k2.type = testsink", "a1.sinks.k2.bench = " + t.Name(), "a1.sinks.k2.channel = c2",
	}, "\n")
	a := newAgent(t, 300*time.Millisecond)
	start(t, a, simple(t.Name(), two, "a1.sinks.k2.stuck = true"))
	for i := range 10 {
		b.in <- fmt.Sprint(i)
	}
	eventually(t, "c1's half is delivered and c2 has its own", func() bool {
		return b.total() == 5 && a.current().channelUnit("c2").channel.Stats().Events == 5
	})
	err := a.Reload(t.Context(), topologyText(t, simple(t.Name())))
	if err == nil || !strings.Contains(err.Error(), "channel c2") || !strings.Contains(err.Error(), "5 events") {
		t.Fatalf("removing a channel that cannot be drained said %v", err)
	}
	if got := a.Reloads(); got.Failed != 1 || got.LastError == nil {
		t.Errorf("reload status %+v", got)
	}
	// The old topology works as before.
	b.in <- "x"
	b.in <- "y"
	eventually(t, "one of two is delivered by c1", func() bool { return b.count("x")+b.count("y") == 1 })
	// Once the sink of c2 works, the channel can go.
	if err := a.Reload(t.Context(), topologyText(t, simple(t.Name(), two))); err != nil {
		t.Fatal(err)
	}
	if err := a.Reload(t.Context(), topologyText(t, simple(t.Name()))); err != nil {
		t.Fatal(err)
	}
	if got := b.total(); got != 12 {
		t.Errorf("%d events delivered, want 12", got)
	}
}

// TestRemovedChannelWithoutSinksFailsAtOnce: its events would be waited for in vain.
func TestRemovedChannelWithoutSinksFailsAtOnce(t *testing.T) {
	b := benches.get(t.Name())
	two := "a1.channels = c1 c2\na1.channels.c2.type = memory\na1.sources.r1.channels = c1 c2"
	a := newAgent(t, time.Hour)
	start(t, a, simple(t.Name(), two))
	for i := range 7 {
		b.in <- fmt.Sprint(i)
	}
	eventually(t, "c1 is empty and c2 has all", func() bool {
		return b.total() == 7 && a.current().channelUnit("c2").channel.Stats().Events == 7
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := a.Reload(ctx, topologyText(t, simple(t.Name())))
	if err == nil || !strings.Contains(err.Error(), "channel c2 is not in the new configuration but still holds 7 events") {
		t.Errorf("the reload said %v", err)
	}
	if ctx.Err() != nil {
		t.Error("the reload waited for c2")
	}
	// With a sink the events go, and then the channel can.
	if err := a.Reload(t.Context(), topologyText(t, simple(t.Name(), two, "a1.sinks = k1 k2", "a1.sinks.k2.type = testsink", "a1.sinks.k2.bench = "+t.Name()+"2", "a1.sinks.k2.channel = c2"))); err != nil {
		t.Fatal(err)
	}
	if err := a.Reload(t.Context(), topologyText(t, simple(t.Name()))); err != nil {
		t.Fatal(err)
	}
	if got := benches.get(t.Name() + "2").total(); got != 7 {
		t.Errorf("%d of 7 events of c2 were delivered", got)
	}
}

func TestReloadsSayWhatChanged(t *testing.T) {
	a := newAgent(t, 10*time.Second)
	start(t, a, simple(t.Name()))
	for _, step := range []struct{ more, want string }{
		{"a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = testmark", "route of source r1"},
		{"a1.sources.r1.selector.type = load_balancing", "route of source r1"},
		{"a1.sources.r1.selector.type = load_balancing", ""},
		{"a1.sources.r1.knob = turned\na1.sinks.k1.batchSize = 20", "source r1, sink k1"},
		{"a1.sources.r1.knob = unbuildable", "error"},
	} {
		err := a.Reload(t.Context(), topologyText(t, simple(t.Name(), step.more)))
		got := a.Reloads()
		if (err != nil) != (step.want == "error") || !errors.Is(got.LastError, err) {
			t.Errorf("%s: error %v, recorded %v", step.more, err, got.LastError)
		}
		if changed := strings.Join(got.LastChanged, ", "); err == nil && changed != step.want || err != nil && changed != "" {
			t.Errorf("%s: changed %q, want %q", step.more, changed, step.want)
		}
	}
	if err := a.Reload(t.Context(), topologyText(t, simple(t.Name()))); err != nil {
		t.Fatal(err)
	}
	if a.Reloads().LastChanged == nil {
		t.Error("nothing is said of the last reload")
	}
	a.ReloadRefused(errors.New("no such file"))
	if got := a.Reloads(); got.LastChanged != nil || got.LastError == nil {
		t.Errorf("after a configuration was refused: %+v", got)
	}
}

// TestStatusOfAChannelThatCannotBeOpened has the times of a channel's troubles.
func TestStatusOfAChannelThatCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := benches.get(t.Name())
		b.shut.Store(true)
		a := newAgent(t, 10*time.Second)
		began := time.Now()
		start(t, a, gated(t.Name()))
		channel := func() pipeline.Status { return a.Status()[1].Status }
		pass(time.Minute)
		s := channel()
		if s.State != pipeline.StateRetrying || !s.Since.Equal(began) || !errors.Is(s.Error, errShut) || !s.ErrorAt.After(began.Add(30*time.Second)) || s.Failures < 5 {
			t.Errorf("while it cannot be opened: %+v", s)
		}
		b.shut.Store(false)
		pass(time.Minute)
		failures := s.Failures
		s = channel()
		if s.State != pipeline.StateRunning || !s.Since.After(began.Add(time.Minute)) || !errors.Is(s.Error, errShut) || !s.Since.After(s.ErrorAt) || s.Failures != 0 {
			t.Errorf("when it is open after %d failures: %+v", failures, s)
		}
		if err := a.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestStatusOfAChannelThatRefusesPuts(t *testing.T) {
	b := benches.get(t.Name())
	a := newAgent(t, 10*time.Second)
	start(t, a, gated(t.Name()))
	for _, refuses := range []bool{false, true, false} {
		b.refuses.Store(refuses)
		s := a.Status()[1].Status
		if (s.State == pipeline.StateRetrying) != refuses || errors.Is(s.Error, errNoRoom) != refuses {
			t.Errorf("refuses %v: %+v", refuses, s)
		}
	}
}

func TestReloadThatCannotBeBuiltChangesNothing(t *testing.T) {
	b := benches.get(t.Name())
	a := newAgent(t, 10*time.Second)
	start(t, a, simple(t.Name()))
	err := a.Reload(t.Context(), topologyText(t, simple(t.Name(), "a1.sources.r1.knob = unbuildable", "a1.channels.c1.capacity = 500")))
	if err == nil || !strings.Contains(err.Error(), "source r1") {
		t.Fatalf("the reload said %v", err)
	}
	if got := a.current().channels[0].channel.Stats().Capacity; got != 100 {
		t.Errorf("the channel's capacity became %d", got)
	}
	b.in <- "still"
	eventually(t, "the old topology works", func() bool { return b.count("still") == 1 })
}

func TestStartTwiceAndStopTwice(t *testing.T) {
	a := newAgent(t, time.Second)
	start(t, a, simple(t.Name()))
	if err := a.Start(t.Context(), topologyText(t, simple(t.Name()))); err == nil {
		t.Error("a second start succeeded")
	}
	for range 2 {
		if err := a.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := a.Reload(t.Context(), topologyText(t, simple(t.Name()))); err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("reload of a stopped agent said %v", err)
	}
}
