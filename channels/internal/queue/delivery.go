package queue

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// cut takes up to limit of the ready events, of which there is at least one.
// The lock is held.
func (q *Queue) cut(limit int) *delivery {
	d := &delivery{q: q}
	d.parts = d.room[:0]
	for d.size.events < limit && q.ready > 0 {
		part := q.cutPart(limit - d.size.events)
		if len(d.parts) == len(d.room) {
			// Many small ones: one allocation for most of them.
			d.parts = slices.Grow(d.parts, min(limit, q.fresh.n+len(q.returned), 64))
		}
		d.parts = append(d.parts, part)
		d.size.add(part.size)
		q.ready -= part.size.events
	}
	d.batch = join(d.parts)
	q.deliveries.insert(d)
	q.readyBytes -= d.size.bytes
	q.pacer.Took(q.readyBytes)
	return d
}

// cutPart removes the oldest segment, or its first limit events.
func (q *Queue) cutPart(limit int) segment {
	s := q.firstReady()
	if s.size.events > limit {
		return s.split(limit)
	}
	if len(q.returned) == 0 {
		return q.fresh.pop()
	}
	part := *s
	*s = segment{}
	if q.returned = q.returned[1:]; len(q.returned) == 0 {
		q.returned = nil // the memory it started with
	}
	return part
}

// join returns a batch of the parts' events with a reference of its own.
func join(parts []segment) *event.Batch {
	if len(parts) == 1 {
		p := &parts[0]
		if p.from == 0 && p.to == p.batch.Len() {
			return p.batch.Retain()
		}
		return p.batch.View(p.from, p.to)
	}
	b := event.NewBatch()
	for i := range parts {
		b.AppendShared(parts[i].batch, parts[i].from, parts[i].to)
	}
	return b
}

// giveBack makes the events of d ready again. The lock is held.
func (q *Queue) giveBack(d *delivery) {
	q.returned = append(q.returned, d.parts...)
	slices.SortFunc(q.returned, func(a, b segment) int { return cmp.Compare(a.seq, b.seq) })
	q.ready += d.size.events
	q.readyBytes += d.size.bytes
	d.parts = nil
}

type deliveryState int8

const (
	outstanding deliveryState = iota
	orphaned                  // the queue was closed and has the events back
	settled
)

// delivery is events on their way out. Its fields are guarded by the queue's
// lock, except that the taker may read the batch until it settles d.
type delivery struct {
	q     *Queue
	batch *event.Batch // what the taker reads; nil once settled
	parts []segment    // where it came from, in order; nil once it has gone from here
	room  [1]segment   // saves an allocation when there is one part
	size  usage
	state deliveryState

	prev, next *delivery // in openList
}

var _ flow.Delivery = (*delivery)(nil)

// Batch returns the events; nil after Ack and Nack.
func (d *delivery) Batch() *event.Batch { return d.batch }

// Ack drops the events. If the queue was closed since they were taken it has
// them still, and Ack says so with ErrClosed.
func (d *delivery) Ack() error { return d.settle(true) }

// Nack gives the events back.
func (d *delivery) Nack() error { return d.settle(false) }

func (d *delivery) settle(acked bool) error {
	batch, gone, err := d.end(acked)
	if batch != nil {
		batch.Release()
	}
	for i := range gone {
		gone[i].batch.Release()
	}
	if err != nil {
		return fmt.Errorf("settling a delivery of %d events: %w", d.size.events, err)
	}
	return nil
}

// end ends d in the books of the queue. It returns what is to be released: the
// taker's batch, and the segments that are gone for good.
func (d *delivery) end(acked bool) (batch *event.Batch, gone []segment, err error) {
	q := d.q
	q.mu.Lock()
	defer q.mu.Unlock()
	was := d.state
	if was == settled {
		return nil, nil, flow.ErrSettled
	}
	d.state = settled
	batch, d.batch = d.batch, nil
	if was == orphaned {
		if acked {
			err = flow.ErrClosed
		}
		return batch, nil, err
	}
	q.deliveries.remove(d)
	if acked {
		gone, d.parts = d.parts, nil
		q.stored.sub(d.size)
		q.counters.TakeSuccess.Add(d.size.events)
		q.serve()
	} else {
		q.giveBack(d)
		q.takers.AnswerFirst()
	}
	q.counters.Size.Set(int64(q.ready))
	return batch, gone, nil
}

// openList is the open deliveries, the one with the oldest event first.
type openList struct{ first, last *delivery }

// insert enters d. New deliveries belong at the end, except after a Nack.
func (l *openList) insert(d *delivery) {
	after := l.last
	for after != nil && after.parts[0].seq > d.parts[0].seq {
		after = after.prev
	}
	d.prev = after
	if after == nil {
		d.next, l.first = l.first, d
	} else {
		d.next, after.next = after.next, d
	}
	if d.next == nil {
		l.last = d
	} else {
		d.next.prev = d
	}
}

func (l *openList) remove(d *delivery) {
	if d.prev == nil {
		l.first = d.next
	} else {
		d.prev.next = d.next
	}
	if d.next == nil {
		l.last = d.prev
	} else {
		d.next.prev = d.prev
	}
	d.prev, d.next = nil, nil
}

// oldest returns the segment with the oldest event, nil if there is none.
func (l *openList) oldest() *segment {
	if l.first == nil {
		return nil
	}
	return &l.first.parts[0]
}
