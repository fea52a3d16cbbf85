package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/pipeline"
)

// Options are what an agent needs besides its configuration.
type Options struct {
	Name string
	Log  *slog.Logger
	FS   vfs.FS
	// StopLimit is how long a stop, or one step of a reload, may take: finishing
	// batches and draining memory channels. 0 means 30 s.
	StopLimit time.Duration
}

// Agent runs one topology at a time. Its methods are safe for concurrent use;
// Start, Reload and Stop wait for one another.
type Agent struct {
	name      string
	log       *slog.Logger
	fs        vfs.FS
	stopLimit time.Duration
	registry  *metrics.Registry

	change sync.Mutex // held by Start, Reload and Stop

	mu       sync.Mutex // guards what follows
	running  *topology  // nil before Start and after Stop
	stopping bool
	reloads  ReloadStatus

	waiting *waiter
	movers  []*mover
}

// ReloadStatus is what became of the reloads.
type ReloadStatus struct {
	Succeeded, Failed int
	LastAt            time.Time
	LastError         error // nil if the last one succeeded
	// LastChanged says what the last one exchanged, as in "route of source r1" or
	// "sink k2 removed"; empty if it failed or nothing differed. Read-only.
	LastChanged []string
}

// New returns an agent that is not running.
func New(o Options) *Agent {
	if o.StopLimit == 0 {
		o.StopLimit = 30 * time.Second
	}
	return &Agent{
		name: o.Name, log: o.Log, fs: o.FS, stopLimit: o.StopLimit,
		registry: metrics.NewRegistry(), waiting: newWaiter(),
	}
}

// Metrics returns the registry of the agent's components.
func (a *Agent) Metrics() *metrics.Registry { return a.registry }

func (a *Agent) current() *topology {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.running
}

func (a *Agent) setCurrent(t *topology) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running = t
}

// Start builds and starts spec, which must have no errors. A component that
// cannot be constructed fails the start; one that cannot be opened (a port in
// use, a directory missing) does not: it is tried again until it can.
func (a *Agent) Start(ctx context.Context, spec *config.Topology) error {
	a.change.Lock()
	defer a.change.Unlock()
	if a.current() != nil {
		return errors.New("the agent is running already")
	}
	t, err := a.build(ctx, spec, nil)
	if err != nil {
		return err
	}
	a.setCurrent(t)
	for _, u := range t.channels {
		a.registry.Register(u.set)
		u.open()
	}
	for _, u := range t.sinks {
		a.startSink(t, u)
	}
	for _, u := range t.sources {
		if err := a.startSource(ctx, t, u); err != nil {
			return err
		}
	}
	a.log.Info("agent is started", "sources", len(t.sources), "channels", len(t.channels), "sinks", len(t.spec.Sinks))
	return nil
}

func (a *Agent) startSink(t *topology, u *sinkUnit) {
	for _, s := range u.sets {
		a.registry.Register(s)
	}
	needs := t.needs(u.channel())
	for _, m := range u.members {
		if m.DeadLetter != "" {
			needs = append(needs, t.channelUnit(m.DeadLetter))
		}
	}
	a.waiting.start(u.runner, needs)
}

// startSource puts the source's route in force and starts it, unless it runs.
func (a *Agent) startSource(ctx context.Context, t *topology, u *sourceUnit) error {
	a.registry.Register(u.set)
	if err := u.emitter.Install(ctx, u.route); err != nil {
		return fmt.Errorf("source %s: %w", u.spec.Name, err)
	}
	a.waiting.start(u.runner, t.needs(u.spec.Channels...))
	return nil
}

// Stop stops everything in order. ctx limits the whole; the agent's own limit
// bounds each step. The error says what could not be stopped or was lost.
func (a *Agent) Stop(ctx context.Context) error {
	a.change.Lock()
	defer a.change.Unlock()
	t := a.current()
	if t == nil {
		return nil
	}
	a.mu.Lock()
	a.stopping = true
	a.mu.Unlock()
	a.log.Info("agent is stopping")
	limited, cancel := context.WithTimeout(ctx, a.stopLimit)
	defer cancel()

	var errs []error
	errs = append(errs, stopAll(t.sources, func(u *sourceUnit) error {
		return errors.Join(a.waiting.stop(limited, u.runner), u.emitter.Close(limited))
	}))
	// Movers fill the channels that are drained then.
	moved, err := a.stopMovers(limited)
	errs = append(errs, err)
	a.drain(limited, t.drainable())
	errs = append(errs, a.stopSinks(limited, t.sinks))
	a.waiting.wg.Wait()
	left := a.closeChannels(ctx, append(moved, t.channels...), &errs)
	a.setCurrent(nil)
	a.report(left)
	if left.lost > 0 {
		errs = append(errs, fmt.Errorf("%d events were in memory channels and could not be delivered in time", left.lost))
	}
	return errors.Join(errs...)
}

