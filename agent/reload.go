package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/pipeline"
)

// Reload replaces the running topology by spec, which must have no errors.
//
// What is the same keeps running: sources keep their connections, channels their
// events, sinks their files. A source of which only channels, interceptors or
// selector changed runs on, too; its batches wait for a moment. A channel that is
// replaced hands its events to its successor. A channel that goes is drained
// first; if it cannot be, the reload fails. After an error the topology is what
// it was before.
func (a *Agent) Reload(ctx context.Context, spec *config.Topology) error {
	a.change.Lock()
	defer a.change.Unlock()
	old := a.current()
	if old == nil {
		return errors.New("the agent is not running")
	}
	changed, err := a.reload(ctx, old, spec)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reloads.LastAt, a.reloads.LastError, a.reloads.LastChanged = time.Now(), err, changed
	if err != nil {
		a.reloads.Failed++
		a.log.Error("reload failed, the agent goes on as before", "error", err)
		return err
	}
	a.reloads.Succeeded++
	return nil
}

// reload exchanges the topology and returns what was changed.
func (a *Agent) reload(ctx context.Context, old *topology, spec *config.Topology) (changed []string, err error) {
	next, err := a.build(ctx, spec, old)
	if err != nil {
		return nil, fmt.Errorf("building the new topology: %w", err)
	}
	if err := a.reapMovers(ctx); err != nil {
		discard(ctx, next)
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.stopLimit)
	defer cancel()
	x := &exchange{agent: a, old: old, next: next}
	if err := x.run(ctx); err != nil {
		// The limit may be what ended it: going back has time of its own.
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.stopLimit)
		defer cancel()
		return nil, errors.Join(err, x.undo(back))
	}
	a.setCurrent(next)
	changed = x.summary()
	a.log.Info("configuration is reloaded", "changed", changed)
	return changed, nil
}

// exchange is one replacement of a topology. Its steps leave behind what is
// needed to undo them.
type exchange struct {
	agent     *Agent
	old, next *topology

	stoppedSources []*sourceUnit
	held           map[*sourceUnit]pipeline.Held // by the old unit
	stoppedSinks   []*sinkUnit
	replaced       []replacedChannel
	opened         []*channelUnit
	startedSinks   []*sinkUnit
}

type replacedChannel struct {
	old, next *channelUnit
	inherited bool
}

func (x *exchange) run(ctx context.Context) error {
	if err := x.stopSources(ctx); err != nil {
		return err
	}
	x.hold()
	if err := x.drainRemoved(ctx); err != nil {
		return err
	}
	if err := x.stopSinks(ctx); err != nil {
		return err
	}
	if err := x.replaceChannels(ctx); err != nil {
		return err
	}
	// From here on nothing can fail but the closing of old interceptors and
	// channels, which is logged.
	x.startSinks()
	x.startSources(ctx)
	return nil
}

// stopSources stops the sources that are gone or start anew.
func (x *exchange) stopSources(ctx context.Context) error {
	for _, u := range x.old.sources {
		if n := x.next.sourceUnit(u.spec.Name); n == nil || n.runner != u.runner {
			x.stoppedSources = append(x.stoppedSources, u)
		}
	}
	return stopAll(x.stoppedSources, func(u *sourceUnit) error { return x.agent.waiting.stop(ctx, u.runner) })
}

// hold makes the batches of those sources wait that go on with another route.
func (x *exchange) hold() {
	x.held = map[*sourceUnit]pipeline.Held{}
	for _, u := range x.next.sources {
		if u.keepsRunner && !u.keepsRoute {
			o := x.old.sourceUnit(u.spec.Name)
			x.held[o] = o.emitter.Hold()
		}
	}
}

