// Package null is the sink that discards events.
package null

import (
	"context"
	_ "embed"
	"log/slog"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSink(component.Info{
		Type:    "null",
		Aliases: []string{"org.apache.flume.sink.NullSink"},
		Summary: "Discards events and logs their number now and then.",
		Readme:  readme,
	}, New)
}

// Config is the sink's properties.
type Config struct {
	BatchSize int `flume:"batchSize,batch" default:"100" min:"1" doc:"Most events taken at once."`
	LogEvery  int `flume:"logEveryNEvents" default:"10000" min:"1" doc:"After how many events their total is logged."`
}

// New returns the sink.
func New(cfg Config, env component.Env) (flow.Sink, error) {
	return &sink{every: int64(cfg.LogEvery), log: env.Log}, nil
}

type sink struct {
	every int64
	total int64
	log   *slog.Logger
}

var _ flow.Sink = (*sink)(nil)

// Deliver forgets b. It logs once when the total passes a multiple of
// logEveryNEvents, also if b is larger than that.
func (s *sink) Deliver(ctx context.Context, b *event.Batch) error {
	before := s.total
	s.total += int64(b.Len())
	if s.total/s.every > before/s.every {
		s.log.InfoContext(ctx, "events discarded", "events", s.total)
	}
	return nil
}
