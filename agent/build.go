package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/pipeline"
)

// build constructs the units of spec, taking over from old (which may be nil)
// those whose configuration and surroundings are the same. It does no I/O but for
// opening interceptors; on error nothing of old was touched.
func (a *Agent) build(ctx context.Context, spec *config.Topology, old *topology) (*topology, error) {
	if old == nil {
		old = &topology{}
	}
	t := &topology{spec: spec}
	var errs []error
	for _, c := range spec.Channels {
		u, err := a.buildChannel(c, old)
		if err != nil {
			errs = append(errs, fmt.Errorf("channel %s: %w", c.Name, err))
			continue
		}
		t.channels = append(t.channels, u)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, g := range sinkPlan(spec) {
		u, err := a.buildSink(g, t, old)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		t.sinks = append(t.sinks, u)
	}
	for _, s := range spec.Sources {
		u, err := a.buildSource(ctx, s, t, old)
		if err != nil {
			errs = append(errs, fmt.Errorf("source %s: %w", s.Name, err))
			continue
		}
		t.sources = append(t.sources, u)
	}
	if err := errors.Join(errs...); err != nil {
		discard(ctx, t)
		return nil, err
	}
	return t, nil
}

// discard closes the interceptors that were opened for a topology that is not used.
func discard(ctx context.Context, t *topology) {
	for _, u := range t.sources {
		if !u.keepsRoute {
			closeInterceptors(ctx, u.route.Interceptors)
		}
	}
}

func closeInterceptors(ctx context.Context, list []pipeline.NamedInterceptor) {
	for _, i := range list {
		if l, ok := i.Interceptor.(flow.Lifecycle); ok {
			_ = l.Close(ctx) // never used: nothing to lose
		}
	}
}

func (a *Agent) buildChannel(spec *config.Channel, old *topology) (*channelUnit, error) {
	if o := old.channelUnit(spec.Name); o != nil && o.spec.Decoded.Settings.Equal(spec.Decoded.Settings) {
		return o, nil
	}
	set := metrics.NewSet(metrics.KindChannel, spec.Name)
	e := env(a, component.KindChannel, spec.Name, set)
	ch, err := component.New[flow.Channel](spec.Decoded, e, nil)
	if err != nil {
		return nil, err
	}
	return newChannelUnit(spec, ch, set, e.Log), nil
}

// sinkGroup is a group by channel, or a sink alone.
type sinkGroup struct {
	key     string
	group   *config.Group
	members []*config.Sink
}

// sinkPlan says which sinks run together. A group whose members take from several
// channels makes a group for each of them.
func sinkPlan(spec *config.Topology) []sinkGroup {
	var plan []sinkGroup
	for _, g := range spec.Groups {
		byChannel := map[string]int{}
		for _, name := range g.Sinks {
			s := spec.Sink(name)
			i, ok := byChannel[s.Channel]
			if !ok {
				i = len(plan)
				byChannel[s.Channel] = i
				plan = append(plan, sinkGroup{key: "group " + g.Name + " on " + s.Channel, group: g})
			}
			plan[i].members = append(plan[i].members, s)
		}
	}
	for _, s := range spec.Sinks {
		if spec.GroupOf(s.Name) == nil {
			plan = append(plan, sinkGroup{key: "sink " + s.Name, members: []*config.Sink{s}})
		}
	}
	for i := range plan {
		if len(plan[i].members) == 1 && plan[i].group != nil && plan[i].group.Processor.Entry.Info.Type == "default" {
			plan[i].group = nil
			plan[i].key = "sink " + plan[i].members[0].Name
		}
	}
	return plan
}

// sameSink reports whether a running unit does what g asks for, on the same channels.
func sameSink(o *sinkUnit, g sinkGroup, t, old *topology) bool {
	if o == nil || len(o.members) != len(g.members) || (o.group == nil) != (g.group == nil) {
		return false
	}
	if g.group != nil && !o.group.Settings.Equal(g.group.Settings) {
		return false
	}
	for i, m := range g.members {
		om := o.members[i]
		if om.Name != m.Name || !om.Decoded.Settings.Equal(m.Decoded.Settings) {
			return false
		}
		if t.channelUnit(m.Channel) != old.channelUnit(om.Channel) {
			return false
		}
		if m.DeadLetter != "" && t.channelUnit(m.DeadLetter) != old.channelUnit(om.DeadLetter) {
			return false
		}
	}
	return true
}

func (a *Agent) buildSink(g sinkGroup, t, old *topology) (*sinkUnit, error) {
	if o := old.sinkUnit(g.key); sameSink(o, g, t, old) {
		return o, nil
	}
	u := &sinkUnit{key: g.key, group: g.group, members: g.members}
	var members []flow.Member
	batch := 0
	for _, s := range g.members {
		m, set, err := a.buildMember(s, t)
		if err != nil {
			return nil, fmt.Errorf("sink %s: %w", s.Name, err)
		}
		members = append(members, flow.Member{Name: s.Name, Sink: m})
		u.sets = append(u.sets, set)
		if batch == 0 || s.Batch < batch {
			batch = s.Batch
		}
	}
	c := t.channelUnit(u.channel())
	if c.spec.Transaction > 0 {
		batch = min(batch, c.spec.Transaction)
	}
	u.runner = &pipeline.SinkRunner{
		Name: g.members[0].Name, Channel: c.channel, Sink: members[0].Sink, Batch: batch,
		Log: a.log.With("sink", g.members[0].Name), Sets: u.sets,
	}
	if g.group == nil {
		u.runner.Empty = u.sets[0].Counter("BatchEmptyCount")
		return u, nil
	}
	e := env(a, component.KindProcessor, g.group.Name, nil)
	processor, err := component.New[flow.Sink](g.group.Processor, e, members)
	if err != nil {
		return nil, fmt.Errorf("sink group %s: %w", g.group.Name, err)
	}
	u.runner.Name, u.runner.Sink, u.runner.Log = g.group.Name, processor, a.log.With("sinkgroup", g.group.Name)
	return u, nil
}

// buildMember makes a sink with what stands before every sink: counters and dead letters.
func (a *Agent) buildMember(s *config.Sink, t *topology) (flow.Sink, *metrics.Set, error) {
	set := metrics.NewSet(metrics.KindSink, s.Name)
	e := env(a, component.KindSink, s.Name, set)
	sink, err := component.New[flow.Sink](s.Decoded, e, nil)
	if err != nil {
		return nil, nil, err
	}
	var letters *pipeline.Branch
	if s.DeadLetter != "" {
		c := t.channelUnit(s.DeadLetter)
		letters = &pipeline.Branch{Name: s.DeadLetter, Channel: c.channel, Transaction: c.spec.Transaction}
	}
	return pipeline.Reject(s.Name, pipeline.Measure(sink, set, s.Batch), letters, e.Log, set), set, nil
}

func (a *Agent) buildSource(ctx context.Context, spec *config.Source, t, old *topology) (*sourceUnit, error) {
	u := &sourceUnit{spec: spec, own: ownSettings(spec.Decoded.Settings)}
	o := old.sourceUnit(spec.Name)
	if o != nil && o.own.Equal(u.own) {
		u.runner, u.emitter, u.set, u.keepsRunner = o.runner, o.emitter, o.set, true
		if o.spec.Decoded.Settings.Equal(spec.Decoded.Settings) && sameChannels(spec, t, old) {
			u.route, u.keepsRoute = o.route, true
			return u, nil
		}
	}
	if u.runner == nil {
		u.set = metrics.NewSet(metrics.KindSource, spec.Name)
		e := env(a, component.KindSource, spec.Name, u.set)
		src, err := component.New[flow.Source](spec.Decoded, e, nil)
		if err != nil {
			return nil, err
		}
		u.emitter = pipeline.NewEmitter(e.Log, u.set)
		u.runner = &pipeline.SourceRunner{Name: spec.Name, Source: src, Out: u.emitter, Log: e.Log, Metrics: u.set}
	}
	var err error
	u.route, err = a.buildRoute(ctx, u, t)
	return u, err
}

// sameChannels reports whether a source's channels are the units they were.
func sameChannels(spec *config.Source, t, old *topology) bool {
	for _, name := range spec.Channels {
		if t.channelUnit(name) != old.channelUnit(name) {
			return false
		}
	}
	return true
}

// buildRoute makes the interceptors and the selector of a source.
func (a *Agent) buildRoute(ctx context.Context, u *sourceUnit, t *topology) (route pipeline.Route, err error) {
	e := env(a, component.KindSource, u.spec.Name, u.set)
	defer func() {
		if err != nil {
			closeInterceptors(ctx, route.Interceptors)
		}
	}()
	for _, nc := range u.spec.Interceptors {
		ie := e
		ie.Name, ie.Log = nc.Name, e.Log.With("interceptor", nc.Name)
		i, err := component.New[flow.Interceptor](nc.Decoded, ie, nil)
		if err != nil {
			return route, fmt.Errorf("interceptor %s: %w", nc.Name, err)
		}
		route.Interceptors = append(route.Interceptors, pipeline.NamedInterceptor{Name: nc.Name, Interceptor: i})
		if l, ok := i.(flow.Lifecycle); ok {
			if err := l.Open(ctx); err != nil {
				return route, fmt.Errorf("opening interceptor %s: %w", nc.Name, err)
			}
		}
	}
	route.Selector, err = component.New[flow.Selector](u.spec.Selector, e, u.spec.Channels)
	if err != nil {
		return route, fmt.Errorf("channel selector: %w", err)
	}
	for _, name := range u.spec.Channels {
		c := t.channelUnit(name)
		route.Branches = append(route.Branches, pipeline.Branch{Name: name, Channel: c.channel, Transaction: c.spec.Transaction})
	}
	return route, nil
}
