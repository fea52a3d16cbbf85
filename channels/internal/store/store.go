// Package store keeps batches on disk with the rules of flow.Channel: what the channels whose events
// survive the process have in common. Package wal below it knows about disks and recovery; this package adds
// capacity, waiting, deliveries that come back, and counters.
//
// A Store reads no configuration: whoever opens it says where and how (Options). Events that a sink gives back stay in
// memory until they are taken again; everything else that waits is on disk, and in the log's cache while the sinks keep up.
//
// # Not obvious
//
//   - Space is promised before anything is written and returned if that fails, so that several channels can be asked
//     first (Reserve) and a full one stores nothing in the others.
//   - A put that has its promise is not given up when its context ends: a batch that is being written may be
//     on the disk already, and the disk is soon done with it.
//   - A full disk is treated like a full channel: the put waits as long as it may and then returns ErrFull. The log
//     tries the disk again by itself, at most once a second.
//   - Whatever is taken is older than whatever was never taken, so events that come back go to a list of their own,
//     kept sorted, that is served before the log.
//   - An event may be taken, delivered and acknowledged before the put that stored it returns. The books are right
//     when nothing is on its way, and never too low where space is promised.
//   - Lock order: takeMu, mu, then the log's own. mu is never held during I/O.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/channels/internal/counters"
	"github.com/flume-go/flume/channels/internal/line"
	"github.com/flume-go/flume/channels/internal/pace"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/wal"
)

// Options say where the events are kept and within which limits.
type Options struct {
	// Log is the settings of the log. MaxEvents is not used. Its hooks are called besides those of the store.
	Log wal.Options

	Capacity int           // most events, those in open deliveries included; at least 1
	Batch    int           // most events of one put and of one take; 0: no limit
	Wait     time.Duration // how long a put waits for space; negative: as long as it takes
}

// Store is batches on disk. Make it with New. Safe for concurrent use, except that Open and Close take turns.
type Store struct {
	counters *counters.File
	now      atomic.Pointer[opened] // nil before the first Open; a closed one after Close
}

var _ flow.Reserver = (*Store)(nil)

// New returns a store that is not open. c counts for it; a store inside another channel gets counters of a set
// that is not registered.
func New(c *counters.File) *Store { return &Store{counters: c} }

// opened is a store from Open to Close. Deliveries and reservations belong to one of these: what is settled after
// Close cannot disturb the next.
type opened struct {
	opts     Options
	log      *wal.Log
	counters *counters.File
	slog     *slog.Logger

	takeMu sync.Mutex // one take gathers at a time

	mu         sync.Mutex
	closed     bool
	closing    chan struct{} // closed with it
	stored     int           // events in the log that are not acknowledged
	promised   int           // space of puts that are not through
	inFlight   int           // events of stored that are in open deliveries
	acking     int           // acknowledgements on their way
	returned   []part        // given back, sorted
	waiting    int           // events in returned
	deliveries map[*delivery]struct{}
	arrivals   uint64     // grows with everything that can be taken
	unread     time.Time  // when the oldest event in the log that was never taken was put, or a little before
	pacer      pace.Pacer // for puts that are through
	putters    line.Line[int]
	takers     line.Line[int]
	last       flow.Stats // at Close

	damaged  atomic.Bool           // the log lost events: stored is too high
	diskFull atomic.Pointer[error] // of the latest put, if it met a full disk
}

// Open opens the log and recovers what a crash left. After an error, and after Close, it may be called again.
func (s *Store) Open(opts Options) error {
	if o := s.now.Load(); o != nil && !o.isClosed() {
		return errors.New("opening the store: it is open")
	}
	if opts.Capacity < 1 {
		return fmt.Errorf("opening the store: a capacity of %d events holds none", opts.Capacity)
	}
	o := &opened{
		opts: opts, counters: s.counters, slog: opts.Log.Log,
		closing: make(chan struct{}), deliveries: make(map[*delivery]struct{}),
	}
	if o.slog == nil {
		o.slog = slog.New(slog.DiscardHandler)
	}
	var err error
	if o.log, err = wal.Open(o.logOptions()); err != nil {
		return err
	}
	o.damaged.Store(false) // what recovery skipped was never counted
	found := o.log.Stats()
	o.stored, o.unread = found.Events, found.Oldest
	s.counters.Capacity.Set(int64(opts.Capacity))
	s.counters.Size.Set(int64(o.stored))
	s.now.Store(o)
	return nil
}

