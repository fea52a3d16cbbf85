// Package queue is a bounded queue of batches in memory: what the channels that
// keep their events in memory have in common. It satisfies flow.Channel's rules
// except that Open takes the limits.
//
// A put retains the batch and appends one segment to a ring; a take hands the
// oldest segment out as it is, or cut, or several small ones joined. Nothing is
// copied and nothing is done per event but adding up the lengths of the bodies.
//
// All state is behind one mutex, which is never held while anything waits. Space
// is accounted in events and in slots (see SlotSize) from the promise to the
// put until the acknowledgement of the take.
//
// # Not obvious
//
//   - Segments are numbered in the order of their commit. Whatever is taken is
//     older than whatever was never taken, so events that come back go to a list
//     of their own, kept sorted, that is served before the ring.
//   - A batch that exceeds a limit by itself is stored when nothing else is. It is
//     in memory already, with the source; refusing it would save nothing and
//     stop the source for ever.
//   - A waiting put is served strictly in turn: a large one is not starved by
//     small ones that would fit. A waiting take is woken, not served: one that
//     comes at the same moment may be faster.
//   - Close ends open deliveries: their events are back in the queue, and their
//     Ack says so with an error. A sink that hangs cannot hide events from the
//     channel that takes over.
package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flume-go/flume/channels/internal/counters"
	"github.com/flume-go/flume/channels/internal/line"
	"github.com/flume-go/flume/channels/internal/pace"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// Limits bound what a Queue holds.
type Limits struct {
	Events int           // most events, those in open deliveries included
	Slots  int64         // most slots; 0: no limit
	Batch  int           // most events of one put and of one take; 0: no limit
	Wait   time.Duration // how long a put waits for space; negative: as long as it takes
}

// Queue is a queue of batches. Safe for concurrent use.
type Queue struct {
	counters *counters.Channel
	capacity int64 // shown as ChannelCapacity while open

	mu       sync.Mutex
	limits   Limits
	open     bool
	promised usage // space of puts that are not stored yet
	content
	deliveries openList
	putters    line.Line[usage]
	takers     line.Line[usage]
	pacer      pace.Pacer // for puts that are through
}

// content is what an heir takes over.
type content struct {
	fresh    ring      // stored, never taken since they were stored or reopened
	returned []segment // taken and given back, sorted; all older than fresh
	ready    int       // events in fresh and returned
	// readyBytes is the size of their bodies.
	readyBytes int64
	stored     usage  // of ready events and those in open deliveries
	next       uint64 // number of the next event stored
}

// New returns an empty queue that is not open. c counts for it, with shown as
// ChannelCapacity.
func New(c *counters.Channel, shown int) *Queue {
	return &Queue{counters: c, capacity: int64(shown)}
}

// Open lets events in and out within the limits. What the queue held when it was
// closed is there, even if it exceeds them.
func (q *Queue) Open(limits Limits) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limits, q.open = limits, true
	q.counters.Capacity.Set(q.capacity)
	q.counters.Size.Set(int64(q.ready))
}

// Close refuses events from now on, ends what waits with ErrClosed, and takes
// the events of open deliveries back.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = false
	for d := q.deliveries.first; d != nil; d = q.deliveries.first {
		q.deliveries.remove(d)
		d.state = orphaned
		q.giveBack(d)
	}
	q.putters.AnswerAll(flow.ErrClosed)
	q.takers.AnswerAll(flow.ErrClosed)
	q.pacer.End()
	q.counters.Size.Set(int64(q.ready))
}

// Inherit moves what old holds to q. Neither may be open, and q must be empty.
// Not to be called on the same two queues in both directions at once.
func (q *Queue) Inherit(old *Queue) error {
	if q == old {
		return nil
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case old.open:
		return errors.New("taking over a channel's events: the old channel is still open; close it first")
	case q.open || q.stored.events > 0:
		return errors.New("taking over a channel's events: the new channel is in use already")
	}
	q.content, old.content = old.content, content{}
	return nil
}

// Put stores b: see flow.Channel.
func (q *Queue) Put(ctx context.Context, b *event.Batch) error {
	need := measure(b.Events())
	q.counters.PutAttempt.Add(need.events)
	if err := q.acquire(ctx, need); err != nil {
		return fmt.Errorf("storing %d events: %w", need.events, err)
	}
	if !q.store(b, need) {
		return fmt.Errorf("storing %d events: %w", need.events, flow.ErrClosed)
	}
	q.pace()
	return nil
}

// store appends b, whose space is promised; false if the queue was closed meanwhile.
func (q *Queue) store(b *event.Batch, need usage) bool {
	now := time.Now()
	b.Retain()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.promised.sub(need)
	if !q.open || need.events == 0 {
		q.serve()
		b.Release()
		return q.open
	}
	q.fresh.push(segment{batch: b, to: b.Len(), seq: q.next, at: now.UnixNano(), size: need})
	q.next += uint64(need.events)
	q.ready += need.events
	q.readyBytes += need.bytes
	q.stored.add(need)
	q.counters.PutSuccess.Add(need.events)
	q.counters.Size.Set(int64(q.ready))
	q.takers.AnswerFirst()
	return true
}

// pace lets the sink go first after a put.
func (q *Queue) pace() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open {
		q.pacer.Hold(&q.mu, q.readyBytes)
	}
}

// Take takes events out: see flow.Channel.
func (q *Queue) Take(ctx context.Context, limit int) (flow.Delivery, error) {
	if limit < 1 {
		return nil, fmt.Errorf("taking %d events: ask for at least one", limit)
	}
	d, err := q.take(ctx, limit)
	if err != nil {
		q.counters.TakeAttempt.Add(1)
		return nil, fmt.Errorf("taking events: %w", err)
	}
	return d, nil
}

func (q *Queue) take(ctx context.Context, limit int) (*delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.open && q.ready == 0 {
		w := q.takers.Join(usage{})
		if answered, err := q.takers.Await(ctx, &q.mu, w, -1); err != nil {
			if !answered {
				q.takers.Leave(w)
			}
			return nil, err
		}
	}
	if !q.open {
		return nil, flow.ErrClosed
	}
	if q.limits.Batch > 0 {
		limit = min(limit, q.limits.Batch)
	}
	d := q.cut(limit)
	attempts := d.size.events
	if attempts < limit {
		attempts++ // Flume's sinks ask for events until there are none
	}
	q.counters.TakeAttempt.Add(attempts)
	if q.ready > 0 {
		q.takers.AnswerFirst()
	}
	return d, nil
}

// Stats returns the present state.
func (q *Queue) Stats() flow.Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return flow.Stats{
		Events:   q.stored.events,
		InFlight: q.stored.events - q.ready,
		Bytes:    q.stored.bytes,
		Capacity: q.limits.Events,
		Oldest:   q.oldest(),
	}
}

// oldest returns when the oldest event was put: it is the first of one of the
// three places where events are.
func (q *Queue) oldest() time.Time {
	var first *segment
	for _, s := range []*segment{q.deliveries.oldest(), q.firstReady()} {
		if s != nil && (first == nil || s.seq < first.seq) {
			first = s
		}
	}
	if first == nil {
		return time.Time{}
	}
	return time.Unix(0, first.at)
}

// firstReady returns the segment to be taken next, nil if there is none.
func (q *Queue) firstReady() *segment {
	if len(q.returned) > 0 {
		return &q.returned[0]
	}
	return q.fresh.front()
}
