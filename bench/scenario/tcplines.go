package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/bench/lines"
	"github.com/flume-go/flume/bench/proc"
)

// What the tcp-lines scenarios measure.
var (
	events   = Metric{"events per second", "1/s"}
	rate     = Metric{"megabytes per second", "MB/s"}
	cpu      = Metric{"processor time per event", "µs"}
	perCPU   = Metric{"events per second of processor time", "1/s"}
	peak     = Metric{"largest resident memory", "MiB"}
	duration = Metric{"duration", "s"}
)

// sendBlock is how much the load generator hands to the kernel at once.
const sendBlock = 256 << 10

// defaultBytes is what a run sends unless a number of lines is asked for: as
// much as fits into the page cache of a common machine before the kernel makes
// writers wait for the disk, which would measure the disk.
const defaultBytes = 3 << 30

// TCPLines floods a netcat source with lines of length bytes on a few
// connections; they go through a memory channel into one file.
func TCPLines(s Settings, length int) Scenario {
	least := 0.7
	if length < 256 {
		least = 0.4
	}
	return Scenario{
		Name: fmt.Sprintf("tcp-lines-%d", length),
		Summary: fmt.Sprintf("%d TCP connections of %d-byte lines → netcat source → memory channel → file_roll sink",
			s.Conns, length),
		Programs: programs(s, flume(linesConfig), bare(0)),
		Goals:    []Goal{{Metric: events, Ratio: least}},
		Limit:    3 * time.Minute,
		Memory:   defaultBytes,
		Block:    true,
		Measure: func(ctx context.Context, r *Run) (Sample, error) {
			return flood{form: lines.Plain, length: length, block: sendBlock, bytes: defaultBytes}.measure(ctx, r)
		},
	}
}

// flood is lines that are sent as fast as they are taken.
type flood struct {
	form    lines.Form
	length  int   // of a line or message, newline included
	block   int   // bytes that are sent at once
	bytes   int64 // of all lines, unless a number of lines was asked for
	warm    int64 // of the lines that are sent first and not counted
	answers bool  // a block waits for the answers to the one before
}

// count is how many lines are sent: as many as were asked for, or fill the flood, of whole blocks where the form needs them.
func (f flood) count(r *Run, format lines.Format) int {
	count := r.Lines
	if count == 0 {
		count = int(f.bytes / int64(f.length))
	}
	if f.form.Whole() {
		blocks := r.Conns * format.PerBlock()
		count = max(1, count/blocks) * blocks
	}
	return count
}

// warmUp is how many lines each connection sends before the clock runs: whole blocks, and not the last of them.
func (f flood) warmUp(r *Run, format lines.Format, count int) int {
	blocks := int(f.warm/int64(f.length)) / r.Conns / format.PerBlock()
	return max(0, min(blocks, count/r.Conns/format.PerBlock()-1)) * format.PerBlock()
}

// measure takes the time from the word "go" until the output holds every
// byte, then ends the program and proves that the bytes are the right ones.
func (f flood) measure(ctx context.Context, r *Run) (sample Sample, err error) {
	format, err := f.form.Format(f.length, f.block)
	if err != nil {
		return nil, err
	}
	count := f.count(r, format)
	p, err := r.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil { // the way out that has not stopped it yet
			err = errors.Join(err, p.Stop(stopGrace))
		}
	}()
	if err := awaitListening(ctx, r, p); err != nil {
		return nil, err
	}
	load, err := f.start(ctx, r, count, f.warmUp(r, format, count))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, load.Stop(stopGrace)) }()

	sample, err = f.time(ctx, r, p, usageOf(p), load, format, count)
	if err != nil {
		return nil, err
	}
	if err := p.Stop(stopGrace); err != nil {
		return nil, err
	}
	return sample, verify(r, format, lines.Share(count, r.Conns))
}

// start starts the load generator, which says "ready" once it is connected, and again when each connection has sent warm of
// its lines.
func (f flood) start(ctx context.Context, r *Run, count, warm int) (*proc.Process, error) {
	return r.StartRole(ctx, "load", "-to", r.Addr(), "-conns", fmt.Sprint(r.Conns),
		"-form", f.form.Name, "-lines", fmt.Sprint(count), "-length", fmt.Sprint(f.length), "-block", fmt.Sprint(f.block),
		fmt.Sprintf("-answers=%t", f.answers), "-warm", fmt.Sprint(warm))
}

