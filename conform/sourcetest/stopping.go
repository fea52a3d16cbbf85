package sourcetest

import (
	"context"
	"slices"
)

var stopRules = []rule{
	{
		name: "stop when idle",
		rule: "Run returns nil soon after its context ended, with clients connected and nothing to do.",
		run: func(r *rig) {
			ids := r.begin(3, always)
			r.awaitStored(ids)
			r.h.settle()
			r.stop(soon)
		},
	},
	{
		name: "stop before the start",
		rule: "Run with a context that has ended returns nil at once.",
		run: func(r *rig) {
			r.make(1)
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			r.runUnder(ctx, cancel)
			r.stop(soon)
		},
	},
	{
		name: "stop under load",
		rule: "Run returns nil soon after its context ended, whatever comes in; what was acknowledged is stored.",
		run: func(r *rig) {
			const flood = 2000
			r.make(flood)
			r.start()
			sent := make(chan struct{})
			if makesUp(r.h) {
				close(sent)
			} else {
				c, ids := r.client(), r.ids(flood)
				go func() {
					defer close(sent)
					for some := range slices.Chunk(ids, 10) {
						c.Generate(some...)
					}
				}()
			}
			r.await("some events", func(l *ledger) bool { return len(l.stored) >= 20 })
			r.stop(soon)
			r.leave()
			<-sent
		},
	},
	{
		name: "stop while Emit waits",
		rule: "The context of Emit ends with that of Run, at most the grace later; Run then returns nil soon, and what was not stored is not acknowledged.",
		run: func(r *rig) {
			ids := r.begin(3, blocked)
			r.await("a call of Emit", func(l *ledger) bool { return l.inside > 0 })
			r.stop(r.h.Grace + soon)
			r.leave()
			r.unacked(ids, "no Emit has succeeded")
			r.exactly(nil)
		},
	},
	{
		name: "what was read is stored",
		rule: "A batch in Emit when the source is told to stop can still be stored, within the grace, and is then acknowledged.",
		when: func(h *Harness) bool { return h.Grace > 0 },
		run: func(r *rig) {
			gate := make(chan struct{})
			ids := r.begin(3, until(gate))
			r.await("a call of Emit", func(l *ledger) bool { return l.inside > 0 })
			r.s.cancel()
			r.h.settle()
			close(gate)
			r.stop(soon)
			r.awaitAcked(r.s.ledger.snapshot())
			if len(r.s.ledger.snapshot()) == 0 {
				r.fatalf("of the events %v none is stored", ids)
			}
		},
	},
	{
		name: "run again",
		rule: "Run can be called again after it has returned, and works as before.",
		run: func(r *rig) {
			r.make(30)
			for range 3 {
				r.s.out.set(always)
				r.start()
				var ids []uint64
				if makesUp(r.h) {
					r.await("an event", func(l *ledger) bool { return len(l.stored) > 0 })
				} else {
					ids = r.send(r.client(), 5)
				}
				r.awaitStored(ids)
				r.awaitAcked(ids)
				r.stop(soon)
				r.leave()
			}
		},
	},
	{
		name: "resume",
		rule: "The next Run goes on with the first event that is not stored: none is lost, none comes twice.",
		when: resumes,
		run: func(r *rig) {
			ids := r.begin(30, func(ctx context.Context, call int) (bool, error) {
				if call > 3 {
					return blocked(ctx, call)
				}
				return always(ctx, call)
			})
			r.await("an Emit that waits", func(l *ledger) bool { return l.emits > 3 && l.inside > 0 })
			r.stop(r.h.Grace + soon)
			if n := len(r.s.ledger.snapshot()); n == 0 || n == len(ids) {
				r.t.Fatalf("%d of %d events were stored in 3 batches: there is nothing to resume; the harness must make batches smaller", n, len(ids))
			}
			r.s.out.set(always)
			r.start()
			r.awaitStored(ids)
			r.stop(soon)
			r.exactly(ids)
		},
	},
}
