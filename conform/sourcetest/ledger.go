package sourcetest

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Rules that hold at any time, whatever rule is being checked.
const (
	ackRule     = "An event is acknowledged only after an Emit that had it returned nil."
	batchRule   = "A batch has events, not more than the configured batch size; after Emit it is read-only, and the source releases it exactly once."
	contentRule = "Body and headers are handed on as they came."
	quietRule   = "When Run has returned, nothing of the source goes on."
)

// ledger knows what became of each event of one subject. Safe for concurrent use.
type ledger struct {
	mu      sync.Mutex
	changed chan struct{} // closed at the next change

	stored  []uint64       // in the order of storing, repetitions included
	times   map[uint64]int // how often each was stored
	acked   map[uint64]bool
	refused map[uint64]bool // since the latest forget
	emits   int             // calls of Emit
	inside  int             // of these, under way
	running bool
	faults  []fault
}

// fault is a rule that was broken in some goroutine.
type fault struct{ rule, text string }

func newLedger() *ledger {
	return &ledger{
		changed: make(chan struct{}),
		times:   map[uint64]int{}, acked: map[uint64]bool{}, refused: map[uint64]bool{},
	}
}

// note makes a change and wakes who waits for one.
func (l *ledger) note(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	close(l.changed)
	l.changed = make(chan struct{})
}

// fault notes a broken rule. l.mu is held.
func (l *ledger) fault(rule, format string, args ...any) {
	l.faults = append(l.faults, fault{rule, fmt.Sprintf(format, args...)})
}

// await waits until ok, which is called with l.mu held, or a fault, or for as long
// as patience lasts. It reports whether ok.
func (l *ledger) await(patience time.Duration, ok func() bool) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		l.mu.Lock()
		fine, broken, changed := ok(), len(l.faults) > 0, l.changed
		l.mu.Unlock()
		if fine || broken {
			return fine
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		}
	}
}

// has reports whether all ids are stored. l.mu is held.
func (l *ledger) has(ids []uint64) bool {
	return !slices.ContainsFunc(ids, func(id uint64) bool { return l.times[id] == 0 })
}

// answered reports whether the client was told of all ids. l.mu is held.
func (l *ledger) answered(ids []uint64) bool {
	return !slices.ContainsFunc(ids, func(id uint64) bool { return !l.acked[id] && !l.refused[id] })
}

// unacked returns those of ids that are not acknowledged.
func (l *ledger) unacked(ids []uint64) []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(ids), func(id uint64) bool { return l.acked[id] })
}

// ack notes that a client was told that an event is stored.
func (l *ledger) ack(id uint64) {
	l.note(func() {
		if l.times[id] == 0 {
			l.fault(ackRule, "event %d is acknowledged and no Emit that had it has returned nil", id)
		}
		l.acked[id] = true
	})
}

// forget makes refused events unanswered again, because they are sent again.
func (l *ledger) forget() { l.note(func() { clear(l.refused) }) }

// snapshot returns what is stored so far.
func (l *ledger) snapshot() []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.stored)
}
