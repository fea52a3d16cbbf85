package channeltest

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// quiet is longer than a durable channel may wait before it makes an acknowledgement safe.
const quiet = 10 * time.Second

// powerCuts is how many random moments the power is cut at.
const powerCuts = 30

var durableRules = []rule{
	{
		name: "durable",
		rule: "Another instance on the same file system has everything that was stored and not acknowledged, in order.",
		when: durable,
		run: func(r *rig) {
			r.open(r.h.capacity(20))
			want := append(r.put(6), r.put(6)...)
			acked := r.take(3)
			n := acked.Batch().Len()
			r.ack(acked)
			r.take(3) // stays open
			r.shut()
			r.open(r.h.capacity(20))
			r.same(r.drain(len(want)-n, 5), want[n:])
			r.shut()
			r.open(r.h.capacity(20))
			r.nothing("everything was acknowledged before the last Close")
		},
	},
	{
		name: "durable acknowledgements",
		rule: "Whatever was acknowledged in whatever order stays gone; what was given back or left open returns in its old order.",
		when: durable,
		run: func(r *rig) {
			r.open(r.h.capacity(40))
			left := r.pick(6)
			r.shut()
			r.open(r.h.capacity(40))
			r.same(r.drain(len(left), 7), left)
		},
	},
	{
		name: "power cut",
		rule: "After a power cut every event is there that was stored and not acknowledged, in order, and none that was acknowledged a while before.",
		when: losesPower,
		run: func(r *rig) {
			r.open(r.h.capacity(40))
			left := r.pick(6)
			flow.Sleep(r.ctx, quiet)
			r.cutPower(vfs.CrashPolicy{Data: vfs.None, Entries: vfs.None})
			r.open(r.h.capacity(40))
			r.same(r.drain(len(left), 7), left)
		},
	},
	{
		name: "power cut at any moment",
		rule: "Whenever the power is cut, every event is there whose put returned nil and that nobody acknowledged, in order, none twice and none from nowhere.",
		when: losesPower,
		run: func(r *rig) {
			for seed := range uint64(powerCuts) {
				newOutage(r, seed).run()
			}
		},
	},
}

// pick puts 4n events, takes half of them in n deliveries, and acknowledges, gives back and leaves open one after the
// other. It returns the events that are not acknowledged, in order.
func (r *rig) pick(n int) []uint64 {
	r.t.Helper()
	var left []uint64
	for range n {
		left = append(left, r.put(4)...)
	}
	var open []flow.Delivery
	for range n {
		open = append(open, r.take(2))
	}
	for i := range open { // from the last to the first
		d := open[n-1-i]
		switch i % 3 {
		case 0:
			gone := r.ids(d)
			left = slices.DeleteFunc(left, func(id uint64) bool { return slices.Contains(gone, id) })
			r.ack(d)
		case 1:
			r.nack(d)
		}
	}
	return left
}

// cutPower leaves the file system as the policy says, and what was running on the old one to its errors.
func (r *rig) cutPower(p vfs.CrashPolicy) {
	r.t.Helper()
	mem, ok := r.fs.(*vfs.Mem)
	if !ok {
		r.t.Fatalf("the power of a %T cannot be cut", r.fs)
	}
	r.fs = mem.Crash(p)
	r.abandon()
}

// abandon closes the channel, whose file system is gone, and forgets it.
func (r *rig) abandon() {
	_ = r.ch.Close(context.WithoutCancel(r.ctx)) // it cannot succeed
	r.channels = slices.DeleteFunc(r.channels, func(ch flow.Channel) bool { return ch == r.ch })
}

// outage is a power cut before a random operation of the file system, and what may be found after it.
type outage struct {
	r     *rig
	seed  uint64
	rng   *rand.Rand
	after *vfs.Mem // what the disk holds, once the power is cut

	stored []uint64        // puts that returned nil, without what is in maybe
	maybe  map[uint64]bool // the put was not answered with success, or an acknowledgement was tried
	open   []flow.Delivery
}

func newOutage(r *rig, seed uint64) *outage {
	return &outage{r: r, seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), maybe: map[uint64]bool{}}
}

func (o *outage) run() {
	o.r.t.Helper()
	mem := vfs.NewMem(o.seed)
	policy := vfs.CrashPolicy{Data: vfs.Mixed, Entries: vfs.Mixed}
	at := int64(o.rng.IntN(250))
	o.r.fs = vfs.NewFailing(mem, vfs.Only(vfs.Op.Mutates, vfs.CrashAt(at, func() { o.after = mem.Crash(policy) })))
	o.r.make(o.r.h.capacity(1000))
	if err := o.r.ch.Open(o.r.ctx); err == nil {
		for range 200 {
			o.step()
		}
	}
	for _, d := range o.open {
		_ = d.Nack() // releases its memory; the channel may be closed or broken
	}
	o.r.abandon()
	if o.after == nil {
		o.after = mem.Crash(policy)
	}
	o.check()
}

// step puts, takes, settles, or lets time pass. Errors are what the channel does after the power is cut.
func (o *outage) step() {
	r := o.r
	switch o.rng.IntN(8) {
	case 0, 1, 2:
		p := r.start(1 + o.rng.IntN(5))
		r.settle()
		p.cancel() // a channel that waits for its disk waits no longer
		if r.wait(p) == nil {
			o.stored = append(o.stored, p.ids...)
			return
		}
		for _, id := range p.ids {
			o.maybe[id] = true
		}
	case 3, 4:
		if d, err := r.tryTake(time.Millisecond, 1+o.rng.IntN(6)); err == nil {
			o.open = append(o.open, d)
		}
	case 5, 6:
		if len(o.open) > 0 {
			i := o.rng.IntN(len(o.open))
			d := o.open[i]
			o.open = slices.Delete(o.open, i, i+1)
			o.settle(d)
		}
	default:
		flow.Sleep(r.ctx, time.Duration(o.rng.IntN(3000))*time.Millisecond)
	}
}

func (o *outage) settle(d flow.Delivery) {
	if o.rng.IntN(3) == 0 {
		_ = d.Nack()
		return
	}
	gone := o.r.ids(d)
	o.stored = slices.DeleteFunc(o.stored, func(id uint64) bool { return slices.Contains(gone, id) })
	for _, id := range gone {
		o.maybe[id] = true
	}
	_ = d.Ack() // with or without an error: the event was delivered, and may come again
}

// check compares what is there after the power cut. Ids count up in the order of the puts.
func (o *outage) check() {
	r := o.r
	r.t.Helper()
	r.fs = o.after
	r.open(r.h.capacity(1000))
	var got []uint64
	for {
		d, err := r.tryTake(100*time.Millisecond, 10)
		if err != nil {
			break
		}
		got = append(got, r.ids(d)...)
		r.ack(d)
	}
	if !r.h.Unordered && !slices.IsSorted(got) {
		r.fatalf("seed %d: the events are not in order: %v", o.seed, got)
	}
	found := map[uint64]bool{}
	for _, id := range got {
		if found[id] {
			r.fatalf("seed %d: event %d is there twice", o.seed, id)
		}
		found[id] = true
		if !o.maybe[id] && !slices.Contains(o.stored, id) {
			r.fatalf("seed %d: event %d is there, which was never put", o.seed, id)
		}
	}
	for _, id := range o.stored {
		if !found[id] {
			r.fatalf("seed %d: event %d is lost", o.seed, id)
		}
	}
	want := r.put(1)
	r.same(r.drain(1, 1), want) // it works on
	r.shut()
}
