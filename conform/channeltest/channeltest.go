// Package channeltest proves that a channel keeps the contract of package flow.
//
// A test of a channel says what kind of channel it is, in a Harness, and calls
// Run:
//
//	func TestConformance(t *testing.T) {
//		channeltest.Run(t, channeltest.Harness{Type: "memory", …})
//	}
//
// The suite is a table of rules; a failure prints the rule's sentence. A rule is
// left out only where the harness declares a property of the channel that makes
// it meaningless. Each event carries an id, so that the suite knows of each what
// became of it; and each batch is released as soon as its put has returned, so
// that a channel which forgot to retain it is caught (in builds with the race
// detector for sure: they poison released memory).
//
// Rules run in a bubble of testing/synctest: "the put is waiting" is then a
// fact and not a matter of time, and hours pass in no time.
package channeltest

import (
	"fmt"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// Harness describes a channel. The zero value of a field is the common case.
type Harness struct {
	// Type is the registered type. The suite finds the channel by it.
	Type string
	// Settings are properties that every instance gets: directories, say.
	Settings map[string]string
	// Capacity returns the properties of a channel for at most this many
	// events, which takes as many at once. nil: the channel has no limit.
	Capacity func(events int) map[string]string
	// KeepAlive returns the properties by which a put waits so many seconds.
	// nil: puts wait without limit, and cannot be told not to.
	KeepAlive func(seconds int) map[string]string
	// FS returns an empty file system. nil: one in memory.
	FS func() vfs.FS

	Unordered bool // events need not leave in the order in which they came
	EndToEnd  bool // a put returns when its events are acknowledged
	Durable   bool // another instance on the same file system has what this one left, even after a power cut
	Reserves  bool // it is a flow.Reserver
	Inherits  bool // it is a flow.Heir
	Volatile  bool // it is a flow.Volatile and says true

	// Sockets says that the channel waits for other processes or sockets, so
	// that it cannot run in a bubble. "It is waiting" then means that nothing
	// has happened for a short while.
	Sockets bool

	// Allocs is the number of allocations per event that building, putting,
	// taking and acknowledging a batch of 100 events may cost.
	Allocs float64
	// AllocsOn returns the file system and further properties for that, where the
	// file system of the other rules itself allocates. nil: as for the other rules.
	AllocsOn func() (vfs.FS, map[string]string)

	wrap func(flow.Channel) flow.Channel // for the suite's own tests
}

// tester is what rules report to: *testing.T, *rapid.T.
type tester interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// rule is one line of the contract.
type rule struct {
	name string
	rule string                // the sentence that a failure prints
	when func(h *Harness) bool // nil: always
	run  func(r *rig)
}

func bounded(h *Harness) bool         { return h.Capacity != nil }
func stores(h *Harness) bool          { return !h.EndToEnd }
func storesBounded(h *Harness) bool   { return stores(h) && bounded(h) }
func boundedOrDirect(h *Harness) bool { return h.EndToEnd || bounded(h) }
func endToEnd(h *Harness) bool        { return h.EndToEnd }
func durable(h *Harness) bool         { return h.Durable }
func losesPower(h *Harness) bool      { return h.Durable && h.FS == nil }
func reserves(h *Harness) bool        { return h.Reserves }
func inherits(h *Harness) bool        { return h.Inherits }

// givesUp: a put can be made to wait in vain for a known time.
func givesUp(h *Harness) bool { return h.KeepAlive != nil && boundedOrDirect(h) }

// hasTransactions: the type declares how many events it takes at once.
func hasTransactions(h *Harness) bool {
	e, ok := component.Lookup(component.KindChannel, h.Type)
	if !ok || h.Capacity == nil {
		return false
	}
	for i := range e.Schema.Fields {
		if e.Schema.Fields[i].Transaction {
			return true
		}
	}
	return false
}

// rules is the contract.
func rules() []rule {
	var all []rule
	for _, part := range [][]rule{orderRules, settleRules, spaceRules, lifecycleRules, durableRules, contentRules, optionalRules, loadRules} {
		all = append(all, part...)
	}
	return all
}

// Run checks every rule that applies to the channel, as subtests of t.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if _, ok := component.Lookup(component.KindChannel, h.Type); !ok {
		what, remedy := component.Unknown(component.KindChannel, h.Type)
		t.Fatalf("%s; %s", what, remedy)
	}
	already := goleak.IgnoreCurrent()
	for _, rl := range rules() {
		if rl.when == nil || rl.when(&h) {
			t.Run(rl.name, func(t *testing.T) { inBubble(t, &h, func(t *testing.T) { check(t, &h, rl) }) })
		}
	}
	t.Run("model", func(t *testing.T) { inBubble(t, &h, func(t *testing.T) { checkModel(t, &h) }) })
	t.Run("allocations", func(t *testing.T) { checkAllocations(t, &h) })
	if err := goleak.Find(already); err != nil {
		t.Errorf("a closed channel leaves no goroutine behind: %v", err)
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
func check(t tester, h *Harness, rl rule) {
	t.Helper()
	r := newRig(t, h, rl.rule)
	defer r.close()
	rl.run(r)
}

// merge returns the properties of all maps; later ones win.
func merge(maps ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range maps {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// capacity returns the properties for this many events, none without a limit.
func (h *Harness) capacity(events int) map[string]string {
	if h.Capacity == nil {
		return nil
	}
	return h.Capacity(events)
}

func (r *rig) fatalf(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("broken rule: %s\n%s", r.rule, fmt.Sprintf(format, args...))
}
