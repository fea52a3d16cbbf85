// Package sourcetest proves that a source keeps the contract of package flow.
//
// A test of a source says what kind of source it is, in a Harness, and calls
// Run:
//
//	func TestConformance(t *testing.T) {
//		sourcetest.Run(t, sourcetest.Harness{Type: "netcat", …})
//	}
//
// The suite is a table of rules; a failure prints the rule's sentence. A rule is
// left out only where the harness declares a property of the source that makes it
// meaningless.
//
// The suite is the emitter, which does as a script says, and the harness provides
// the clients. Each event carries an id; a ledger knows of each id whether it was
// stored and what its client was told. That an event is not acknowledged before it
// is stored is checked at the moment of the acknowledgement, in every rule.
//
// The emitter also keeps a reference on what it was given. At the end of each rule
// every batch must still read as it was emitted, and must have been released by
// the source exactly once (the latter shows in builds with the race detector,
// which do not recycle released memory).
package sourcetest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// Harness describes a source. The zero value of a field is the common case.
type Harness struct {
	// Name tells harnesses of one type apart; "" if there is one only.
	Name string
	// Type is the registered type. The suite finds the source by it.
	Type string
	// Settings returns properties for one instance. It may make what they name,
	// in t.TempDir. nil: none but those that the suite gives.
	Settings func(t testing.TB) map[string]string

	// Client connects a client to a running source. nil: the source makes up
	// its events; Total must be set then.
	Client func(t testing.TB, s *Subject) Client
	// Total returns the properties by which the source makes up so many events.
	Total func(events int) map[string]string
	// ID returns the id of an event, an error if it is not as it was generated.
	// nil: the body is Text of the id. The ids of events that a source makes up
	// are 0, 1, 2….
	ID func(e *event.Event) (uint64, error)

	// Network and Listen are set for a source that listens. Listen returns the
	// properties that make it listen there, port 0 being any.
	Network string // tcp or udp
	Listen  func(host string, port int) map[string]string

	Acks      bool // clients are told what became of each event, and send again what failed
	Drops     bool // an event that could not be stored is given up
	Anonymous bool // the events are all alike: only their number counts
	Carries   bool // clients send headers as well: those of Headers
	Resumes   bool // the next Run goes on with the first event that is not stored

	// Adds are the names of the headers that the source adds.
	Adds []string

	// Grace is how long the source may go on, once it is told to stop, with
	// what it has read: the context of Emit ends so much later.
	Grace time.Duration

	// Sockets says that the source deals with sockets or processes, so that it
	// cannot run in a bubble of testing/synctest. "It is waiting" then means that
	// nothing has happened for a short while. Rules run side by side.
	Sockets bool

	wrap func(flow.Source) flow.Source // for the suite's own tests
}

// Client is one client of a running source. Its Generate is called by one
// goroutine at a time.
type Client interface {
	// Generate has events of these ids come to the source, in this order, and
	// returns when they are on their way. Of each that the source answers the
	// client calls the subject's Acked or Refused, from any goroutine. An event
	// that cannot be sent, or that will not be answered any more because the
	// source broke off, is Refused as well.
	Generate(ids ...uint64)
	// Close leaves the source and ends the client's goroutines, and a Generate
	// that is under way.
	Close()
}

// Text is the body of the event with this id: one line of valid UTF-8, of
// varying length, not more than 300 characters.
func Text(id uint64) string {
	return "event " + strconv.FormatUint(id, 10) + strings.Repeat(" ø€x", int(id%60))
}

// Headers are the headers with which clients of a source that Carries headers
// send the event with this id.
func Headers(id uint64) map[string]string {
	return map[string]string{"id": strconv.FormatUint(id, 10), "naïve κλειδί": "значение\t価値"}
}

// idOf is the common Harness.ID.
func idOf(e *event.Event) (uint64, error) {
	digits, _, _ := strings.Cut(strings.TrimPrefix(string(e.Body), "event "), " ")
	id, err := strconv.ParseUint(digits, 10, 64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("no client sent an event with the body %.200q", e.Body)
	case string(e.Body) != Text(id):
		return 0, fmt.Errorf("event %d has the body %q, not %q as it was sent", id, e.Body, Text(id))
	}
	return id, nil
}

// rule is one line of the contract.
type rule struct {
	name string
	rule string                // the sentence that a failure prints
	when func(h *Harness) bool // nil: always
	run  func(r *rig)
}

func hasClients(h *Harness) bool { return h.Client != nil }
func acks(h *Harness) bool       { return h.Acks }
func insists(h *Harness) bool    { return !h.Acks && !h.Drops }
func drops(h *Harness) bool      { return h.Drops }
func listens(h *Harness) bool    { return h.Listen != nil }
func makesUp(h *Harness) bool    { return h.Client == nil }
func resumes(h *Harness) bool    { return h.Resumes }

// rules is the contract.
func rules() []rule {
	var all []rule
	for _, part := range [][]rule{handingRules, answerRules, failureRules, stopRules, addressRules} {
		all = append(all, part...)
	}
	return all
}

// Run checks every rule that applies to the source, as subtests of t, for each way
// to configure it that has a harness.
func Run(t *testing.T, ways ...Harness) {
	t.Helper()
	already := goleak.IgnoreCurrent()
	t.Run("rules", func(t *testing.T) {
		for i := range ways {
			runOne(t, &ways[i])
		}
	})
	if err := goleak.Find(already); err != nil {
		t.Errorf("a source leaves no goroutine behind when Run has returned: %v", err)
	}
}

func runOne(t *testing.T, h *Harness) {
	t.Helper()
	if _, ok := component.Lookup(component.KindSource, h.Type); !ok {
		what, remedy := component.Unknown(component.KindSource, h.Type)
		t.Fatalf("%s; %s", what, remedy)
	}
	if (h.Client == nil) == (h.Total == nil) {
		t.Fatalf("the harness of %s must have one of Client and Total", h.Type)
	}
	for _, rl := range rules() {
		if rl.when == nil || rl.when(h) {
			t.Run(strings.TrimPrefix(h.Name+"/"+rl.name, "/"), func(t *testing.T) { inBubble(t, h, func(t *testing.T) { check(t, h, rl) }) })
		}
	}
}

func inBubble(t *testing.T, h *Harness, f func(*testing.T)) {
	if h.Sockets {
		t.Parallel()
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

// settle returns when everything waits.
func (h *Harness) settle() {
	if !h.Sockets {
		synctest.Wait()
		return
	}
	flow.Sleep(context.Background(), 50*time.Millisecond)
}

// linger returns when whatever a source left behind has had its chance: in a bubble also what a timer is to do.
func (h *Harness) linger() {
	if !h.Sockets {
		flow.Sleep(context.Background(), lingering)
	}
	h.settle()
}
