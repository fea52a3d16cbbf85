// Package replicating gives every event to every channel of the source.
package replicating

import (
	_ "embed"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSelector(component.Info{
		Type:    "replicating",
		Aliases: []string{"org.apache.flume.channel.ReplicatingChannelSelector"},
		Summary: "Gives every event to every channel of the source.",
		Readme:  readme,
	}, New)
}

// Config is the selector's configuration.
type Config struct {
	Optional []string `flume:"optional" doc:"Channels of the source that may miss events: they are not waited for and their failures are only counted."`
}

// Channels names the channels that the configuration speaks of, by key.
func (c Config) Channels() map[string][]string { return map[string][]string{"optional": c.Optional} }

type selector struct {
	required, optional []int
}

var _ flow.Selector = (*selector)(nil)

// New returns a selector for a source with these channels.
func New(cfg Config, _ component.Env, channels []string) (flow.Selector, error) {
	optional := map[string]bool{}
	for _, name := range cfg.Optional {
		optional[name] = true
	}
	s := &selector{}
	for i, name := range channels {
		if optional[name] {
			s.optional = append(s.optional, i)
		} else {
			s.required = append(s.required, i)
		}
	}
	return s, nil
}

// Select implements flow.Selector.
func (s *selector) Select(_ *event.Batch, plan *flow.Plan) error {
	for _, c := range s.required {
		plan.All(c)
	}
	for _, c := range s.optional {
		plan.AllOptional(c)
	}
	return nil
}
