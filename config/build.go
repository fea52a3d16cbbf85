package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/property"
)

// Build makes the typed topology of an agent. With lenient set it leaves out
// what is broken, and what hangs on it, as Flume does; each such error becomes a
// warning and a line in Dropped.
func Build(m *Model, agent string, lenient bool) *Topology {
	t := &Topology{Agent: agent, Problems: m.Problems(agent)}
	a := m.Agent(agent)
	if a == nil {
		t.Problems = append(t.Problems, noSuchAgent(m, agent))
		return t
	}
	b := &builder{Topology: t, agent: a, others: m.names(func(o *Agent) bool { return o != a && o.lists })}
	b.channels()
	b.sources()
	b.sinks()
	b.groups()
	if lenient {
		b.drop()
	}
	b.crossCheck()
	t.Problems.Sort()
	return t
}

func noSuchAgent(m *Model, agent string) property.Problem {
	p := property.Problem{Severity: property.Error, What: fmt.Sprintf("the configuration has no agent named %q", agent)}
	switch names := m.Agents(); {
	case len(names) == 0:
		p.Remedy = "it names no agent at all; keys are written <agent>.sources, <agent>.channels, …"
	case component.Nearest(agent, names) != "":
		p.Remedy = fmt.Sprintf("did you mean %q?", component.Nearest(agent, names))
	default:
		p.Remedy = "it has " + strings.Join(names, ", ") + "; choose one with --name"
	}
	return p
}

type builder struct {
	*Topology
	agent  *Agent
	others []string // agents that list something
}

func (b *builder) problem(s property.Severity, at property.Position, key, what, remedy string) {
	b.Problems = append(b.Problems, property.Problem{Severity: s, At: at, Key: key, What: what, Remedy: remedy})
}

// decode decodes a component whose type is under typeKey; nil when the type is
// missing or unknown, which is reported.
func (b *builder) decode(kind component.Kind, typ string, settings property.Settings, typeKey string, scope component.Scope, common ...any) *component.Decoded {
	if typ == "" {
		b.decodeUntyped(kind, "It has no type.", settings, scope, common...)
		return nil
	}
	e, ok := component.Lookup(kind, typ)
	if !ok {
		at := scope.At
		if v, ok := settings[typeKey]; ok {
			at = v.At
		}
		what, remedy := component.Unknown(kind, typ)
		b.problem(property.Error, at, scope.Prefix+typeKey, what, remedy)
		b.decodeUntyped(kind, what+"; "+remedy, settings, scope, common...)
		return nil
	}
	d := component.Decode(e, settings, scope, common...)
	b.Problems = append(b.Problems, d.Problems...)
	return d
}

// decodeUntyped decodes what all components of a kind have, of one that is no more
// than that.
func (b *builder) decodeUntyped(kind component.Kind, why string, settings property.Settings, scope component.Scope, common ...any) {
	values, problems := component.DecodeCommon(settings, scope, common...)
	if len(settings) == 0 {
		problems = nothingOf(scope, "type")
	}
	b.Problems = append(b.Problems, problems...)
	if b.untyped == nil {
		b.untyped = map[string]untyped{}
	}
	b.untyped[scope.Prefix] = untyped{kind: kind, why: why, values: values}
}

// nothingOf is the problem of a listed component without any properties: its name
// is most likely a mistake in the list, which says more than all that it lacks.
func nothingOf(scope component.Scope, key string) property.Problems {
	name := strings.TrimSuffix(scope.Prefix, ".")
	return property.Problems{{
		Severity: property.Error, At: scope.At, Key: name, What: "is listed and has no properties",
		Remedy: fmt.Sprintf("write %s.%s = … and what else it needs, or remove it from the list", name, key),
	}}
}

func (b *builder) channels() {
	for _, d := range b.agent.listed(sectionChannels) {
		c := &Channel{Name: d.Name}
		var common ChannelCommon
		c.Decoded = b.decode(component.KindChannel, d.Settings["type"].Text, d.Settings, "type", d.scope(), &common)
		if c.broken = c.Decoded == nil || c.Decoded.Failed(); !c.broken {
			c.Transaction, _, _ = c.Decoded.BatchSize(true)
		}
		b.Channels = append(b.Channels, c)
	}
	if len(b.Channels) == 0 {
		remedy := "list at least one and give it a type"
		if near := component.Nearest(b.Agent, b.others); near != "" && b.agent.misspelt {
			remedy = fmt.Sprintf("did you mean the agent %q?", near)
		}
		b.problem(property.Error, b.agent.At, b.Agent+".channels", "the agent has no channels", remedy)
	}
}

