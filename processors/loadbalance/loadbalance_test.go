package loadbalance

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/sinkgroup/sinktest"
	"github.com/flume-go/flume/property"
)

var (
	errDown = errors.New("down")
	ctx     = context.Background()
)

// pass lets the bubble's time pass and everything due happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

type group struct {
	t     *testing.T
	sink  flow.Sink
	sinks map[string]*sinktest.Sink
	took  strings.Builder
	log   bytes.Buffer
}

func newGroup(t *testing.T, props map[string]string, names ...string) *group {
	t.Helper()
	settings := property.Settings{}
	for k, v := range props {
		settings[k] = property.Value{Text: v}
	}
	e, ok := component.Lookup(component.KindProcessor, "LOAD_BALANCE")
	if !ok {
		t.Fatal("load_balance is not registered")
	}
	d := component.Decode(e, settings, component.Scope{})
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	g := &group{t: t}
	var members []flow.Member
	members, g.sinks = sinktest.New(func(name string) { g.took.WriteString(name) }, names...)
	var err error
	g.sink, err = component.New[flow.Sink](d, component.Env{Log: slog.New(slog.NewTextHandler(&g.log, nil))}, members)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *group) open() {
	g.t.Helper()
	if err := g.sink.(flow.Lifecycle).Open(ctx); err != nil {
		g.t.Fatal(err)
	}
}

func (g *group) close() {
	g.t.Helper()
	if err := g.sink.(flow.Lifecycle).Close(ctx); err != nil {
		g.t.Fatal(err)
	}
}

func (g *group) deliver() error {
	b := event.NewBatch()
	defer b.Release()
	return g.sink.Deliver(ctx, b)
}

// run delivers n batches and returns who took them.
func (g *group) run(n int) string {
	g.t.Helper()
	g.took.Reset()
	for range n {
		if err := g.deliver(); err != nil {
			g.t.Fatal(err)
		}
	}
	return g.took.String()
}

func (g *group) expect(want string) {
	g.t.Helper()
	if got := g.run(len(want)); got != want {
		g.t.Errorf("batches taken by %s, want %s", got, want)
	}
}

func TestRoundRobin(t *testing.T) {
	g := newGroup(t, nil, "a", "b", "c")
	g.open()
	defer g.close()
	g.expect("abcabca")
	g.sinks["c"].Fail(errDown)
	g.expect("baabaa") // c's turn passes on to a
	g.sinks["c"].Fail(nil)
	g.expect("bcabca")
	if n := strings.Count(g.log.String(), "\n"); n != 2 {
		t.Errorf("%d log lines, want one per change:\n%s", n, &g.log)
	}
}

func TestRandomSpreadsAndFailsOver(t *testing.T) {
	g := newGroup(t, map[string]string{"selector": "RANDOM"}, "a", "b", "c")
	g.open()
	defer g.close()
	got := g.run(3000)
	for _, name := range []string{"a", "b", "c"} {
		if n := strings.Count(got, name); n < 800 || n > 1200 {
			t.Errorf("%s took %d of 3000", name, n)
		}
	}
	g.sinks["a"].Fail(errDown)
	got = g.run(1000)
	if n := strings.Count(got, "b"); n < 350 || n > 650 || strings.Contains(got, "a") {
		t.Errorf("with a down, b took %d of 1000", n)
	}
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, map[string]string{"backoff": "true"}, "a", "b")
		g.open()
		defer g.close()
		a := g.sinks["a"]
		a.Fail(errDown)
		g.expect("bbbb")
		if a.Calls() != 1 {
			t.Errorf("a failing sink was called %d times", a.Calls())
		}
		expectTriedAfter := func(pause time.Duration) {
			t.Helper()
			calls := a.Calls()
			pass(pause)
			g.run(2)
			if a.Calls() != calls {
				t.Fatalf("tried after %v", pause)
			}
			pass(time.Millisecond)
			g.run(2)
			if a.Calls() == calls {
				t.Fatalf("not tried after %v", pause)
			}
		}
		for _, s := range []time.Duration{2, 4, 8, 16, 30, 30} {
			expectTriedAfter(s * time.Second)
		}
		a.Fail(nil)
		pass(31 * time.Second)
		if got := g.run(4); strings.Count(got, "a") != 2 {
			t.Errorf("after recovery: %s", got)
		}
		// Success does not shorten the penalty; an hour without failure does.
		a.Fail(errDown)
		g.run(2)
		expectTriedAfter(30 * time.Second)
		pass(time.Hour + time.Minute)
		g.run(2)
		expectTriedAfter(2 * time.Second)
	})
}

