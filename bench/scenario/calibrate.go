package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flume-go/flume/bench/report"
	"github.com/flume-go/flume/bench/stats"
)

// blocks are the buffer sizes the bare program of tcp-lines is tried with.
var blocks = []int{64 << 10, 128 << 10, 256 << 10, 1 << 20}

// calibrations is how often each size is tried, in turns. The median counts:
// taking the best try would choose the size that was lucky once. The tries are
// as long as a run, because short ones are over before the sockets' buffers,
// the caches and the page cache have come to their steady state.
const calibrations = 3

// Calibrate runs the bare program of tcp-lines with each buffer size and returns the
// fastest, with a sentence on what each achieved.
func Calibrate(ctx context.Context, s Settings) (int, string, error) {
	return fastest(ctx, TCPLines(s, 512), s, "", blocks, bare)
}

// fastest is the buffer size with which the bare program of a scenario has most events per second. An
// agent compared with a bare program of a poor size would look better than it is. shared is what Prepare made.
func fastest(ctx context.Context, sc Scenario, s Settings, shared string, blocks []int, program func(block int) Program) (int, string, error) {
	rates := make([][]float64, len(blocks))
	for try := range calibrations {
		for i, size := range blocks {
			s.Log("%s: calibrating: try %d of %d: bare program with a buffer of %d KiB", sc.Name, try+1, calibrations, size>>10)
			sample, err := once(ctx, sc, s, program(size), shared)
			if err != nil {
				return 0, "", fmt.Errorf("trying the bare program with a buffer of %d bytes: %w", size, err)
			}
			rates[i] = append(rates[i], valuesOf(events, []Sample{sample})...)
		}
	}
	var note strings.Builder
	fmt.Fprintf(&note, "bare program by buffer size, median of %d:", calibrations)
	medians := make([]float64, len(blocks))
	for i, size := range blocks {
		summary := stats.Summarize(rates[i])
		medians[i] = summary.Median
		fmt.Fprintf(&note, " %d KiB %s (spread %.0f %%);", size>>10, report.Quantity(summary.Median, events.Unit), 100*summary.Spread())
	}
	best := slices.Index(medians, slices.Max(medians))
	fmt.Fprintf(&note, " %d KiB taken", blocks[best]>>10)
	return blocks[best], note.String(), nil
}
