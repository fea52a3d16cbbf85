// Package codectest proves that a serializer keeps the contract of package flow.
//
// A test of a serializer says what its streams look like, in a Harness, and calls
// Run:
//
//	func TestConformance(t *testing.T) {
//		codectest.Run(t, codectest.Harness{Type: "text", …})
//	}
//
// The suite is a table of rules; a failure prints the rule's sentence. A rule is
// left out only where the harness declares a property of the serializer that
// makes it meaningless.
//
// The suite uses an encoder as sinks do: a batch, a flush, a batch, a flush; after
// an error it cuts the stream back to the last flush. Each batch is released as
// soon as Encode has returned, so that an encoder which reads from one later is
// caught (in builds with the race detector for sure: they poison released memory).
package codectest

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
)

// Harness describes a serializer. The zero value of a field is the common case.
// One of Read and Bytes is given.
type Harness struct {
	// Type is the registered type. The suite finds the serializer by it.
	Type string
	// Settings are the serializer's properties.
	Settings map[string]string
	// FS is the serializer's file system. nil: an empty one in memory.
	FS vfs.FS

	// Read returns the events of a stream, which need not have its end. An
	// independent reader of the format, not a part of the serializer.
	Read func(stream []byte) ([]event.Event, error)
	// Bytes returns what stands in a stream for one event, for formats that
	// cannot be read back because a body may look like the end of one.
	Bytes func(e event.Event) []byte
	// Steady returns a stream without what differs on purpose from those of
	// other encoders for the same events. nil: nothing does.
	Steady func(stream []byte) []byte

	// Prepare changes an event so that the serializer can write it. nil: it
	// can as it is.
	Prepare func(b *event.Batch, e *event.Event)
	// Spoil changes an event, prepared or not, so that the serializer rejects
	// it. nil: it writes all.
	Spoil func(b *event.Batch, e *event.Event)
	// Other changes a prepared event so that it needs another stream than one
	// that is only prepared. nil: all fit into one.
	Other func(b *event.Batch, e *event.Event)

	// Largest is the largest body that is tried; 0: 16 MiB.
	Largest int
	// Allocs is the number of allocations per event that writing a batch of
	// 100 may cost.
	Allocs float64

	Headers bool // Read returns headers, in any order
	Resumes bool // a stream that has content can be continued
	Rewinds bool // its encoders are flow.Rewinders

	wrap wrapper // for the suite's own tests
}

// rule is one line of the contract.
type rule struct {
	name string
	rule string                // the sentence that a failure prints
	when func(h *Harness) bool // nil: always
	run  func(r *rig)
}

func rejects(h *Harness) bool { return h.Spoil != nil }
func differs(h *Harness) bool { return h.Other != nil }
func rewinds(h *Harness) bool { return h.Rewinds }
func resumes(h *Harness) bool { return h.Resumes }
func ends(h *Harness) bool    { return !h.Resumes }

// rules is the contract.
func rules() []rule {
	var all []rule
	for _, part := range [][]rule{streamRules, contentRules, refusalRules, failureRules, apartRules} {
		all = append(all, part...)
	}
	return all
}

// Run checks every rule that applies to the serializer, as subtests of t.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if _, ok := component.Lookup(component.KindSerializer, h.Type); !ok {
		what, remedy := component.Unknown(component.KindSerializer, h.Type)
		t.Fatalf("%s; %s", what, remedy)
	}
	if (h.Read == nil) == (h.Bytes == nil) {
		t.Fatal("the harness has to give one of Read and Bytes")
	}
	already := goleak.IgnoreCurrent()
	for _, rl := range rules() {
		if rl.when == nil || rl.when(&h) {
			t.Run(rl.name, func(t *testing.T) { check(t, &h, rl) })
		}
	}
	if err := goleak.Find(already); err != nil {
		t.Errorf("a closed encoder leaves no goroutine behind: %v", err)
	}
}

// check runs one rule.
func check(t testing.TB, h *Harness, rl rule) {
	t.Helper()
	rl.run(newRig(t, h, rl.rule))
}
