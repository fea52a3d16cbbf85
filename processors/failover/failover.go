// Package failover is the sink processor that uses the sink of the highest
// priority that works.
package failover

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/sinkgroup"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterProcessor(component.Info{
		Type:    "failover",
		Aliases: []string{"org.apache.flume.sink.FailoverSinkProcessor"},
		Summary: "Uses the sink of the highest priority that works.",
		Readme:  readme,
	}, New)
}

// Config is the processor's properties.
type Config struct {
	Priority   map[string]string `flume:"priority.*" doc:"Priority of the sink of this name, a whole number; the sink with the highest is used. Sinks without one get -1, -2 and so on, in the order of the group."`
	MaxPenalty time.Duration     `flume:"maxpenalty" default:"30000" unit:"ms" lenient:"true" doc:"Longest time for which a sink that failed again and again is left alone."`
}

// Members returns how few sinks the group may have; 0 stands for any number.
func (Config) Members() (lo, hi int) { return 1, 0 }

// Check warns of priorities that are not numbers.
func (c Config) Check(r *component.Report) {
	for name, text := range c.Priority {
		if _, err := parsePriority(text); err != nil {
			r.Warn("priority."+name, fmt.Sprintf("%q is not a whole number; the sink gets a priority below all given ones", text), "give a whole number")
		}
	}
}

func parsePriority(text string) (int, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	return int(n), err
}

// New returns the group as one sink.
func New(cfg Config, env component.Env, sinks []flow.Member) (flow.Sink, error) {
	if len(sinks) == 0 {
		return nil, errors.New("sink processor failover needs at least one sink")
	}
	p := &processor{Group: sinkgroup.New(sinks, env.Log), maxPenalty: max(0, cfg.MaxPenalty), log: env.Log}
	p.rank(cfg.Priority)
	return p, nil
}

// processor is the group. Every ranked member is in exactly one of live and failed.
type processor struct {
	*sinkgroup.Group
	maxPenalty time.Duration
	log        *slog.Logger

	live   []*ranked // the highest priority first
	failed []*ranked
}

var (
	_ flow.Sink      = (*processor)(nil)
	_ flow.Lifecycle = (*processor)(nil)
)

type ranked struct {
	*sinkgroup.Member
	priority int
	failures int       // in a row
	retryAt  time.Time // not tried before
}

// rank enters the members as live. Of two with the same priority, Flume uses the
// first only.
func (p *processor) rank(priority map[string]string) {
	taken := map[int]string{}
	automatic := 0
	names := map[string]bool{}
	for _, m := range p.Members {
		names[m.Name] = true
		n, err := parsePriority(priority[m.Name])
		if err != nil {
			automatic--
			n = automatic
		}
		if first, ok := taken[n]; ok {
			p.log.Warn("a sink is never used: another has the same priority; give it a priority of its own",
				"sink", m.Name, "other", first, "priority", n)
			continue
		}
		taken[n] = m.Name
		p.live = append(p.live, &ranked{Member: m, priority: n})
	}
	p.sortLive()
	for name := range priority {
		if !names[name] {
			p.log.Warn("a priority is given to a sink that is not in the group", "sink", name)
		}
	}
}

func (p *processor) sortLive() {
	slices.SortFunc(p.live, func(a, b *ranked) int { return b.priority - a.priority })
}

// Deliver gives b to failed sinks that are due, then to the live ones in the
// order of their priority, until one takes it.
func (p *processor) Deliver(ctx context.Context, b *event.Batch) error {
	var errs []error
	now := time.Now()
	for r := p.due(now); r != nil; r = p.due(now) {
		err := r.Deliver(ctx, b)
		if sinkgroup.Works(err) {
			p.revive(r)
		}
		if sinkgroup.Settles(ctx, err) {
			return err
		}
		p.penalise(r)
		errs = append(errs, err)
	}
	for len(p.live) > 0 {
		r := p.live[0]
		err := r.Deliver(ctx, b)
		if sinkgroup.Settles(ctx, err) {
			return err
		}
		p.fail(r, err)
		errs = append(errs, err)
	}
	return p.AllFailed(errs, p.earliest().retryAt)
}

// due returns the failed sink that has waited longest beyond its penalty, if any.
func (p *processor) due(now time.Time) *ranked {
	for _, r := range p.failed {
		if r.TakeFresh() {
			r.retryAt = time.Time{}
		}
	}
	if r := p.earliest(); r != nil && r.retryAt.Before(now) {
		return r
	}
	return nil
}

// earliest returns the failed sink that is due first; nil if none has failed.
func (p *processor) earliest() *ranked {
	if len(p.failed) == 0 {
		return nil
	}
	return slices.MinFunc(p.failed, func(a, b *ranked) int { return a.retryAt.Compare(b.retryAt) })
}

// fail moves the first live sink to the failed ones.
func (p *processor) fail(r *ranked, err error) {
	p.live = p.live[1:]
	p.failed = append(p.failed, r)
	r.failures = 0
	r.TakeFresh() // what was before this failure does not count
	p.penalise(r)
	next := "none"
	if len(p.live) > 0 {
		next = p.live[0].Name
	}
	p.log.Warn("a sink of the group failed", "sink", r.Name, "next", next, "error", err)
}

// maxDoublings keeps 2ⁿ seconds well within a Duration.
const maxDoublings = 20

// penalise keeps a failed sink from being tried for 2, 4, 8 … seconds.
func (p *processor) penalise(r *ranked) {
	r.failures = min(r.failures+1, maxDoublings)
	r.retryAt = time.Now().Add(min(p.maxPenalty, time.Second<<r.failures))
}

// revive moves a failed sink back to the live ones.
func (p *processor) revive(r *ranked) {
	p.failed = slices.DeleteFunc(p.failed, func(f *ranked) bool { return f == r })
	p.live = append(p.live, r)
	p.sortLive()
	p.log.Info("a sink of the group works again", "sink", r.Name, "active", p.live[0].Name)
}
