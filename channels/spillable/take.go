package spillable

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// takeBytes is the size of bodies from which on a delivery takes in nothing more: a thousand large events, which lie on disk, need
// not all be in memory at once.
const takeBytes = 16 << 20

// take waits for something to take.
func (o *opened) take(ctx context.Context, limit int) (*delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	limit = min(limit, o.limits.batch)
	for {
		d, seen, err := o.gather(limit)
		if d != nil || err != nil {
			return d, err
		}
		if err := o.awaitArrival(ctx, seen); err != nil {
			return nil, err
		}
	}
}

// gather takes up to limit events that are there, from one place after the other. Without any it returns nil, and what
// o.arrivals was when it looked.
func (o *opened) gather(limit int) (d *delivery, seen uint64, err error) {
	o.takeMu.Lock()
	defer o.takeMu.Unlock()
	d = &delivery{o: o}
	d.parts = d.room[:0]
	for d.size.events < limit && d.size.bytes < takeBytes {
		var p part
		if p, seen, err = o.next(limit - d.size.events); p.run == nil {
			break
		}
		d.add(p)
	}
	if d.size.events == 0 {
		return nil, seen, err
	}
	// What kept it from taking more is met again by the next take.
	return o.begin(d, limit)
}

// next takes up to limit of the oldest events that are in one place; an empty part if there are none. takeMu is held, so that the
// oldest stay the oldest while the disk is read.
func (o *opened) next(limit int) (p part, seen uint64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		r := o.oldest()
		switch {
		case o.closed:
			return part{}, 0, flow.ErrClosed
		case r == nil, r.events == 0 && r.pending > 0:
			return part{}, o.arrivals, nil
		case r.events == 0: // its puts failed, or its events were lost
			o.drop()
			continue
		}
		n := min(limit, r.events)
		if r.place == inMemory {
			return o.cut(part{}, n), 0, nil
		}
		from := o.part(r.place)
		o.mu.Unlock()
		inner, err := from.TryTake(n)
		o.mu.Lock()
		switch {
		case err != nil:
			return part{}, 0, err
		case inner == nil && !o.closed:
			o.lost(r.place)
			continue
		case o.closed: // and r is not the oldest any more
			if inner != nil {
				err = inner.Nack()
			}
			return part{}, 0, errors.Join(flow.ErrClosed, err)
		}
		return o.cut(part{inner: inner, bytes: int64(inner.Batch().Bytes())}, inner.Batch().Len()), 0, nil
	}
}

// oldest returns the run to be taken from next, nil if there is none. The lock is held.
func (o *opened) oldest() *run {
	if len(o.returned) > 0 {
		return o.returned[0]
	}
	return o.fresh.first()
}

// drop removes the oldest run. The lock is held.
func (o *opened) drop() {
	if len(o.returned) == 0 {
		o.fresh.pop()
		return
	}
	o.returned[0] = nil
	if o.returned = o.returned[1:]; len(o.returned) == 0 {
		o.returned = nil // the memory it started with
	}
}

// cut takes n events off the oldest run for p. The lock is held.
func (o *opened) cut(p part, n int) part {
	r := o.oldest()
	if len(o.returned) == 0 {
		r.seq = o.seq
		o.seq += uint64(n)
	}
	if n == r.events && r.pending == 0 {
		o.drop()
		p.run = r
	} else {
		p.run = r.split(n, o.limits.slot)
	}
	o.ready -= n
	o.inFlight += n
	if p.inner == nil {
		p.bytes = p.run.size.bytes
		o.readyBytes -= p.bytes
	}
	return p
}

// lost notes that a place has no events any more, though the runs have some there: damage took them. The lock is held.
func (o *opened) lost(from place) {
	forget := func(all []*run) {
		for _, r := range all {
			if r.place == from {
				o.ready -= r.events
				o.stored.sub(r.size)
				r.events, r.size = 0, usage{}
			}
		}
	}
	forget(o.returned)
	forget(o.fresh.rest())
	o.count()
	o.serve()
}

// begin makes d, which has events, an open delivery. takeMu is held.
func (o *opened) begin(d *delivery, limit int) (*delivery, uint64, error) {
	d.batch = d.join()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		o.giveBack(d)
		return nil, 0, errors.Join(flow.ErrClosed, d.end(false))
	}
	o.deliveries[d] = struct{}{}
	attempts := d.size.events
	if attempts < limit {
		attempts++ // Flume's sinks ask for events until there are none
	}
	o.counters.TakeAttempt.Add(attempts)
	o.pacer.Took(o.readyBytes)
	if o.ready > 0 {
		o.takers.AnswerFirst()
	}
	return d, 0, nil
}

