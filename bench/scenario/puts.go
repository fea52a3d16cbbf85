package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/bench/proc"
	"github.com/flume-go/flume/bench/roles"
)

// What the scenarios of durable puts measure.
var (
	commits     = Metric{"durable batches per second", "1/s"}
	batchCPU    = Metric{"processor time per batch", "µs"}
	batchAllocs = Metric{"allocations per batch", ""}
	batchWrites = Metric{"write calls per batch", ""}
	batchSyncs  = Metric{"sync calls per batch", ""}
	behind      = Metric{"most events not yet read and acknowledged", ""}
)

// putBody is the length of an event in the scenarios of durable puts.
const putBody = 512

// Durations of a run of durable puts. Before it is measured a log makes its first segments, which it
// goes on to use again and again.
const (
	putWarm = time.Second
	putFor  = 2 * time.Second
)

// Puts makes batches durable in the log alone, while one reader acknowledges them. The bare
// program writes the bytes of the batches to a file that was written through before: one
// producer with a write and an fdatasync for each, several sharing both.
func Puts(batch, producers int) Scenario {
	work := putArgs(batch, producers)
	return Scenario{
		Name:     fmt.Sprintf("wal-%dx%d", batch, producers),
		Summary:  fmt.Sprintf("durable puts of %d events of %d bytes into the log, %d at a time; one reader acknowledges them", batch, putBody, producers),
		Programs: []Program{role(Flume, "puts", work...), role(Bare, "puts", append(work, "-bare")...)},
		Goals:    []Goal{{Metric: commits, Ratio: 0.8}},
		Limit:    time.Minute,
		Measure:  measurePuts(batch),
	}
}

// singles is how many producers put single events at once.
const singles = 64

// SinglePuts makes single events durable, many at a time. The bare program does so one after the
// other: the rate at which the disk syncs. The program gathered shares syncs, and is
// what there is to be had.
func SinglePuts() Scenario {
	many := putArgs(1, singles)
	return Scenario{
		Name:    fmt.Sprintf("wal-1x%d", singles),
		Summary: fmt.Sprintf("durable puts of single events of %d bytes, %d at a time; bare is one write and fdatasync after the other, gathered is %d producers sharing them", putBody, singles, singles),
		Programs: []Program{
			role(Flume, "puts", many...), role(Bare, "puts", append(putArgs(1, 1), "-bare")...), role("gathered", "puts", append(many, "-bare")...),
		},
		Goals:   []Goal{{Metric: commits, Ratio: 20}},
		Beside:  "gathered",
		Limit:   time.Minute,
		Measure: measurePuts(1),
	}
}

// EncryptedPuts compares a log that encrypts with one that does not.
func EncryptedPuts() Scenario {
	const batch, producers = 1000, 8
	work := putArgs(batch, producers)
	return Scenario{
		Name:     "wal-encrypted",
		Summary:  fmt.Sprintf("durable puts of %d events of %d bytes, %d at a time, with AES-256-GCM; plain is the same log without", batch, putBody, producers),
		Programs: []Program{role(Flume, "puts", append(work, "-encrypted")...), role("plain", "puts", work...)},
		Base:     "plain",
		Limit:    time.Minute,
		Measure:  measurePuts(batch),
	}
}

func putArgs(batch, producers int) []string {
	// Full, so that who appends gets a slice of their own.
	args := []string{
		"-batch", fmt.Sprint(batch), "-producers", fmt.Sprint(producers), "-body", fmt.Sprint(putBody),
		"-warm", putWarm.String(), "-for", putFor.String(),
	}
	return args[:len(args):len(args)]
}

func measurePuts(batch int) func(ctx context.Context, r *Run) (Sample, error) {
	return func(ctx context.Context, r *Run) (Sample, error) {
		var p roles.Puts
		if err := r.work(ctx, &p); err != nil {
			return nil, err
		}
		if p.Batches < 1 {
			return nil, errors.New("no batch became durable while it was measured")
		}
		per := func(v float64) float64 { return v / float64(p.Batches) }
		seconds := p.Took.Seconds()
		return Sample{
			{commits, float64(p.Batches) / seconds},
			{rate, float64(p.Batches) * float64(batch*putBody) / 1e6 / seconds},
			{batchCPU, per(float64(p.CPU.Microseconds()))},
			{batchAllocs, per(float64(p.Allocs))},
			{batchWrites, per(float64(p.Writes))},
			{batchSyncs, per(float64(p.Syncs))},
			{behind, float64(p.Behind)},
			{peak, mebibytes(p.Peak)},
		}, nil
	}
}

// work runs a program that is a role to its end and reads what it found.
func (r *Run) work(ctx context.Context, result any) (err error) {
	p, err := r.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop(stopGrace)) }()
	return await(ctx, p, result)
}

// await tells a role to go and reads what it says when it is done.
func await(ctx context.Context, p *proc.Process, result any) error {
	if _, err := p.Expect(ctx, "ready"); err != nil {
		return err
	}
	if err := p.Say("go"); err != nil {
		return err
	}
	return hearDone(ctx, p, result)
}

func hearDone(ctx context.Context, p *proc.Process, result any) error {
	text, err := p.Expect(ctx, "done")
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), result); err != nil {
		return fmt.Errorf("reading what was measured, %q: %w", text, err)
	}
	return nil
}

// logName is the name of a run's or scenario's durable log.
const logName = "log"

func (r *Run) sharedLog() string { return filepath.Join(r.Shared, logName) }
