package wal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/flume-go/flume/event"
)

// maxGroup is the most bytes that one write and sync are shared by.
const maxGroup = 4 << 20

// request waits in the commit queue. It is one of a put, acknowledged ranges, and a task.
type request struct {
	record  []byte // of a put, without header
	payload int
	crc     uint32
	batch   *event.Batch
	bytes   int64 // of the bodies
	at      int64
	acks    []Range
	task    func() error // runs while nobody else leads

	first uint64 // number of the first event, once written
	err   error  // how it ended; written by the leader before done
	done  chan struct{}
	taken bool // in a group, or told to lead: too late to withdraw
	leads bool
}

// isPut reports whether r appends a batch.
func (r *request) isPut() bool { return r.record != nil }

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
	now := time.Now().UnixNano()
	record, payload, err := encodePut(b.Events(), now)
	if err != nil {
		return fmt.Errorf("appending %d events: %w", b.Len(), err)
	}
	r := &request{
		record: record, payload: payload, crc: checksum(record[recordHeader : recordHeader+payload]),
		batch: b, bytes: int64(b.Bytes()), at: now,
	}
	if err := l.submit(ctx, r); err != nil {
		return fmt.Errorf("appending %d events: %w", b.Len(), err)
	}
	return nil
}

// Ack says that these events are gone for good; they need not have been read together or first. It returns when that is
// written, and with SyncAcks when it is durable. After an error they are not read again in this
// life of the log, but may be in the next.
func (l *Log) Ack(ranges ...Range) error {
	l.mu.Lock()
	next := l.next
	l.mu.Unlock()
	for _, r := range ranges {
		if r.From >= r.To || r.From == 0 || r.To > next {
			return fmt.Errorf("acknowledging events %v: the log has events 1 to %d", r, next-1)
		}
	}
	if len(ranges) == 0 {
		return nil
	}
	if err := l.submit(context.Background(), &request{acks: ranges}); err != nil {
		return fmt.Errorf("acknowledging events from %d: %w", ranges[0].From, err)
	}
	return nil
}

// exclusive runs task while nobody writes. It is allowed on a closed log.
func (l *Log) exclusive(task func() error) error {
	return l.submit(context.Background(), &request{task: task})
}

// submit queues r and returns when it is done. Whoever finds nobody leading leads.
func (l *Log) submit(ctx context.Context, r *request) error {
	r.done = make(chan struct{}, 1)
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
	stored := l.pending
	for _, s := range l.segments {
		stored += int(s.live)
	}
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
	if r.task != nil {
		r.err = r.task()
	} else {
		l.writer.commit(group)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range group {
		l.pending -= m.events()
		if m != r {
			m.leads = false
			m.done <- struct{}{}
		}
	}
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
	group := slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	return group
}
