// Package sinktest proves that a sink keeps the contract of package flow.
//
// A test of a sink says what kind of sink it is, in a Harness, and calls Run:
//
//	func TestConformance(t *testing.T) {
//		sinktest.Run(t, sinktest.Harness{Type: "file_roll", …})
//	}
//
// The suite is a table of rules; a failure prints the rule's sentence. A rule is
// left out only where the harness declares a property of the sink that makes it
// meaningless.
//
// The harness provides the destination: where the sink delivers to, what has
// arrived there, and how to make it misbehave. Each event carries an id, so that
// the suite knows of each whether it is there. Each batch is released as soon as
// the suite is through with it, so that a sink which reads from one later is
// caught (in builds with the race detector for sure: they poison released memory).
//
// Deliver is never called twice at once on one sink. Rules run in a bubble of
// testing/synctest, in which hours pass in no time.
package sinktest

import (
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// Harness describes a sink. The zero value of a field is the common case.
type Harness struct {
	// Type is the registered type. The suite finds the sink by it.
	Type string
	// Destination makes a new destination for one sink.
	Destination func(t testing.TB) Destination
	// Errors are the misbehaviours that the destination can be scripted to,
	// and the class of the error that Deliver then returns.
	Errors map[Behaviour]flow.Class
	// Prepare changes an event so that the sink can deliver it. nil: it can as
	// it is.
	Prepare func(b *event.Batch, e *event.Event)
	// Spoil changes an event so that the sink rejects it. nil: it takes all.
	Spoil func(b *event.Batch, e *event.Event)
	// Largest is the largest body that is tried; 0: 16 MiB.
	Largest int

	Headers    bool // headers arrive as well
	Lines      bool // bodies arrive as lines: those with newlines are not tried
	Duplicates bool // what was delivered in vain may be there all the same

	// Ahead says that the sink is a flow.Sender, whose window is open once it has
	// delivered something. A destination that can Refuse can then RefuseOnce.
	Ahead bool

	// Sockets says that the sink deals with sockets or processes, so that it
	// cannot run in a bubble.
	Sockets bool

	wrap func(flow.Sink) flow.Sink // for the suite's own tests
}

// Behaviour is how a destination treats what is delivered.
type Behaviour int

// The behaviours.
const (
	Take       Behaviour = iota // everything, as it comes
	Refuse                      // nothing, and it says so
	Break                       // a part, and then the connection or the disk fails
	Silent                      // everything, but its answer is lost
	Hang                        // it does not answer until the sink gives up
	RefuseOnce                  // the next batch, and then it takes everything
)

// String names the behaviour.
func (b Behaviour) String() string {
	return [...]string{"takes all", "refuses", "breaks off", "takes all without an answer", "hangs", "refuses once"}[b]
}

// Destination is the world outside one sink.
type Destination struct {
	// Settings are the sink's properties.
	Settings map[string]string
	// FS is the sink's file system. nil: an empty one in memory.
	FS vfs.FS
	// Log takes what the sink logs. nil: nobody does.
	Log slog.Handler
	// Content returns what has arrived, in order. nil: nobody knows.
	Content func() ([]event.Event, error)
	// Behave makes the destination behave so from now on. nil: it takes all.
	Behave func(Behaviour)
}

// rule is one line of the contract.
type rule struct {
	name string
	rule string                // the sentence that a failure prints
	when func(h *Harness) bool // nil: always
	run  func(r *rig)
}

func fails(h *Harness) bool   { return len(h.tries()) > 0 }
func refuses(h *Harness) bool { _, ok := h.Errors[Refuse]; return ok }
func hangs(h *Harness) bool   { _, ok := h.Errors[Hang]; return ok }
func rejects(h *Harness) bool { return h.Spoil != nil }

// tries returns the misbehaviours after which Deliver returns by itself.
func (h *Harness) tries() []Behaviour {
	var all []Behaviour
	for _, b := range []Behaviour{Refuse, Break, Silent} {
		if _, ok := h.Errors[b]; ok {
			all = append(all, b)
		}
	}
	return all
}

// rules is the contract.
func rules() []rule {
	var all []rule
	for _, part := range [][]rule{deliverRules, errorRules, aheadRules, lifecycleRules} {
		all = append(all, part...)
	}
	return all
}

// Run checks every rule that applies to the sink, as subtests of t.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if _, ok := component.Lookup(component.KindSink, h.Type); !ok {
		what, remedy := component.Unknown(component.KindSink, h.Type)
		t.Fatalf("%s; %s", what, remedy)
	}
	already := goleak.IgnoreCurrent()
	for _, rl := range rules() {
		if rl.when == nil || rl.when(&h) {
			t.Run(rl.name, func(t *testing.T) { inBubble(t, &h, func(t *testing.T) { check(t, &h, rl) }) })
		}
	}
	if err := goleak.Find(already); err != nil {
		t.Errorf("a closed sink leaves no goroutine behind: %v", err)
	}
}

func inBubble(t *testing.T, h *Harness, f func(*testing.T)) {
	if h.Sockets {
		f(t)
		return
	}
	synctest.Test(t, f)
}

// check runs one rule.
func check(t testing.TB, h *Harness, rl rule) {
	t.Helper()
	r := newRig(t, h, rl.rule)
	defer r.close()
	rl.run(r)
}

// text is the body of the event with this id: a line of varying length, at first
// no longer than what a sink for looking at would show.
func text(id int) string {
	return "event " + strconv.Itoa(id) + strings.Repeat(" abc", id%60)
}
