package config

import (
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/property"
)

// Topology is the typed configuration of one agent, ready to be built if its
// Problems have no errors. Components stand in the order of the file.
type Topology struct {
	Agent    string
	Channels []*Channel
	Sources  []*Source
	Sinks    []*Sink
	Groups   []*Group
	Problems property.Problems
	// Dropped are the components that a lenient build left out, as "source r1".
	Dropped []string

	untyped map[string]untyped // by prefix, for Explain
}

// untyped is what is known of a component whose type is missing or unknown.
type untyped struct {
	kind   component.Kind
	why    string
	values []component.Effective // of what all components of the kind have
}

// Channel is a channel of a topology.
type Channel struct {
	Name    string
	Decoded *component.Decoded
	// Transaction is the most events of one put or take; 0 for no limit.
	Transaction int
	broken      bool
}

// Source is a source of a topology with all that stands before its channels.
type Source struct {
	Name         string
	Decoded      *component.Decoded
	Common       SourceCommon
	Channels     []string
	Interceptors []NamedConfig
	Selector     *component.Decoded
	broken       bool
}

// NamedConfig is the configuration of a named part of a component.
type NamedConfig struct {
	Name    string
	Decoded *component.Decoded
}

// Sink is a sink of a topology.
type Sink struct {
	Name       string
	Decoded    *component.Decoded
	Common     SinkCommon
	Channel    string
	DeadLetter string // "" for none
	// Batch is the most events of one delivery.
	Batch  int
	broken bool
}

// Group is a sink group of a topology.
type Group struct {
	Name      string
	Settings  property.Settings
	Processor *component.Decoded
	Sinks     []string
	prefix    string                // "a1.sinkgroups.g1."
	values    []component.Effective // of its own properties, for Explain
	broken    bool
}

// SourceCommon are the properties that every source has.
type SourceCommon struct {
	Type         string            `flume:"type,required" doc:"The type of the source: a short name or Flume's class name."`
	Channels     []string          `flume:"channels,required" doc:"The channels that the source writes to, separated by white space."`
	Interceptors []string          `flume:"interceptors" doc:"Names of the interceptors that see the events, in this order."`
	Intercept    property.Settings `flume:"interceptors.*" doc:"Settings of the interceptors, by name."`
	Selector     property.Settings `flume:"selector.*" doc:"The channel selector: selector.type (replicating unless given) and its settings."`
	Config       string            `flume:"config" doc:"The name of a Java validation class; it has no effect."`
}

// ChannelCommon are the properties that every channel has.
type ChannelCommon struct {
	Type   string `flume:"type,required" doc:"The type of the channel: a short name or Flume's class name."`
	Config string `flume:"config" doc:"The name of a Java validation class; it has no effect."`
}

// SinkCommon are the properties that every sink has.
type SinkCommon struct {
	Type       string `flume:"type,required" doc:"The type of the sink: a short name or Flume's class name."`
	Channel    string `flume:"channel,required" doc:"The one channel that the sink takes events from."`
	DeadLetter string `flume:"deadLetter" doc:"A channel for events that the sink can never deliver. Without one they are tried for ever, as in Flume."`
	Config     string `flume:"config" doc:"The name of a Java validation class; it has no effect."`
}

// GroupCommon are the properties of a sink group.
type GroupCommon struct {
	Sinks     []string          `flume:"sinks,required" doc:"The sinks of the group, separated by white space."`
	Processor property.Settings `flume:"processor.*" doc:"The sink processor: processor.type (default unless given) and its settings."`
	Config    string            `flume:"config" doc:"The name of a Java validation class; it has no effect."`
}

// defaultBatch is the batch size of a sink that has no property for it.
const defaultBatch = 100

func find[T any](list []T, name string, nameOf func(T) string) (found T, ok bool) {
	for _, x := range list {
		if nameOf(x) == name {
			return x, true
		}
	}
	return found, false
}

// Channel returns the channel of this name, nil if there is none.
func (t *Topology) Channel(name string) *Channel {
	c, _ := find(t.Channels, name, func(c *Channel) string { return c.Name })
	return c
}

// Sink returns the sink of this name, nil if there is none.
func (t *Topology) Sink(name string) *Sink {
	s, _ := find(t.Sinks, name, func(s *Sink) string { return s.Name })
	return s
}

// GroupOf returns the group that a sink is in, nil if it is in none.
func (t *Topology) GroupOf(sink string) *Group {
	for _, g := range t.Groups {
		for _, s := range g.Sinks {
			if s == sink {
				return g
			}
		}
	}
	return nil
}

func (t *Topology) channelNames() []string {
	names := make([]string, len(t.Channels))
	for i, c := range t.Channels {
		names[i] = c.Name
	}
	return names
}

func (t *Topology) sinkNames() []string {
	names := make([]string, len(t.Sinks))
	for i, s := range t.Sinks {
		names[i] = s.Name
	}
	return names
}