// drainRemoved empties the volatile channels that are gone. Their sinks still run.
// Dead-letter channels come last, when the sinks that fill them have stopped.
func (x *exchange) drainRemoved(ctx context.Context) error {
	var gone, letters []*channelUnit
	for _, u := range x.old.channels {
		switch {
		case x.next.channelUnit(u.spec.Name) != nil || !u.volatile():
		case len(x.feeders(u)) > 0:
			letters = append(letters, u)
		default:
			gone = append(gone, u)
		}
	}
	if len(gone)+len(letters) == 0 {
		return nil
	}
	for o, h := range x.held {
		if err := h.Wait(ctx); err != nil {
			return fmt.Errorf("source %s: %w", o.spec.Name, err)
		}
	}
	if err := x.empty(ctx, gone); err != nil {
		return err
	}
	for len(letters) > 0 {
		i := x.firstToEmpty(letters)
		u := letters[i]
		if err := x.stop(ctx, x.feeders(u)); err != nil {
			return err
		}
		if err := x.empty(ctx, []*channelUnit{u}); err != nil {
			return err
		}
		letters = slices.Delete(letters, i, i+1)
	}
	return nil
}

// firstToEmpty returns the index of a dead-letter channel that none of the others
// fills: the sinks that would fill it from them must go on until they are empty.
// Where each fills another it is the first, whose sinks can empty it only in part.
func (x *exchange) firstToEmpty(letters []*channelUnit) int {
	return max(0, slices.IndexFunc(letters, func(u *channelUnit) bool {
		return !slices.ContainsFunc(x.feeders(u), func(s *sinkUnit) bool {
			return slices.ContainsFunc(letters, func(o *channelUnit) bool { return o != u && s.channel() == o.spec.Name })
		})
	}))
}

// feeders returns the old sinks that put dead letters into u.
func (x *exchange) feeders(u *channelUnit) []*sinkUnit {
	var out []*sinkUnit
	for _, s := range x.old.sinks {
		if s.feeds(u.spec.Name) {
			out = append(out, s)
		}
	}
	return out
}

// empty waits until channels, which nothing fills any more, are empty.
func (x *exchange) empty(ctx context.Context, channels []*channelUnit) error {
	// To wait for those that no running sink takes from would be in vain.
	undrained := slices.DeleteFunc(slices.Clone(channels), x.taken)
	if err := left(undrained); err != nil || x.agent.drain(ctx, channels) {
		return err
	}
	return left(channels)
}

// taken reports whether an old sink that runs takes from u.
func (x *exchange) taken(u *channelUnit) bool {
	return slices.ContainsFunc(x.old.sinks, func(s *sinkUnit) bool {
		return s.channel() == u.spec.Name && !slices.Contains(x.stoppedSinks, s)
	})
}

// left says which channels still hold events.
func left(channels []*channelUnit) error {
	var errs []error
	for _, u := range channels {
		if n := u.channel.Stats().Events; n > 0 {
			errs = append(errs, fmt.Errorf("channel %s is not in the new configuration but still holds %d events that its sinks do not take; keep it, with a sink, until it is empty", u.spec.Name, n))
		}
	}
	return errors.Join(errs...)
}

// stopSinks stops the sinks that are gone or start anew.
func (x *exchange) stopSinks(ctx context.Context) error {
	var changed []*sinkUnit
	for _, u := range x.old.sinks {
		if x.next.sinkUnit(u.key) != u {
			changed = append(changed, u)
		}
	}
	return x.stop(ctx, changed)
}

// stop stops those of the sinks that were not stopped before.
func (x *exchange) stop(ctx context.Context, sinks []*sinkUnit) error {
	sinks = slices.DeleteFunc(sinks, func(u *sinkUnit) bool { return slices.Contains(x.stoppedSinks, u) })
	x.stoppedSinks = append(x.stoppedSinks, sinks...)
	return x.agent.stopSinks(ctx, sinks)
}

// replaceChannels opens the new channels. One that takes the place of another
// gets its events.
func (x *exchange) replaceChannels(ctx context.Context) error {
	for _, n := range x.next.channels {
		o := x.old.channelUnit(n.spec.Name)
		if o == n {
			continue
		}
		x.agent.registry.Register(n.set)
		if o == nil || sameType(o, n) {
			if err := x.succeed(ctx, o, n); err != nil {
				return fmt.Errorf("channel %s: %w", n.spec.Name, err)
			}
			continue
		}
		// Another type: both are open for a while, and a mover carries over what is left.
		x.opened = append(x.opened, n)
		n.open()
	}
	return nil
}

