package spillable

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/channels/internal/counters"
	"github.com/flume-go/flume/channels/internal/durable"
	"github.com/flume-go/flume/channels/internal/heap"
	"github.com/flume-go/flume/channels/internal/line"
	"github.com/flume-go/flume/channels/internal/pace"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

// channel is a spillable channel. Safe for concurrent use.
type channel struct {
	cfg      Config
	env      component.Env
	counters *counters.Channel
	spilled  *metrics.Counter
	overflow *durable.Channel // what did not fit into memory
	carry    carrier          // what was in memory at a stop

	life sync.Mutex // Open and Close take turns
	left []*run     // what Close could not write to the disk, with the runs around it; life guards it

	now atomic.Pointer[opened] // nil before the first Open; a closed one after Close
}

var (
	_ flow.Channel  = (*channel)(nil)
	_ flow.Reserver = (*channel)(nil)
)

// New makes the channel. It is not open yet.
func New(cfg Config, env component.Env) (flow.Channel, error) {
	c := &channel{cfg: cfg, env: env, counters: counters.New(env.Metrics)}
	// The parts have Flume's counters of a file channel, too, which the channel as a whole has not.
	inner := env
	inner.Log = env.Log.With("part", "overflow")
	var err error
	c.overflow, err = durable.New(cfg.Config, durable.Limits{Capacity: max(1, cfg.overflow())}, inner, unregistered(env))
	if err != nil {
		return nil, err
	}
	if c.carry, err = newCarrier(cfg.Config, env); err != nil {
		return nil, err
	}
	m := env.Metrics
	c.spilled = m.OwnCounter("spilled_events", "Events that went to the disk because they did not fit into memory.")
	counters.OwnGauges(m, c.Stats) // in place of those of the part
	m.OwnGauge("memory_events", "Events in memory, those included that sinks have taken and not yet delivered.", func() float64 {
		return float64(c.inMemory())
	})
	m.OwnGauge("overflow_events", "Events on the disk, those included that sinks have taken and not yet delivered.", func() float64 {
		return float64(c.overflow.Stats().Events)
	})
	return c, nil
}

// unregistered returns counters that nobody sees.
func unregistered(env component.Env) *counters.File {
	return counters.NewFile(metrics.NewSet(metrics.KindChannel, env.Name))
}

// limits are what bounds an open channel.
type limits struct {
	events    int   // most in memory
	slots     int64 // most in memory
	slot      int64 // bytes of a slot
	total     int   // most events in all places; shown only
	batch     int   // most events of one put and of one take
	spills    bool  // what does not fit into memory may go to the disk
	threshold int   // percentage of events at which puts wait for memory again
	wait      time.Duration
}

// limits returns the limits. It finds out how much memory there is, if the configuration does not say how many bytes to hold.
func (c *channel) limits() (limits, error) {
	bytes := int64(0)
	if c.cfg.ByteCapacity != nil {
		bytes = *c.cfg.ByteCapacity
	} else {
		most, err := heap.Max(os.Getenv, c.env.FS)
		if err != nil {
			return limits{}, fmt.Errorf("setting the default byteCapacity: %w", err)
		}
		bytes = int64(float64(most) * .80)
	}
	return limits{
		events:    c.cfg.MemoryCapacity,
		slots:     slots(bytes, c.cfg.BufferPercentage, c.cfg.AvgEventSize),
		slot:      c.cfg.AvgEventSize,
		total:     c.cfg.MemoryCapacity + c.cfg.overflow(),
		batch:     c.cfg.TransactionCapacity,
		spills:    c.cfg.overflow() > 0,
		threshold: c.cfg.OverflowThreshold,
		wait:      max(0, c.cfg.OverflowTimeout),
	}, nil
}

// slots returns the byte limit in slots: Flume's arithmetic, with its way to say "no limit", which is a limit of less than one
// slot.
func slots(bytes int64, bufferPercentage int, slot int64) int64 {
	n := float64(bytes) * (1 - float64(bufferPercentage)*.01) / float64(slot)
	if n < 1 || n >= math.MaxInt32 {
		return math.MaxInt32
	}
	return int64(n)
}

