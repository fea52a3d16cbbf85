package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/wal"
)

// diskPoll is how often a put that waits for disk space asks the log again. The log itself tries the disk once a
// second, and uses segments that are free at once.
const diskPoll = 250 * time.Millisecond

// put stores b, waiting for space in the channel and on the disk, for both together as long as a put may wait.
func (o *opened) put(ctx context.Context, b *event.Batch) error {
	n := b.Len()
	until := o.deadline()
	if err := o.acquire(ctx, n, until); err != nil || n == 0 {
		return err
	}
	for {
		err := o.write(b, n)
		if err == nil {
			o.pace()
		}
		if !errors.Is(err, wal.ErrNoSpace) {
			return err
		}
		if err = o.waitForDisk(ctx, until, err); err != nil {
			o.giveUp(n)
			return err
		}
	}
}

// deadline returns until when a put that begins now may wait; the zero time says without end.
func (o *opened) deadline() time.Time {
	if o.opts.Wait < 0 {
		return time.Time{}
	}
	return time.Now().Add(o.opts.Wait)
}

// write writes b, for whose n events space is promised; what is there already, as another agent sends it again, is left out. The
// promise ends with it, unless the disk is full: then it is kept, and the error wraps wal.ErrNoSpace.
func (o *opened) write(b *event.Batch, n int) error {
	at := time.Now()
	stored, err := o.log.AppendOnce(context.Background(), b)
	switch {
	case err == nil:
		o.diskHasSpace()
		o.through(n, stored, at)
		return nil
	case errors.Is(err, wal.ErrNoSpace):
		o.diskIsFull(err)
		return fmt.Errorf("%w: %w", flow.ErrFull, err)
	case errors.Is(err, wal.ErrClosed):
		err = flow.ErrClosed
	default:
		// A failed write or sync. The batch is not in the log, and in doubt only if the power fails now: to put it
		// again is right in any case.
		o.counters.PutErrors.Add(1)
		err = flow.Retry(err)
	}
	o.giveUp(n)
	return err
}

// diskIsFull notes that a put met a full disk, and tells of the first.
func (o *opened) diskIsFull(why error) {
	if o.diskFull.Swap(&why) == nil {
		o.slog.Error("the disk is full: nothing more is stored until there is space, what is stored goes on to the sinks", "error", why)
	}
}

// diskHasSpace notes that a put found space on the disk.
func (o *opened) diskHasSpace() {
	if o.diskFull.Load() != nil && o.diskFull.Swap(nil) != nil {
		o.slog.Info("there is space on the disk again, puts go on")
	}
}

// waitForDisk waits a moment before a put that met the full disk tries again. The error says that it may not: full, if
// it has waited long enough.
func (o *opened) waitForDisk(ctx context.Context, until time.Time, full error) error {
	pause := diskPoll
	if !until.IsZero() {
		pause = min(pause, time.Until(until))
	}
	if pause <= 0 || ctx.Err() != nil {
		return full
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-o.closing:
		return flow.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pace lets the sink go first after a put, as long as it takes from memory: once it has to read from the disk it is far behind anyway.
func (o *opened) pace() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if ready, all := o.log.Cached(); all && !o.closed {
		o.pacer.Hold(&o.mu, ready)
	}
}

// through ends the promise of space for n events, of which some, or all, were stored at this time and the rest before.
func (o *opened) through(n, stored int, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stored <= o.inFlight+o.waiting {
		o.unread = at
	}
	o.promised -= n
	o.stored += stored
	o.counters.PutSuccess.Add(n)
	o.counters.Repeated.Add(n - stored)
	o.count()
	o.arrived()
	if stored < n {
		o.serve()
	}
	o.recount()
}

// giveUp ends the promise of space for n events.
func (o *opened) giveUp(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.promised -= n
	o.recount()
	o.serve()
}

// acquire promises space for n events, waiting for it if need be. A ctx that has ended forbids only the waiting.
func (o *opened) acquire(ctx context.Context, n int, until time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return flow.ErrClosed
	case o.opts.Batch > 0 && n > o.opts.Batch:
		return flow.Fatal(fmt.Errorf("more than the transaction capacity of %d; make batches smaller or the transaction capacity larger", o.opts.Batch))
	case n == 0:
		return nil
	case len(o.putters) == 0 && o.fits(n):
		o.promised += n
		return nil
	case o.opts.Wait == 0 || ctx.Err() != nil:
		return o.full("without waiting")
	}
	return o.await(ctx, n, until)
}

// await stands in line until space is promised. The lock is held at the call and at the return.
func (o *opened) await(ctx context.Context, n int, until time.Time) error {
	patience := time.Duration(-1)
	if !until.IsZero() {
		patience = max(time.Until(until), 0)
	}
	w := o.putters.Join(n)
	answered, err := o.putters.Await(ctx, &o.mu, w, patience)
	if answered {
		return err
	}
	o.putters.Leave(w)
	if err == nil {
		err = o.full(fmt.Sprintf("after waiting %v", o.opts.Wait))
	}
	o.serve() // those behind w may fit
	return err
}

// fits reports whether there is space for n events. An empty store has it for any batch. Where the books say no the
// log is asked, which knows of events that damage took. The lock is held.
func (o *opened) fits(n int) bool {
	return o.room(o.stored, n) || o.damaged.Load() && o.room(o.log.Stats().Events, n)
}

func (o *opened) room(stored, n int) bool {
	used := stored + o.promised
	return used <= 0 || used+n <= o.opts.Capacity
}

// serve promises space to those who wait for it, in turn, as far as it goes. The lock is held.
func (o *opened) serve() {
	for len(o.putters) > 0 && o.fits(o.putters[0].Need) {
		o.promised += o.putters[0].Need
		o.putters.AnswerFirst()
	}
}

// full says that there is no space, and how it was waited for. The lock is held.
func (o *opened) full(waited string) error {
	return fmt.Errorf("%w %s: %d of %d events are in use, %d of them by sinks; make sinks faster or the capacity larger",
		flow.ErrFull, waited, o.stored+o.promised, o.opts.Capacity, o.inFlight)
}

// Reserve promises space for b: see flow.Reserver. Space on the disk is not part of the promise: Commit may
// still find it full.
func (s *Store) Reserve(ctx context.Context, b *event.Batch) (flow.Reservation, error) {
	n := b.Len()
	s.counters.PutAttempt.Add(n)
	o, err := s.current()
	if err == nil {
		err = o.acquire(ctx, n, o.deadline())
	}
	if err != nil {
		return nil, fmt.Errorf("reserving space for %d events: %w", n, err)
	}
	return &reservation{o: o, batch: b.Retain(), events: n}, nil
}

// reservation holds a reference of its batch until it is ended. It is for one goroutine.
type reservation struct {
	o      *opened
	batch  *event.Batch // nil once ended
	events int
}

// Commit stores the batch.
func (r *reservation) Commit() error {
	b := r.batch
	if b == nil {
		return errors.New("storing reserved events: the reservation has been ended before")
	}
	r.batch = nil
	defer b.Release()
	if r.events == 0 {
		return nil
	}
	err := r.o.write(b, r.events)
	if errors.Is(err, wal.ErrNoSpace) {
		r.o.giveUp(r.events)
	}
	if err != nil {
		return fmt.Errorf("storing %d events: %w", r.events, err)
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
	if r.events > 0 {
		r.o.giveUp(r.events)
	}
}
