package direct

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

// exchange is where puts and takes meet. Safe for concurrent use.
type exchange struct {
	mu      sync.Mutex
	isOpen  bool
	offers  []*offer        // in the order of their puts; also those whose put has left, while a sink has a part
	takers  []chan struct{} // takes that wait, first come first; each gets one message when it may look again
	waiting int             // events that wait or are out
	out     int             // events in open deliveries
	bytes   int64           // bodies of the events counted in waiting
}

func newExchange() *exchange { return &exchange{} }

// offer is one put.
type offer struct {
	batch *event.Batch // the put's; deliveries hold references of their own
	at    time.Time
	next  int    // events from here on were never taken
	back  []span // taken and given back, sorted, all before next
	given []span // delivered
	out   int    // events in open deliveries
	acked int    // events delivered
	total int

	left bool          // the put has given up: nothing more is offered
	done chan struct{} // closed when the put is to return err
	err  error
}

// span is events [from, to) of an offer.
type span struct{ from, to int }

func (x *exchange) open() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.isOpen = true
}

func (x *exchange) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.isOpen = false
	for _, o := range slices.Clone(x.offers) {
		if !o.left {
			o.err = x.leave(o, flow.ErrClosed)
			close(o.done)
		}
	}
	for _, t := range x.takers {
		t <- struct{}{}
	}
	x.takers = nil
}

// enter offers b. The offer is nil if there is nothing in it.
func (x *exchange) enter(b *event.Batch) (*offer, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.isOpen {
		return nil, flow.ErrClosed
	}
	if b.Len() == 0 {
		return nil, nil
	}
	o := &offer{batch: b, at: time.Now(), total: b.Len(), done: make(chan struct{})}
	x.offers = append(x.offers, o)
	x.waiting += o.total
	x.bytes += int64(b.Bytes())
	x.wake()
	return o, nil
}

// withdraw ends a put that does not want to wait any longer, because of why.
func (x *exchange) withdraw(o *offer, why error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	select {
	case <-o.done: // at the same moment
		return o.err
	default:
		return x.leave(o, why)
	}
}

// leave takes back what no sink has and returns what the put is to return.
func (x *exchange) leave(o *offer, why error) error {
	o.left = true
	for s, ok := o.cut(o.total); ok; s, ok = o.cut(o.total) {
		x.forget(o.batch, s)
	}
	switch {
	case o.acked > 0:
		why = flow.Unknown(&partial{error: why, missing: o.undelivered()})
	case o.out > 0:
		why = flow.Unknown(why)
	}
	o.batch = nil // the put's reference ends with it
	x.dropIfOver(o)
	return why
}

// undelivered returns the indexes of the events that no sink has acknowledged.
func (o *offer) undelivered() []int {
	given := make([]bool, o.total)
	for _, s := range o.given {
		for i := s.from; i < s.to; i++ {
			given[i] = true
		}
	}
	var missing []int
	for i, g := range given {
		if !g {
			missing = append(missing, i)
		}
	}
	return missing
}

// partial is the error of a put some of whose events were delivered.
type partial struct {
	error
	missing []int
}

var _ flow.Partial = (*partial)(nil)

func (p *partial) Unwrap() error  { return p.error }
func (p *partial) Missing() []int { return slices.Clone(p.missing) }

// forget removes the events of s from the books.
func (x *exchange) forget(b *event.Batch, s span) {
	x.waiting -= s.to - s.from
	for i := s.from; i < s.to; i++ {
		x.bytes -= int64(len(b.At(i).Body))
	}
}

// dropIfOver removes an offer that nobody waits for and no sink has a part of.
func (x *exchange) dropIfOver(o *offer) {
	if o.out > 0 || !o.left && o.acked < o.total {
		return
	}
	if i := slices.Index(x.offers, o); i >= 0 {
		x.offers = slices.Delete(x.offers, i, i+1)
	}
}

