package failover

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
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

// group is a processor under test and who took its batches.
type group struct {
	t     *testing.T
	sink  flow.Sink
	sinks map[string]*sinktest.Sink
	took  []string
	log   bytes.Buffer
}

func newGroup(t *testing.T, props map[string]string, names ...string) *group {
	t.Helper()
	settings := property.Settings{}
	for k, v := range props {
		settings[k] = property.Value{Text: v}
	}
	e, ok := component.Lookup(component.KindProcessor, "FailOver")
	if !ok {
		t.Fatal("failover is not registered")
	}
	d := component.Decode(e, settings, component.Scope{})
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	g := &group{t: t}
	var members []flow.Member
	members, g.sinks = sinktest.New(func(name string) { g.took = append(g.took, name) }, names...)
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

// expect delivers a batch and checks who took it.
func (g *group) expect(name string) {
	g.t.Helper()
	g.took = nil
	if err := g.deliver(); err != nil || len(g.took) != 1 || g.took[0] != name {
		g.t.Errorf("batch taken by %v, error %v; want %s", g.took, err, name)
	}
}

func TestPriorities(t *testing.T) {
	for name, c := range map[string]struct {
		props map[string]string
		want  []string // in the order they are used when those before fail
	}{
		"given":     {map[string]string{"priority.a": "5", "priority.b": "10", "priority.c": "7"}, []string{"b", "c", "a"}},
		"none":      {nil, []string{"a", "b", "c"}},
		"some":      {map[string]string{"priority.c": "0"}, []string{"c", "a", "b"}},
		"no number": {map[string]string{"priority.a": "high", "priority.c": "3"}, []string{"c", "a", "b"}},
		"equal":     {map[string]string{"priority.a": "1", "priority.b": "1"}, []string{"a", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGroup(t, c.props, "a", "b", "c")
			g.open()
			defer g.close()
			for _, w := range c.want {
				g.expect(w)
				g.sinks[w].Fail(errDown)
			}
			if err := g.deliver(); !errors.Is(err, errDown) {
				t.Errorf("with all sinks down: %v", err)
			}
		})
	}
}

func TestPenaltyGrowsAndIsForgottenWithSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, map[string]string{"priority.a": "2", "priority.b": "1"}, "a", "b")
		g.open()
		defer g.close()
		a := g.sinks["a"]
		for range 2 { // the second round begins at 2 s again
			a.Fail(errDown)
			g.expect("b")
			for _, pause := range []time.Duration{2, 4, 8, 16, 30, 30, 30} {
				calls := a.Calls()
				pass(pause * time.Second) // not after it: strictly later counts
				g.expect("b")
				if a.Calls() != calls {
					t.Fatalf("tried after %d s", pause)
				}
				pass(time.Millisecond)
				g.expect("b")
				if a.Calls() != calls+1 {
					t.Fatalf("not tried after %d s", pause)
				}
			}
			a.Fail(nil)
			pass(30*time.Second + time.Millisecond)
			g.expect("a")
			g.expect("a")
		}
		if n := strings.Count(g.log.String(), "failed"); n != 2 {
			t.Errorf("%d lines about failures, want one per change:\n%s", n, &g.log)
		}
	})
}

func TestMaxPenalty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, map[string]string{"maxpenalty": "1000"}, "a", "b")
		g.open()
		defer g.close()
		g.sinks["a"].Fail(errDown)
		g.expect("b")
		g.sinks["a"].Fail(nil)
		pass(time.Second + time.Millisecond)
		g.expect("a")
	})
}

func TestPenaltyNeverOverflows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, map[string]string{"maxpenalty": "9223372036854775807"}, "a")
		g.open()
		defer g.close()
		g.sinks["a"].Fail(errDown)
		p := g.sink.(*processor)
		for range 100 {
			before := time.Now()
			if err := g.deliver(); err == nil {
				t.Fatal("delivered by a sink that is down")
			}
			if wait := p.failed[0].retryAt.Sub(before); wait < 2*time.Second {
				t.Fatalf("after %d failures the penalty is %v", p.failed[0].failures, wait)
			}
			pass(time.Until(p.failed[0].retryAt) + 1)
		}
	})
}

func TestNoPenaltyDoesNotSpin(t *testing.T) {
	for _, penalty := range []string{"0", "-5"} {
		g := newGroup(t, map[string]string{"maxpenalty": penalty}, "a", "b")
		g.open()
		g.sinks["a"].Fail(errDown)
		g.sinks["b"].Fail(errDown)
		for range 10 {
			if err := g.deliver(); !errors.Is(err, errDown) {
				t.Errorf("Deliver = %v", err)
			}
		}
		if n := g.sinks["a"].Calls(); n > 20 {
			t.Errorf("%d calls for 10 batches", n)
		}
		g.close()
	}
}

func TestAllDownAsksForAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, nil, "a", "b")
		g.open()
		defer g.close()
		g.sinks["a"].Fail(errDown)
		g.sinks["b"].Fail(errDown)
		err := g.deliver()
		if flow.ClassOf(err) != flow.ClassRetry || flow.Pause(err) != 2*time.Second {
			t.Errorf("error %v, pause %v", err, flow.Pause(err))
		}
		if err := g.deliver(); flow.Pause(err) != 2*time.Second || g.sinks["a"].Calls() != 1 {
			t.Errorf("second delivery: %v after %d calls", err, g.sinks["a"].Calls())
		}
	})
}

func TestRejectionIsNoFailure(t *testing.T) {
	g := newGroup(t, nil, "a", "b")
	g.open()
	defer g.close()
	for _, e := range []error{flow.Reject(errDown, 3), flow.ErrClosed} {
		g.sinks["a"].Fail(e)
		err := g.deliver()
		if flow.ClassOf(err) != flow.ClassOf(e) || len(flow.Rejected(err)) != len(flow.Rejected(e)) {
			t.Errorf("%v came out as %v", e, err)
		}
	}
	g.sinks["a"].Fail(nil)
	g.expect("a")
	if n := g.sinks["b"].Calls(); n != 0 {
		t.Errorf("the second sink was called %d times", n)
	}
}

func TestAPreferredSinkThatOpensLateTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, map[string]string{"priority.a": "2", "priority.b": "1"}, "a", "b")
		g.sinks["a"].FailOpen(errDown)
		g.open()
		defer g.close()
		pass(900 * time.Millisecond)
		g.expect("b") // a is penalised until 2.9 s
		g.sinks["a"].FailOpen(nil)
		pass(500 * time.Millisecond) // but opened after a second or a little more
		g.expect("a")
	})
}

func TestProblems(t *testing.T) {
	e, _ := component.Lookup(component.KindProcessor, "org.apache.flume.sink.FailoverSinkProcessor")
	d := component.Decode(e, property.Settings{"priority.a": {Text: "high"}, "maxpenalty": {Text: "long"}}, component.Scope{})
	if d.Failed() || len(d.Problems) != 2 {
		t.Errorf("problems %v, want two warnings", d.Problems)
	}
	if c := d.Config.(Config); c.MaxPenalty != 30*time.Second {
		t.Errorf("maxpenalty became %v", c.MaxPenalty)
	}
	if _, err := component.New[flow.Sink](d, component.Env{}, []flow.Member(nil)); err == nil {
		t.Error("a group of no sinks is accepted")
	}
}

// TestCheckKnowsTheGroup compares what is said about priorities, word for word.
func TestCheckKnowsTheGroup(t *testing.T) {
	e, _ := component.Lookup(component.KindProcessor, "failover")
	at := func(line int) property.Position { return property.Position{File: "x.conf", Line: line, Col: 9} }
	for name, c := range map[string]struct {
		props map[string]string
		want  string
	}{
		"none":  {nil, ""},
		"sound": {map[string]string{"priority.a": "5", "priority.b": "10", "priority.c": "-1"}, ""},
		"of a sink that is not there": {map[string]string{"priority.a": "5", "priority.b": "10", "priority.c": "1", "priority.other": "1"},
			`x.conf:4:9: warning: g.processor.priority.other: the group has no sink "other"; the group has a, b, c`},
		"of a mistyped sink": {map[string]string{"priority.a": "5", "priority.b": "10", "priority.c": "1", "priority.C": "2"},
			`x.conf:1:9: warning: g.processor.priority.C: the group has no sink "C"; did you mean "c"?`},
		"equal": {map[string]string{"priority.a": "5", "priority.b": "5", "priority.c": "1"},
			`x.conf:2:9: warning: g.processor.priority.b: sink "b" is never used: sink "a" has the same priority 5; give each sink a priority of its own`},
		"missing": {map[string]string{"priority.a": "5", "priority.b": "10"},
			`x.conf:99:1: advice: g.processor.priority.c: sink "c" has no priority and gets -1; give it one`},
		"missing, and equal for that": {map[string]string{"priority.a": "-1", "priority.b": "10"},
			`x.conf:99:1: warning: g.processor.priority.c: sink "c" is never used: sink "a" has the same priority -1; give each sink a priority of its own`},
		"a comment behind it": {map[string]string{"priority.a": "5 # best", "priority.b": "4", "priority.c": "3"},
			`x.conf:1:9: warning: g.processor.priority.a: "5 # best" is not a whole number; the sink gets a priority below all given ones; "# best" belongs to the value: a comment needs a line of its own`},
	} {
		t.Run(name, func(t *testing.T) {
			settings := property.Settings{}
			for i, key := range slices.Sorted(maps.Keys(c.props)) {
				settings[key] = property.Value{Text: c.props[key], Key: at(i + 1), At: at(i + 1)}
			}
			scope := component.Scope{Prefix: "g.processor.", At: property.Position{File: "x.conf", Line: 99, Col: 1}, Sinks: []string{"a", "b", "c"}}
			if got := component.Decode(e, settings, scope).Problems.Error(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
