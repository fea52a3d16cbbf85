// Package seq is the source that counts: events whose bodies are 0, 1, 2 and so
// on, for trying out configurations and for measuring.
package seq

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "seq",
		Aliases: []string{"org.apache.flume.source.SequenceGeneratorSource"},
		Summary: "Counts: events with the bodies 0, 1, 2 and so on.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the source.
type Config struct {
	BatchSize      int           `flume:"batchSize,batch" default:"1" min:"1" doc:"Events handed to the channels at once."`
	TotalEvents    int64         `flume:"totalEvents" default:"9223372036854775807" doc:"Events to send; then the source is idle."`
	SleepIncrement time.Duration `flume:"backoffSleepIncrement" unit:"ms" default:"1000" min:"0" doc:"First pause before a batch that could not be stored is sent again; it doubles with each further try."`
	MaxSleep       time.Duration `flume:"maxBackoffSleep" unit:"ms" default:"5000" min:"0" doc:"Longest pause before a batch that could not be stored is sent again."`
}

type source struct {
	cfg  Config
	log  *slog.Logger
	next int64 // the first number that is not stored yet; kept from run to run

	batches *metrics.Counter // stored; nil where events go one by one
}

var _ flow.Source = (*source)(nil)

// New returns a source that counts while it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	s := &source{cfg: cfg, log: env.Log}
	if cfg.BatchSize > 1 {
		s.batches = env.Metrics.Counter("AppendBatchAcceptedCount")
	}
	return s, nil
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	pause := flow.Backoff{Min: max(s.cfg.SleepIncrement, 1), Max: max(s.cfg.MaxSleep, 1)}
	for s.next < s.cfg.TotalEvents && ctx.Err() == nil {
		n := min(int64(s.cfg.BatchSize), s.cfg.TotalEvents-s.next)
		b := numbers(s.next, int(n))
		err := s.store(ctx, out, b, &pause)
		b.Release()
		switch {
		case ctx.Err() != nil && err != nil:
			return nil
		case err != nil:
			return fmt.Errorf("handing on events: %w", err)
		}
		s.next += n
		if s.batches != nil {
			s.batches.Add(1)
		}
	}
	if ctx.Err() == nil {
		s.log.Info("all events are sent", "events", s.next)
	}
	<-ctx.Done()
	return nil
}

// store emits b until it is stored, ctx ends, or trying again is of no use.
func (s *source) store(ctx context.Context, out flow.Emitter, b *event.Batch, pause *flow.Backoff) error {
	failing := false
	for {
		err := out.Emit(ctx, b)
		if err == nil {
			if failing {
				s.log.Info("handing on events works again")
			}
			pause.Reset()
			return nil
		}
		if c := flow.ClassOf(err); c != flow.ClassRetry && c != flow.ClassUnknown {
			return err
		}
		if !failing {
			failing = true
			s.log.Warn("handing on events fails; trying again", "error", err)
		}
		if !pause.Wait(ctx, flow.Pause(err)) {
			return context.Cause(ctx)
		}
	}
}

// numbers returns a batch of the n numbers from first on. They are written as
// lines, so that sinks which end lines can take them as they are.
func numbers(first int64, n int) *event.Batch {
	const longest = len("9223372036854775807\n")
	b := event.NewBatch()
	b.Reserve(n * longest) // one block for all
	for i := range int64(n) {
		line := append(strconv.AppendInt(b.Reserve(longest)[:0], first+i, 10), '\n')
		b.AppendLine(b.Commit(len(line)))
	}
	return b
}