func sameType(a, b *channelUnit) bool { return a.spec.Decoded.Entry == b.spec.Decoded.Entry }

// succeed closes o (if any), lets n inherit, and opens n. Closing o sends the
// batches that wait in it back to their emitters, which hold them for n; nothing
// is stored in it after that, so that batches on their way elsewhere need not be
// waited for.
func (x *exchange) succeed(ctx context.Context, o, n *channelUnit) error {
	if o == nil {
		x.opened = append(x.opened, n)
		n.open()
		return nil
	}
	r := replacedChannel{old: o, next: n}
	x.replaced = append(x.replaced, r)
	if err := o.close(ctx); err != nil {
		return err
	}
	if heir, ok := n.channel.(flow.Heir); ok {
		if err := heir.Inherit(o.channel); err != nil {
			return fmt.Errorf("taking over the events: %w", err)
		}
		x.replaced[len(x.replaced)-1].inherited = true
	}
	n.open()
	if !n.isOpen() {
		return fmt.Errorf("opening: %w", n.state.Get().Error)
	}
	return nil
}

func (x *exchange) startSinks() {
	for _, u := range x.next.sinks {
		if x.old.sinkUnit(u.key) != u {
			x.startedSinks = append(x.startedSinks, u)
			x.agent.startSink(x.next, u)
		}
	}
}

// startSources puts the new routes in force and starts what is new.
func (x *exchange) startSources(ctx context.Context) {
	x.moveAndClose(ctx)
	for _, u := range x.next.sources {
		if u.keepsRoute {
			continue
		}
		if err := x.agent.startSource(ctx, x.next, u); err != nil {
			x.agent.log.Error("putting a new route in force", "error", err)
		}
	}
	for u, h := range x.held {
		go x.agent.retire(u, h)
	}
	for _, u := range x.stoppedSources {
		if err := u.emitter.Close(ctx); err != nil {
			u.runner.Log.Error("closing interceptors of the old source", "error", err)
		}
		x.agent.registry.Unregister(u.set)
	}
	for _, u := range x.stoppedSinks {
		for _, s := range u.sets {
			x.agent.registry.Unregister(s)
		}
	}
}

// retire closes the interceptors of a held route once its last batch is through.
func (a *Agent) retire(u *sourceUnit, h pipeline.Held) {
	ctx, cancel := context.WithTimeout(context.Background(), a.stopLimit)
	defer cancel()
	if err := errors.Join(h.Wait(ctx), h.Close(ctx)); err != nil {
		u.runner.Log.Error("closing interceptors of the old route", "error", err)
	}
}

// moveAndClose starts movers for channels whose type changed and closes those
// that are gone.
func (x *exchange) moveAndClose(ctx context.Context) {
	for _, o := range x.old.channels {
		n := x.next.channelUnit(o.spec.Name)
		switch {
		case n == nil:
			if err := o.close(ctx); err != nil {
				o.log.Error("closing a channel that is gone", "error", err)
			}
			x.agent.registry.Unregister(o.set)
		case n != o && !sameType(o, n):
			x.agent.move(o, n, x.held)
		}
	}
}

// undo brings the old topology back.
func (x *exchange) undo(ctx context.Context) error {
	var errs []error
	for _, u := range x.opened {
		errs = append(errs, u.close(ctx))
		x.agent.registry.Unregister(u.set)
	}
	for _, r := range x.replaced {
		errs = append(errs, r.next.close(ctx))
		if heir, ok := r.old.channel.(flow.Heir); ok && r.inherited {
			errs = append(errs, heir.Inherit(r.next.channel))
		}
		r.old.open()
	}
	for _, u := range x.old.channels {
		x.agent.registry.Register(u.set)
	}
	for _, u := range x.stoppedSinks {
		x.agent.startSink(x.old, u)
	}
	for u, h := range x.held {
		errs = append(errs, u.emitter.Install(ctx, h.Route))
	}
	for _, u := range x.stoppedSources {
		x.agent.waiting.start(u.runner, x.old.needs(u.spec.Channels...))
	}
	discard(ctx, x.next)
	return errors.Join(errs...)
}

