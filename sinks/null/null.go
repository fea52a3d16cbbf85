// Package null is the sink that discards events.
package null

import (
	"context"
	_ "embed"
	"log/slog"
	"time"

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
	LogEvery  int `flume:"logEveryNEvents" default:"10000" min:"1" doc:"After how many events their total is logged, though not more often than once a second."`
}

// New returns the sink.
func New(cfg Config, env component.Env) (flow.Sink, error) {
	return &sink{every: int64(cfg.LogEvery), log: env.Log}, nil
}

type sink struct {
	every int64
	log   *slog.Logger

	total  int64
	due    bool // a multiple was passed and has not been logged
	logged time.Time
}

// pause is the time between two lines: a flood of events is none of lines.
const pause = time.Second

var _ flow.Sink = (*sink)(nil)

// Deliver forgets b. It logs the total when that has passed a multiple of
// logEveryNEvents, be it with this batch or in the pause after the last line.
func (s *sink) Deliver(ctx context.Context, b *event.Batch) error {
	before := s.total
	s.total += int64(b.Len())
	if s.total/s.every > before/s.every {
		s.due = true
	}
	if !s.due {
		return nil
	}
	if now := time.Now(); now.Sub(s.logged) >= pause {
		s.log.InfoContext(ctx, "events discarded", "events", s.total)
		s.due, s.logged = false, now
	}
	return nil
}
