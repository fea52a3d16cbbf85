// Package pseudotxn is Flume's channel for tests: a small queue in memory whose
// puts wait for space without limit.
package pseudotxn

import (
	"context"
	_ "embed"
	"fmt"
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
	*queue.Queue
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
	q.OwnGauges(env.Metrics)
	return &channel{Queue: q, cfg: cfg}, nil
}

// Open makes the channel ready.
func (c *channel) Open(context.Context) error {
	c.Queue.Open(queue.Limits{Events: c.cfg.Capacity, Wait: -1})
	return nil
}

// Close keeps what is in the channel, for Open or an heir.
func (c *channel) Close(context.Context) error {
	c.Queue.Close()
	return nil
}

// Inherit takes over the events of another channel of this type, more than
// capacity if need be: then puts wait until there is space again.
func (c *channel) Inherit(old flow.Channel) error {
	from, ok := old.(*channel)
	if !ok {
		return fmt.Errorf("taking over a channel's events: %T is not a pseudo-transaction channel", old)
	}
	return c.Queue.Inherit(from.Queue)
}

// Volatile reports that the events do not survive the process.
func (c *channel) Volatile() bool { return true }
