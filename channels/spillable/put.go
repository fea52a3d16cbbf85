package spillable

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// diskPoll is how often a put that waits for disk space tries again.
const diskPoll = 250 * time.Millisecond

// put stores b, waiting for space in memory and on the disk, for all together as long as a put may wait.
func (o *opened) put(ctx context.Context, b *event.Batch) error {
	until := time.Now().Add(o.limits.wait)
	for {
		g, err := o.acquire(ctx, b, until)
		if err != nil {
			return storing(b.Len(), err)
		}
		if err = o.commit(b, g); !errors.Is(err, flow.ErrFull) {
			if err == nil {
				o.pace()
			}
			return err
		}
		if again, ended := o.waitForDisk(ctx, until); ended != nil {
			return storing(b.Len(), ended)
		} else if !again {
			return err
		}
	}
}

// pace lets the sink go first after a put, as long as nothing is on the disk: where something is the sinks are far behind anyway.
func (o *opened) pace() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed && !o.overflowing && o.stored.events == o.ready+o.inFlight {
		o.pacer.Hold(&o.mu, o.readyBytes)
	}
}

// storing says what failed.
func storing(n int, err error) error { return fmt.Errorf("storing %d events: %w", n, err) }

// waitForDisk waits a moment before a put that met a full disk tries again; false if it has waited long enough.
func (o *opened) waitForDisk(ctx context.Context, until time.Time) (again bool, err error) {
	pause := min(diskPoll, time.Until(until))
	if pause <= 0 || ctx.Err() != nil {
		return false, nil
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return true, nil
	case <-o.closing:
		return false, flow.ErrClosed
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// grant is space promised to a batch.
type grant struct {
	memory usage            // promised; nothing if disk is set
	disk   flow.Reservation // nil: in memory
}

// acquire promises space to b, waiting for it if need be. A ctx that has ended forbids only the waiting.
func (o *opened) acquire(ctx context.Context, b *event.Batch, until time.Time) (grant, error) {
	need := measure(b.Events(), o.limits.slot)
	o.mu.Lock()
	defer o.mu.Unlock()
	patience := time.Until(until)
	if ctx.Err() != nil {
		patience = 0
	}
	switch {
	case o.closed:
		return grant{}, flow.ErrClosed
	case need.events > o.limits.batch:
		return grant{}, flow.Fatal(fmt.Errorf("more than the transaction capacity of %d; make batches smaller or the transaction capacity larger", o.limits.batch))
	case need.events == 0:
		return grant{}, nil
	}
	if len(o.putters) == 0 {
		if g, ok, err := o.choose(b, need, patience <= 0); ok || err != nil {
			return g, err
		}
	}
	if patience <= 0 {
		return grant{}, o.full(need, "without waiting")
	}
	return o.await(ctx, b, need, patience)
}

// choose promises space to b where there is some: in memory, or else on the disk, unless b should wait for memory. An error says that
// waiting is in vain. The lock is held.
func (o *opened) choose(b *event.Batch, need usage, hurry bool) (g grant, ok bool, err error) {
	if o.fits(need) {
		o.promised.add(need)
		return grant{memory: need}, true, nil
	}
	if !o.limits.spills || !hurry && !o.overflowing && o.holdable(need) {
		return grant{}, false, nil
	}
	if o.holdable(need) {
		o.overflowing = true
	}
	// The disk's part never waits, so that its context does not matter.
	res, err := o.overflow.Reserve(context.Background(), b)
	if errors.Is(err, flow.ErrFull) {
		return grant{}, false, nil
	}
	return grant{disk: res}, err == nil, err
}

// holdable reports whether need fits into memory that is empty.
func (o *opened) holdable(need usage) bool {
	return need.events <= o.limits.events && need.slots <= o.limits.slots
}

// fits reports whether there is memory for need. Without a disk to go to, a batch that exceeds a limit by itself is stored when
// nothing else is: it is in memory already, with the source. The lock is held.
func (o *opened) fits(need usage) bool {
	events, slots := o.stored.events+o.promised.events, o.stored.slots+o.promised.slots
	return events+need.events <= o.limits.events && slots+need.slots <= o.limits.slots ||
		events == 0 && !o.limits.spills
}

// await stands in line until space is promised. The lock is held at the call and at the return.
func (o *opened) await(ctx context.Context, b *event.Batch, need usage, patience time.Duration) (grant, error) {
	p := &putter{batch: b, need: need}
	w := o.putters.Join(p)
	answered, err := o.putters.Await(ctx, &o.mu, w, patience)
	if answered {
		return p.grant, err
	}
	if err == nil {
		o.overflowing = o.limits.spills
		o.serve() // those before w, w, and those behind it, as far as the disk has room
	}
	if !o.putters.Leave(w) { // served just now
		return p.grant, <-w.Answer
	}
	if err == nil {
		err = o.full(need, fmt.Sprintf("after waiting %v", o.limits.wait))
	}
	o.serve() // those behind w may fit
	return grant{}, err
}

// serve promises space to those who wait for it, in turn, as far as it goes. The lock is held.
func (o *opened) serve() {
	for len(o.putters) > 0 {
		w := o.putters[0]
		g, ok, err := o.choose(w.Need.batch, w.Need.need, false)
		if !ok && err == nil {
			return
		}
		w.Need.grant = g
		o.putters.Leave(w)
		w.Answer <- err
	}
}

// full says what there is no space for, and how it was waited for. The lock is held.
func (o *opened) full(need usage, waited string) error {
	used, l := o.stored, o.limits
	used.add(o.promised)
	disk := "and there is no overflow to the disk"
	if l.spills {
		disk = fmt.Sprintf("and %d of %d on the disk", o.overflow.Stats().Events, o.overflow.Stats().Capacity)
	}
	return fmt.Errorf("%w %s: in memory %d of %d events and %d of %d bytes (in units of %d) are in use and %d and %d more are needed, %s; %d events are with sinks; make sinks faster or memoryCapacity or overflowCapacity larger",
		flow.ErrFull, waited, used.events, l.events, used.slots*l.slot, l.slots*l.slot, l.slot, need.events, need.slots*l.slot, disk, o.inFlight)
}

// commit stores b in the space it was promised. Its errors say what failed.
func (o *opened) commit(b *event.Batch, g grant) error {
	if g.disk != nil {
		return o.spill(g.disk, b.Len())
	}
	return o.store(b, g.memory)
}

// store puts b into memory.
func (o *opened) store(b *event.Batch, need usage) error {
	now := time.Now().UnixNano()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.promised.sub(need)
	if o.closed {
		return storing(need.events, flow.ErrClosed)
	}
	if need.events == 0 {
		return nil
	}
	o.fresh.push(&run{place: inMemory, events: need.events, batch: b.Retain(), at: now, size: need})
	o.stored.add(need)
	o.readyBytes += need.bytes
	o.arrived(need.events)
	return nil
}

// spill writes n events to the disk, in their turn.
func (o *opened) spill(res flow.Reservation, n int) error {
	r, ok := o.enter()
	if !ok {
		res.Cancel()
		return storing(n, flow.ErrClosed)
	}
	err := res.Commit()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy--
	if err == nil {
		r.events += n
		o.spilled.Add(n)
	} else {
		n = 0
	}
	if r.pending--; r.pending == 0 && o.writing == r {
		o.nextTurn()
	}
	o.arrived(n) // also without any: what is behind r may be taken now
	o.idle.Broadcast()
	return err
}

// enter adds a put to the run at the end, if that is on disk, or to a new one, and waits until it may be written: when those of
// earlier runs are through. false: the channel was closed.
func (o *opened) enter() (r *run, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, false
	}
	if r = o.fresh.last(); r == nil || r.place != onDisk {
		r = &run{place: onDisk}
		o.fresh.push(r)
	}
	r.pending++
	switch {
	case o.writing == nil:
		o.writing = r
	case o.writing != r && r.turn == nil:
		r.turn = make(chan struct{})
		o.gated = append(o.gated, r)
	}
	if r.turn != nil {
		turn := r.turn
		o.mu.Unlock()
		select {
		case <-turn:
		case <-o.closing:
		}
		o.mu.Lock()
	}
	if o.closed {
		r.pending--
		return nil, false
	}
	o.busy++
	return r, true
}

// nextTurn lets the puts of the next run on disk be written. The lock is held.
func (o *opened) nextTurn() {
	if o.writing = nil; len(o.gated) == 0 {
		return
	}
	o.writing = o.gated[0]
	o.gated = slices.Delete(o.gated, 0, 1)
	close(o.writing.turn)
}

// reservation holds a reference of its batch until it is ended. It is for one goroutine.
type reservation struct {
	o     *opened
	batch *event.Batch // nil once ended
	grant grant
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
	return r.o.commit(b, r.grant)
}

// Cancel gives the space back. After Commit or Cancel it does nothing.
func (r *reservation) Cancel() {
	if r.batch == nil {
		return
	}
	r.batch.Release()
	r.batch = nil
	if r.grant.disk != nil {
		r.grant.disk.Cancel()
	}
	r.o.mu.Lock()
	defer r.o.mu.Unlock()
	r.o.promised.sub(r.grant.memory)
	r.o.serve()
}

// putter is a put that waits for space.
type putter struct {
	batch *event.Batch
	need  usage
	grant grant // what it is promised, once it has its answer
}