func (x *exchange) summary() []string {
	var out []string
	for _, u := range x.next.sources {
		switch {
		case !u.keepsRunner:
			out = append(out, "source "+u.spec.Name)
		case !u.keepsRoute:
			out = append(out, "route of source "+u.spec.Name)
		}
	}
	for _, u := range x.next.channels {
		if x.old.channelUnit(u.spec.Name) != u {
			out = append(out, "channel "+u.spec.Name)
		}
	}
	for _, u := range x.startedSinks {
		out = append(out, u.key)
	}
	for _, u := range x.old.sources {
		if x.next.sourceUnit(u.spec.Name) == nil {
			out = append(out, "source "+u.spec.Name+" removed")
		}
	}
	for _, u := range x.old.channels {
		if x.next.channelUnit(u.spec.Name) == nil {
			out = append(out, "channel "+u.spec.Name+" removed")
		}
	}
	for _, u := range x.old.sinks {
		if x.next.sinkUnit(u.key) == nil {
			out = append(out, u.key+" removed")
		}
	}
	return out
}

// mover carries the events of a channel over to its successor of another type.
type mover struct {
	from   *channelUnit
	runner *pipeline.SinkRunner
	done   chan struct{}
	stop   context.CancelFunc
}

// into is the sink of a mover: another channel.
type into struct{ unit *channelUnit }

func (s into) Deliver(ctx context.Context, b *event.Batch) error { return s.unit.channel.Put(ctx, b) }

// move starts a mover; it ends by itself when the old channel is empty and the
// batches that were on their way into it have arrived.
func (a *Agent) move(from, to *channelUnit, held map[*sourceUnit]pipeline.Held) {
	ctx, cancel := context.WithCancel(context.Background())
	batch := defaultMove
	for _, limit := range []int{from.spec.Transaction, to.spec.Transaction} {
		if limit > 0 {
			batch = min(batch, limit)
		}
	}
	m := &mover{
		from: from, done: make(chan struct{}), stop: cancel,
		runner: &pipeline.SinkRunner{Name: "mover of " + from.spec.Name, Channel: from.channel, Sink: into{to}, Batch: batch, Log: from.log},
	}
	a.movers = append(a.movers, m)
	a.waiting.start(m.runner, []*channelUnit{from, to})
	go func() {
		defer close(m.done)
		for _, h := range held {
			_ = h.Wait(ctx) // ends only with the mover itself
		}
		for from.channel.Stats().Events > 0 && flow.Sleep(ctx, drainPoll) {
		}
	}()
}

const defaultMove = 1000

// reapMovers closes the channels that movers have emptied. While one is at work
// its channel cannot be changed again.
func (a *Agent) reapMovers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.stopLimit)
	defer cancel()
	for len(a.movers) > 0 {
		m := a.movers[0]
		select {
		case <-m.done:
		case <-ctx.Done():
			return fmt.Errorf("channel %s changed its type and still holds %d events of before; reload again when they are delivered", m.from.spec.Name, m.from.channel.Stats().Events)
		}
		a.movers = a.movers[1:]
		if err := errors.Join(a.finish(ctx, m), m.from.close(ctx)); err != nil {
			m.from.log.Error("closing a channel that was replaced by another type", "error", err)
		}
	}
	return nil
}

// stopMovers waits until the movers have done their work, or ctx ends, and
// returns the channels they took from, which are left open.
func (a *Agent) stopMovers(ctx context.Context) (from []*channelUnit, err error) {
	var errs []error
	for _, m := range a.movers {
		select {
		case <-m.done:
		case <-ctx.Done():
		}
		errs = append(errs, a.finish(ctx, m))
		from = append(from, m.from)
	}
	a.movers = nil
	return from, errors.Join(errs...)
}

func (a *Agent) finish(ctx context.Context, m *mover) error {
	m.stop()
	return a.waiting.stop(ctx, m.runner)
}
