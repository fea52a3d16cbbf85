package channeltest

import (
	"errors"

	"github.com/flume-go/flume/flow"
)

var lifecycleRules = []rule{
	{
		name: "close at any time",
		rule: "Close may be called without Open, and twice, and Open after Close.",
		run: func(r *rig) {
			r.make(r.h.capacity(4))
			r.shut()
			r.shut()
			r.reopen()
			want := r.put(2)
			r.same(r.drain(2, 2), want)
			r.shut()
			r.shut()
			r.reopen()
			want = r.put(2)
			r.same(r.drain(2, 2), want)
		},
	},
	{
		name: "closed",
		rule: "Put, Take and Reserve return ErrClosed on a channel that is not open.",
		run: func(r *rig) {
			r.make(r.h.capacity(4))
			r.refuses("before Open")
			r.reopen()
			r.shut()
			r.refuses("after Close")
			r.reopen()
			r.nothing("all puts were refused")
		},
	},
	{
		name: "close ends a waiting take",
		rule: "A take that waits when the channel is closed returns ErrClosed.",
		run: func(r *rig) {
			r.open(r.h.capacity(4))
			failed := make(chan error, 1)
			ch, ctx := r.ch, r.ctx
			r.puts.Go(func() {
				_, err := ch.Take(ctx, 4)
				failed <- err
			})
			r.settle()
			r.shut()
			if err := <-failed; !errors.Is(err, flow.ErrClosed) || flow.ClassOf(err) != flow.ClassShutdown {
				r.fatalf("the take returned %v (class %v)", err, flow.ClassOf(err))
			}
		},
	},
	{
		name: "close ends a waiting put",
		rule: "A put that waits when the channel is closed returns ErrClosed and has stored nothing.",
		when: boundedOrDirect,
		run: func(r *rig) {
			r.open(r.h.capacity(4))
			var want []uint64
			if !r.h.EndToEnd {
				want = r.put(4)
			}
			p := r.start(2)
			r.shut()
			if err := r.wait(p); !errors.Is(err, flow.ErrClosed) || flow.ClassOf(err) != flow.ClassShutdown {
				r.fatalf("the put returned %v (class %v)", err, flow.ClassOf(err))
			}
			r.reopen()
			want = append(want, r.put(0)...)
			r.same(r.drain(len(want), 4), want)
		},
	},
	{
		name: "close keeps events",
		rule: "Close leaves everything unacknowledged in place, open deliveries included: it is there after the next Open.",
		when: stores,
		run: func(r *rig) {
			r.open(r.h.capacity(10))
			want := r.put(6)
			acked, open := r.take(2), r.take(2)
			gone := r.ids(acked)
			r.ack(acked)
			want = want[len(gone):]
			r.shut()
			r.same(r.ids(open), want[:open.Batch().Len()]) // readable until settled
			r.reopen()
			r.same(r.drain(len(want), 10), want)
			if err := open.Nack(); err != nil && flow.ClassOf(err) != flow.ClassShutdown {
				r.fatalf("giving back a delivery from before Close: %v", err)
			}
			r.nothing("all events are acknowledged, those of the old delivery too")
			r.stats(flow.Stats{})
		},
	},
	{
		name: "late acknowledgement",
		rule: "Ack after Close tells the truth: nil if the events are gone for good, an error if they will be delivered again.",
		when: stores,
		run: func(r *rig) {
			r.open(r.h.capacity(10))
			want := r.put(6)
			open := r.take(2)
			n := open.Batch().Len()
			r.shut()
			if err := open.Ack(); err == nil {
				want = want[n:]
			} else if flow.ClassOf(err) != flow.ClassShutdown {
				r.fatalf("the late Ack returned %v (class %v)", err, flow.ClassOf(err))
			}
			r.reopen()
			r.same(r.drain(len(want), 10), want)
		},
	},
	{
		name: "closing with an open delivery",
		rule: "A put whose events are with a sink when the channel is closed has an unknown outcome; nothing is left behind.",
		when: endToEnd,
		run: func(r *rig) {
			r.open()
			p := r.start(4)
			d := r.take(4)
			r.shut()
			if err := r.wait(p); !errors.Is(err, flow.ErrClosed) || flow.ClassOf(err) != flow.ClassUnknown {
				r.fatalf("the put returned %v (class %v)", err, flow.ClassOf(err))
			}
			r.same(r.ids(d), p.ids)
			r.nack(d)
			r.reopen()
			r.nothing("the put has ended")
			r.stats(flow.Stats{})
		},
	},
}

// refuses checks that the channel, which is not open, takes and gives nothing.
func (r *rig) refuses(when string) {
	r.t.Helper()
	b, _ := r.batch(2)
	defer b.Release()
	if err := r.ch.Put(r.ctx, b); !errors.Is(err, flow.ErrClosed) {
		r.fatalf("a put %s returned %v", when, err)
	}
	if _, err := r.ch.Take(r.ctx, 2); !errors.Is(err, flow.ErrClosed) {
		r.fatalf("a take %s returned %v", when, err)
	}
	if res, ok := r.ch.(flow.Reserver); ok {
		if _, err := res.Reserve(r.ctx, b); !errors.Is(err, flow.ErrClosed) {
			r.fatalf("a reservation %s returned %v", when, err)
		}
	}
}
