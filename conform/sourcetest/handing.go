package sourcetest

import (
	"slices"
	"sync"
)

var handingRules = []rule{
	{
		name: "hand on",
		rule: "What comes to the source is handed on: each event once, in order, with body and headers as they came.",
		run: func(r *rig) {
			ids := r.begin(60, always)
			r.awaitStored(ids)
			r.awaitAcked(ids)
			r.exactly(ids)
			r.stop(soon)
			r.exactly(ids)
		},
	},
	{
		name: "many clients",
		rule: "Clients are served side by side: each one's events are handed on once and in its order.",
		when: hasClients,
		run: func(r *rig) {
			const clients, each, part = 5, 20, 4
			r.make(0)
			r.start()
			var all [clients][]uint64
			var wg sync.WaitGroup
			for i := range all {
				c, ids := r.client(), r.ids(each)
				all[i] = ids
				wg.Go(func() {
					for some := range slices.Chunk(ids, part) {
						c.Generate(some...)
					}
				})
			}
			wg.Wait()
			for _, ids := range all {
				r.awaitStored(ids)
				r.awaitAcked(ids)
			}
			r.stop(soon)
			got := r.s.ledger.snapshot()
			for _, want := range all {
				own := slices.DeleteFunc(slices.Clone(got), func(id uint64) bool { return !slices.Contains(want, id) })
				if !slices.Equal(own, want) {
					r.fatalf("of a client's events %v\nthese are stored %v", want, own)
				}
			}
		},
	},
	{
		name: "no more than asked for",
		rule: "A source that makes up a number of events makes up no more, and stays or ends without an error.",
		when: makesUp,
		run: func(r *rig) {
			ids := r.begin(17, always)
			r.awaitStored(ids)
			r.h.settle()
			if r.ended() && r.s.err != nil {
				r.fatalf("after the last event Run returned %v", r.s.err)
			}
			r.exactly(ids)
			r.stop(soon)
		},
	},
}
