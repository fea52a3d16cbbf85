package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

// Emitter takes a source's batches through interceptors and selector into the
// channels. Its route can be exchanged while the source runs: the source and its
// connections notice nothing but a short wait.
type Emitter struct {
	log   *slog.Logger
	route atomic.Pointer[liveRoute] // nil while held
	plans sync.Pool

	mu   sync.Mutex
	wake chan struct{} // closed when the next route is installed

	received, accepted *metrics.Counter
	writeFail          *metrics.Counter
	dropped            *metrics.Counter
	refused            *metrics.Counter
	latency, size      *metrics.Histogram
	optionalLog        Tracker
}

var (
	_ flow.Emitter     = (*Emitter)(nil)
	_ flow.PartEmitter = (*Emitter)(nil)
)

// NewEmitter returns an emitter that holds every batch until Install. set is the
// source's.
func NewEmitter(log *slog.Logger, set *metrics.Set) *Emitter {
	return &Emitter{
		log:       log,
		plans:     sync.Pool{New: func() any { return new(flow.Plan) }},
		wake:      make(chan struct{}),
		received:  set.Counter("EventReceivedCount"),
		accepted:  set.Counter("EventAcceptedCount"),
		writeFail: set.Counter("ChannelWriteFail"),
		dropped:   set.OwnCounter("events_filtered", "Events that interceptors dropped."),
		refused:   set.OwnCounter("optional_events_refused", "Events that optional channels did not take."),
		latency:   set.OwnHistogram("emit_seconds", "Time from Emit to the commit in every required channel.", metrics.LatencyBounds),
		size:      set.OwnHistogram("batch_events", "Events in a batch.", metrics.SizeBounds),
	}
}

// Install makes r the route of all emits from now on. The route before, if any,
// finishes what is under way in it; then its interceptors are closed. Install
// waits for that until ctx ends.
func (e *Emitter) Install(ctx context.Context, r Route) error {
	next := newLiveRoute(r)
	e.mu.Lock()
	old := e.route.Swap(next)
	close(e.wake)
	e.wake = make(chan struct{})
	e.mu.Unlock()
	return e.drop(ctx, old)
}

// Held is a route taken out of force by Hold.
type Held struct {
	Route Route
	live  *liveRoute
}

// Hold makes emits wait until the next Install. Those under way go on; one whose
// channel is closed under it waits, too. The route that was in force is returned,
// to be installed again if need be; its interceptors are left open.
func (e *Emitter) Hold() Held {
	e.mu.Lock()
	old := e.route.Swap(nil)
	e.mu.Unlock()
	if old == nil {
		return Held{}
	}
	old.retire()
	return Held{Route: old.Route, live: old}
}

// Wait waits until no emit is under way in the held route.
func (h Held) Wait(ctx context.Context) error {
	if h.live == nil {
		return nil
	}
	return h.live.wait(ctx)
}

// Close closes the interceptors of a held route that is not installed again.
func (h Held) Close(ctx context.Context) error {
	if h.live == nil {
		return nil
	}
	return h.live.closeInterceptors(ctx)
}

// Close drops the route. The source must have stopped.
func (e *Emitter) Close(ctx context.Context) error {
	e.mu.Lock()
	old := e.route.Swap(nil)
	e.mu.Unlock()
	return e.drop(ctx, old)
}

func (e *Emitter) drop(ctx context.Context, old *liveRoute) error {
	if old == nil {
		return nil
	}
	old.retire()
	if err := old.wait(ctx); err != nil {
		return err
	}
	return old.closeInterceptors(ctx)
}

// Emit implements flow.Emitter. An Emit that has begun to store does not fail
// while ctx is on: it waits for the channels that are still to come.
func (e *Emitter) Emit(ctx context.Context, b *event.Batch) error {
	_, err := e.emit(ctx, b, &progress{patient: true})
	return err
}

// EmitPart implements flow.PartEmitter.
func (e *Emitter) EmitPart(ctx context.Context, b *event.Batch) (stored int, err error) {
	return e.emit(ctx, b, &progress{})
}

// emit stores b from where p stands, and returns how many events are stored.
func (e *Emitter) emit(ctx context.Context, b *event.Batch, p *progress) (stored int, err error) {
	start := time.Now()
	if !b.Sealed() {
		e.received.Add(b.Len())
		e.size.Observe(float64(b.Len()))
	}
	defer func() {
		if p := recover(); p != nil {
			e.log.Error("a component panicked while a batch was being stored; this is a bug in it", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic while storing a batch: %v", p)
		}
		stored = p.event
		e.accepted.Add(stored)
		if err != nil {
			e.writeFail.Add(1)
			return
		}
		e.latency.ObserveSince(start)
	}()

	kept := b // what the channels get
	defer func() {
		p.release()
		if kept != b {
			kept.Release()
		}
	}()
	var pause flow.Backoff
	for {
		replaced, err := e.pass(ctx, b, &kept, p)
		if err == nil || !errors.Is(err, flow.ErrClosed) || ctx.Err() != nil {
			return 0, err
		}
		// A channel closed under this batch because it is being replaced: go
		// on with the route to come. One that is not open yet is waited for.
		if !replaced && !pause.Wait(ctx, 0) {
			return 0, err
		}
	}
}

// pass takes b through the route in force, and reports whether another route took
// its place meanwhile. kept becomes a copy of b where b is not worth keeping.
func (e *Emitter) pass(ctx context.Context, b *event.Batch, kept **event.Batch, p *progress) (replaced bool, err error) {
	r, err := e.enter(ctx)
	if err != nil {
		return false, err
	}
	defer r.leave()
	if !b.Sealed() {
		if err := e.intercept(r, b); err != nil {
			return e.route.Load() != r, err
		}
	}
	if *kept == b && b.Sparse() {
		*kept = b.Compact()
	}
	err = r.store(ctx, e, *kept, p)
	return e.route.Load() != r, err
}

// intercept runs the interceptors. What they drop is accepted, as in Flume.
func (e *Emitter) intercept(r *liveRoute, b *event.Batch) error {
	n := b.Len()
	if err := r.intercept(b); err != nil {
		return err
	}
	b.Seal()
	e.dropped.Add(n - b.Len())
	e.accepted.Add(n - b.Len())
	return nil
}

// enter returns the route in force, counted as in use, and waits while there is none.
func (e *Emitter) enter(ctx context.Context) (*liveRoute, error) {
	for {
		r := e.route.Load()
		if r == nil {
			e.mu.Lock()
			wake := e.wake
			r = e.route.Load()
			e.mu.Unlock()
			if r == nil {
				select {
				case <-wake:
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
				continue
			}
		}
		r.users.Add(1)
		if e.route.Load() == r {
			return r, nil
		}
		r.leave()
	}
}

// optionalRefused counts what an optional channel did not take, and says so once
// per change of reason.
func (e *Emitter) optionalRefused(channel string, n int, err error) {
	e.refused.Add(n)
	if e.optionalLog.Fail(StateRetrying, fmt.Errorf("channel %s: %w", channel, err)) {
		e.log.Warn("optional channel refuses events; they are counted and not waited for", "channel", channel, "error", err)
	}
}
