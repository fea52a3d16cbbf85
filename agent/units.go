package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/pipeline"
	"github.com/flume-go/flume/property"
)

// channelUnit is a channel of the running topology.
type channelUnit struct {
	spec    *config.Channel
	channel flow.Channel
	set     *metrics.Set
	log     *slog.Logger

	cancel context.CancelFunc // ends the tries to open it
	retry  sync.WaitGroup

	state pipeline.Tracker
	mu    sync.Mutex
	ready chan struct{} // closed while the channel is open
}

func newChannelUnit(spec *config.Channel, ch flow.Channel, set *metrics.Set, log *slog.Logger) *channelUnit {
	return &channelUnit{spec: spec, channel: ch, set: set, log: log, ready: make(chan struct{})}
}

// open opens the channel; when that fails it goes on trying in the background,
// and whatever waits for it waits. It may be opened again after close.
func (u *channelUnit) open() {
	ctx, cancel := context.WithCancel(context.Background())
	u.cancel = cancel
	u.state.Set(pipeline.StateStarting)
	if u.tryOpen(ctx) {
		return
	}
	u.retry.Go(func() {
		pause := flow.Backoff{Min: time.Second, Max: 10 * time.Second}
		for pause.Wait(ctx, 0) {
			if u.tryOpen(ctx) {
				u.log.Info("what is connected to the channel waits no longer")
				return
			}
		}
	})
}

func (u *channelUnit) tryOpen(ctx context.Context) bool {
	err := u.channel.Open(ctx)
	if err == nil {
		u.state.Set(pipeline.StateRunning)
		u.set.Started()
		u.mu.Lock()
		close(u.ready)
		u.mu.Unlock()
		return true
	}
	if u.state.Fail(pipeline.StateRetrying, err) && ctx.Err() == nil {
		u.log.Error("channel cannot be opened; it is tried again until it can, and what is connected to it waits", "error", err)
	}
	return false
}

// opened returns a channel that is closed when u is open.
func (u *channelUnit) opened() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ready
}

func (u *channelUnit) isOpen() bool {
	select {
	case <-u.opened():
		return true
	default:
		return false
	}
}

// giveUp ends the tries to open the channel: whether it is open does not change
// after that.
func (u *channelUnit) giveUp() {
	if u.cancel != nil {
		u.cancel()
	}
	u.retry.Wait()
}

// close ends the tries to open the channel and closes it. What waits for it to be
// open goes on waiting, should it be opened again.
func (u *channelUnit) close(ctx context.Context) error {
	u.giveUp()
	if u.isOpen() {
		u.mu.Lock()
		u.ready = make(chan struct{})
		u.mu.Unlock()
	}
	err := u.channel.Close(ctx)
	u.state.Set(pipeline.StateStopped)
	u.set.Stopped()
	if err != nil {
		return fmt.Errorf("closing channel %s: %w", u.spec.Name, err)
	}
	return nil
}

func (u *channelUnit) volatile() bool {
	v, ok := u.channel.(flow.Volatile)
	return ok && v.Volatile()
}

// sourceUnit is a source of the running topology with its emitter.
type sourceUnit struct {
	spec    *config.Source
	own     property.Settings // the source's settings without those of its route
	runner  *pipeline.SourceRunner
	emitter *pipeline.Emitter
	set     *metrics.Set
	route   pipeline.Route
	// Taken over from the topology before.
	keepsRunner, keepsRoute bool
}

// sinkUnit is a runner with the sinks behind it: one, or a group of one channel.
type sinkUnit struct {
	key     string // name of the sink, or of the group and channel
	members []*config.Sink
	group   *config.Group // nil for one sink alone
	runner  *pipeline.SinkRunner
	sets    []*metrics.Set
}

func (u *sinkUnit) channel() string { return u.members[0].Channel }

// feeds reports whether u puts dead letters into this channel.
func (u *sinkUnit) feeds(channel string) bool {
	return slices.ContainsFunc(u.members, func(m *config.Sink) bool { return m.DeadLetter == channel })
}

