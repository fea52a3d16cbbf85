package scenario

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// HopAgainstJava is two agents that pass events on, one to the other: two of Apache Flume beside two of this one. A stress source
// makes the events, so that no load generator takes a share of the processor. Both have the same two configurations and
// the same time to warm up; events are those that the sink of the second agent took.
func HopAgainstJava(s Settings, java JavaFlume, kind string, batch, least int) Scenario {
	h := hop{kind: kind, batch: batch, channel: memoryChannel}
	front, back := h.departure(tagged(stressOf(batch))), toNull(h.arrival, memoryChannel)
	own, theirs := flume(back, monitoringType, monitoringPort), java.program(back)
	own.Front, theirs.Front = flume(front).Spec, java.program(front).Spec
	return Scenario{
		Name: fmt.Sprintf("hop-peer-%s-%d", kind, batch),
		Summary: fmt.Sprintf("stress source of events of %d bytes, batches of %d, with three headers → memory channel → one %s sink, batches of %d → %s source of a second agent → memory channel → null sink, one configuration for both; twice Apache Flume 1.11, each on Java with %s, measured after %s. Processor time and memory are of both processes",
			putBody, batch, kind, batch, kind, strings.Join(javaMemory, " "), javaWarm),
		Programs: programs(s, own, theirs),
		Goals:    []Goal{{Metric: events, Ratio: float64(least)}},
		Base:     apacheFlume,
		Limit:    3 * time.Minute,
		Measure:  measurePairCounters,
	}
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