// drain waits until the channels that do not survive the process are empty, or
// ctx ends.
func (a *Agent) drain(ctx context.Context, channels []*channelUnit) bool {
	for !drained(channels) {
		select {
		case <-time.After(drainPoll):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// drained reports whether the channels are empty that do not survive the process,
// one that an undone reload left to be opened again included.
// A sink may move dead letters from a channel that was not looked at yet to one
// that was: each look at all of them is sure of one more channel in such a row.
func drained(channels []*channelUnit) bool {
	for range channels {
		for _, u := range channels {
			if u.volatile() && u.channel.Stats().Events > 0 {
				return false
			}
		}
	}
	return true
}

// drainable returns the channels that a sink takes from: to wait for the others
// would be in vain.
func (t *topology) drainable() []*channelUnit {
	var out []*channelUnit
	for _, u := range t.channels {
		if slices.ContainsFunc(t.sinks, func(s *sinkUnit) bool { return s.channel() == u.spec.Name }) {
			out = append(out, u)
		}
	}
	return out
}

const drainPoll = 5 * time.Millisecond

// undelivered is what channels held when they were closed.
type undelivered struct {
	lost, kept int
	unopened   []string // channels that were not open: nobody knows what they have on the disk
}

func (a *Agent) closeChannels(ctx context.Context, channels []*channelUnit, errs *[]error) (left undelivered) {
	for _, u := range channels {
		u.giveUp()
		open, n := u.isOpen(), u.channel.Stats().Events
		err := u.close(ctx)
		switch {
		case u.volatile():
			if n > 0 {
				left.lost += n
				u.log.Error("events are lost: the channel is in memory and its sinks did not take them in time", "events", n)
			}
		case !open:
			left.unopened = append(left.unopened, u.spec.Name)
		case err == nil: // else the error says what became of them
			left.kept += n
		}
		*errs = append(*errs, err)
	}
	return left
}

// report tells what is left. Events of a channel that was not open are on the disk
// as they were; how many there are is not known.
func (a *Agent) report(left undelivered) {
	level := slog.LevelInfo
	if left.lost > 0 {
		level = slog.LevelError
	}
	attrs := []any{"undelivered_lost", left.lost, "undelivered_kept_on_disk", left.kept}
	if len(left.unopened) > 0 {
		attrs[3] = "unknown"
		if left.kept > 0 {
			attrs[3] = fmt.Sprintf("%d and an unknown number", left.kept)
		}
		attrs = append(attrs, "channels_not_open", left.unopened)
	}
	a.log.Log(context.Background(), level, "agent is stopped", attrs...)
}

// Status is the state of one component for health checks and the console.
type Status struct {
	Kind, Name, Type string
	pipeline.Status
	Events, Capacity int // of channels
	Oldest           time.Time
	Channels         []string // that it writes to or takes from
}

// Status returns the state of every component in the order of the flow.
func (a *Agent) Status() []Status {
	t := a.current()
	if t == nil {
		return nil
	}
	var out []Status
	for _, u := range t.sources {
		s := Status{Kind: "source", Name: u.spec.Name, Type: u.spec.Decoded.Entry.Info.Type, Status: u.runner.Status(), Channels: u.spec.Channels}
		if s.State == "" {
			s.State = pipeline.StateStarting
		}
		out = append(out, s)
	}
	for _, u := range t.channels {
		out = append(out, u.status())
	}
	for _, u := range t.sinks {
		for _, m := range u.members {
			s := Status{Kind: "sink", Name: m.Name, Type: m.Decoded.Entry.Info.Type, Status: u.runner.Status(), Channels: []string{m.Channel}}
			if s.State == "" {
				s.State = pipeline.StateStarting
			}
			out = append(out, s)
		}
	}
	return out
}

func (u *channelUnit) status() Status {
	s := Status{Kind: "channel", Name: u.spec.Name, Type: u.spec.Decoded.Entry.Info.Type}
	if s.Status = u.state.Get(); s.State == "" {
		s.State = pipeline.StateStarting
	}
	if u.isOpen() {
		st := u.channel.Stats()
		s.Events, s.Capacity, s.Oldest = st.Events, st.Capacity, st.Oldest
		if st.Refuses != nil {
			s.State, s.Error = pipeline.StateRetrying, st.Refuses
		}
	}
	return s
}

// Reloads returns what became of the reloads so far.
func (a *Agent) Reloads() ReloadStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reloads
}

// ReloadRefused records a configuration that was found to be wrong before it got
// as far as Reload.
func (a *Agent) ReloadRefused(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reloads.Failed++
	a.reloads.LastAt, a.reloads.LastError, a.reloads.LastChanged = time.Now(), err, nil
}

// Stopping reports whether Stop has begun.
func (a *Agent) Stopping() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopping
}