// opened is a channel from Open to Close. Deliveries and reservations belong to one of these: what is settled after Close cannot
// disturb the next.
type opened struct {
	limits   limits
	counters *counters.Channel
	spilled  *metrics.Counter
	overflow *durable.Channel
	carried  *durable.Channel

	takeMu sync.Mutex // one at a time takes or gives back

	mu         sync.Mutex
	closed     bool
	closing    chan struct{} // closed with it
	fresh      runs          // never taken since they were stored or the channel was opened
	returned   []*run        // taken and given back, sorted; all older than fresh
	seq        uint64        // number of the next event that is taken for the first time
	ready      int           // events in fresh and returned
	inFlight   int           // events in open deliveries, and of takes in progress
	stored     usage         // of the memory's capacity, by events in memory and carried, in open deliveries included
	promised   usage         // memory of puts that are not through
	deliveries map[*delivery]struct{}
	arrivals   uint64 // grows with everything that can be taken
	putters    line.Line[*putter]
	takers     line.Line[struct{}]
	readyBytes int64      // size of those of the ready events that are in memory
	pacer      pace.Pacer // for puts into memory that are through

	overflowing bool       // a put waited for memory in vain, and there has not been much since
	writing     *run       // whose puts may be written to the disk; nil: there are none
	gated       []*run     // those behind it with puts, in order
	busy        int        // writes and acknowledgements on their way to the disk
	idle        *sync.Cond // told when busy falls

	last flow.Stats // at Close
}

// Open opens the disk's part and lets events in and out, in the order they had when the channel was closed.
func (c *channel) Open(ctx context.Context) error {
	c.life.Lock()
	defer c.life.Unlock()
	if o := c.now.Load(); o != nil && !o.isClosed() {
		return errors.New("opening the channel: it is open")
	}
	l, err := c.limits()
	if err != nil {
		return fmt.Errorf("opening the channel: %w", err)
	}
	if err := c.overflow.Open(ctx); err != nil {
		return err
	}
	if err := c.carry.open(ctx); err != nil {
		return errors.Join(err, c.overflow.Close(ctx))
	}
	o := &opened{
		limits: l, counters: c.counters, spilled: c.spilled, overflow: c.overflow, carried: c.carry.Channel,
		closing: make(chan struct{}), deliveries: make(map[*delivery]struct{}),
	}
	o.idle = sync.NewCond(&o.mu)
	o.fill(c.restore())
	c.counters.Capacity.Set(int64(l.total))
	c.now.Store(o)
	if l.events > 0 {
		c.env.Log.Info("up to memoryCapacity events are in memory only: they are lost if the process is killed or the power fails; an orderly stop writes them to the disk",
			"memoryCapacity", l.events, "overflowCapacity", c.cfg.overflow())
	}
	return nil
}

// fill makes all the content. Nobody else knows o yet.
func (o *opened) fill(all []*run) {
	for _, r := range all {
		o.fresh.push(r)
		o.ready += r.events
		o.readyBytes += r.size.bytes
		o.stored.add(r.size)
	}
	o.count()
}

// Close ends what waits with ErrClosed and writes what is in memory to the disk. After an error that failed, and what is still in memory
// is there at the next Open of this channel alone.
func (c *channel) Close(ctx context.Context) error {
	c.life.Lock()
	defer c.life.Unlock()
	o := c.now.Load()
	if o == nil || !o.shut() {
		return nil
	}
	return errors.Join(c.save(ctx, o.content()), c.overflow.Close(ctx), c.carry.Close(ctx))
}

// save writes to the disk what of content is in memory, and the order of all.
func (c *channel) save(ctx context.Context, content []*run) error {
	err := c.carry.save(context.WithoutCancel(ctx), content, c.cfg.TransactionCapacity)
	if err != nil {
		c.left = content
		return fmt.Errorf("closing the channel: writing what is in memory to the disk: %w; %d events are left, which are lost when the process ends; make room on the disk before the agent is stopped",
			err, count(content, inMemory))
	}
	if err := c.carry.writeOrder(content); err != nil {
		c.left = content
		return fmt.Errorf("closing the channel: writing in which order events of the memory and of the disk follow each other, nothing is lost by that: %w", err)
	}
	return nil
}

// shut closes o to puts and takes and has the events of open deliveries back; false if it was closed before.
func (o *opened) shut() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	for d := range o.deliveries {
		o.giveBack(d)
	}
	clear(o.deliveries)
	o.last = o.stats()
	o.last.InFlight = 0
	o.closed = true
	close(o.closing)
	o.putters.AnswerAll(flow.ErrClosed)
	o.takers.AnswerAll(flow.ErrClosed)
	o.pacer.End()
	return true
}

// content returns what a closed channel holds, in order, when all that was on its way has come to its end.
func (o *opened) content() []*run {
	o.takeMu.Lock() // a take that was in progress has given back
	defer o.takeMu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.busy > 0 {
		o.idle.Wait()
	}
	var all []*run
	for _, r := range slices.Concat(o.returned, o.fresh.rest()) {
		switch {
		case r.events == 0:
		case r.place == inMemory:
			all = append(all, r)
		default: // a put may still hold the old one
			all = append(all, elsewhere(r.place, r.events))
		}
	}
	o.returned, o.fresh = nil, runs{}
	return all
}

