package channeltest

import (
	"errors"
	"time"

	"github.com/flume-go/flume/flow"
)

var settleRules = []rule{
	{
		name: "give back in order",
		rule: "Events that are given back return to the head in their old order, even from several deliveries in any order.",
		run: func(r *rig) {
			r.open(r.h.capacity(20))
			var want []uint64
			for range 4 {
				want = append(want, r.put(3)...)
			}
			var open []flow.Delivery
			for n := 0; n < 9; {
				d := r.take(2)
				n += d.Batch().Len()
				open = append(open, d)
			}
			for i := range open { // the second, the first, the fourth, the third, …
				if j := i ^ 1; j < len(open) {
					r.nack(open[j])
				} else {
					r.nack(open[i])
				}
			}
			r.same(r.drain(len(want), 5), want)
		},
	},
	{
		name: "open deliveries are hidden",
		rule: "Events of an open delivery cannot be taken by others, until they are given back.",
		run: func(r *rig) {
			r.open(r.h.capacity(10))
			r.put(4)
			first, second := r.take(2), r.take(2)
			r.nothing("all events are in open deliveries")
			want := r.ids(first)
			r.nack(first)
			again := r.take(4)
			r.same(r.ids(again), want)
			r.ack(again)
			r.ack(second)
			r.nothing("all events are acknowledged")
		},
	},
	{
		name: "settle once",
		rule: "A second Ack or Nack returns ErrSettled and changes nothing.",
		run: func(r *rig) {
			r.open(r.h.capacity(10))
			want := r.put(4)
			d := r.take(2)
			r.ack(d)
			again := func() {
				if err := d.Ack(); !errors.Is(err, flow.ErrSettled) {
					r.fatalf("a second Ack returned %v", err)
				}
				if err := d.Nack(); !errors.Is(err, flow.ErrSettled) {
					r.fatalf("a second Nack returned %v", err)
				}
			}
			again()
			if n := r.ch.Stats().Events; n != 2 {
				r.fatalf("2 of 4 events were acknowledged, stats count %d", n)
			}
			d = r.take(2)
			r.nack(d)
			again()
			r.same(r.drain(2, 2), want[2:])
		},
	},
	{
		name: "stats",
		rule: "Stats tell how many events and bytes are stored and in open deliveries, and since when, and return to zero.",
		run: func(r *rig) {
			r.open(r.h.capacity(10))
			r.stats(flow.Stats{})
			before := time.Now()
			ids := r.put(4)
			bytes := func(ids []uint64) (n int64) {
				for _, id := range ids {
					n += int64(len(bodyOf(id)))
				}
				return n
			}
			r.stats(flow.Stats{Events: 4, Bytes: bytes(ids), Oldest: before})
			d := r.take(3)
			n := d.Batch().Len()
			r.stats(flow.Stats{Events: 4, InFlight: n, Bytes: bytes(ids), Oldest: before})
			r.nack(d)
			r.stats(flow.Stats{Events: 4, Bytes: bytes(ids), Oldest: before})
			r.drain(4, 3)
			r.stats(flow.Stats{})
			if r.h.Capacity != nil && r.ch.Stats().Capacity != 10 {
				r.fatalf("a channel for 10 events says that its capacity is %d", r.ch.Stats().Capacity)
			}
		},
	},
	{
		name: "metrics",
		rule: "The channel counts under Flume's names what was stored and what was acknowledged.",
		run: func(r *rig) {
			r.open(r.h.capacity(10))
			r.put(5)
			d := r.take(2)
			n := d.Batch().Len()
			r.nack(d)
			r.drain(5, 5)
			for name, want := range map[string]float64{
				"EventPutAttemptCount": 5, "EventPutSuccessCount": 5, "EventTakeSuccessCount": 5, "ChannelSize": 0,
			} {
				if got := r.number(name); got != want {
					r.fatalf("%s is %g after 5 events came and went, want %g", name, got, want)
				}
			}
			if got, least := r.number("EventTakeAttemptCount"), float64(5+n); got < least {
				r.fatalf("EventTakeAttemptCount is %g, want at least %g", got, least)
			}
			r.number("ChannelCapacity")
		},
	},
}

// stats compares the channel's stats; of Oldest, that it is between want's and now.
func (r *rig) stats(want flow.Stats) {
	r.t.Helper()
	got := r.ch.Stats()
	want.Capacity = got.Capacity
	if want.Oldest.IsZero() != got.Oldest.IsZero() || got.Oldest.Before(want.Oldest.Truncate(time.Millisecond)) || got.Oldest.After(time.Now()) {
		r.fatalf("stats: oldest is %v, want one since %v", got.Oldest, want.Oldest)
	}
	got.Oldest, want.Oldest = time.Time{}, time.Time{}
	if got != want {
		r.fatalf("stats are %+v\nwant      %+v", got, want)
	}
}
