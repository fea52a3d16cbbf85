package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/wal"
)

// takeBytes is the size of bodies from which on a delivery takes in nothing more: a thousand large events, which lie on
// disk, need not all be in memory at once.
const takeBytes = 16 << 20

// part is a run of events of one batch. Who holds it owns one reference of the batch.
type part struct {
	batch   *event.Batch
	events  wal.Range
	session wal.SessionID
	at      time.Time // when they were put
}

// split cuts the first n events off p, which keeps the rest. n is less than what p has.
func (p *part) split(n int) part {
	whole := p.batch
	head := *p
	head.batch, head.events.To = whole.View(0, n), p.events.From+uint64(n)
	p.batch, p.events.From = whole.View(n, whole.Len()), head.events.To
	whole.Release()
	return head
}

// take waits for something to take.
func (o *opened) take(ctx context.Context, limit int) (*delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
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

// gather takes up to limit events that are there: those given back, then those of the log. Without any it
// returns nil, and what o.arrivals was when it looked.
func (o *opened) gather(limit int) (d *delivery, seen uint64, err error) {
	if o.opts.Batch > 0 {
		limit = min(limit, o.opts.Batch)
	}
	o.takeMu.Lock()
	defer o.takeMu.Unlock()
	d = &delivery{o: o}
	d.parts = d.room[:0]
	if seen, err = o.takeReturned(d, limit); err != nil {
		return nil, 0, err
	}
	if err = o.read(d, limit); err != nil && d.events == 0 {
		return nil, 0, err
	}
	if d.events == 0 {
		return nil, seen, nil
	}
	if err := o.begin(d, limit); err != nil {
		return nil, 0, err
	}
	return d, 0, nil
}

// takeReturned moves events that were given back to d.
func (o *opened) takeReturned(d *delivery, limit int) (seen uint64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0, flow.ErrClosed
	}
	for d.events < limit && len(o.returned) > 0 && d.bytes < takeBytes && d.continues(&o.returned[0]) {
		p := &o.returned[0]
		if n := limit - d.events; p.batch.Len() > n {
			d.add(p.split(n))
			continue
		}
		d.add(*p)
		*p = part{}
		if o.returned = o.returned[1:]; len(o.returned) == 0 {
			o.returned = nil // the memory it started with
		}
	}
	o.waiting -= d.events
	o.inFlight += d.events
	return o.arrivals, nil
}

// read moves events from the log to d. An error is met again at the next read, unless the log got over it.
func (o *opened) read(d *delivery, limit int) error {
	o.mu.Lock()
	left := len(o.returned) > 0 // they are older
	o.mu.Unlock()
	if left {
		return nil
	}
	fresh := 0
	var last time.Time
	var err error
	var other *part // of the next session: for the next delivery
	for d.events < limit && d.bytes < takeBytes && other == nil {
		e, ok, readErr := o.log.TryRead(limit - d.events)
		if readErr != nil {
			err = o.readFailed(readErr)
			break
		}
		if !ok {
			break
		}
		p := part{batch: e.Batch, events: e.Events, session: e.Session, at: e.At}
		last = e.At
		if !d.continues(&p) {
			other = &p
			break
		}
		d.add(p)
		fresh += e.Batch.Len()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inFlight += fresh
	if !last.IsZero() {
		o.unread = last // what follows is no older
	}
	if other != nil {
		o.keep(*other)
	}
	if o.damaged.Load() {
		o.recount()
		o.serve() // the log may have lost what the books still hold
	}
	return err
}

// keep puts aside what was taken from the log too much. The lock is held.
func (o *opened) keep(p part) {
	if o.closed {
		p.batch.Release()
		return
	}
	o.returned = append(o.returned, p)
	o.waiting += p.batch.Len()
}

// readFailed gives an error of the log its class.
func (o *opened) readFailed(err error) error {
	if errors.Is(err, wal.ErrClosed) {
		return flow.ErrClosed
	}
	o.counters.TakeErrors.Add(1)
	return flow.Retry(err)
}

// begin makes d, which has events, an open delivery.
func (o *opened) begin(d *delivery, limit int) error {
	d.batch = d.join(o.log.First())
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		d.release()
		return flow.ErrClosed
	}
	o.deliveries[d] = struct{}{}
	attempts := d.events
	if attempts < limit {
		attempts++ // Flume's sinks ask for events until there are none
	}
	o.counters.TakeAttempt.Add(attempts)
	ready, _ := o.log.Cached()
	o.pacer.Took(ready)
	if o.stored > o.inFlight {
		o.takers.AnswerFirst() // there is more
	}
	return nil
}