// stopSinks stops sinks, each after those that fill its channel with dead letters:
// a sink in the middle of a batch may have to wait until there is space for one.
func (a *Agent) stopSinks(ctx context.Context, sinks []*sinkUnit) error {
	var errs []error
	for rest := slices.Clone(sinks); len(rest) > 0; {
		fed := func(u *sinkUnit) bool {
			return slices.ContainsFunc(rest, func(o *sinkUnit) bool { return o != u && o.feeds(u.channel()) })
		}
		var now, later []*sinkUnit
		for _, u := range rest {
			if fed(u) {
				later = append(later, u)
			} else {
				now = append(now, u)
			}
		}
		if len(now) == 0 {
			now, later = later, nil // they fill each other's channels
		}
		errs = append(errs, stopAll(now, func(u *sinkUnit) error { return a.waiting.stop(ctx, u.runner) }))
		rest = later
	}
	return errors.Join(errs...)
}

// topology is a set of units that belong together.
type topology struct {
	spec     *config.Topology
	channels []*channelUnit
	sources  []*sourceUnit
	sinks    []*sinkUnit
}

func (t *topology) channelUnit(name string) *channelUnit {
	for _, u := range t.channels {
		if u.spec.Name == name {
			return u
		}
	}
	return nil
}

func (t *topology) sourceUnit(name string) *sourceUnit {
	for _, u := range t.sources {
		if u.spec.Name == name {
			return u
		}
	}
	return nil
}

func (t *topology) sinkUnit(key string) *sinkUnit {
	for _, u := range t.sinks {
		if u.key == key {
			return u
		}
	}
	return nil
}

// needs returns the channels of these names.
func (t *topology) needs(names ...string) []*channelUnit {
	var out []*channelUnit
	for _, name := range names {
		out = append(out, t.channelUnit(name))
	}
	return out
}

// runner is what runs a source, a sink or a mover.
type runner interface {
	Start()
	Stop(ctx context.Context) error
}

// waiter starts runners when the channels they need are open. A runner must be
// stopped through it, lest it start after its stop. Safe for concurrent use.
type waiter struct {
	mu      sync.Mutex
	pending map[runner]context.CancelFunc
	wg      sync.WaitGroup
}

func newWaiter() *waiter { return &waiter{pending: map[runner]context.CancelFunc{}} }

// start starts r once all channels are open, at once if they are. It replaces an
// earlier call for r that still waits.
func (w *waiter) start(r runner, channels []*channelUnit) {
	w.forget(r)
	if !slices.ContainsFunc(channels, func(u *channelUnit) bool { return !u.isOpen() }) {
		r.Start()
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.mu.Lock()
	w.pending[r] = cancel
	w.mu.Unlock()
	w.wg.Go(func() {
		for _, u := range channels {
			select {
			case <-u.opened():
			case <-ctx.Done():
				return
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if ctx.Err() == nil {
			cancel()
			delete(w.pending, r)
			r.Start()
		}
	})
}

// stop stops r, or sees to it that it does not start.
func (w *waiter) stop(ctx context.Context, r runner) error {
	w.forget(r)
	return r.Stop(ctx)
}

func (w *waiter) forget(r runner) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cancel := w.pending[r]; cancel != nil {
		cancel()
		delete(w.pending, r)
	}
}

// ownSettings returns a source's settings without those of its route, which can
// change without disturbing the source.
func ownSettings(s property.Settings) property.Settings {
	own := property.Settings{}
	for k, v := range s {
		if k == "channels" || k == "interceptors" || strings.HasPrefix(k, "interceptors.") || strings.HasPrefix(k, "selector.") {
			continue
		}
		own[k] = v
	}
	return own
}

// stopAll calls stop for each unit at the same time and joins the errors.
func stopAll[U any](units []U, stop func(U) error) error {
	errs := make([]error, len(units))
	var wg sync.WaitGroup
	for i, u := range units {
		wg.Go(func() { errs[i] = stop(u) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func env(a *Agent, kind component.Kind, name string, set *metrics.Set) component.Env {
	return component.Env{
		Agent: a.name, Name: name, Metrics: set, FS: a.fs,
		Log: a.log.With(string(kind), name),
	}
}
