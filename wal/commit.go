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
	record  []byte // of a put, without header; nil for others
	payload int
	crc     uint32 // of the payload, if that is not to be sealed
	batch   *event.Batch
	bytes   int64 // of the bodies
	at      int64
	acks    bool         // waits until what is acknowledged is written, and durable with SyncAcks
	task    func() error // runs while nobody else leads

	first uint64        // number of the first event, once written
	err   error         // how it ended; written by the leader before done
	done  chan struct{} // nil for who leads at once
	taken bool          // in a group, or told to lead: too late to withdraw
	leads bool

	buf []byte // kept for the next record
}

var requests = sync.Pool{New: func() any { return new(request) }}

// recycle gives r up, with its buffer unless that is uncommonly large.
func (r *request) recycle() {
	if r.record != nil {
		r.buf = r.record
	}
	if cap(r.buf) > maxGroup {
		r.buf = nil
	}
	*r = request{buf: r.buf}
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
func (l *Log) Append(ctx context.Context, b *event.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	r := requests.Get().(*request)
	defer r.recycle()
	if err := l.encode(r, b); err != nil {
		return fmt.Errorf("appending %d events: %w", b.Len(), err)
	}
	if err := l.submit(ctx, r); err != nil {
		return fmt.Errorf("appending %d events: %w", b.Len(), err)
	}
	return nil
}

// encode makes r the put of b.
func (l *Log) encode(r *request, b *event.Batch) (err error) {
	room := l.keys.overhead()
	r.batch, r.bytes, r.at = b, int64(b.Bytes()), time.Now().UnixNano()
	r.record, r.payload, r.crc, err = encodePut(r.buf, b.Events(), r.at, room)
	return err
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
	l.mu.Unlock()
	select {
	case <-r.done:
	case <-ctx.Done():
		if l.withdraw(r) {
			return ctx.Err()
		}
		<-r.done
	}
	if r.leads {
		return l.lead(r)
	}
	return r.err
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
	group := l.takeGroup()
	l.writer.pen.Lock()
	if r.task != nil {
		r.err = r.task()
	} else {
		_ = l.writer.commit(group) // told to each whom it concerns
	}
	l.writer.pen.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range group {
		l.pending -= m.events()
		if m != r {
			m.leads = false
			m.done <- struct{}{}
		}
	}
	clear(group) // they are their owners' again
	if len(l.queue) == 0 {
		l.leading = false
		return r.err
	}
	head := l.queue[0]
	head.taken, head.leads = true, true
	head.done <- struct{}{}
	return r.err
}

// takeGroup takes from the queue what is written together: a task alone.
func (l *Log) takeGroup() []*request {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, size := 0, 0
	for n < len(l.queue) && size < maxGroup && (n == 0 || l.queue[n].task == nil) {
		l.queue[n].taken = true
		size += len(l.queue[n].record)
		n++
		if l.queue[n-1].task != nil {
			break
		}
	}
	group := append(l.writer.group[:0], l.queue[:n]...)
	l.writer.group = group
	l.queue = slices.Delete(l.queue, 0, n)
	return group
}
