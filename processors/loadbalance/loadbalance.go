// Package loadbalance is the sink processor that spreads batches over its sinks.
package loadbalance

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"math/rand/v2"
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
		Type:    "load_balance",
		Aliases: []string{"org.apache.flume.sink.LoadBalancingSinkProcessor"},
		Summary: "Spreads batches over the sinks of the group.",
		Readme:  readme,
	}, New)
}

// Config is the processor's properties.
type Config struct {
	Selector   string        `flume:"selector" default:"round_robin" enum:"round_robin,random" doc:"How the sink for a batch is chosen: each in turn, or at random. If it fails, the others are tried."`
	Backoff    bool          `flume:"backoff" default:"false" doc:"Whether a sink that failed is left alone for a while, longer with each failure."`
	MaxTimeOut time.Duration `flume:"selector.maxTimeOut" default:"30000" min:"0" unit:"ms" doc:"Longest time for which a sink that failed is left alone; 0 means 30000."`
}

// Members returns how few sinks the group may have; 0 stands for any number.
func (Config) Members() (lo, hi int) { return minSinks, 0 }

// Check warns of a limit that limits nothing.
func (c Config) Check(r *component.Report) {
	if !c.Backoff && r.Given("selector.maxTimeOut") {
		r.Warn("selector.maxTimeOut", "has no effect while backoff is false", "set backoff = true, or remove it")
	}
}

const (
	minSinks = 2

	selectRandom      = "random"
	defaultMaxTimeOut = 30 * time.Second
	// forget is how long after its last penalty a sink's failures count.
	forget = time.Hour
	// maxDoublings is Flume's limit to the exponent of the penalty.
	maxDoublings = 16
)

// New returns the group as one sink.
func New(cfg Config, env component.Env, sinks []flow.Member) (flow.Sink, error) {
	if len(sinks) < minSinks {
		return nil, fmt.Errorf("sink processor load_balance needs at least two sinks, the group has %d: add one, or leave the sink out of a group", len(sinks))
	}
	p := &processor{
		Group: sinkgroup.New(sinks, env.Log), log: env.Log,
		random: cfg.Selector == selectRandom, backoff: cfg.Backoff, maxTimeOut: cfg.MaxTimeOut,
	}
	if p.maxTimeOut == 0 {
		p.maxTimeOut = defaultMaxTimeOut
	}
	for _, m := range p.Members {
		p.targets = append(p.targets, &target{Member: m})
	}
	return p, nil
}

type processor struct {
	*sinkgroup.Group
	log        *slog.Logger
	random     bool
	backoff    bool
	maxTimeOut time.Duration

	targets []*target
	next    int       // round robin: index among the eligible of the first to try
	order   []*target // of the present call; reused
}

var (
	_ flow.Sink      = (*processor)(nil)
	_ flow.Lifecycle = (*processor)(nil)
)

type target struct {
	*sinkgroup.Member
	doublings int
	lastFail  time.Time
	restore   time.Time // not tried before, with backoff
	failing   bool      // said so in the log
}

// Deliver gives b to the sinks, in the order of the selector, until one takes it.
func (p *processor) Deliver(ctx context.Context, b *event.Batch) error {
	p.chooseOrder(time.Now())
	var errs []error
	for _, t := range p.order {
		err := t.Deliver(ctx, b)
		if sinkgroup.Works(err) {
			p.works(t)
		}
		if sinkgroup.Settles(ctx, err) {
			return err
		}
		p.failed(t, err)
		errs = append(errs, err)
	}
	return p.AllFailed(errs, p.earliest())
}

// chooseOrder fills p.order with the eligible sinks in the order to be tried.
func (p *processor) chooseOrder(now time.Time) {
	p.order = p.order[:0]
	for _, t := range p.targets {
		if t.TakeFresh() {
			t.restore = time.Time{}
		}
		if !p.backoff || t.restore.Before(now) {
			p.order = append(p.order, t)
		}
	}
	if p.random {
		rand.Shuffle(len(p.order), func(i, j int) { p.order[i], p.order[j] = p.order[j], p.order[i] })
		return
	}
	p.rotate()
}

// rotate brings the sink whose turn it is to the front.
func (p *processor) rotate() {
	n := len(p.order)
	if n == 0 {
		return
	}
	if p.next >= n {
		p.next = 0
	}
	first := p.next
	p.next = (p.next + 1) % n
	p.order = append(p.order, p.order[:first]...)
	p.order = append(p.order[:0], p.order[first:]...)
}

// failed notes a failure of t and, with backoff, leaves it alone for a while.
func (p *processor) failed(t *target, err error) {
	if !t.failing {
		t.failing = true
		p.log.Warn("a sink of the group failed; others are used", "sink", t.Name, "error", err)
	}
	if !p.backoff {
		return
	}
	now := time.Now()
	if now.Sub(t.lastFail) < p.penalty(t)+forget {
		t.doublings = min(t.doublings+1, maxDoublings)
	} else {
		t.doublings = 1
	}
	t.lastFail = now
	t.restore = now.Add(p.penalty(t))
}

func (p *processor) works(t *target) {
	if t.failing {
		t.failing = false
		p.log.Info("a sink of the group works again", "sink", t.Name)
	}
}

func (p *processor) penalty(t *target) time.Duration {
	return min(p.maxTimeOut, time.Second<<t.doublings)
}

// earliest returns when the next sink may be tried.
func (p *processor) earliest() time.Time {
	if !p.backoff {
		return time.Now().Add(time.Hour) // no sink tells: the longest pause
	}
	first := p.targets[0].restore
	for _, t := range p.targets[1:] {
		if t.restore.Before(first) {
			first = t.restore
		}
	}
	return first
}
