package wal

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/flume-go/flume/event"
)

// maxGroup is the most bytes that one write and sync are shared by.
const maxGroup = 4 << 20

// request waits in the commit queue. It is one of a put, a wait for acknowledgements, and a task. Requests
// are reused with their buffers: whoever submits one recycles it, and nobody else keeps it.
type request struct {
	put   encodedPut
	batch *event.Batch // of a put; nil for others
	mark  *mark        // nil if the events have no origin that is remembered
	at    int64
	acks  bool         // waits until what is acknowledged is written, and durable with SyncAcks
	task  func() error // runs while nobody else leads

	first uint64        // number of the first event, once written
	end   int64         // of its record, likewise
	err   error         // how it ended; written by the leader before done
	done  chan struct{} // nil for who leads at once
	taken bool          // in a group, written ahead, or told to lead: too late to withdraw
	early bool          // written ahead
	leads bool
	group []*request // of a leader: those that end together, itself among them
}

var requests = sync.Pool{New: func() any { return new(request) }}

// recycle gives r up, with its buffers unless they are uncommonly large.
func (r *request) recycle() {
	r.put.reset(maxGroup)
	clear(r.group)
	*r = request{put: r.put, group: r.group[:0]}
	requests.Put(r)
}

// events returns how many events r appends.
func (r *request) events() int {
	if r.batch == nil {
		return 0
	}
	return r.batch.Len()
}

// Append stores b, all of it or nothing, and returns when it is as durable as the sync policy says. It keeps a
// reference of b, which must not be changed any more, if it is to be read soon. The end of ctx
// withdraws b if it is not being written yet; a ctx that has ended before is no obstacle where
// nobody is waiting. The error wraps ErrFull, ErrNoSpace or ErrClosed where that is the reason; after
// an error b is not read before the next Open, and then only if it reached the disk all the same.
func (l *Log) Append(ctx context.Context, b *event.Batch) error { return l.append(ctx, b, nil) }

// append appends a batch and what there is to remember of where it comes from.
func (l *Log) append(ctx context.Context, b *event.Batch, m *mark) error {
	if b.Len() == 0 {
		return nil
	}
	r := requests.Get().(*request)
	defer r.recycle()
	r.mark = m
	if err := l.encode(r, b); err != nil {
		return fmt.Errorf("appending %d events: %w", b.Len(), err)
	}
	if err := l.submit(ctx, r); err != nil {
		return fmt.Errorf("appending %d events: %w", b.Len(), err)
	}
	return nil
}

// encode makes r the put of b.
func (l *Log) encode(r *request, b *event.Batch) error {
	r.batch, r.at = b, time.Now().UnixNano()
	return r.put.encode(b, r.at, l.keys.overhead(), r.mark)
}

// signal wakes a goroutine that receives from c, now or when it does so next.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// exclusive runs task while nobody writes. It is allowed on a closed log.
func (l *Log) exclusive(task func() error) error {
	r := requests.Get().(*request)
	defer r.recycle()
	r.task = task
	return l.submit(context.Background(), r)
}

// submit queues r and returns when it is done. Whoever finds nobody leading leads.
func (l *Log) submit(ctx context.Context, r *request) error {
	l.mu.Lock()
	if err := l.admit(r); err != nil {
		l.mu.Unlock()
		return err
	}
	l.queue = append(l.queue, r)
	l.pending += r.events()
	if !l.leading {
		l.leading, r.taken, r.leads = true, true, true
		l.mu.Unlock()
		return l.lead(r)
	}
	// Not kept with r: a channel belongs to the synctest bubble that it was made in.
	r.done = make(chan struct{}, 1)
	window := l.windowFor(r)
	l.mu.Unlock()
	if err := l.await(ctx, r, window); err != nil {
		return err
	}
	if r.leads {
		return l.lead(r)
	}
	return r.err
}

// await waits until r is done or leads, and writes it ahead meanwhile if it can be. The error is that of ctx, if r was withdrawn.
func (l *Log) await(ctx context.Context, r *request, window <-chan struct{}) error {
	select {
	case <-r.done:
		return nil
	case <-window:
		l.writer.writeAhead()
	case <-ctx.Done():
		if l.withdraw(r) {
			return ctx.Err()
		}
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if l.withdraw(r) {
			return ctx.Err()
		}
		<-r.done
	}
	return nil
}

// admit reports why r cannot be queued. mu is held.
func (l *Log) admit(r *request) error {
	if l.closed && r.task == nil {
		return ErrClosed
	}
	n := r.events()
	if l.opts.MaxEvents == 0 || n == 0 {
		return nil
	}
	stored := l.pending + int(l.stored)
	if stored > 0 && stored+n > l.opts.MaxEvents {
		return fmt.Errorf("%w: %d of %d events are stored", ErrFull, stored, l.opts.MaxEvents)
	}
	return nil
}

// withdraw takes r out of the queue; false if it is too late.
func (l *Log) withdraw(r *request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.taken {
		return false
	}
	i := slices.Index(l.queue, r)
	l.queue = slices.Delete(l.queue, i, i+1)
	l.pending -= r.events()
	return true
}

// lead writes one group, which r is the first of, and hands leadership on.
func (l *Log) lead(r *request) error {
	l.takeGroup(r)
	l.writer.pen.Lock()
	if r.task != nil {
		l.writer.flushEarly()
		r.err = r.task()
	} else {
		_ = l.writer.commit(r.group) // told to each whom it concerns
	}
	l.writer.pen.Unlock()
	// First of all the disk gets its next work; it is not told with mu held, which all who are told want.
	if next := l.succeed(r.group); next != nil {
		next.done <- struct{}{}
	}
	for _, m := range r.group {
		if m != r {
			m.done <- struct{}{}
		}
	}
	return r.err
}

// succeed takes a group that is done off the books and returns who leads next, nil if nobody waits.
func (l *Log) succeed(group []*request) *request {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range group {
		l.pending -= m.events()
		m.leads = false
	}
	var next *request
	switch {
	case len(l.queue) > 0:
		next = l.queue[0]
	case len(l.early) > 0:
		next = l.early[0]
	default:
		l.leading = false
		return nil
	}
	next.taken, next.leads = true, true
	return next
}

// takeGroup takes what r leads: all that was written ahead, and of the queue what is written together with it, a task alone.
func (l *Log) takeGroup(r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writer.early = append(l.writer.early[:0], l.early...)
	r.group = append(r.group[:0], l.early...)
	clear(l.early)
	l.early = l.early[:0]
	n, size := 0, int64(0)
	for n < len(l.queue) && size < maxGroup && (l.queue[n].task == nil || l.queue[n] == r) {
		l.queue[n].taken = true
		size += l.queue[n].put.size
		n++
		if r.task != nil {
			break
		}
	}
	r.group = append(r.group, l.queue[:n]...)
	l.queue = slices.Delete(l.queue, 0, n)
}