// logOptions returns the log's options, with hooks that count what only the log knows.
func (o *opened) logOptions() wal.Options {
	w := o.opts.Log
	w.MaxEvents = 0
	damaged, failed := w.Hooks.Damaged, w.Hooks.CheckpointFailed
	w.Hooks.Damaged = func(d wal.Damage) {
		o.damaged.Store(true)
		o.counters.TakeErrors.Add(1)
		if damaged != nil {
			damaged(d)
		}
	}
	w.Hooks.CheckpointFailed = func(err error) {
		o.counters.CheckpointErrors.Add(1)
		if failed != nil {
			failed(err)
		}
	}
	return w
}

// Close ends what waits with ErrClosed and makes everything durable. What is not acknowledged, open deliveries
// included, is there at the next Open. It may be called without Open, and twice.
func (s *Store) Close() error {
	o := s.now.Load()
	if o == nil || !o.shut() {
		return nil
	}
	return o.log.Close()
}

// shut closes o to puts and takes; false if it was closed before.
func (o *opened) shut() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	o.last = o.stats()
	o.last.InFlight = 0
	o.closed = true
	close(o.closing)
	o.pacer.End()
	o.putters.AnswerAll(flow.ErrClosed)
	o.takers.AnswerAll(flow.ErrClosed)
	for _, p := range o.returned {
		p.batch.Release()
	}
	o.returned = nil
	return true
}

func (o *opened) isClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

// current returns what was opened last, which may be closed by now.
func (s *Store) current() (*opened, error) {
	if o := s.now.Load(); o != nil {
		return o, nil
	}
	return nil, flow.ErrClosed
}

// Put stores b: see flow.Channel.
func (s *Store) Put(ctx context.Context, b *event.Batch) error {
	s.counters.PutAttempt.Add(b.Len())
	o, err := s.current()
	if err == nil {
		err = o.put(ctx, b)
	}
	if err != nil {
		return fmt.Errorf("storing %d events: %w", b.Len(), err)
	}
	return nil
}

// Take takes events out: see flow.Channel. It gives fewer events than it might when they are large, so that
// the memory it needs is bounded.
func (s *Store) Take(ctx context.Context, limit int) (flow.Delivery, error) {
	if limit < 1 {
		return nil, fmt.Errorf("taking %d events: ask for at least one", limit)
	}
	o, err := s.current()
	if err == nil {
		var d *delivery
		if d, err = o.take(ctx, limit); err == nil {
			return d, nil
		}
	}
	s.counters.TakeAttempt.Add(1)
	return nil, fmt.Errorf("taking events: %w", err)
}

// TryTake is Take without waiting; nil if there is nothing to take.
func (s *Store) TryTake(limit int) (flow.Delivery, error) {
	if limit < 1 {
		return nil, fmt.Errorf("taking %d events: ask for at least one", limit)
	}
	o, err := s.current()
	if err == nil {
		var d *delivery
		if d, _, err = o.gather(limit); d != nil {
			return d, nil
		}
	}
	s.counters.TakeAttempt.Add(1)
	if err != nil {
		return nil, fmt.Errorf("taking events: %w", err)
	}
	return nil, nil //nolint:nilnil // an empty store is a usual one
}

// Stats returns the present state; of a closed store, what it had at the end.
func (s *Store) Stats() flow.Stats {
	o := s.now.Load()
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

// LogStats returns the state of the log; all zero when the store is not open.
func (s *Store) LogStats() wal.Stats {
	if o := s.now.Load(); o != nil && !o.isClosed() {
		return o.log.Stats()
	}
	return wal.Stats{}
}

// stats returns the present state. The lock is held.
func (o *opened) stats() flow.Stats {
	l := o.log.Stats()
	s := flow.Stats{Events: l.Events, InFlight: o.inFlight, Bytes: l.Bytes, Capacity: o.opts.Capacity}
	if why := o.diskFull.Load(); why != nil {
		s.Refuses = *why
	}
	if s.Events > 0 {
		s.Oldest = o.oldest(s.Events)
	}
	return s
}

// oldest returns when the oldest of so many events was put: it is in an open delivery, was given back, or was never
// taken. The lock is held.
func (o *opened) oldest(events int) time.Time {
	var first time.Time
	consider := func(at time.Time) {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	for d := range o.deliveries {
		consider(d.parts[0].at)
	}
	if len(o.returned) > 0 {
		consider(o.returned[0].at)
	}
	if events > o.inFlight+o.waiting {
		consider(o.unread)
	}
	return first
}

// recount corrects the books after the log lost events to damage. That can only be done while nothing is on its
// way, and is tried until then; until then, fits asks the log. The lock is held.
func (o *opened) recount() {
	if o.promised > 0 || o.acking > 0 || !o.damaged.Swap(false) {
		return
	}
	o.stored = o.log.Stats().Events
	o.count()
	o.serve()
}

// count shows the number of events. The lock is held.
func (o *opened) count() {
	if !o.closed { // else the gauge may be the next one's
		o.counters.Size.Set(int64(max(0, o.stored)))
	}
}
