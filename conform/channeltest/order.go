package channeltest

import (
	"context"
	"errors"

	"github.com/flume-go/flume/flow"
)

var orderRules = []rule{
	{
		name: "order",
		rule: "Events leave in the order in which they were put, across the boundaries of batches, each of them once.",
		run: func(r *rig) {
			r.open(r.h.capacity(1000))
			var want []uint64
			for n := 1; n <= 20; n++ {
				want = append(want, r.put(n)...)
			}
			r.same(r.drain(len(want), 7), want)
		},
	},
	{
		name: "wide takes",
		rule: "A take gives at most as many events as asked for, also when more are asked for than there are.",
		run: func(r *rig) {
			r.open(r.h.capacity(1000))
			var want []uint64
			for range 10 {
				want = append(want, r.put(1)...)
			}
			r.same(r.drain(len(want), 1000), want)
		},
	},
	{
		name: "patient take",
		rule: "A take waits for the first event, however long that takes.",
		run: func(r *rig) {
			r.open(r.h.capacity(10))
			taken := make(chan flow.Delivery, 1)
			ch, ctx := r.ch, r.ctx
			r.puts.Go(func() {
				if d, err := ch.Take(ctx, 10); err == nil {
					taken <- d
				}
				close(taken)
			})
			r.settle()
			if len(taken) > 0 {
				r.fatalf("a take from an empty channel returned")
			}
			want := r.put(3)
			d, ok := <-taken
			if !ok {
				r.fatalf("the take that waited failed")
			}
			r.same(r.ids(d), want)
			r.ack(d)
		},
	},
	{
		name: "take with an ended context",
		rule: "A take whose context has ended returns the context's error and takes nothing.",
		run: func(r *rig) {
			r.open(r.h.capacity(10))
			r.nothing("the channel is empty")
			want := r.put(2)
			ctx, cancel := context.WithCancel(r.ctx)
			cancel()
			if _, err := r.ch.Take(ctx, 10); !errors.Is(err, context.Canceled) || flow.ClassOf(err) != flow.ClassShutdown {
				r.fatalf("the take returned %v", err)
			}
			r.same(r.drain(2, 10), want)
		},
	},
}