// outputSize is how many bytes a program writes of count lines: those that do not look at them write all that is sent.
func outputSize(r *Run, format lines.Format, count int) int64 {
	if r.Program.Blind {
		return format.Content(count)
	}
	return int64(count) * int64(format.Length())
}

// verify proves that the output is what has to come of counts[i] lines of each sender.
func verify(r *Run, format lines.Format, counts []int) error {
	if !r.Program.Blind {
		return verifyLines(r.Out(), format, counts)
	}
	count, newlines := 0, 0
	for _, n := range counts {
		count += n
	}
	if format.Newlines() {
		newlines = count
	}
	return verifySize(r.Out(), newlines, format.Content(count))
}

// usageOf reads what a program has taken from the machine.
func usageOf(p *proc.Process) func() (proc.Usage, error) {
	return func() (proc.Usage, error) { return proc.ReadUsage(p.PID()) }
}

// time has load send its lines and waits until the output of p has them. usage is read at the beginning and at the end.
func (f flood) time(ctx context.Context, r *Run, p *proc.Process, usage func() (proc.Usage, error), load *proc.Process, format lines.Format, count int) (Sample, error) {
	if _, err := load.Expect(ctx, "ready"); err != nil {
		return nil, err
	}
	warm := f.warmUp(r, format, count) * r.Conns
	if warm > 0 {
		if err := f.warmed(ctx, r, p, load, outputSize(r, format, warm)); err != nil {
			return nil, err
		}
	}
	before, err := usage()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := load.Say("go"); err != nil {
		return nil, err
	}
	// A generator that failed would leave us waiting: fail with it. One that
	// has sent everything goes on until the program closes its connections.
	sent := make(chan error, 1)
	sending, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	go func() {
		_, err := load.Expect(sending, "sent")
		if err != nil {
			giveUp(err)
		}
		sent <- err
	}()
	if err := awaitBytes(sending, r, p, outputSize(r, format, count)); err != nil {
		return nil, err
	}
	elapsed := time.Since(start)
	after, err := usage()
	if err != nil {
		return nil, err
	}
	if err := <-sent; err != nil {
		return nil, err
	}
	return throughput(format, count-warm, elapsed, before, after), nil
}

// warmed has load send the first of its lines, and waits until the output of p has them, which are so many bytes.
func (f flood) warmed(ctx context.Context, r *Run, p, load *proc.Process, size int64) error {
	if err := load.Say("go"); err != nil {
		return err
	}
	if _, err := load.Expect(ctx, "ready"); err != nil {
		return err
	}
	return awaitBytes(ctx, r, p, size)
}

// throughput is the sample of count lines that took a while. Megabytes are of what was sent.
func throughput(format lines.Format, count int, elapsed time.Duration, before, after proc.Usage) Sample {
	return Sample{
		{events, float64(count) / elapsed.Seconds()},
		{rate, float64(format.Content(count)) / 1e6 / elapsed.Seconds()},
		{cpu, float64((after.CPU - before.CPU).Microseconds()) / float64(count)},
		{peak, mebibytes(after.Peak)},
		{duration, elapsed.Seconds()},
	}
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// verifyLines proves that the output holds every line once, whole, and nothing
// else.
func verifyLines(dir string, format lines.Format, counts []int) error {
	verifier := format.NewVerifier(counts)
	if err := readOutput(dir, verifier); err != nil {
		return err
	}
	return verifier.Verdict().Err()
}

// verifySize is what can be said of output that was not kept in lines: it has
// the right number of bytes and of newlines.
func verifySize(dir string, count int, size int64) error {
	var c newlines
	if err := readOutput(dir, &c); err != nil {
		return err
	}
	if c.bytes != size || c.lines != count {
		return fmt.Errorf("output has %d bytes and %d newlines: %d bytes and %d lines were sent", c.bytes, c.lines, size, count)
	}
	return nil
}

// newlines counts what is written to it.
type newlines struct {
	bytes int64
	lines int
}

func (c *newlines) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	c.lines += bytes.Count(p, []byte{'\n'})
	return len(p), nil
}

// readOutput passes all files below dir on, one after the other.
func readOutput(dir string, to io.Writer) error {
	buf := make([]byte, 1<<20)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		// Hidden from CopyBuffer are the file's and the writer's own ways of
		// copying, which would ignore the buffer.
		_, err = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{f}, buf)
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the output: %w", err)
	}
	return nil
}
