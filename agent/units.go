package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

	ready  chan struct{} // closed when the channel is open
	cancel context.CancelFunc
	retry  sync.WaitGroup

	mu  sync.Mutex
	err error // why it is not open
}

// open opens the channel; when that fails it goes on trying in the background,
// and whatever waits for ready waits.
func (u *channelUnit) open() {
	ctx, cancel := context.WithCancel(context.Background())
	u.cancel = cancel
	if u.tryOpen(ctx) {
		return
	}
	u.retry.Go(func() {
		pause := flow.Backoff{Min: time.Second, Max: 10 * time.Second}
		for pause.Wait(ctx, 0) {
			if u.tryOpen(ctx) {
				u.log.Info("channel is open")
				return
			}
		}
	})
}

func (u *channelUnit) tryOpen(ctx context.Context) bool {
	err := u.channel.Open(ctx)
	u.mu.Lock()
	repeated := u.err != nil && err != nil && u.err.Error() == err.Error()
	u.err = err
	u.mu.Unlock()
	if err == nil {
		u.set.Started()
		close(u.ready)
		return true
	}
	if !repeated && ctx.Err() == nil {
		u.log.Error("channel cannot be opened; it is tried again until it can, and what is connected to it waits", "error", err)
	}
	return false
}

func (u *channelUnit) isOpen() bool {
	select {
	case <-u.ready:
		return true
	default:
		return false
	}
}

func (u *channelUnit) close(ctx context.Context) error {
	if u.cancel != nil {
		u.cancel()
	}
	u.retry.Wait()
	err := u.channel.Close(ctx)
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

// waiter starts units when the channels they need are open.
type waiter struct {
	ctx    context.Context //nolint:containedctx // lives as long as the agent runs
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newWaiter() *waiter {
	ctx, cancel := context.WithCancel(context.Background())
	return &waiter{ctx: ctx, cancel: cancel}
}

// after calls start once all channels are open, at once if they are.
func (w *waiter) after(channels []*channelUnit, start func()) {
	open := true
	for _, c := range channels {
		open = open && c.isOpen()
	}
	if open {
		start()
		return
	}
	w.wg.Go(func() {
		for _, c := range channels {
			select {
			case <-c.ready:
			case <-w.ctx.Done():
				return
			}
		}
		start()
	})
}

func (w *waiter) stop() {
	w.cancel()
	w.wg.Wait()
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
