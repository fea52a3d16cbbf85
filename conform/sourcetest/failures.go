package sourcetest

import (
	"slices"
	"time"

	"github.com/flume-go/flume/flow"
)

var failureRules = []rule{
	{
		name: "try until stored",
		rule: "A source whose clients are not told tries again until its events are stored: none is lost, doubled or overtaken.",
		when: insists,
		run: func(r *rig) {
			ids := r.begin(20, failing(flow.ErrFull, errPlain, nil, flow.Unknown(errPlain)))
			r.awaitStored(ids)
			if !makesUp(r.h) {
				ids = append(ids, r.send(r.clients[0], 20)...)
				r.awaitStored(ids)
			}
			r.stop(soon)
			r.exactly(ids)
		},
	},
	{
		name: "try again what is partly stored",
		rule: "A batch that only some of the channels have is emitted again: none of it is lost.",
		when: insists,
		run: func(r *rig) {
			ids := r.begin(20, partly)
			r.awaitStored(ids)
			r.stop(soon)
			var firsts []uint64
			for _, id := range r.s.ledger.snapshot() {
				if !slices.Contains(firsts, id) {
					firsts = append(firsts, id)
				}
			}
			if !slices.Equal(firsts, ids) {
				r.fatalf("stored are, repetitions left out, events %v\nwant                                    %v", firsts, ids)
			}
		},
	},
	{
		name: "go on after a failure",
		rule: "A source that gives up what could not be stored goes on with the next.",
		when: drops,
		run: func(r *rig) {
			r.begin(200, failing(flow.ErrFull, errPlain, flow.Unknown(errPlain)))
			r.await("an event after three failures", func(l *ledger) bool { return len(l.stored) > 0 })
			r.stop(soon)
		},
	},
	{
		name: "rejected",
		rule: "After a rejection by Emit the source goes on, or Run returns it and can be called again; the events are not acknowledged.",
		run:  func(r *rig) { r.incurable(flow.Reject(errPlain)) },
	},
	{
		name: "fatal",
		rule: "After a fatal error of Emit the source goes on, or Run returns it and can be called again; the events are not acknowledged.",
		run:  func(r *rig) { r.incurable(flow.Fatal(errPlain)) },
	},
}

// incurable lets the first Emit fail for good.
func (r *rig) incurable(err error) {
	r.t.Helper()
	ids := r.begin(40, failing(err))
	r.await("the failing Emit", func(l *ledger) bool { return l.emits > 0 && l.inside == 0 })
	if r.h.Acks {
		r.await("the answers", func(l *ledger) bool { return l.answered(ids) })
	}
	r.recover(err)
	r.stop(soon)
}

// recover brings a source on that has met an incurable error, until events are
// stored. Nobody can know from outside whether it is just about to give up.
func (r *rig) recover(incurable error) {
	r.t.Helper()
	l := r.s.ledger
	for range 50 {
		if r.ended() {
			if flow.ClassOf(r.s.err) != flow.ClassOf(incurable) {
				r.fatalf("Run returned %v (class %v) after an Emit failed with class %v", r.s.err, flow.ClassOf(r.s.err), flow.ClassOf(incurable))
			}
			r.s.cancel()
			r.start()
		}
		if !makesUp(r.h) {
			r.send(r.client(), 1)
		}
		if l.await(patience/50, func() bool { return len(l.stored) > 0 || r.ended() }) && !r.ended() {
			return
		}
		r.pause()
	}
	r.fatalf("after an incurable error no event comes through any more")
}

// pause lets some time pass between tries.
func (r *rig) pause() { flow.Sleep(r.closed, time.Millisecond) }
