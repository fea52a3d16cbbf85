package sourcetest

import (
	"context"
	"math/rand/v2"

	"github.com/flume-go/flume/flow"
)

var answerRules = []rule{
	{
		name: "acknowledge after storing",
		rule: "While Emit has not returned, its events are not acknowledged; then they are.",
		when: acks,
		run: func(r *rig) {
			gate := make(chan struct{})
			ids := r.begin(3, until(gate))
			r.await("a call of Emit", func(l *ledger) bool { return l.inside > 0 })
			r.h.settle()
			r.unacked(ids, "no Emit has returned")
			close(gate)
			r.awaitStored(ids)
			r.awaitAcked(ids)
			r.stop(soon)
		},
	},
	{
		name: "refuse what is not stored",
		rule: "Events that could not be stored are not acknowledged, whatever the error; the same client may send them again.",
		when: acks,
		run: func(r *rig) {
			r.begin(0, always)
			c := r.client()
			var ids []uint64
			for _, failure := range []error{flow.ErrFull, errPlain, flow.Unknown(errPlain), flow.Retry(errPlain)} {
				r.s.out.set(func(context.Context, int) (bool, error) { return false, failure })
				ids = r.send(c, 5)
				r.await("the answers", func(l *ledger) bool { return l.answered(ids) })
				r.unacked(ids, "every Emit has failed")
			}
			r.s.ledger.forget()
			r.s.out.set(always)
			c.Generate(ids...)
			r.awaitStored(ids)
			r.awaitAcked(ids)
			r.stop(soon)
		},
	},
	{
		name: "random failures",
		rule: "Clients that send again what was refused get everything acknowledged in the end, and everything acknowledged is stored.",
		when: acks,
		run: func(r *rig) {
			dice := rand.New(rand.NewPCG(1, 2)) // of the emitter: with one client there is one call at a time
			r.begin(0, func(context.Context, int) (bool, error) {
				switch dice.IntN(4) {
				case 0:
					return false, errPlain
				case 1:
					return dice.IntN(2) == 0, flow.Unknown(errPlain)
				default:
					return true, nil
				}
			})
			c, ids := r.client(), r.ids(60)
			sizes := rand.New(rand.NewPCG(3, 4))
			left := ids
			for round := 0; len(left) > 0; round++ {
				if round > 200 {
					r.fatalf("events %v are not acknowledged after %d tries", left, round)
				}
				some := left[:min(len(left), 1+sizes.IntN(8))]
				r.s.ledger.forget()
				c.Generate(some...)
				r.await("the answers", func(l *ledger) bool { return l.answered(some) })
				left = r.s.ledger.unacked(ids)
			}
			r.awaitStored(ids)
			r.stop(soon)
		},
	},
	{
		name: "partly stored",
		rule: "Events that only some of the channels have are not acknowledged; sent again, they are stored everywhere.",
		when: acks,
		run: func(r *rig) {
			r.begin(0, partly)
			c, ids := r.client(), r.ids(1)
			c.Generate(ids...)
			r.await("the answer", func(l *ledger) bool { return l.answered(ids) })
			r.unacked(ids, "Emit has returned an error")
			r.s.ledger.forget()
			c.Generate(ids...)
			r.awaitAcked(ids)
			r.exactly(append(ids, ids...)) // once for nothing: the duplicate that Flume allows
			r.stop(soon)
		},
	},
}