func (b *builder) sources() {
	for _, d := range b.agent.listed(sectionSources) {
		s := &Source{Name: d.Name}
		s.Decoded = b.decode(component.KindSource, d.Settings["type"].Text, d.Settings, "type", d.scope(), &s.Common)
		s.broken = s.Decoded == nil || s.Decoded.Failed()
		s.Common.Channels = b.names(d, "channels", s.Common.Channels, b.isChannel)
		for _, name := range s.Common.Channels {
			if b.wired(d, "channels", name) && !slices.Contains(s.Channels, name) {
				s.Channels = append(s.Channels, name)
			} else if b.Channel(name) == nil {
				s.broken = s.broken || len(s.Common.Channels) == 1
			}
		}
		b.interceptors(d, s)
		b.selector(d, s)
		b.Sources = append(b.Sources, s)
	}
}

// wired reports whether a channel that a component names exists.
func (b *builder) wired(d *Declared, key, channel string) bool {
	if b.Channel(channel) != nil {
		return true
	}
	remedy := "the agent has no channels"
	if near := component.Nearest(channel, b.channelNames()); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	} else if len(b.Channels) > 0 {
		remedy = fmt.Sprintf("%s.channels has %s", b.Agent, strings.Join(b.channelNames(), ", "))
	}
	b.problem(property.Error, d.Settings[key].At, d.Prefix+key, fmt.Sprintf("there is no channel %q", channel), remedy)
	return false
}

func (b *builder) interceptors(d *Declared, s *Source) {
	seen := map[string]bool{}
	s.Common.Interceptors = b.names(d, "interceptors", s.Common.Interceptors, func(name string) bool { return len(s.Common.Intercept.Sub(name)) > 0 })
	for _, name := range s.Common.Interceptors {
		if seen[name] {
			b.problem(property.Warning, d.Settings["interceptors"].At, d.Prefix+"interceptors", fmt.Sprintf("lists %q twice", name), "remove one")
			continue
		}
		seen[name] = true
		settings := s.Common.Intercept.Sub(name)
		scope := component.Scope{Prefix: d.Prefix + "interceptors." + name + ".", At: d.Settings["interceptors"].At}
		var common struct {
			Type string `flume:"type,required" doc:"The type of the interceptor: a short name or the class name of its builder."`
		}
		dec := b.decode(component.KindInterceptor, settings["type"].Text, settings, "type", scope, &common)
		s.broken = s.broken || dec == nil || dec.Failed()
		s.Interceptors = append(s.Interceptors, NamedConfig{Name: name, Decoded: dec})
	}
	for _, key := range s.Common.Intercept.Keys() {
		name, _, _ := strings.Cut(key, ".")
		if !seen[name] {
			v := s.Common.Intercept[key]
			b.problem(property.Warning, v.Key, d.Prefix+"interceptors."+key, fmt.Sprintf("interceptor %q is not listed and has no effect", name),
				fmt.Sprintf("add %s to %sinterceptors, or remove its properties", name, d.Prefix))
		}
	}
}

func (b *builder) selector(d *Declared, s *Source) {
	typ := "replicating"
	if v, ok := s.Common.Selector["type"]; ok {
		typ = v.Text
	}
	var common struct {
		Type string `flume:"type" default:"replicating" doc:"The type of the channel selector: a short name or Flume's class name."`
	}
	scope := component.Scope{Prefix: d.Prefix + "selector.", At: d.At}
	s.Selector = b.decode(component.KindSelector, typ, s.Common.Selector, "type", scope, &common)
	if s.Selector == nil || s.Selector.Failed() {
		s.broken = true
		return
	}
	if n, ok := s.Selector.Config.(Naming); ok {
		for key, names := range n.Channels() {
			v := s.Common.Selector[key]
			names, what, remedy := component.Names(strings.Join(names, " "), func(name string) bool { return slices.Contains(s.Common.Channels, name) })
			if what != "" {
				b.problem(property.Error, v.At, scope.Prefix+key, what, remedy)
				s.broken = true
			}
			for _, name := range names {
				b.known(s, scope.Prefix+key, v, name)
			}
		}
	}
}

// Naming is a selector's Config that names channels: the names must be the
// source's. Keys are relative to "selector.".
type Naming interface {
	Channels() map[string][]string
}

func (b *builder) known(s *Source, key string, v property.Value, channel string) {
	if slices.Contains(s.Common.Channels, channel) {
		return
	}
	remedy := "the source has " + strings.Join(s.Common.Channels, ", ")
	if near := component.Nearest(channel, s.Common.Channels); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	b.problem(property.Error, v.At, key, fmt.Sprintf("%q is not a channel of source %s", channel, s.Name), remedy)
	s.broken = true
}

