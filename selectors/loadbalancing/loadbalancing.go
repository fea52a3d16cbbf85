// Package loadbalancing spreads events over the channels of a source.
package loadbalancing

import (
	_ "embed"
	"math/rand/v2"
	"sync/atomic"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSelector(component.Info{
		Type:    "load_balancing",
		Aliases: []string{"org.apache.flume.channel.LoadBalancingChannelSelector"},
		Summary: "Gives each event to one of the source's channels, in turn or at random.",
		Readme:  readme,
	}, New)
}

// Config is the selector's configuration.
type Config struct {
	Policy string `flume:"policy" default:"round_robin" enum:"round_robin,random" doc:"How the next channel is chosen."`
}

type selector struct {
	channels int
	random   bool
	next     atomic.Uint64 // events given out so far, by round robin
}

var _ flow.Selector = (*selector)(nil)

// New returns a selector for a source with these channels.
func New(cfg Config, _ component.Env, channels []string) (flow.Selector, error) {
	return &selector{channels: len(channels), random: cfg.Policy == "random"}, nil
}

// Select implements flow.Selector. Within a batch events alternate, so that each
// channel gets its share in one transaction.
func (s *selector) Select(b *event.Batch, plan *flow.Plan) error {
	n := b.Len()
	if s.channels == 1 {
		plan.All(0)
		return nil
	}
	if s.random {
		for i := range n {
			plan.Add(rand.IntN(s.channels), i)
		}
		return nil
	}
	start := s.next.Add(uint64(n)) - uint64(n)
	for i := range n {
		plan.Add(int((start+uint64(i))%uint64(s.channels)), i)
	}
	return nil
}
