package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

const (
	// idle is how long a sink's runner waits for events before it counts an
	// empty batch, as Flume's does after its longest back-off.
	idle = 5 * time.Second
	// fatalPause is the pause after an error that trying again does not cure.
	fatalPause = 30 * time.Second
)

// SinkRunner takes batches from a channel and delivers them to a sink, or a group
// of sinks, in a goroutine of its own.
type SinkRunner struct {
	Name    string
	Channel flow.Channel
	Sink    flow.Sink // a Measured sink, or a processor made of such
	Batch   int       // most events of one delivery
	Log     *slog.Logger
	// Sets are the metrics of the sinks behind Sink.
	Sets []*metrics.Set
	// Empty counts the times when there was nothing to take; nil for groups.
	Empty *metrics.Counter

	status Tracker
	mu     sync.Mutex
	take   context.CancelFunc // ends taking
	hard   context.CancelFunc // ends delivering
	done   chan struct{}
}

// Status returns the sink's present state. Safe for concurrent use.
func (r *SinkRunner) Status() Status { return r.status.Get() }

// Start begins to run the sink. Starting twice changes nothing.
func (r *SinkRunner) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.take != nil {
		return
	}
	hardCtx, hard := context.WithCancel(context.Background())
	takeCtx, take := context.WithCancel(hardCtx)
	before, done := r.done, make(chan struct{})
	r.take, r.hard, r.done = take, hard, done
	go func() {
		defer close(done)
		if before != nil {
			<-before // a sink that did not react to its stop is not run twice at once
		}
		r.status.Set(StateStarting)
		for _, s := range r.Sets {
			s.Started()
		}
		r.run(takeCtx, hardCtx)
		r.status.Set(StateStopped)
		for _, s := range r.Sets {
			s.Stopped()
		}
	}()
}

// Stop ends taking and waits until the batch under way is delivered and the sink
// closed. When ctx ends first, the delivery is cancelled (its events stay in the
// channel) and Stop waits for the sink to give up.
func (r *SinkRunner) Stop(ctx context.Context) error {
	r.mu.Lock()
	take, hard, done := r.take, r.hard, r.done
	r.take = nil
	r.mu.Unlock()
	if done == nil {
		return nil
	}
	if take != nil {
		take()
	}
	defer hard()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	hard()
	select {
	case <-done:
		return nil
	case <-time.After(giveUp):
		return fmt.Errorf("sink %s does not react to being stopped", r.Name)
	}
}

// giveUp is how long a cancelled delivery may take to return.
const giveUp = 5 * time.Second

func (r *SinkRunner) run(takeCtx, hardCtx context.Context) {
	if !r.open(takeCtx) {
		return
	}
	defer func() {
		// Closing flushes: it must be allowed to work after the stop.
		if l, ok := r.Sink.(flow.Lifecycle); ok {
			if err := l.Close(context.WithoutCancel(hardCtx)); err != nil {
				r.Log.Error("closing the sink failed", "error", err)
			}
		}
	}()
	if s, ok := r.Sink.(flow.Sender); ok && s.Window() > 0 {
		r.runAhead(takeCtx, hardCtx, s)
		return
	}
	var pause flow.Backoff
	in := taker{channel: r.Channel, batch: r.Batch, empty: r.Empty}
	defer in.stop()
	var out outgoing
	defer func() {
		if err := out.giveBack(); err != nil {
			r.Log.Error("returning events to the channel failed", "error", err)
		}
	}()
	for {
		if out.delivery == nil {
			d, err := in.next(takeCtx)
			if err != nil {
				if takeCtx.Err() != nil || flow.ClassOf(err) == flow.ClassShutdown {
					return
				}
				r.takeFailed(err)
				if !pause.Wait(takeCtx, 0) {
					return
				}
				continue
			}
			out.delivery = d
		}
		wait, err := r.deliver(hardCtx, &out)
		if err == nil {
			r.delivered()
			pause.Reset()
			continue
		}
		if hardCtx.Err() != nil {
			return
		}
		r.failed(err)
		if !pause.Wait(takeCtx, wait) {
			return
		}
	}
}