func (b *builder) sinks() {
	for _, d := range b.agent.listed(sectionSinks) {
		s := &Sink{Name: d.Name, Batch: defaultBatch}
		s.Decoded = b.decode(component.KindSink, d.Settings["type"].Text, d.Settings, "type", d.scope(), &s.Common)
		s.broken = s.Decoded == nil || s.Decoded.Failed()
		var taken, letters bool
		s.Channel, taken = b.oneChannel(d, "channel", s.Common.Channel, "a sink takes from one")
		s.DeadLetter, letters = b.oneChannel(d, "deadLetter", s.Common.DeadLetter, "dead letters go to one")
		s.broken = s.broken || !taken || !letters
		if s.DeadLetter != "" && s.DeadLetter == s.Channel {
			b.problem(property.Error, d.Settings["deadLetter"].At, d.Prefix+"deadLetter", "is the channel that the sink takes from: a rejected event would come back at once", "name another channel")
			s.broken = true
		}
		if s.Decoded != nil && !s.Decoded.Failed() {
			if n, _, ok := s.Decoded.BatchSize(false); ok && n > 0 {
				s.Batch = n
			}
		}
		b.Sinks = append(b.Sinks, s)
	}
}

func (b *builder) groups() {
	owner := map[string]string{}
	for _, d := range b.agent.listed(sectionGroups) {
		g := &Group{Name: d.Name, Settings: d.Settings, prefix: d.Prefix}
		var common GroupCommon
		values, problems := component.DecodeOnly(d.Settings, d.scope(), "processor.", &common)
		if len(d.Settings) == 0 {
			problems = nothingOf(d.scope(), "sinks")
		}
		b.Problems = append(b.Problems, problems...)
		g.values, g.broken = values, problems.HasErrors()
		common.Sinks = b.names(d, "sinks", common.Sinks, b.isSink)
		for _, name := range common.Sinks {
			if b.member(d, g, owner, name) {
				g.Sinks = append(g.Sinks, name)
				owner[name] = d.Name
			}
		}
		b.processor(d, g, common)
		b.Groups = append(b.Groups, g)
	}
}

func (b *builder) member(d *Declared, g *Group, owner map[string]string, name string) bool {
	at := d.Settings["sinks"].At
	switch {
	case owner[name] == d.Name:
		b.problem(property.Warning, at, d.Prefix+"sinks", fmt.Sprintf("lists %q twice", name), "remove one")
		return false
	case owner[name] != "":
		b.problem(property.Error, at, d.Prefix+"sinks", fmt.Sprintf("sink %q is in group %q already", name, owner[name]), "a sink can be in one group only")
		g.broken = true
		return false
	case b.Sink(name) == nil:
		remedy := fmt.Sprintf("%s.sinks has %s", b.Agent, strings.Join(b.sinkNames(), ", "))
		if near := component.Nearest(name, b.sinkNames()); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		b.problem(property.Error, at, d.Prefix+"sinks", fmt.Sprintf("there is no sink %q", name), remedy)
		g.broken = true
		return false
	}
	if len(g.Sinks) > 0 {
		first := b.Sink(g.Sinks[0])
		if s := b.Sink(name); s.Channel != first.Channel && s.Channel != "" && first.Channel != "" {
			b.problem(property.Warning, at, d.Prefix+"sinks",
				fmt.Sprintf("sink %q takes from channel %q, but %q from %q: each channel gets a group of its own", name, s.Channel, first.Name, first.Channel),
				"give the sinks of a group one channel")
		}
	}
	return true
}

func (b *builder) processor(d *Declared, g *Group, common GroupCommon) {
	typ := "default"
	if v, ok := common.Processor["type"]; ok {
		typ = v.Text
	}
	var pc struct {
		Type string `flume:"type" default:"default" doc:"The type of the sink processor: a short name or Flume's class name."`
	}
	scope := component.Scope{Prefix: d.Prefix + "processor.", At: d.At, Sinks: common.Sinks}
	g.Processor = b.decode(component.KindProcessor, typ, common.Processor, "type", scope, &pc)
	if g.Processor == nil || g.Processor.Failed() {
		g.broken = true
		return
	}
	if s, ok := g.Processor.Config.(Sized); ok && !g.broken {
		lo, hi := s.Members()
		if n := len(g.Sinks); n < lo || (hi > 0 && n > hi) {
			want := fmt.Sprintf("at least %d", lo)
			if lo == hi {
				want = fmt.Sprintf("exactly %d", lo)
			}
			b.problem(property.Error, d.Settings["sinks"].At, d.Prefix+"sinks", fmt.Sprintf("processor %s needs %s, the group has %d", g.Processor.Entry.Info.Type, want, n), "change the list or processor.type")
			g.broken = true
		}
	}
}

// Sized is a sink processor's Config that limits the number of sinks in its
// group; hi 0 means no upper limit.
type Sized interface {
	Members() (lo, hi int)
}
