package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/bench/proc"
)

// What the tail-idle scenario measures.
var (
	idleShare = Metric{"processor time per second idle, a core being 1,000 ms", "ms"}
	fileMem   = Metric{"resident memory with all files followed", "MiB"}
	seenAll   = Metric{"start until all files were read", "s"}
)

const (
	// idleLine is what each of the idle files has: its number, so that no two are alike.
	idleLine = "a line of file %08d\n"
	// idleSettle is how long looks take to become as seldom as they get without notifications: the waits between them grow by a
	// second up to five. With notifications they go on growing up to a minute, and what is measured is more than there will be.
	idleSettle = 16 * time.Second
)

// IdleFiles has an agent follow many files to which nothing is appended.
func IdleFiles(s Settings) Scenario {
	looking := Program{Name: Bare, Blind: true, Spec: func(r *Run) (proc.Spec, error) {
		return proc.Spec{Path: r.Self, Talk: true, Args: []string{"look", "-dir", r.Shared}}, nil
	}}
	return Scenario{
		Name:     "tail-idle",
		Summary:  fmt.Sprintf("a taildir source that follows %d files to which nothing is appended; bare asks for the size of each every 5 s, as the source does where notifications are not known to come", s.Idle),
		Programs: programs(s, flume(toFile(idleTaildir, memoryChannel)), looking),
		Goals:    []Goal{{Metric: idleShare, AtMost: 10}, {Metric: fileMem, AtMost: 100}},
		Limit:    2 * time.Minute,
		Prepare: func(_ context.Context, r *Run) ([]string, error) {
			for i := range r.Idle {
				text := fmt.Appendf(nil, idleLine, i)
				if err := os.WriteFile(filepath.Join(r.Shared, fmt.Sprintf("app%d.log", i)), text, 0o600); err != nil {
					return nil, fmt.Errorf("making a file to follow: %w", err)
				}
			}
			return nil, nil
		},
		Measure: measureIdleFiles,
	}
}

// idleTaildir follows the files that runs share.
func idleTaildir(r *Run) string {
	return fmt.Sprintf(`a1.sources.r1.type = TAILDIR
a1.sources.r1.filegroups = g1
a1.sources.r1.filegroups.g1 = %s
a1.sources.r1.positionFile = %s
a1.sources.r1.batchSize = 1000
`, filepath.Join(r.Shared, `.*\\.log`), filepath.Join(r.Dir, "positions.json"))
}

func measureIdleFiles(ctx context.Context, r *Run) (sample Sample, err error) {
	start := time.Now()
	p, err := r.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Stop(stopGrace)) }()
	if r.Program.Name == Flume {
		err = awaitBytes(ctx, r, p, int64(r.Idle*len(fmt.Sprintf(idleLine, 0))))
	} else {
		_, err = p.Expect(ctx, "ready")
	}
	if err != nil {
		return nil, err
	}
	sample = Sample{{seenAll, time.Since(start).Seconds()}}
	if err := wait(ctx, p, idleSettle); err != nil {
		return nil, err
	}
	before, after, err := leaveAlone(ctx, p, 2*idleFor)
	if err != nil {
		return nil, err
	}
	return append(sample,
		Value{idleShare, milliseconds(after.CPU-before.CPU) / (2 * idleFor).Seconds()},
		Value{fileMem, mebibytes(after.RSS)}), nil
}