// cut takes up to limit events that no sink has; false if there are none.
func (o *offer) cut(limit int) (span, bool) {
	if len(o.back) > 0 {
		s := o.back[0]
		if s.to-s.from > limit {
			s.to = s.from + limit
			o.back[0].from = s.to
		} else {
			o.back = slices.Delete(o.back, 0, 1)
		}
		return s, true
	}
	s := span{o.next, min(o.total, o.next+limit)}
	o.next = s.to
	return s, s.to > s.from
}

// take waits for an offer and takes up to limit events of it.
func (x *exchange) take(ctx context.Context, limit int) (*delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		if !x.isOpen {
			return nil, flow.ErrClosed
		}
		if d := x.cut(limit); d != nil {
			x.wake() // there may be more
			return d, nil
		}
		t := make(chan struct{}, 1)
		x.takers = append(x.takers, t)
		x.mu.Unlock()
		var err error
		select {
		case <-t:
		case <-ctx.Done():
			err = ctx.Err()
		}
		x.mu.Lock()
		if err != nil {
			if i := slices.Index(x.takers, t); i >= 0 {
				x.takers = slices.Delete(x.takers, i, i+1)
			} else {
				x.wake() // t was woken for an offer: wake another
			}
			return nil, err
		}
	}
}

// cut makes a delivery of the oldest offer that has something left; nil if none has.
func (x *exchange) cut(limit int) *delivery {
	for _, o := range x.offers {
		if o.left {
			continue
		}
		s, ok := o.cut(limit)
		if !ok {
			continue
		}
		o.out += s.to - s.from
		x.out += s.to - s.from
		d := &delivery{x: x, offer: o, span: s}
		if s.from == 0 && s.to == o.total {
			d.batch = o.batch.Retain()
		} else {
			d.batch = o.batch.View(s.from, s.to)
		}
		return d
	}
	return nil
}

// wake lets the first take that waits look again.
func (x *exchange) wake() {
	if len(x.takers) > 0 {
		x.takers[0] <- struct{}{}
		x.takers = slices.Delete(x.takers, 0, 1)
	}
}

func (x *exchange) stats() flow.Stats {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := flow.Stats{Events: x.waiting, InFlight: x.out, Bytes: x.bytes}
	if len(x.offers) > 0 {
		s.Oldest = x.offers[0].at
	}
	return s
}

// delivery is a part of an offer with a sink. Its fields are guarded by the
// exchange's lock, except that the taker may read the batch until it settles d.
type delivery struct {
	x     *exchange
	offer *offer
	span
	batch *event.Batch // nil once settled
	acked *metrics.Counter
}

var _ flow.Delivery = (*delivery)(nil)

// Batch returns the events; nil after Ack and Nack.
func (d *delivery) Batch() *event.Batch { return d.batch }

// Ack lets the put return if this was the last of its events.
func (d *delivery) Ack() error {
	if err := d.settle(true); err != nil {
		return err
	}
	d.acked.Add(d.to - d.from)
	return nil
}

// Nack offers the events to the next take, as long as their put waits for them.
func (d *delivery) Nack() error { return d.settle(false) }

func (d *delivery) settle(acked bool) error {
	x, o := d.x, d.offer
	x.mu.Lock()
	defer x.mu.Unlock()
	if d.batch == nil {
		return flow.ErrSettled
	}
	n := d.to - d.from
	o.out -= n
	x.out -= n
	switch {
	case acked:
		o.acked += n
		o.given = append(o.given, d.span)
		x.settled(d)
		if o.acked == o.total && !o.left {
			close(o.done)
		}
	case o.left:
		x.settled(d)
	default:
		o.back = append(o.back, d.span)
		slices.SortFunc(o.back, func(a, b span) int { return cmp.Compare(a.from, b.from) })
		x.wake()
	}
	x.dropIfOver(o)
	d.batch.Release()
	d.batch = nil
	return nil
}

// settled removes the events of d from the books.
func (x *exchange) settled(d *delivery) {
	x.waiting -= d.batch.Len()
	x.bytes -= int64(d.batch.Bytes())
}
