// Package multiplexing chooses the channels of an event by the value of a header.
package multiplexing

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSelector(component.Info{
		Type:    "multiplexing",
		Aliases: []string{"org.apache.flume.channel.MultiplexingChannelSelector"},
		Summary: "Chooses the channels of an event by the value of one of its headers.",
		Readme:  readme,
	}, New)
}

// Config is the selector's configuration.
type Config struct {
	Header   string            `flume:"header" default:"flume.selector.header" doc:"The header whose value decides."`
	Mapping  map[string]string `flume:"mapping.*" doc:"The channels for one value of the header: mapping.<value> = names separated by a space. Values match exactly; they may contain dots."`
	Default  string            `flume:"default" doc:"The channels for events without the header, or with a value that has no mapping."`
	Optional map[string]string `flume:"optional.*" doc:"Channels that may get events with this value of the header, besides those of its mapping; they are not waited for."`
}

// Channels names the channels that the configuration speaks of, by key.
func (c Config) Channels() map[string][]string {
	named := map[string][]string{"default": strings.Fields(c.Default)}
	for value, names := range c.Mapping {
		named["mapping."+value] = strings.Fields(names)
	}
	for value, names := range c.Optional {
		named["optional."+value] = strings.Fields(names)
	}
	return named
}

// Check finds events that would go nowhere.
func (c Config) Check(r *component.Report) {
	if strings.TrimSpace(c.Default) == "" {
		r.Advise("default", "is not set: events without the header, or with another value, are discarded", "name the channels for them")
	}
}

// target is where events of one header value go.
type target struct {
	required, optional []int
}

type selector struct {
	header   string
	byValue  map[string]*target
	fallback *target // no header, or a value that is mapped nowhere
}

var _ flow.Selector = (*selector)(nil)

// New returns a selector for a source with these channels.
func New(cfg Config, _ component.Env, channels []string) (flow.Selector, error) {
	index := func(list string) (out []int, err error) {
		for _, name := range strings.Fields(list) {
			i := slices.Index(channels, name)
			if i < 0 {
				return nil, fmt.Errorf("%q is not a channel of the source", name)
			}
			if !slices.Contains(out, i) {
				out = append(out, i)
			}
		}
		return out, nil
	}
	defaults, err := index(cfg.Default)
	if err != nil {
		return nil, fmt.Errorf("selector.default: %w", err)
	}
	s := &selector{header: cfg.Header, byValue: map[string]*target{}, fallback: &target{required: defaults}}
	for value, names := range cfg.Mapping {
		required, err := index(names)
		if err != nil {
			return nil, fmt.Errorf("selector.mapping.%s: %w", value, err)
		}
		s.byValue[value] = &target{required: required}
	}
	for value, names := range cfg.Optional {
		t := s.byValue[value]
		if t == nil {
			t = &target{required: defaults}
			s.byValue[value] = t
		}
		optional, err := index(names)
		if err != nil {
			return nil, fmt.Errorf("selector.optional.%s: %w", value, err)
		}
		for _, i := range optional {
			if !slices.Contains(t.required, i) {
				t.optional = append(t.optional, i)
			}
		}
	}
	return s, nil
}

// Select implements flow.Selector. A batch whose events all go one way, which is
// the common case, is planned as a whole.
func (s *selector) Select(b *event.Batch, plan *flow.Plan) error {
	events := b.Events()
	if len(events) == 0 {
		return nil
	}
	first := s.target(&events[0])
	same := 1
	for same < len(events) && s.target(&events[same]) == first {
		same++
	}
	if same == len(events) {
		for _, c := range first.required {
			plan.All(c)
		}
		for _, c := range first.optional {
			plan.AllOptional(c)
		}
		return nil
	}
	for i := range events {
		t := first
		if i >= same {
			t = s.target(&events[i])
		}
		for _, c := range t.required {
			plan.Add(c, i)
		}
		for _, c := range t.optional {
			plan.AddOptional(c, i)
		}
	}
	return nil
}

// target finds where an event goes. A blank value counts as none, as in Flume.
func (s *selector) target(e *event.Event) *target {
	value, ok := e.Header(s.header)
	if !ok || strings.TrimSpace(value) == "" {
		return s.fallback
	}
	if t := s.byValue[value]; t != nil {
		return t
	}
	return s.fallback
}