// giveBack moves the runs of d to those that can be taken. What is not in memory goes back to its place with the end of d. The
// lock is held.
func (o *opened) giveBack(d *delivery) {
	for i := range d.parts {
		o.readyBytes += d.parts[i].run.size.bytes
		o.returned = append(o.returned, d.parts[i].run)
		d.parts[i].run = nil
	}
	slices.SortFunc(o.returned, func(a, b *run) int { return cmp.Compare(a.seq, b.seq) })
	o.ready += d.size.events
	o.inFlight -= d.size.events
}

// awaitArrival waits until something came after what was seen.
func (o *opened) awaitArrival(ctx context.Context, seen uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return flow.ErrClosed
	}
	if o.arrivals != seen {
		return nil
	}
	w := o.takers.Join(struct{}{})
	answered, err := o.takers.Await(ctx, &o.mu, w, -1)
	if !answered {
		o.takers.Leave(w)
	}
	return err
}

// part is a run on its way out, with the delivery of the place it is from; without one it was in memory.
type part struct {
	run   *run // nil once it has gone from here
	inner flow.Delivery
	bytes int64
}

// delivery is events on their way out. The lock of o guards its fields, except that the taker may read the batch until it
// settles d.
type delivery struct {
	o       *opened
	batch   *event.Batch // what the taker reads; nil once settled
	parts   []part       // where it came from, in order
	room    [1]part      // saves an allocation when there is one part
	size    usage        // of all, without slots
	settled bool
}

var _ flow.Delivery = (*delivery)(nil)

func (d *delivery) add(p part) {
	d.parts = append(d.parts, p)
	d.size.add(usage{events: p.run.events, bytes: p.bytes})
}

// join returns a batch of all events with a reference of its own.
func (d *delivery) join() *event.Batch {
	if len(d.parts) == 1 {
		b, from, n := d.parts[0].content()
		if n == b.Len() {
			return b.Retain()
		}
		return b.View(from, from+n)
	}
	joined := event.NewBatch()
	for i := range d.parts {
		b, from, n := d.parts[i].content()
		joined.AppendShared(b, from, from+n)
	}
	return joined
}

// content returns where the part's events are: n events of b.
func (p *part) content() (b *event.Batch, from, n int) {
	if p.inner != nil {
		return p.inner.Batch(), 0, p.inner.Batch().Len()
	}
	return p.run.batch, p.run.from, p.run.events
}

// end lets go of all that d holds. acked says that what was not in memory is gone for good; otherwise it goes back to its place.
func (d *delivery) end(acked bool) error {
	var errs []error
	for i := range d.parts {
		p := &d.parts[i]
		switch {
		case p.inner != nil && acked:
			errs = append(errs, p.inner.Ack())
		case p.inner != nil:
			errs = append(errs, p.inner.Nack())
		case p.run != nil:
			p.run.release()
		}
	}
	d.parts = nil
	d.batch.Release()
	d.batch = nil
	return errors.Join(errs...)
}

// Batch returns the events; nil after Ack and Nack.
func (d *delivery) Batch() *event.Batch { return d.batch }

// Ack makes the events gone for good. If the channel was closed since they were taken they are delivered again, and Ack says so
// with ErrClosed.
func (d *delivery) Ack() error {
	if err := d.ack(); err != nil {
		return fmt.Errorf("acknowledging %d events: %w", d.size.events, err)
	}
	return nil
}

func (d *delivery) ack() error {
	o := d.o
	o.mu.Lock()
	if d.settled {
		o.mu.Unlock()
		return flow.ErrSettled
	}
	d.settled = true
	if o.closed { // and has the events back
		defer o.mu.Unlock()
		return errors.Join(flow.ErrClosed, d.end(false))
	}
	delete(o.deliveries, d)
	o.busy++
	var freed usage
	for i := range d.parts {
		freed.add(d.parts[i].run.size)
	}
	o.mu.Unlock()

	err := d.end(true)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy--
	// After an error the disk's part does not hand them out again either, as long as it is open.
	o.inFlight -= d.size.events
	o.stored.sub(freed)
	if o.overflowing && int64(o.limits.events-o.stored.events)*100 >= int64(o.limits.threshold)*int64(o.limits.events) {
		o.overflowing = false
	}
	if err == nil {
		o.counters.TakeSuccess.Add(d.size.events)
	}
	o.count()
	o.serve()
	o.idle.Broadcast()
	return err
}

// Nack puts the events back at the head, in their old order. If the channel was closed since they were taken they are back
// already.
func (d *delivery) Nack() error {
	if err := d.nack(); err != nil {
		return fmt.Errorf("giving back %d events: %w", d.size.events, err)
	}
	return nil
}

func (d *delivery) nack() error {
	o := d.o
	// No take may be between what goes back to the disk's part and what goes back to the runs.
	o.takeMu.Lock()
	defer o.takeMu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if d.settled {
		return flow.ErrSettled
	}
	d.settled = true
	if o.closed { // and has the events back
		return d.end(false)
	}
	delete(o.deliveries, d)
	o.giveBack(d)
	err := d.end(false)
	o.arrived(0)
	return err
}