func TestAllLeftAlone(t *testing.T) {
	for _, selector := range []string{"round_robin", "random"} {
		synctest.Test(t, func(t *testing.T) {
			g := newGroup(t, map[string]string{"backoff": "true", "selector": selector, "selector.maxTimeOut": "3000"}, "a", "b")
			g.open()
			defer g.close()
			g.sinks["a"].Fail(errDown)
			g.sinks["b"].Fail(errDown)
			if err := g.deliver(); !errors.Is(err, errDown) {
				t.Errorf("first delivery: %v", err)
			}
			pass(500 * time.Millisecond)
			err := g.deliver()
			if flow.ClassOf(err) != flow.ClassRetry || flow.Pause(err) != 1500*time.Millisecond || !strings.Contains(err.Error(), "not tried yet") {
				t.Errorf("%s: %v, pause %v", selector, err, flow.Pause(err))
			}
			if n := g.sinks["a"].Calls() + g.sinks["b"].Calls(); n != 2 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

func TestAllDownWithoutBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, nil, "a", "b")
		g.open()
		defer g.close()
		g.sinks["a"].Fail(errDown)
		g.sinks["b"].Fail(errDown)
		for range 2 {
			if err := g.deliver(); !errors.Is(err, errDown) || flow.Pause(err) != 5*time.Second {
				t.Errorf("Deliver = %v, pause %v", err, flow.Pause(err))
			}
		}
		if n := g.sinks["b"].Calls(); n != 2 {
			t.Errorf("b was called %d times", n)
		}
	})
}

func TestRejectionIsNoFailure(t *testing.T) {
	g := newGroup(t, nil, "a", "b")
	g.open()
	defer g.close()
	g.sinks["a"].Fail(flow.Reject(errDown, 7))
	if err := g.deliver(); len(flow.Rejected(err)) != 1 || g.sinks["b"].Calls() != 0 {
		t.Errorf("Deliver = %v, and the second sink was called %d times", err, g.sinks["b"].Calls())
	}
}

func TestASinkThatOpensLateIsUsedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, map[string]string{"backoff": "true"}, "a", "b")
		g.sinks["a"].FailOpen(errDown)
		g.open()
		defer g.close()
		pass(900 * time.Millisecond)
		g.expect("bb")
		g.sinks["a"].FailOpen(nil)
		pass(500 * time.Millisecond)
		if got := g.run(2); !strings.Contains(got, "a") {
			t.Errorf("after it was opened: %s", got)
		}
	})
}

func TestBadConfigurations(t *testing.T) {
	e, _ := component.Lookup(component.KindProcessor, "org.apache.flume.sink.LoadBalancingSinkProcessor")
	d := component.Decode(e, property.Settings{"selector": {Text: "com.example.Mine"}}, component.Scope{})
	if !d.Failed() {
		t.Error("a selector class that is not known is accepted")
	}
	d = component.Decode(e, property.Settings{"selector.maxTimeOut": {Text: "0"}}, component.Scope{})
	if d.Failed() || len(d.Problems) != 1 {
		t.Errorf("a time-out without backoff: problems %v", d.Problems)
	}
	members, _ := sinktest.New(nil, "a", "b")
	if _, err := component.New[flow.Sink](d, component.Env{Log: slog.New(slog.DiscardHandler)}, members[:1]); err == nil {
		t.Error("a group of one sink is accepted")
	}
	s, err := component.New[flow.Sink](d, component.Env{Log: slog.New(slog.DiscardHandler)}, members)
	if err != nil || s.(*processor).maxTimeOut != defaultMaxTimeOut {
		t.Errorf("a time-out of 0 became %v, error %v", s.(*processor).maxTimeOut, err)
	}
}
