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
// had, or until ctx ends. A stopped runner may be started again.
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
		return fmt.Errorf("source %s has not stopped: %w", r.Name, context.Cause(ctx))
	}
}

func (r *SourceRunner) loop(ctx context.Context) {
	pause := flow.Backoff{Min: restartMin, Max: restartMax}
	for ctx.Err() == nil {
		began := time.Now()
		err := r.run(ctx)
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
		if time.Since(began) > settled {
			pause.Reset()
		}
		state := StateRetrying
		if flow.ClassOf(err) == flow.ClassFatal {
			state = StateFailed
		}
		if r.status.Fail(state, err) {
			r.Log.Error("source failed; it is tried again until it works", "error", err)
		}
		pause.Wait(ctx, flow.Pause(err))
	}
}

// run runs the source once. It counts as running while it has not failed.
func (r *SourceRunner) run(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.Error("the source panicked; this is a bug in it", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if l, ok := r.Source.(flow.Lifecycle); ok {
		if err := l.Open(ctx); err != nil {
			return errors.Join(fmt.Errorf("opening: %w", err), l.Close(ctx))
		}
		defer func() { err = errors.Join(err, l.Close(context.WithoutCancel(ctx))) }()
	}
	up := time.AfterFunc(startGrace, func() {
		if r.status.Set(StateRunning) {
			r.Log.Info("source is running")
		}
	})
	defer up.Stop()
	return r.Source.Run(ctx, r.Out)
}

// startGrace is how long a source must not fail to count as running: binding a
// port or opening a directory fails at once.
const startGrace = 20 * time.Millisecond
