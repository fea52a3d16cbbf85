// Package file is the channel that keeps its events in files: what was put survives the process, and a power cut.
package file

import (
	_ "embed"
	"fmt"
	"time"

	"github.com/flume-go/flume/channels/internal/counters"
	"github.com/flume-go/flume/channels/internal/durable"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterChannel(component.Info{
		Type:    "file",
		Aliases: []string{"org.apache.flume.channel.file.FileChannel"},
		Summary: "Keeps events in files: what it has accepted survives crashes and power cuts.",
		Readme:  readme,
	}, New)
}

// Config is the channel's configuration.
type Config struct {
	Capacity  int           `flume:"capacity" default:"1000000" min:"1" max:"2147483647" lenient:"true" doc:"Most events the channel holds, those included that sinks have taken and not yet delivered."`
	KeepAlive time.Duration `flume:"keep-alive" default:"3" unit:"s" max:"2147483647" doc:"How long a put waits for space, in the channel and on the disk, before it fails; the source then tries again. 0 or less: not at all."`
	durable.Config
}

// Check reports a transaction that the channel can never hold, and what is wrong with the rest.
func (c Config) Check(r *component.Report) {
	c.Config.Check(r)
	if c.TransactionCapacity > c.Capacity {
		key := "transactionCapacity"
		if !r.Given(key) {
			key = "capacity"
		}
		r.Error(key, fmt.Sprintf("transactionCapacity (%d) is more than capacity (%d)", c.TransactionCapacity, c.Capacity),
			"raise capacity or lower transactionCapacity; they are 1000000 and 10000 unless they are set")
	}
}

var (
	_ component.Checker = Config{}
	_ component.Claimer = Config{}
)

// New makes the channel. It is not open yet.
func New(cfg Config, env component.Env) (flow.Channel, error) {
	limits := durable.Limits{Capacity: cfg.Capacity, Wait: max(0, cfg.KeepAlive)}
	return durable.New(cfg.Config, limits, env, counters.NewFile(env.Metrics))
}
