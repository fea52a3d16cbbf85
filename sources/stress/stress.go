// Package stress is the source that makes events as fast as it can, or as fast as
// it is told, for measuring.
package stress

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"math"
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
		Type:    "stress",
		Aliases: []string{"org.apache.flume.source.StressSource"},
		Summary: "Makes events of one size as fast as the channels take them.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the source.
type Config struct {
	Size           int           `flume:"size" unit:"bytes" default:"500" min:"0" doc:"Size of each body."`
	BatchSize      int           `flume:"batchSize,batch" default:"1" min:"1" doc:"Events handed to the channels at once."`
	MaxTotal       int64         `flume:"maxTotalEvents" default:"-1" doc:"Events to send, whether they are stored or not; then the source is idle. -1 means no limit."`
	MaxSuccessful  int64         `flume:"maxSuccessfulEvents" default:"-1" doc:"Events to store; then the source is idle. The last batch may exceed it. -1 means no limit."`
	MaxPerSecond   int           `flume:"maxEventsPerSecond" default:"0" doc:"Most events in a second, evenly spread; 0 means no limit."`
	SleepIncrement time.Duration `flume:"backoffSleepIncrement" unit:"ms" default:"1000" min:"0" doc:"First pause after a batch that could not be stored; it doubles with each further one."`
	MaxSleep       time.Duration `flume:"maxBackoffSleep" unit:"ms" default:"5000" min:"0" doc:"Longest pause after a batch that could not be stored."`
}

type source struct {
	cfg    Config
	log    *slog.Logger
	body   []byte // of every event; nobody changes it
	failed *metrics.Counter

	// Kept from run to run:
	sent, stored int64
}

var _ flow.Source = (*source)(nil)

// New returns a source that makes events while it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	return &source{
		cfg: cfg, log: env.Log,
		body:   bytes.Repeat([]byte{math.MaxInt8}, cfg.Size),
		failed: env.Metrics.OwnCounter("failed_events", "Events that were sent and not stored."),
	}, nil
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	pause := flow.Backoff{Min: max(s.cfg.SleepIncrement, 1), Max: max(s.cfg.MaxSleep, 1)}
	rate := newPacer(s.cfg.MaxPerSecond)
	failing := false
	for {
		n := s.batch()
		if n == 0 || !rate.wait(ctx, n) {
			break
		}
		err := s.send(ctx, out, n)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			if failing {
				failing = false
				s.log.Info("handing on events works again")
			}
			pause.Reset()
			continue
		case flow.ClassOf(err) == flow.ClassFatal:
			return fmt.Errorf("handing on events: %w", err)
		case !failing:
			failing = true
			s.log.Warn("handing on events fails", "error", err)
		}
		if !pause.Wait(ctx, flow.Pause(err)) {
			return nil
		}
	}
	if ctx.Err() == nil {
		s.log.Info("all events are sent", "events", s.sent, "stored", s.stored)
	}
	<-ctx.Done()
	return nil
}

// batch returns the size of the next batch, 0 when a limit is reached.
func (s *source) batch() int {
	if s.cfg.MaxSuccessful >= 0 && s.stored >= s.cfg.MaxSuccessful {
		return 0
	}
	if s.cfg.MaxTotal < 0 {
		return s.cfg.BatchSize
	}
	return int(max(0, min(int64(s.cfg.BatchSize), s.cfg.MaxTotal-s.sent)))
}

// send makes a batch of n events and emits it once.
func (s *source) send(ctx context.Context, out flow.Emitter, n int) error {
	b := event.NewBatch()
	defer b.Release()
	for range n {
		b.Append(s.body)
	}
	s.sent += int64(n)
	if err := out.Emit(ctx, b); err != nil {
		s.failed.Add(n)
		return err
	}
	s.stored += int64(n)
	return nil
}

// pacer spreads events evenly over time, whole batches at a time.
type pacer struct {
	perSecond int
	due       time.Time // of the next batch
}

// catchUp is how far behind its schedule a pacer may be and still make up for it.
// Timers are late by a little, which must not add up; but a pause must not be
// followed by a flood.
const catchUp = 100 * time.Millisecond

func newPacer(perSecond int) *pacer { return &pacer{perSecond: perSecond} }

// wait waits until a batch of n events is due, and reports whether ctx is on.
func (p *pacer) wait(ctx context.Context, n int) bool {
	if p.perSecond <= 0 {
		return ctx.Err() == nil
	}
	now := time.Now()
	if earliest := now.Add(-catchUp); p.due.IsZero() {
		p.due = now
	} else if p.due.Before(earliest) {
		p.due = earliest
	}
	if early := p.due.Sub(now); early > 0 && !flow.Sleep(ctx, early) {
		return false
	}
	p.due = p.due.Add(time.Duration(float64(n) / float64(p.perSecond) * float64(time.Second)))
	return ctx.Err() == nil
}
