// Package memory is the channel that keeps its events in memory: the fastest,
// and gone with the process.
package memory

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/flume-go/flume/channels/internal/counters"
	"github.com/flume-go/flume/channels/internal/heap"
	"github.com/flume-go/flume/channels/internal/queue"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterChannel(component.Info{
		Type:    "memory",
		Aliases: []string{"org.apache.flume.channel.MemoryChannel"},
		Summary: "Keeps events in memory: fast, and lost when the process ends before they are delivered.",
		Readme:  readme,
	}, New)
}

// Config is the channel's configuration.
type Config struct {
	Capacity            int           `flume:"capacity" default:"100" min:"1" max:"2147483647" lenient:"true" doc:"Most events the channel holds, those included that sinks have taken and not yet delivered."`
	TransactionCapacity int           `flume:"transactionCapacity,transaction" default:"100" min:"1" max:"2147483647" lenient:"true" doc:"Most events of one put and of one take. Not more than capacity."`
	KeepAlive           time.Duration `flume:"keep-alive" default:"3" max:"2147483647" unit:"s" lenient:"true" doc:"How long a put waits for space before it fails; the source then tries again. 0 or less: not at all."`
	ByteCapacity        *int64        `flume:"byteCapacity" unit:"bytes" lenient:"true" doc:"Most bytes of event bodies, less the share for headers. Without it: 80 % of what a Java virtual machine would take as its heap here. 0: no limit."`
	BufferPercentage    int           `flume:"byteCapacityBufferPercentage" default:"20" min:"-2147483648" max:"2147483647" lenient:"true" doc:"Percentage of byteCapacity that is set aside for headers, which are not counted."`
}

// Check reports a transaction that the channel can never hold, and a byte limit
// that is none.
func (c Config) Check(r *component.Report) {
	if c.TransactionCapacity > c.Capacity {
		key := "transactionCapacity"
		if !r.Given(key) {
			key = "capacity"
		}
		r.Error(key, fmt.Sprintf("transactionCapacity (%d) is more than capacity (%d)", c.TransactionCapacity, c.Capacity),
			"raise capacity or lower transactionCapacity; each is 100 unless it is set")
	}
	if c.BufferPercentage < 0 || c.BufferPercentage > 99 {
		r.Warn("byteCapacityBufferPercentage", fmt.Sprintf("%d is not a share of the memory; from 100 on there is no byte limit at all", c.BufferPercentage),
			"give a percentage from 0 to 99")
	}
}

// channel is a queue with the configuration of a memory channel.
type channel struct {
	queue.Channel
	cfg Config
	env component.Env
}

var (
	_ flow.Channel  = (*channel)(nil)
	_ flow.Reserver = (*channel)(nil)
	_ flow.Heir     = (*channel)(nil)
	_ flow.Volatile = (*channel)(nil)
)

// New makes the channel. It is not open yet.
func New(cfg Config, env component.Env) (flow.Channel, error) {
	q := queue.New(counters.New(env.Metrics), cfg.Capacity)
	counters.OwnGauges(env.Metrics, q.Stats)
	return &channel{Channel: queue.Channel{Queue: q}, cfg: cfg, env: env}, nil
}

// Open makes the channel ready. It finds out how much memory there is, if the
// configuration does not say how many bytes to hold.
func (c *channel) Open(context.Context) error {
	bytes := int64(0)
	if c.cfg.ByteCapacity != nil {
		bytes = *c.cfg.ByteCapacity
	} else {
		most, err := heap.Max(os.Getenv, c.env.FS)
		if err != nil {
			return fmt.Errorf("opening memory channel: setting the default byteCapacity: %w", err)
		}
		bytes = int64(float64(most) * .80)
	}
	limits := queue.Limits{
		Events: c.cfg.Capacity,
		Slots:  slots(bytes, c.cfg.BufferPercentage),
		Batch:  c.cfg.TransactionCapacity,
		Wait:   max(0, c.cfg.KeepAlive),
	}
	c.Queue.Open(limits)
	c.env.Log.Debug("memory channel is open", "capacity", limits.Events, "byteCapacity", limits.Slots*queue.SlotSize)
	return nil
}

// slots returns the byte limit in slots: Flume's arithmetic, with its way to say
// "no limit", which is a limit of less than one slot.
func slots(bytes int64, bufferPercentage int) int64 {
	n := float64(bytes) * (1 - float64(bufferPercentage)*.01) / queue.SlotSize
	if n < 1 || n >= math.MaxInt32 {
		return math.MaxInt32
	}
	return int64(n)
}
