// Package direct is the channel without a queue: a put returns when a sink has
// delivered the batch, so that the acknowledgement of a source means "the
// destination has it".
package direct

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/flume-go/flume/channels/internal/counters"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterChannel(component.Info{
		Type:    "direct",
		Summary: "No queue: a put returns when the sink has delivered, so that sources acknowledge end to end.",
		Readme:  readme,
	}, New)
}

// Config is the channel's configuration.
type Config struct {
	TransactionCapacity int           `flume:"transactionCapacity,transaction" default:"10000" min:"1" max:"2147483647" doc:"Most events of one put and of one take."`
	KeepAlive           time.Duration `flume:"keep-alive" default:"0" min:"0" unit:"s" doc:"How long a put waits for its delivery before it fails; the source then tries again or tells its client to. 0: as long as it takes."`
}

// channel hands batches from puts that wait to takes. It never holds a batch
// whose put has returned, except as part of an open delivery.
type channel struct {
	cfg      Config
	counters *counters.Channel
	hand     *exchange
}

var _ flow.Channel = (*channel)(nil)

// New makes the channel. It is not open yet.
func New(cfg Config, env component.Env) (flow.Channel, error) {
	c := &channel{cfg: cfg, counters: counters.New(env.Metrics), hand: newExchange()}
	counters.OwnGauges(env.Metrics, c.Stats)
	return c, nil
}

// Open lets batches through.
func (c *channel) Open(context.Context) error {
	c.hand.open()
	return nil
}

// Close ends the puts that wait: their batches are still with their sources.
// Deliveries that are out may be settled as usual.
func (c *channel) Close(context.Context) error {
	c.hand.close()
	return nil
}

// Put returns nil once sinks have acknowledged all events of b. If it gives up
// while some of them are with a sink, or have been delivered, the error has class
// Unknown. If some have been delivered it is a flow.Partial. Those that are with a
// sink count as missing, so that putting them again may make duplicates.
func (c *channel) Put(ctx context.Context, b *event.Batch) error {
	n := b.Len()
	c.counters.PutAttempt.Add(n)
	if err := c.put(ctx, b); err != nil {
		return fmt.Errorf("handing %d events to a sink: %w", n, err)
	}
	c.counters.PutSuccess.Add(n)
	return nil
}

func (c *channel) put(ctx context.Context, b *event.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.Len() > c.cfg.TransactionCapacity {
		return flow.Fatal(fmt.Errorf("more than the transaction capacity of %d; make batches smaller or the transaction capacity larger", c.cfg.TransactionCapacity))
	}
	o, err := c.hand.enter(b)
	if err != nil || o == nil {
		return err
	}
	var expired <-chan time.Time
	if c.cfg.KeepAlive > 0 {
		t := time.NewTimer(c.cfg.KeepAlive)
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
		return c.hand.withdraw(o, ctx.Err())
	case <-expired:
		return c.hand.withdraw(o, fmt.Errorf("%w: no sink has delivered them within %v; make sinks faster or keep-alive longer", flow.ErrFull, c.cfg.KeepAlive))
	}
}

// Take waits for a put and gives up to limit of its events, those of one put at
// a time.
func (c *channel) Take(ctx context.Context, limit int) (flow.Delivery, error) {
	if limit < 1 {
		return nil, errors.New("taking events: ask for at least one")
	}
	d, err := c.hand.take(ctx, min(limit, c.cfg.TransactionCapacity))
	if err != nil {
		c.counters.TakeAttempt.Add(1)
		return nil, fmt.Errorf("taking events: %w", err)
	}
	d.acked = c.counters.TakeSuccess
	c.counters.TakeAttempt.Add(d.to - d.from)
	return d, nil
}

// Stats counts the events of puts that wait and of open deliveries.
func (c *channel) Stats() flow.Stats { return c.hand.stats() }
