package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// acquire promises space to a put, waiting for it if need be. A ctx that has
// ended forbids only the waiting.
func (q *Queue) acquire(ctx context.Context, need usage) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !q.open:
		return flow.ErrClosed
	case q.limits.Batch > 0 && need.events > q.limits.Batch:
		return flow.Fatal(fmt.Errorf("more than the transaction capacity of %d; make batches smaller or the transaction capacity larger", q.limits.Batch))
	case need.events == 0 || len(q.putters) == 0 && q.fits(need):
		q.promised.add(need)
		return nil
	case q.limits.Wait == 0 || ctx.Err() != nil:
		return q.full(need, false)
	}
	return q.await(ctx, need)
}

// await stands in line until space is promised. The lock is held at the call
// and at the return.
func (q *Queue) await(ctx context.Context, need usage) error {
	w := q.putters.Join(need)
	answered, err := q.putters.Await(ctx, &q.mu, w, q.limits.Wait)
	if answered {
		return err
	}
	q.putters.Leave(w)
	if err == nil {
		err = q.full(need, true)
	}
	q.serve() // those behind w may fit
	return err
}

// fits reports whether there is space for need. An empty queue always has.
func (q *Queue) fits(need usage) bool {
	events, slots := q.stored.events+q.promised.events, q.stored.slots+q.promised.slots
	if events == 0 {
		return true
	}
	return events+need.events <= q.limits.Events &&
		(q.limits.Slots == 0 || slots+need.slots <= q.limits.Slots)
}

// serve promises space to those who wait for it, in turn, as far as it goes.
func (q *Queue) serve() {
	for len(q.putters) > 0 && q.fits(q.putters[0].Need) {
		q.promised.add(q.putters[0].Need)
		q.putters.AnswerFirst()
	}
}

// full says what there is no space for, and whether it was waited for.
func (q *Queue) full(need usage, waits bool) error {
	used := q.stored
	used.add(q.promised)
	out := q.stored.events - q.ready
	waited := "without waiting"
	if waits {
		waited = fmt.Sprintf("after waiting %v", q.limits.Wait)
	}
	switch {
	case used.events+need.events > q.limits.Events:
		return fmt.Errorf("%w %s: %d of %d events are in use, %d of them by sinks; make sinks faster or the capacity larger",
			flow.ErrFull, waited, used.events, q.limits.Events, out)
	case q.limits.Slots > 0 && used.slots+need.slots > q.limits.Slots:
		return fmt.Errorf("%w %s: %d of %d bytes are in use (in units of %d), by %d events, %d of them with sinks, and %d more are needed; make sinks faster or the byte capacity larger",
			flow.ErrFull, waited, used.slots*SlotSize, q.limits.Slots*SlotSize, SlotSize, used.events, out, need.slots*SlotSize)
	default:
		return fmt.Errorf("%w %s: larger puts wait for space before this one; make sinks faster or the capacity larger", flow.ErrFull, waited)
	}
}

// Reserve promises space for b: see flow.Reserver.
func (q *Queue) Reserve(ctx context.Context, b *event.Batch) (flow.Reservation, error) {
	need := measure(b.Events())
	q.counters.PutAttempt.Add(need.events)
	if err := q.acquire(ctx, need); err != nil {
		return nil, fmt.Errorf("reserving space for %d events: %w", need.events, err)
	}
	return &reservation{q: q, batch: b.Retain(), need: need}, nil
}

// reservation holds a reference of its batch until it is ended. It is for one
// goroutine.
type reservation struct {
	q     *Queue
	batch *event.Batch // nil once ended
	need  usage
}

var _ flow.Reservation = (*reservation)(nil)

// Commit stores the batch.
func (r *reservation) Commit() error {
	b := r.batch
	if b == nil {
		return errors.New("storing reserved events: the reservation has been ended before")
	}
	r.batch = nil
	defer b.Release()
	if !r.q.store(b, r.need) {
		return fmt.Errorf("storing %d events: %w", r.need.events, flow.ErrClosed)
	}
	return nil
}

// Cancel gives the space back. After Commit or Cancel it does nothing.
func (r *reservation) Cancel() {
	if r.batch == nil {
		return
	}
	r.batch.Release()
	r.batch = nil
	r.q.mu.Lock()
	defer r.q.mu.Unlock()
	r.q.promised.sub(r.need)
	r.q.serve()
}
