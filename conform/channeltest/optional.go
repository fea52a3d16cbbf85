package channeltest

import (
	"context"
	"errors"

	"github.com/flume-go/flume/flow"
)

var optionalRules = []rule{
	{
		name: "declared abilities",
		rule: "The harness declares exactly the optional interfaces that the channel has, so that no rule is left out in silence.",
		run: func(r *rig) {
			ch := r.make(r.h.capacity(4))
			_, reserver := ch.(flow.Reserver)
			_, heir := ch.(flow.Heir)
			v, volatile := ch.(flow.Volatile)
			volatile = volatile && v.Volatile()
			if reserver != r.h.Reserves || heir != r.h.Inherits || volatile != r.h.Volatile {
				r.fatalf("the channel has: Reserver %v, Heir %v, Volatile %v; the harness says %v, %v, %v",
					reserver, heir, volatile, r.h.Reserves, r.h.Inherits, r.h.Volatile)
			}
			if volatile && r.h.Durable {
				r.fatalf("a volatile channel is declared durable")
			}
		},
	},
	{
		name: "reservation",
		rule: "Reserved space is not given to others until the reservation is cancelled; nothing is visible before its Commit.",
		when: func(h *Harness) bool { return reserves(h) && storesBounded(h) },
		run: func(r *rig) {
			r.open(r.h.capacity(4))
			res, _ := r.reserve(3)
			r.nothing("space is only reserved")
			r.stats(flow.Stats{})
			p := r.start(2)
			if p.returned() {
				r.fatalf("with 3 of 4 places reserved a put of 2 events returned %v", p.err)
			}
			res.Cancel()
			if err := r.wait(p); err != nil {
				r.fatalf("after Cancel the put returned %v", err)
			}
			r.same(r.drain(2, 4), p.ids)
		},
	},
	{
		name: "reservation is kept",
		rule: "Commit stores the batch without waiting, and its space is free again when it is acknowledged.",
		when: func(h *Harness) bool { return reserves(h) && storesBounded(h) },
		run: func(r *rig) {
			r.open(r.h.capacity(4))
			for range 3 {
				before := r.put(1)
				res, ids := r.reserve(3)
				if err := res.Commit(); err != nil {
					r.fatalf("Commit returned %v", err)
				}
				r.scribble()
				r.same(r.drain(4, 4), append(before, ids...))
			}
		},
	},
	{
		name: "reservation and Close",
		rule: "Commit after Close returns an error and stores nothing; the space is free after the next Open.",
		when: func(h *Harness) bool { return reserves(h) && storesBounded(h) },
		run: func(r *rig) {
			r.open(r.h.capacity(4))
			res, _ := r.reserve(3)
			r.shut()
			if err := res.Commit(); !errors.Is(err, flow.ErrClosed) {
				r.fatalf("Commit after Close returned %v", err)
			}
			r.reopen()
			r.nothing("the only Commit failed")
			want := r.put(4)
			r.same(r.drain(4, 4), want)
		},
	},
	{
		name: "reservation waits",
		rule: "Reserve waits for space like Put, and keeps none when its context ends.",
		when: func(h *Harness) bool { return reserves(h) && storesBounded(h) },
		run: func(r *rig) {
			r.open(r.h.capacity(4))
			want := r.put(3)
			ctx, cancel := context.WithCancel(r.ctx)
			b, _ := r.batch(2)
			defer b.Release()
			failed := make(chan error, 1)
			ch := r.ch.(flow.Reserver)
			r.puts.Go(func() {
				_, err := ch.Reserve(ctx, b)
				failed <- err
			})
			r.settle()
			if len(failed) > 0 {
				r.fatalf("a reservation of 2 places where 1 is free returned %v", <-failed)
			}
			cancel()
			if err := <-failed; !errors.Is(err, context.Canceled) {
				r.fatalf("the cancelled reservation returned %v", err)
			}
			want = append(want, r.put(1)...)
			r.same(r.drain(4, 4), want)
		},
	},
	{
		name: "heir",
		rule: "An heir has all unacknowledged events of its predecessor in order, even above its own capacity; then puts wait for space.",
		when: func(h *Harness) bool { return inherits(h) && storesBounded(h) },
		run: func(r *rig) {
			r.open(r.h.capacity(10))
			want := append(r.put(4), r.put(4)...)
			acked := r.take(2)
			n := acked.Batch().Len()
			r.ack(acked)
			want = want[n:]
			hung := r.take(1) // a sink that does not come back
			old := r.ch
			r.shut()
			heir := r.make(r.h.capacity(4))
			if err := heir.(flow.Heir).Inherit(old); err != nil {
				r.fatalf("Inherit returned %v", err)
			}
			r.reopen()
			p := r.start(1)
			if p.returned() {
				r.fatalf("a put into a channel for 4 events that holds %d returned %v", len(want), p.err)
			}
			got := []uint64{}
			for len(want)-len(got) > 3 {
				if p.returned() {
					r.fatalf("a put into a channel for 4 events that holds %d returned %v", len(want)-len(got), p.err)
				}
				d := r.take(1)
				got = append(got, r.ids(d)...)
				r.ack(d)
			}
			if err := r.wait(p); err != nil {
				r.fatalf("with 3 events in 4 places the put returned %v", err)
			}
			if err := hung.Nack(); err != nil && flow.ClassOf(err) != flow.ClassShutdown {
				r.fatalf("giving back a delivery of the old channel: %v", err)
			}
			r.same(append(got, r.drain(4, 10)...), append(want, p.ids...))
		},
	},
	{
		name: "heir of a stranger",
		rule: "Inherit from a channel of another type, or from one that is still open, is an error and changes nothing.",
		when: inherits,
		run: func(r *rig) {
			r.open(r.h.capacity(10))
			old := r.ch
			want := r.put(2)
			heir := r.make(r.h.capacity(10)).(flow.Heir)
			if err := heir.Inherit(struct{ flow.Channel }{old}); err == nil {
				r.fatalf("Inherit from a channel of an unknown type returned nil")
			}
			if err := heir.Inherit(old); err == nil {
				r.fatalf("Inherit from an open channel returned nil")
			}
			r.reopen()
			r.nothing("nothing was inherited")
			r.ch = old
			r.same(r.drain(2, 2), want)
		},
	},
}

// reserve reserves space for n new events.
func (r *rig) reserve(n int) (flow.Reservation, []uint64) {
	r.t.Helper()
	b, ids := r.batch(n)
	defer b.Release()
	res, err := r.ch.(flow.Reserver).Reserve(r.ctx, b)
	if err != nil {
		r.fatalf("reserving %d free places: %v", n, err)
	}
	return res, ids
}
