// Package failover is the sink processor that uses the sink of the highest
// priority that works.
package failover

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
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

// Check warns of priorities that are not numbers, that are given to no sink of the
// group, and that keep a sink from ever being used.
func (c Config) Check(r *component.Report) {
	for _, name := range slices.Sorted(maps.Keys(c.Priority)) {
		if _, err := parsePriority(c.Priority[name]); err != nil {
			remedy := component.Slip(c.Priority[name], func(text string) bool { _, err := parsePriority(text); return err == nil })
			if remedy == "" {
				remedy = "give a whole number"
			}
			r.Warn("priority."+name, fmt.Sprintf("%q is not a whole number; the sink gets a priority below all given ones", c.Priority[name]), remedy)
		}
	}
	if sinks := r.Sinks(); len(sinks) > 0 {
		c.checkSinks(r, sinks)
	}
}

// checkSinks compares the priorities with the sinks of the group.
func (c Config) checkSinks(r *component.Report, sinks []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Priority)) {
		if slices.Contains(sinks, name) {
			continue
		}
		remedy := "the group has " + strings.Join(sinks, ", ")
		if near := component.Nearest(name, sinks); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		r.Warn("priority."+name, fmt.Sprintf("the group has no sink %q", name), remedy)
	}
	for i, p := range c.ranks(sinks) {
		key := "priority." + sinks[i]
		switch {
		case p.first >= 0:
			r.Warn(key, fmt.Sprintf("sink %q is never used: sink %q has the same priority %d", sinks[i], sinks[p.first], p.priority), "give each sink a priority of its own")
		case !p.given && !r.Given(key) && len(c.Priority) > 0:
			r.Advise(key, fmt.Sprintf("sink %q has no priority and gets %d", sinks[i], p.priority), "give it one")
		}
	}
}

// place is where a sink stands in the order of use.
type place struct {
	priority int
	given    bool // in the configuration
	first    int  // index of the sink that has this priority already; -1 for none
}

// ranks returns the place of each sink. Of two with the same priority, Flume uses
// the first only.
func (c Config) ranks(sinks []string) []place {
	places := make([]place, len(sinks))
	taken := map[int]int{}
	automatic := 0
	for i, name := range sinks {
		n, err := parsePriority(c.Priority[name])
		if err != nil {
			automatic--
			n = automatic
		}
		places[i] = place{priority: n, given: err == nil, first: -1}
		if first, ok := taken[n]; ok {
			places[i].first = first
			continue
		}
		taken[n] = i
	}
	return places
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
	p.rank(cfg)
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

// rank enters the members that are ever used as live; Check has told of the others.
func (p *processor) rank(cfg Config) {
	names := make([]string, len(p.Members))
	for i, m := range p.Members {
		names[i] = m.Name
	}
	for i, place := range cfg.ranks(names) {
		if place.first < 0 {
			p.live = append(p.live, &ranked{Member: p.Members[i], priority: place.priority})
		}
	}
	p.sortLive()
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
