// Package pseudotxn is Flume's channel for tests: a small queue in memory whose
// puts wait for space without limit.
package pseudotxn

import (
	"context"
	_ "embed"
	"time"

	"github.com/flume-go/flume/channels/internal/counters"
	"github.com/flume-go/flume/channels/internal/queue"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterChannel(component.Info{
		Type:    "pseudotxn",
		Aliases: []string{"org.apache.flume.channel.PseudoTxnMemoryChannel"},
		Summary: "A small queue in memory whose puts wait for space without limit; made for tests.",
		Readme:  readme,
	}, New)
}

// Config is the channel's configuration.
type Config struct {
	Capacity  int           `flume:"capacity" default:"50" min:"1" max:"2147483647" doc:"Most events the channel holds, those included that sinks have taken and not yet delivered."`
	KeepAlive time.Duration `flume:"keep-alive" default:"3" max:"2147483647" unit:"s" doc:"In Flume, how long a take waits for an event. Has no effect: a sink waits for as long as it needs events, and puts wait without limit."`
}

// Check tells that keep-alive has no effect.
func (c Config) Check(r *component.Report) {
	if r.Given("keep-alive") {
		r.Advise("keep-alive", "has no effect on this channel: sinks wait for as long as they need events", "remove it")
	}
}

// channel is a queue with the configuration of a pseudo-transaction channel.
type channel struct {
	queue.Channel
	cfg Config
}

var (
	_ flow.Channel  = (*channel)(nil)
	_ flow.Reserver = (*channel)(nil)
	_ flow.Heir     = (*channel)(nil)
	_ flow.Volatile = (*channel)(nil)
)

// New makes the channel. It is not open yet.
func New(cfg Config, env component.Env) (flow.Channel, error) {
	// Flume's leaves ChannelCapacity at 0.
	q := queue.New(counters.New(env.Metrics), 0)
	counters.OwnGauges(env.Metrics, q.Stats)
	return &channel{Channel: queue.Channel{Queue: q}, cfg: cfg}, nil
}

// Open makes the channel ready.
func (c *channel) Open(context.Context) error {
	c.Queue.Open(queue.Limits{Events: c.cfg.Capacity, Wait: -1})
	return nil
}
