package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/flume-go/flume/bench/proc"
)

// What the idle scenario measures.
var (
	listening = Metric{"start until it accepts connections", "ms"}
	ready     = Metric{"start until /readyz answers 200", "ms"}
	resident  = Metric{"resident memory after 5 s idle", "MiB"}
	idleCPU   = Metric{"processor time per second idle", "ms"}
	binary    = Metric{"size of the executable", "MiB"}
)

// idleFor is how long a started agent is left alone before its memory is read.
const idleFor = 5 * time.Second

// Idle starts an agent with one source, channel and sink and leaves it alone.
func Idle(s Settings) Scenario {
	return Scenario{
		Name:     "idle",
		Summary:  "an agent of one netcat source, memory channel and file_roll sink that has nothing to do",
		Programs: programs(s, flume(linesConfig, monitoringType, monitoringPort), bare(0)),
		Goals:    []Goal{{Metric: listening, AtMost: 100}, {Metric: ready, AtMost: 100}, {Metric: resident, AtMost: 30}},
		Limit:    time.Minute,
		Block:    true,
		Measure:  measureIdle,
	}
}

func monitoringType(*Run) string { return "-Dflume.monitoring.type=http" }

func monitoringPort(r *Run) string { return fmt.Sprintf("-Dflume.monitoring.port=%d", r.Monitoring) }

func measureIdle(ctx context.Context, r *Run) (sample Sample, err error) {
	start := time.Now()
	p, err := r.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Stop(stopGrace)) }()
	if err := awaitListening(ctx, r, p); err != nil {
		return nil, err
	}
	sample = Sample{{listening, milliseconds(time.Since(start))}}
	if r.Program.Name == Flume {
		known, err := awaitReady(ctx, r, p)
		if err != nil {
			return nil, err
		}
		if known { // Apache Flume's own monitoring has no such page
			sample = append(sample, Value{ready, milliseconds(time.Since(start))})
		}
		info, err := os.Stat(r.Flume)
		if err != nil {
			return nil, fmt.Errorf("measuring the executable: %w", err)
		}
		sample = append(sample, Value{binary, mebibytes(info.Size())})
	}
	before, after, err := leaveAlone(ctx, p, idleFor)
	if err != nil {
		return nil, err
	}
	return append(sample,
		Value{resident, mebibytes(after.RSS)},
		Value{idleCPU, milliseconds(after.CPU-before.CPU) / idleFor.Seconds()}), nil
}

// leaveAlone reads what the program uses before and after a while.
func leaveAlone(ctx context.Context, p *proc.Process, d time.Duration) (before, after proc.Usage, err error) {
	if before, err = proc.ReadUsage(p.PID()); err != nil {
		return before, after, err
	}
	if err = wait(ctx, p, d); err != nil {
		return before, after, err
	}
	after, err = proc.ReadUsage(p.PID())
	return before, after, err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
