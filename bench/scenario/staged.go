package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flume-go/flume/bench/proc"
)

// What the staged-channel scenario measures.
var (
	readyClean    = Metric{"start until ready after a clean stop", "ms"}
	readyKilled   = Metric{"start until ready after kill -9", "ms"}
	readyResident = Metric{"resident memory once ready", "MiB"}
)

// StagedChannel starts an agent whose file channel has a backlog, none of it in the page cache: after the agent that put it
// there was stopped, and after one that was putting more was killed. There is no bare program: nothing is
// done here but to begin.
func StagedChannel(s Settings) Scenario {
	agent := flume(idleStaged, monitoringType, monitoringPort)
	return Scenario{
		Name:     "staged-channel",
		Summary:  fmt.Sprintf("an agent with %s of %d-byte events in its file channel and none of it in the page cache, from its start until it is ready", gibibytes(s.Backlog), putBody),
		Programs: programs(s, agent),
		Goals: []Goal{
			{Metric: readyClean, AtMost: 1000}, {Metric: readyKilled, AtMost: 2000}, {Metric: readyResident, AtMost: 100},
		},
		Limit: 10 * time.Minute,
		Prepare: func(ctx context.Context, r *Run) ([]string, error) {
			if s.Flume == "" {
				return []string{"nothing to measure without an agent"}, nil
			}
			return fillChannel(ctx, r)
		},
		Measure: measureStaged,
	}
}

// idleStaged has a source to which nobody connects, and no sink, so that the backlog stays.
func idleStaged(r *Run) string {
	return fmt.Sprintf(`a1.sources = r1
a1.channels = c1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = %d
a1.sources.r1.channels = c1
%s`, r.Port, fileChannel(r.sharedLog()))
}

// filling puts count events into the channel, -1 for no end.
func filling(r *Run, count int64) string {
	return fmt.Sprintf(`a1.sources = r1
a1.channels = c1
a1.sources.r1.type = stress
a1.sources.r1.size = %d
a1.sources.r1.batchSize = 1000
a1.sources.r1.maxSuccessfulEvents = %d
a1.sources.r1.channels = c1
%s`, putBody, count, fileChannel(r.sharedLog()))
}

// fillChannel stages the backlog through an agent that is then stopped.
func fillChannel(ctx context.Context, r *Run) ([]string, error) {
	size, remarks, err := affordable(r.Settings)
	if err != nil {
		return nil, err
	}
	count := size / putBody
	p, err := r.startFilling(ctx, count)
	if err != nil {
		return nil, err
	}
	err = r.awaitCounter(ctx, p, "ChannelSize", count)
	if err := errors.Join(err, p.Stop(stopGrace)); err != nil {
		return nil, fmt.Errorf("staging %d events: %w", count, err)
	}
	return append(remarks, fmt.Sprintf("%d events were staged", count)), nil
}

func (r *Run) startFilling(ctx context.Context, count int64) (*proc.Process, error) {
	filler := *r
	filler.Program = flume(func(r *Run) string { return filling(r, count) }, monitoringType, monitoringPort)
	return filler.Start(ctx)
}

// awaitCounter returns once a counter of the channel has reached a value.
func (r *Run) awaitCounter(ctx context.Context, p *proc.Process, name string, least int64) error {
	var have float64
	err := poll(ctx, p, 10*time.Millisecond, func() (bool, error) {
		c, err := r.counters(ctx)
		have = c[name]
		return err == nil && have >= float64(least), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the channel's %s, which is %.0f, to be %d: %w", name, have, least, err)
	}
	return nil
}

func measureStaged(ctx context.Context, r *Run) (Sample, error) {
	clean, before, usage, err := r.startStaged(ctx)
	if err != nil {
		return nil, fmt.Errorf("starting after a clean stop: %w", err)
	}
	if err := r.killFiller(ctx); err != nil {
		return nil, err
	}
	killed, after, killedUsage, err := r.startStaged(ctx)
	if err != nil {
		return nil, fmt.Errorf("starting after kill -9: %w", err)
	}
	if want := before + killedTail/putBody; after < want {
		return nil, fmt.Errorf("after kill -9 the channel has %.0f events; at least %.0f were durable", after, want)
	}
	return Sample{
		{readyClean, milliseconds(clean)},
		{readyKilled, milliseconds(killed)},
		{readyResident, mebibytes(max(usage.RSS, killedUsage.RSS))},
	}, nil
}

// startStaged starts the agent without the help of the page cache, stops it again, and returns how long it took to be ready, the
// events in its channel and its memory then.
func (r *Run) startStaged(ctx context.Context) (took time.Duration, events float64, usage proc.Usage, err error) {
	if err = proc.Chill(r.Shared); err != nil {
		return 0, 0, usage, err
	}
	start := time.Now()
	p, err := r.Start(ctx)
	if err != nil {
		return 0, 0, usage, err
	}
	defer func() { err = errors.Join(err, p.Stop(stopGrace)) }()
	if _, err = awaitReady(ctx, r, p); err != nil {
		return 0, 0, usage, err
	}
	took = time.Since(start)
	if usage, err = proc.ReadUsage(p.PID()); err != nil {
		return 0, 0, usage, err
	}
	c, err := r.counters(ctx)
	return took, c["ChannelSize"], usage, err
}

// killFiller kills an agent that is putting events into the channel.
func (r *Run) killFiller(ctx context.Context) error {
	p, err := r.startFilling(ctx, -1)
	if err != nil {
		return err
	}
	err = r.awaitCounter(ctx, p, "EventPutSuccessCount", killedTail/putBody)
	return errors.Join(err, p.Kill())
}