// open opens the sink, as often as it takes; false when stopped before.
func (r *SinkRunner) open(ctx context.Context) bool {
	l, ok := r.Sink.(flow.Lifecycle)
	pause := flow.Backoff{Min: restartMin, Max: restartMax}
	for ok {
		err := l.Open(ctx)
		if err == nil {
			break
		}
		err = errors.Join(fmt.Errorf("opening: %w", err), l.Close(context.WithoutCancel(ctx)))
		if ctx.Err() != nil {
			return false
		}
		r.failed(err)
		if !pause.Wait(ctx, flow.Pause(err)) {
			return false
		}
	}
	if r.status.Set(StateRunning) {
		r.Log.Info("sink is running")
	}
	return true
}

// taker takes from a channel with a context that ends when nothing came for a
// while. One context serves many takes: making one for each would cost more than
// the take.
type taker struct {
	channel flow.Channel
	batch   int
	empty   *metrics.Counter

	ctx    context.Context //nolint:containedctx // lives as long as the loop that made it
	cancel context.CancelFunc
	took   bool // something came since ctx was made
}

// next takes the next delivery.
func (t *taker) next(ctx context.Context) (flow.Delivery, error) {
	for {
		if t.ctx == nil || t.ctx.Err() != nil {
			t.stop()
			t.ctx, t.cancel = context.WithTimeout(ctx, idle) //nolint:fatcontext // made from the argument each time
			t.took = false
		}
		d, err := t.channel.Take(t.ctx, t.batch)
		if err == nil {
			t.took = true
			return d, nil
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		if t.empty != nil && !t.took {
			t.empty.Add(1)
		}
	}
}

func (t *taker) stop() {
	if t.cancel != nil {
		t.cancel()
	}
}

// deliver hands a delivery to the sink and settles it, unless a part of it is
// delivered and a part is not: then it stays with the runner, which comes back
// with what is left. On error it returns the pause that the error asks for.
func (r *SinkRunner) deliver(ctx context.Context, o *outgoing) (time.Duration, error) {
	err := r.deliverRest(ctx, o)
	if err == nil {
		if err := o.ack(); err != nil {
			return 0, ackFailed(err)
		}
		return 0, nil
	}
	if o.rest == nil {
		if nack := o.giveBack(); nack != nil {
			err = errors.Join(err, nackFailed(nack))
		}
	}
	return pauseAfter(err), err
}

// ackFailed is the error for events that are delivered, but that the channel will hand out again.
func ackFailed(err error) error {
	return fmt.Errorf("acknowledging to the channel, the events may be delivered twice: %w", err)
}

func nackFailed(err error) error { return fmt.Errorf("returning events to the channel: %w", err) }

// pauseAfter returns the pause that an error asks for.
func pauseAfter(err error) time.Duration {
	if flow.ClassOf(err) == flow.ClassFatal {
		return max(flow.Pause(err), fatalPause)
	}
	return flow.Pause(err)
}

// deliverRest gives the sink what is not delivered of o. As long as a rejection
// says that a part now is, the rest is tried once more, at once: in a group it
// may be another sink's turn.
func (r *SinkRunner) deliverRest(ctx context.Context, o *outgoing) error {
	for {
		err := safely(r.Log, func() error { return r.Sink.Deliver(ctx, o.batch()) })
		if err == nil || !o.keep(rejectedOf(o.batch(), err)) {
			return err
		}
	}
}

// delivered notes that the sink works.
func (r *SinkRunner) delivered() {
	if r.status.Set(StateRunning) {
		r.Log.Info("sink is delivering again")
	}
}

func (r *SinkRunner) takeFailed(err error) {
	r.failed(fmt.Errorf("taking from the channel: %w", err))
	r.count("ChannelReadFail")
}

func (r *SinkRunner) failed(err error) {
	state := StateRetrying
	if flow.ClassOf(err) == flow.ClassFatal {
		state = StateFailed
	}
	if r.status.Fail(state, err) {
		r.Log.Error("sink failed; its events stay in the channel and are tried again", "error", err)
	}
}

func (r *SinkRunner) count(name string) {
	for _, s := range r.Sets {
		s.Counter(name).Add(1)
	}
}

// safely calls f and turns a panic into an error.
func safely(log *slog.Logger, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("the sink panicked; this is a bug in it", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}
