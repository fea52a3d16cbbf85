package channeltest

import (
	"context"
	"errors"
	"time"

	"github.com/flume-go/flume/flow"
)

var spaceRules = []rule{
	{
		name: "all or nothing",
		rule: "A put that does not fit waits and stores nothing, not even what would fit.",
		when: storesBounded,
		run: func(r *rig) {
			r.open(r.h.capacity(4))
			want := r.put(2)
			p := r.start(3)
			if p.returned() {
				r.fatalf("a put of 3 events into 2 places returned %v instead of waiting", p.err)
			}
			d := r.take(4)
			r.same(r.ids(d), want)
			r.nothing("the put of 3 events into 2 places still waits")
			p.cancel()
			if err := r.wait(p); !errors.Is(err, context.Canceled) {
				r.fatalf("the cancelled put returned %v", err)
			}
			r.ack(d)
			r.nothing("the cancelled put stored nothing")
		},
	},
	{
		name: "space comes from Ack",
		rule: "A waiting put is woken by the acknowledgement that makes space, not by a take or a give-back.",
		when: storesBounded,
		run: func(r *rig) {
			r.open(r.h.capacity(4))
			want := r.put(4)
			p := r.start(2)
			d := r.take(3)
			r.settle()
			if p.returned() {
				r.fatalf("a take woke the put, which returned %v", p.err)
			}
			r.nack(d)
			if p.returned() {
				r.fatalf("a give-back woke the put, which returned %v", p.err)
			}
			got := []uint64{}
			for len(got) < 2 {
				d = r.take(2 - len(got))
				got = append(got, r.ids(d)...)
				r.ack(d)
			}
			if err := r.wait(p); err != nil {
				r.fatalf("after the acknowledgement of 2 events the put of 2 returned %v", err)
			}
			r.same(append(got, r.drain(4, 4)...), append(want, p.ids...))
		},
	},
	{
		name: "cancelled put",
		rule: "A put whose context ends while it waits returns the context's error, stores nothing and keeps no space.",
		when: boundedOrDirect,
		run: func(r *rig) {
			r.open(r.h.capacity(4))
			var want []uint64
			if !r.h.EndToEnd {
				want = r.put(3)
			}
			p := r.start(2)
			p.cancel()
			err := r.wait(p)
			if !errors.Is(err, context.Canceled) || flow.ClassOf(err) != flow.ClassShutdown {
				r.fatalf("the put returned %v (class %v)", err, flow.ClassOf(err))
			}
			want = append(want, r.put(1)...)
			r.same(r.drain(len(want), 4), want)
		},
	},
	{
		name: "put with an ended context",
		rule: "A put whose context has ended does not wait: it stores its batch if there is space at hand, or else fails at once and stores nothing.",
		run: func(r *rig) {
			r.open(r.h.capacity(4))
			ctx, cancel := context.WithCancel(r.ctx)
			cancel()
			put := func(n int) ([]uint64, error) {
				b, ids := r.batch(n)
				defer b.Release()
				return ids, r.ch.Put(ctx, b)
			}
			if r.h.EndToEnd {
				// Acknowledging takes a sink, which would have to be waited for.
				if _, err := put(2); err == nil {
					r.fatalf("the put returned nil and nobody took its events")
				}
				r.nothing("the put failed")
				return
			}
			want, err := put(2)
			if err != nil {
				r.fatalf("with space at hand the put returned %v", err)
			}
			if bounded(r.h) {
				if _, err := put(3); err == nil {
					r.fatalf("without space the put returned nil")
				}
			}
			r.same(r.drain(len(want), 4), want)
		},
	},
	{
		name: "full",
		rule: "A put that has waited as long as it may returns ErrFull, to be tried again, and has stored nothing.",
		when: givesUp,
		run: func(r *rig) {
			r.open(r.h.capacity(4), r.h.KeepAlive(1))
			var want []uint64
			if !r.h.EndToEnd {
				want = r.put(3)
			}
			began := time.Now()
			p := r.start(2)
			select {
			case <-p.done:
			case <-time.After(10 * time.Second):
				r.fatalf("the put still waits after 10 s")
			}
			if waited := time.Since(began); waited < time.Second || waited > 2*time.Second {
				r.fatalf("the put waited %v, not 1 s", waited)
			}
			if !errors.Is(p.err, flow.ErrFull) || flow.ClassOf(p.err) != flow.ClassRetry {
				r.fatalf("the put returned %v (class %v)", p.err, flow.ClassOf(p.err))
			}
			want = append(want, r.put(1)...)
			r.same(r.drain(len(want), 4), want)
		},
	},
	{
		name: "transaction capacity",
		rule: "A put of more events than the transaction capacity is refused at once, and nothing of it is stored.",
		when: hasTransactions,
		run: func(r *rig) {
			r.open(r.h.capacity(4))
			most, key, _ := r.config.BatchSize(true)
			if most != 4 {
				r.t.Fatalf("the harness's properties for 4 events make %s %d", key, most)
			}
			p := r.start(5)
			if err := r.wait(p); err == nil || errors.Is(err, flow.ErrFull) {
				r.fatalf("a put of 5 events with %s = 4 returned %v", key, err)
			}
			r.nothing("the put was refused")
			want := r.put(4)
			r.same(r.drain(4, 4), want)
		},
	},
	{
		name: "end to end",
		rule: "A put returns nil only when all its events are acknowledged; what is given back is offered again.",
		when: endToEnd,
		run: func(r *rig) {
			r.open()
			p, q := r.start(4), r.start(1)
			first, second := r.take(2), r.take(2)
			third := r.take(5)
			r.same(r.ids(third), q.ids)
			r.ack(third)
			if err := r.wait(q); err != nil {
				r.fatalf("the second put returned %v", err)
			}
			r.ack(second)
			r.nack(first)
			if p.returned() {
				r.fatalf("2 of 4 events are acknowledged, and the put returned %v", p.err)
			}
			d := r.take(5)
			r.same(r.ids(d), p.ids[:2])
			r.ack(d)
			if err := r.wait(p); err != nil {
				r.fatalf("all events are acknowledged, and the put returned %v", err)
			}
		},
	},
	{
		name: "unknown outcome",
		rule: "A put that gives up while its events are with a sink has an unknown outcome; the delivery can still be settled.",
		when: endToEnd,
		run: func(r *rig) {
			for _, settle := range []func(flow.Delivery) error{flow.Delivery.Ack, flow.Delivery.Nack} {
				r.open()
				p := r.start(4)
				d := r.take(3)
				p.cancel()
				if err := r.wait(p); flow.ClassOf(err) != flow.ClassUnknown || !errors.Is(err, context.Canceled) {
					r.fatalf("the put returned %v (class %v)", err, flow.ClassOf(err))
				}
				r.nothing("the put has gone, with what no sink has")
				r.same(r.ids(d), p.ids[:3])
				if err := settle(d); err != nil {
					r.fatalf("settling the delivery: %v", err)
				}
				r.nothing("the put has gone")
				r.stats(flow.Stats{})
			}
		},
	},
}
