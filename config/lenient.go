package config

import (
	"fmt"
	"slices"

	"github.com/flume-go/flume/property"
)

// drop leaves out broken components and those that cannot work without them, as
// Flume does, and turns their errors into warnings. What is left can run.
func (b *builder) drop() {
	if len(b.Channels) > 0 {
		b.Channels = b.keepChannels()
		b.Sources = b.keepSources()
		b.Sinks = b.keepSinks()
		b.Groups = b.keepGroups()
	}
	for i := range b.Problems {
		if p := &b.Problems[i]; p.Severity == property.Error && len(b.Channels) > 0 {
			p.Severity = property.Warning
		}
	}
	if len(b.Sources)+len(b.Sinks) == 0 {
		b.problem(property.Error, b.agent.At, b.Agent, "nothing is left to run: every source and sink is broken", "mend at least one of them")
	}
}

func (b *builder) dropped(kind, name string) {
	b.Dropped = append(b.Dropped, kind+" "+name)
}

func (b *builder) keepChannels() []*Channel {
	return slices.DeleteFunc(b.Channels, func(c *Channel) bool {
		if c.broken {
			b.dropped("channel", c.Name)
		}
		return c.broken
	})
}

func (b *builder) keepSources() []*Source {
	return slices.DeleteFunc(b.Sources, func(s *Source) bool {
		s.Channels = slices.DeleteFunc(s.Channels, func(c string) bool { return b.Channel(c) == nil })
		if s.broken || len(s.Channels) == 0 {
			b.dropped("source", s.Name)
			return true
		}
		return false
	})
}

func (b *builder) keepSinks() []*Sink {
	return slices.DeleteFunc(b.Sinks, func(s *Sink) bool {
		if s.DeadLetter != "" && b.Channel(s.DeadLetter) == nil {
			s.DeadLetter = "" // as in Flume, which has none
		}
		if s.broken || b.Channel(s.Channel) == nil {
			b.dropped("sink", s.Name)
			return true
		}
		return false
	})
}

// keepGroups drops broken groups. Their sinks, unlike in Flume, go on alone: a
// channel that nobody drains helps no one.
func (b *builder) keepGroups() []*Group {
	return slices.DeleteFunc(b.Groups, func(g *Group) bool {
		g.Sinks = slices.DeleteFunc(g.Sinks, func(s string) bool { return b.Sink(s) == nil })
		if g.Processor == nil || g.Processor.Failed() || len(g.Sinks) == 0 {
			b.dropped("sink group", g.Name)
			return true
		}
		if s, ok := g.Processor.Config.(Sized); ok {
			if lo, hi := s.Members(); len(g.Sinks) < lo || (hi > 0 && len(g.Sinks) > hi) {
				b.dropped("sink group", fmt.Sprintf("%s (its sinks run alone)", g.Name))
				return true
			}
		}
		return false
	})
}
