package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/flume-go/flume/bench/proc"
)

// HopAgainstJava is two agents that pass events on, one to the other: two of Apache Flume beside two of this one. A stress source
// makes the events, so that no load generator takes a share of the processor. Both have the same two configurations and
// the same time to warm up; events are those that the sink of the second agent took. The bare program is what there is to be had: one process that
// writes as many bytes as the protocol takes for each event to a connection, and one that reads them.
func HopAgainstJava(s Settings, java JavaFlume, kind string, batch, least int) Scenario {
	h := hop{kind: kind, batch: batch, channel: memoryChannel}
	front, back := h.departure(tagged(stressOf(batch))), toNull(h.arrival, memoryChannel)
	own, theirs := flume(back, monitoringType, monitoringPort), java.program(back)
	own.Front, theirs.Front = flume(front).Spec, java.program(front).Spec
	block := s.Block // of the bare program; found out by Prepare if it is not given
	sc := Scenario{
		Name: fmt.Sprintf("hop-peer-%s-%d", kind, batch),
		Summary: fmt.Sprintf("stress source of events of %d bytes, batches of %d, with three headers → memory channel → one %s sink, batches of %d → %s source of a second agent → memory channel → null sink, one configuration for both; twice Apache Flume 1.11, each on Java with %s, measured after %s; bare is a process that writes zeros, %d bytes for each event, as the protocol takes, to a connection, and one that reads them. Processor time and memory are of both processes",
			putBody, batch, kind, batch, kind, strings.Join(javaMemory, " "), javaWarm, wireBytes(kind)),
		Programs: append(programs(s, own, theirs), pouring(func() int { return block })),
		Goals:    []Goal{{Metric: events, Ratio: float64(least)}},
		Base:     apacheFlume,
		Beside:   Bare,
		Limit:    3 * time.Minute,
		Measure: func(ctx context.Context, r *Run) (Sample, error) {
			if r.Program.Name == Bare {
				return measurePoured(ctx, r, wireBytes(kind))
			}
			return measurePairCounters(ctx, r)
		},
	}
	sc.Prepare = func(ctx context.Context, r *Run) (remarks []string, err error) {
		if block != 0 {
			return nil, nil
		}
		note := ""
		block, note, err = fastest(ctx, sc, r.Settings, r.Shared, hopBlocks, func(block int) Program {
			return pouring(func() int { return block })
		})
		return []string{note}, err
	}
	return sc
}

// wireBytes is what an event with its headers takes in an Avro array, or a Thrift list; its body is as long as a line is with its newline.
func wireBytes(kind string) int { return putBody + extraBytes[kind] }

// pouring is the bare program. block is asked for its buffer when it is started.
func pouring(block func() int) Program {
	return Program{
		Name: Bare, Blind: true,
		Spec: func(r *Run) (proc.Spec, error) {
			return proc.Spec{Path: r.Self, Talk: true, Args: []string{Bare, "-listen", r.NextAddr(), "-out", os.DevNull, "-block", fmt.Sprint(block())}}, nil
		},
		Front: func(r *Run) (proc.Spec, error) {
			return proc.Spec{Path: r.Self, Talk: true, Args: []string{"pour", "-to", r.NextAddr(), "-block", fmt.Sprint(block())}}, nil
		},
	}
}

// Durations of a run of the bare program, which has nothing to compile.
const (
	pourWarm = 500 * time.Millisecond
	pourFor  = 2 * time.Second
)

// measurePoured has the bare program pour for a while, so many bytes for each event.
func measurePoured(ctx context.Context, r *Run, event int) (sample Sample, err error) {
	p, err := r.startPair(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	proceed := func(while time.Duration) error {
		if _, err := p.front.Expect(ctx, "ready"); err != nil {
			return err
		}
		if err := p.front.Say("go"); err != nil {
			return err
		}
		return wait(ctx, p.front, while)
	}
	if err := proceed(pourWarm); err != nil {
		return nil, err
	}
	before, err := p.usage()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := proceed(pourFor); err != nil {
		return nil, err
	}
	if err := proceed(0); err != nil {
		return nil, err
	}
	elapsed := time.Since(start)
	after, err := p.usage()
	if err != nil {
		return nil, err
	}
	said, err := p.front.Expect(ctx, "poured")
	if err != nil {
		return nil, err
	}
	poured, err := strconv.ParseInt(said, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the bare program says that it poured %q: %w", said, err)
	}
	count := float64(poured) / float64(event)
	return Sample{
		{events, count / elapsed.Seconds()},
		{cpu, float64((after.CPU - before.CPU).Microseconds()) / count},
		{peak, mebibytes(after.Peak)},
	}.perCore(), nil
}

// stressOf configures source r1 to make events in batches.
func stressOf(batch int) func(*Run) string {
	return func(*Run) string {
		return fmt.Sprintf(`a1.sources.r1.type = org.apache.flume.source.StressSource
a1.sources.r1.size = %d
a1.sources.r1.batchSize = %d
`, putBody, batch)
	}
}

// measurePairCounters starts two agents that make their own load.
func measurePairCounters(ctx context.Context, r *Run) (sample Sample, err error) {
	p, err := r.startPair(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	sample, err = readCounters(ctx, r, p.back, p.usage, javaWarm)
	return sample, err
}
