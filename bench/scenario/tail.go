package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/bench/lines"
	"github.com/flume-go/flume/bench/proc"
)

// What a tail scenario's files have together, and the length of their lines.
const (
	tailBytes  = 1 << 30
	tailLength = 512
)

// tailBlocks are the buffer sizes that the bare program of a tail scenario is tried with. With 512 KiB and more it takes from a sixth of
// a microsecond for a line to a whole one on a virtual machine, from run to run: the page cache then asks for memory in pieces that
// the host may have to be asked for. The median of three tries would take such a size when it is lucky, and a ratio to it says nothing.
var tailBlocks = []int{64 << 10, 128 << 10, 256 << 10}

// Tail has files appear in a directory that a taildir source follows. They are in the page cache, for both programs.
func Tail(s Settings, files int) Scenario {
	sc := tail(s, files, tailBlocks, memoryChannel, "")
	sc.Name = fmt.Sprintf("tail-%d", files)
	sc.Summary = fmt.Sprintf("1 GiB of 512-byte lines in %d file(s) that appear in a followed directory → taildir source → memory channel → file_roll sink; bare copies them, from listing them to the last byte",
		files)
	return sc
}

// DurableTail is Tail through a file channel, beside a bare program that makes each block durable before it reads on.
func DurableTail(s Settings) Scenario {
	sc := tail(s, 1, durableBlocks, fileChannelOf, "-log")
	sc.Name = "tail-durable"
	sc.Summary = "1 GiB of 512-byte lines in one file → taildir source → file channel, each batch synced → file_roll sink; bare makes each block durable in a log and then appends it to a file"
	return sc
}

// tail is what both have in common: files in one directory, and a bare program with the best of some buffer sizes. log is
// the option that gives it a log in the run's directory, or "".
func tail(s Settings, files int, blocks []int, channel func(*Run) string, log string) Scenario {
	count := tailBytes / tailLength
	if s.Lines > 0 {
		count = s.Lines
	}
	in := tailed{counts: lines.Share(count, files)}
	var block int // of the bare program; found out by Prepare
	bare := func(block func() int) Program {
		return Program{Name: Bare, Blind: true, Spec: func(r *Run) (proc.Spec, error) {
			args := []string{"copy", "-from", in.dir(r), "-out", filepath.Join(r.Out(), "bare"), "-block", fmt.Sprint(block())}
			if log != "" {
				args = append(args, log, r.Dir)
			}
			return proc.Spec{Path: r.Self, Talk: true, Args: args}, nil
		}}
	}
	sc := Scenario{
		Programs: programs(s, flume(toFile(taildir, channel), monitoringType, monitoringPort), bare(func() int { return block })),
		Goals:    []Goal{{Metric: events, Ratio: 0.8}},
		Memory:   tailBytes * 3 / 2,
		Limit:    3 * time.Minute,
		Measure:  in.measure,
	}
	sc.Prepare = func(ctx context.Context, r *Run) ([]string, error) {
		if err := in.make(r.Shared); err != nil {
			return nil, err
		}
		var note string
		var err error
		block, note, err = fastest(ctx, sc, r.Settings, r.Shared, blocks, func(size int) Program {
			return bare(func() int { return size })
		})
		return []string{note}, err
	}
	return sc
}

// taildir configures source r1.
func taildir(r *Run) string {
	return fmt.Sprintf(`a1.sources.r1.type = TAILDIR
a1.sources.r1.filegroups = g1
a1.sources.r1.filegroups.g1 = %s
a1.sources.r1.positionFile = %s
a1.sources.r1.batchSize = 1000
`, filepath.Join(r.Dir, "logs", `.*\\.log`), filepath.Join(r.Dir, "positions.json"))
}

// tailed are the files of a tail scenario: the number of lines of each.
type tailed struct{ counts []int }

// dir is where the files appear.
func (tailed) dir(r *Run) string { return filepath.Join(r.Dir, "logs") }

func (tailed) format() (lines.Format, error) { return lines.NewFormat(tailLength, sendBlock) }

// make writes the files into dir.
func (t tailed) make(dir string) error {
	format, err := t.format()
	if err != nil {
		return err
	}
	for i, count := range t.counts {
		sender, err := format.NewSender(i, count)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, fmt.Sprintf("app%03d.log", i)), sender.Next); err != nil {
			return err
		}
	}
	return nil
}

// writeFile makes a file of the blocks that next returns, up to an empty one.
func writeFile(path string, next func() []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("making a file to follow: %w", err)
	}
	for block := next(); len(block) > 0 && err == nil; block = next() {
		_, err = f.Write(block)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("making a file to follow: %w", err)
	}
	return nil
}

// measure takes the time from when the files begin to appear until the output holds every byte.
func (t tailed) measure(ctx context.Context, r *Run) (sample Sample, err error) {
	format, err := t.format()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Mkdir(t.dir(r), 0o755), warm(r.Shared)); err != nil {
		return nil, err
	}
	p, err := r.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil { // the way out that has not stopped it yet
			err = errors.Join(err, p.Stop(stopGrace))
		}
	}()
	if err := awaitFollowing(ctx, r, p); err != nil {
		return nil, err
	}
	if sample, err = t.time(ctx, r, p, format); err != nil {
		return nil, err
	}
	if err := p.Stop(stopGrace); err != nil {
		return nil, err
	}
	return sample, verify(r, format, t.counts)
}

// awaitFollowing returns once the program waits for files.
func awaitFollowing(ctx context.Context, r *Run, p *proc.Process) error {
	if r.Program.Name != Flume {
		_, err := p.Expect(ctx, "ready")
		return err
	}
	_, err := awaitReady(ctx, r, p)
	return err
}

func (t tailed) time(ctx context.Context, r *Run, p *proc.Process, format lines.Format) (Sample, error) {
	before, err := proc.ReadUsage(p.PID())
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := linkAll(r.Shared, t.dir(r)); err != nil {
		return nil, err
	}
	if r.Program.Name != Flume {
		if err := p.Say("go"); err != nil {
			return nil, err
		}
	}
	count := 0
	for _, n := range t.counts {
		count += n
	}
	if err := awaitBytes(ctx, r, p, outputSize(r, format, count)); err != nil {
		return nil, err
	}
	elapsed := time.Since(start)
	after, err := proc.ReadUsage(p.PID())
	if err != nil {
		return nil, err
	}
	return throughput(format, count, elapsed, before, after), nil
}

// linkAll gives the files of one directory names in another, in no time.
func linkAll(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("finding the files to follow: %w", err)
	}
	for _, entry := range entries {
		if err := os.Link(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return fmt.Errorf("having a file appear: %w", err)
		}
	}
	return nil
}

// warm reads all files of a directory, so that each run finds them in the page cache.
func warm(dir string) error { return readOutput(dir, io.Discard) }