func (o *opened) isClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

// part returns what holds the events of a place that is not memory.
func (o *opened) part(p place) *durable.Channel {
	if p == carried {
		return o.carried
	}
	return o.overflow
}

// arrived notes that n events were stored, or with 0 that something else may be taken now, and wakes a take. The lock is held.
func (o *opened) arrived(n int) {
	o.ready += n
	o.counters.PutSuccess.Add(n)
	o.count()
	o.arrivals++
	o.takers.AnswerFirst()
}

// count shows the number of events. The lock is held.
func (o *opened) count() {
	if !o.closed { // else the gauge may be the next one's
		o.counters.Size.Set(int64(o.ready))
	}
}

// current returns what was opened last, which may be closed by now.
func (c *channel) current() (*opened, error) {
	if o := c.now.Load(); o != nil {
		return o, nil
	}
	return nil, flow.ErrClosed
}

// Put stores b: see flow.Channel.
func (c *channel) Put(ctx context.Context, b *event.Batch) error {
	c.counters.PutAttempt.Add(b.Len())
	o, err := c.current()
	if err != nil {
		return storing(b.Len(), err)
	}
	return o.put(ctx, b)
}

// Reserve promises space for b: see flow.Reserver. Space on a disk that is full is not part of the promise: Commit may find it so.
func (c *channel) Reserve(ctx context.Context, b *event.Batch) (flow.Reservation, error) {
	c.counters.PutAttempt.Add(b.Len())
	o, err := c.current()
	var g grant
	if err == nil {
		g, err = o.acquire(ctx, b, time.Now().Add(o.limits.wait))
	}
	if err != nil {
		return nil, fmt.Errorf("reserving space for %d events: %w", b.Len(), err)
	}
	return &reservation{o: o, batch: b.Retain(), grant: g}, nil
}

// Take takes events out: see flow.Channel. It gives fewer events than it might when they are large.
func (c *channel) Take(ctx context.Context, limit int) (flow.Delivery, error) {
	if limit < 1 {
		return nil, fmt.Errorf("taking %d events: ask for at least one", limit)
	}
	o, err := c.current()
	if err == nil {
		var d *delivery
		if d, err = o.take(ctx, limit); err == nil {
			return d, nil
		}
	}
	c.counters.TakeAttempt.Add(1)
	return nil, fmt.Errorf("taking events: %w", err)
}

// Stats returns the present state; of a closed channel, what it had at the end.
func (c *channel) Stats() flow.Stats {
	o := c.now.Load()
	if o == nil {
		return flow.Stats{}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return o.last
	}
	return o.stats()
}

// stats returns the present state. The lock is held.
func (o *opened) stats() flow.Stats {
	s := flow.Stats{Events: o.stored.events, InFlight: o.inFlight, Bytes: o.stored.bytes, Capacity: o.limits.total}
	var times []time.Time
	if at := o.memorySince(); at > 0 {
		times = append(times, time.Unix(0, at))
	}
	for _, part := range []*durable.Channel{o.overflow, o.carried} {
		p := part.Stats()
		if part == o.overflow {
			s.Events += p.Events
		}
		s.Bytes += p.Bytes
		if !p.Oldest.IsZero() {
			times = append(times, p.Oldest)
		}
	}
	if len(times) > 0 {
		s.Oldest = slices.MinFunc(times, time.Time.Compare)
	}
	return s
}

// memorySince returns when the oldest event in memory was put, 0 if there is none. The lock is held.
func (o *opened) memorySince() int64 {
	first := o.firstInMemory()
	for d := range o.deliveries {
		for i := range d.parts {
			if r := d.parts[i].run; r.place == inMemory {
				if first == nil || r.at < first.at {
					first = r
				}
				break
			}
		}
	}
	if first == nil {
		return 0
	}
	return first.at
}

// firstInMemory returns the oldest run in memory that can be taken, nil if there is none. The lock is held.
func (o *opened) firstInMemory() *run {
	for _, all := range [][]*run{o.returned, o.fresh.rest()} {
		for _, r := range all {
			if r.place == inMemory {
				return r
			}
		}
	}
	return nil
}

// inMemory returns the number of events in memory.
func (c *channel) inMemory() int {
	o := c.now.Load()
	if o == nil {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stored.events - o.carried.Stats().Events
}

// count returns the number of events in one place.
func count(all []*run, in place) int {
	n := 0
	for _, r := range all {
		if r.place == in {
			n += r.events
		}
	}
	return n
}
