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

// Pauses between tries to run a component that failed. Flume tries every 3 s.
const (
	restartMin = 500 * time.Millisecond
	restartMax = 10 * time.Second
	// A component that worked this long starts again with the shortest pause.
	settled = 30 * time.Second
)

// SourceRunner runs one source in a goroutine of its own and runs it again,
// after a pause, when it fails.
type SourceRunner struct {
	Name    string
	Source  flow.Source
	Out     *Emitter
	Log     *slog.Logger
	Metrics *metrics.Set

	status Tracker
	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{}
}

// Status returns the source's present state. Safe for concurrent use.
func (r *SourceRunner) Status() Status { return r.status.Get() }

// Start begins to run the source. Starting twice is the caller's mistake and
// changes nothing.
func (r *SourceRunner) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	before, done := r.done, make(chan struct{})
	r.cancel, r.done = cancel, done
	go func() {
		defer close(done)
		if before != nil {
			<-before // a source that was slow to stop is not run twice at once
		}
		r.status.Set(StateStarting)
		r.Metrics.Started()
		r.loop(ctx)
		r.status.Set(StateStopped)
		r.Metrics.Stopped()
	}()
}

// Stop makes the source stop accepting and waits until it has finished what it
// had, or until ctx ends; one that stops at once has the time for it in any case.
// A stopped runner may be started again.
func (r *SourceRunner) Stop(ctx context.Context) error {
	r.mu.Lock()
	cancel, done := r.cancel, r.done
	r.cancel = nil
	r.mu.Unlock()
	if done == nil {
		return nil
	}
	if cancel != nil {
		cancel()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-done:
		return nil
	case <-time.After(moment):
		return fmt.Errorf("source %s has not stopped: %w", r.Name, context.Cause(ctx))
	}
}

// moment is what a source needs to stop that has nothing to finish.
const moment = 100 * time.Millisecond

func (r *SourceRunner) loop(ctx context.Context) {
	pause := flow.Backoff{Min: restartMin, Max: restartMax}
	grace := startGrace
	for ctx.Err() == nil {
		began := time.Now()
		err := r.run(ctx, grace)
		if ctx.Err() != nil {
			if err != nil && flow.ClassOf(err) != flow.ClassShutdown {
				r.Log.Warn("source stopped with an error", "error", err)
			}
			return
		}
		if err == nil {
			// Done by itself: nothing more to do until it is reconfigured.
			r.status.Set(StateDone)
			r.Log.Info("source has nothing more to do")
			<-ctx.Done()
			return
		}
		worked := time.Since(began)
		if worked > settled {
			pause.Reset()
		}
		grace = graceAfter(worked)
		if !pause.Wait(ctx, r.failed(err)) {
			return
		}
	}
}

// failed notes a failure and returns the pause that it asks for.
func (r *SourceRunner) failed(err error) time.Duration {
	state, wait := StateRetrying, flow.Pause(err)
	if flow.ClassOf(err) == flow.ClassFatal {
		state, wait = StateFailed, max(wait, fatalPause)
	}
	if r.status.Fail(state, err) {
		r.Log.Error("source failed; it is tried again until it works", "error", err)
	}
	return wait
}

// run runs the source once. It counts as running when it has not failed for grace.
func (r *SourceRunner) run(ctx context.Context, grace time.Duration) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.Error("the source panicked; this is a bug in it", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if l, ok := r.Source.(flow.Lifecycle); ok {
		// Closing must be allowed to work after the stop.
		defer func() { err = errors.Join(err, l.Close(context.WithoutCancel(ctx))) }()
		if err := l.Open(ctx); err != nil {
			return fmt.Errorf("opening: %w", err)
		}
	}
	defer r.runningAfter(grace)()
	return r.Source.Run(ctx, r.Out)
}

// runningAfter enters StateRunning after grace, unless the function that it returns
// is called before: from its return on the state is the caller's again.
func (r *SourceRunner) runningAfter(grace time.Duration) (end func()) {
	var mu sync.Mutex
	ended := false
	up := time.AfterFunc(grace, func() {
		mu.Lock()
		defer mu.Unlock()
		if !ended && r.status.Set(StateRunning) {
			r.Log.Info("source is running")
		}
	})
	return func() {
		up.Stop() // it may have fired a moment ago, and be late
		mu.Lock()
		defer mu.Unlock()
		ended = true
	}
}

// startGrace is how long a source must not fail to count as running: binding a
// port or opening a directory fails at once.
const startGrace = 20 * time.Millisecond

// graceAfter is startGrace for a source that failed after it had worked for so
// long. It has to do better than the last time: one that fails whenever a
// connection times out is not running in between.
func graceAfter(worked time.Duration) time.Duration {
	if worked > settled {
		return startGrace
	}
	return min(2*worked+startGrace, settled)
}