// arrived wakes a take. The lock is held.
func (o *opened) arrived() {
	o.arrivals++
	o.takers.AnswerFirst()
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
	w := o.takers.Join(0)
	answered, err := o.takers.Await(ctx, &o.mu, w, -1)
	if !answered {
		o.takers.Leave(w)
	}
	return err
}

// delivery is events on their way out. The lock of o guards its fields, except that the taker may read the batch until
// it settles d.
type delivery struct {
	o       *opened
	batch   *event.Batch // what the taker reads; nil once settled
	parts   []part       // where it came from, in order
	room    [1]part      // saves an allocation when there is one part
	events  int
	bytes   int
	settled bool
}

var _ flow.Delivery = (*delivery)(nil)

func (d *delivery) add(p part) {
	d.parts = append(d.parts, p)
	d.events += p.batch.Len()
	d.bytes += p.batch.Bytes()
}

// continues reports whether a part is of the same session as those before it: a batch has one origin.
func (d *delivery) continues(p *part) bool {
	return len(d.parts) == 0 || d.parts[0].session == p.session
}

// join returns a batch of all events, by their numbers in the log, with a reference of its own. The log has nothing of this session
// before number done any more.
func (d *delivery) join(done uint64) *event.Batch {
	b := event.NewBatch()
	i := 0
	for _, p := range d.parts {
		b.AppendShared(p.batch, 0, p.batch.Len())
		for n := p.events.From; n < p.events.To; n++ {
			b.At(i).Number = n
			i++
		}
	}
	if session := d.parts[0].session; session != (wal.SessionID{}) {
		b.SetOrigin(event.Origin{Log: session, Done: done, Here: true})
	} else {
		b.DropOrigin()
	}
	return b
}

// release lets go of what the taker read and of the parts.
func (d *delivery) release() {
	d.batch.Release()
	d.batch = nil
	for i := range d.parts {
		d.parts[i].batch.Release()
	}
	d.parts = nil
}

// Batch returns the events; nil after Ack and Nack.
func (d *delivery) Batch() *event.Batch { return d.batch }

// Ack makes the events gone for good. If the store was closed since they were taken they are delivered again, and
// Ack says so with ErrClosed.
func (d *delivery) Ack() error {
	if err := d.ack(); err != nil {
		return fmt.Errorf("acknowledging %d events: %w", d.events, err)
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
	ranges := d.ranges()
	d.release()
	if o.closed {
		o.mu.Unlock()
		return flow.ErrClosed
	}
	delete(o.deliveries, d)
	o.acking++
	o.mu.Unlock()

	err := o.log.Ack(ranges...)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.acking--
	if errors.Is(err, wal.ErrClosed) {
		return flow.ErrClosed
	}
	// After any other error the log does not hand them out again either, as long as it is open.
	o.inFlight -= d.events
	o.stored -= d.events
	o.count()
	o.recount()
	o.serve()
	if err != nil {
		o.counters.TakeErrors.Add(1)
		return err
	}
	o.counters.TakeSuccess.Add(d.events)
	return nil
}

// ranges returns the numbers of the events.
func (d *delivery) ranges() []wal.Range {
	out := make([]wal.Range, 0, len(d.parts))
	for _, p := range d.parts {
		if n := len(out); n > 0 && out[n-1].To == p.events.From {
			out[n-1].To = p.events.To
			continue
		}
		out = append(out, p.events)
	}
	return out
}

// Nack puts the events back at the head, in their old order. If the store was closed since they were taken they are
// back already.
func (d *delivery) Nack() error {
	o := d.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if d.settled {
		return fmt.Errorf("giving back %d events: %w", d.events, flow.ErrSettled)
	}
	d.settled = true
	if o.closed {
		d.release()
		return nil
	}
	delete(o.deliveries, d)
	o.returned = append(o.returned, d.parts...)
	slices.SortFunc(o.returned, func(a, b part) int { return cmp.Compare(a.events.From, b.events.From) })
	o.waiting += d.events
	o.inFlight -= d.events
	d.parts = nil
	d.release()
	o.arrived()
	return nil
}
