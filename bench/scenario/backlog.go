package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/flume-go/flume/bench/proc"
	"github.com/flume-go/flume/bench/roles"
	"github.com/flume-go/flume/internal/vfs"
)

// What the scenarios with a backlog measure.
var (
	backlogRate  = Metric{"megabytes per second read", "MB/s"}
	backlogCPU   = Metric{"processor time per gigabyte", "s"}
	openClean    = Metric{"open after a clean close", "ms"}
	openKilled   = Metric{"open after kill -9", "ms"}
	openResident = Metric{"resident memory once open", "MiB"}
	earlyMemory  = Metric{"resident memory after a quarter", "MiB"}
	lateMemory   = Metric{"resident memory at the end", "MiB"}
	fromDisk     = Metric{"share that came from the disk", "%"}
)

// killedTail is how much is put, with a sync for each batch, before the process that puts is killed.
const killedTail = 32 << 20

// spareDisk is what staging a backlog leaves to others.
const spareDisk = 2 << 30

// Backlog opens a log in which much is staged, reads all of it, and opens it again after whoever wrote to
// it was killed. The bare program reads the same files in blocks of 1 MiB. Nothing of them is in the page cache
// before each.
func Backlog(s Settings) Scenario {
	return Scenario{
		Name: "backlog",
		Summary: fmt.Sprintf("a log with %s of %d-byte events staged and none of it in the page cache: opening, reading, opening after kill -9; bare reads the files in blocks of 1 MiB",
			gibibytes(s.Backlog), putBody),
		Programs: []Program{backlogProgram(Flume), backlogProgram(Bare)},
		Goals: []Goal{
			{Metric: backlogRate, Ratio: 0.7}, {Metric: openClean, AtMost: 1000},
			{Metric: openKilled, AtMost: 2000}, {Metric: openResident, AtMost: 100},
		},
		Limit:   10 * time.Minute,
		Prepare: stageBacklog,
		Measure: measureBacklog,
	}
}

// backlogProgram is started by what Measure does and not by itself.
func backlogProgram(name string) Program { return Program{Name: name, Blind: true} }

// affordable is the size of the backlog that the disk has room for, with a remark if that is less than was asked for.
func affordable(s Settings) (int64, []string, error) {
	free, err := vfs.DiskFree(vfs.OS{}, s.Dir)
	if err != nil {
		return 0, nil, fmt.Errorf("finding out how much can be staged: %w", err)
	}
	room := int64(free) - spareDisk
	room -= room / 10 // files hold more than the events
	if room >= s.Backlog {
		return s.Backlog, nil, nil
	}
	if room < 1<<30 {
		return 0, nil, fmt.Errorf("the disk of %s has %s left, which is too little to stage anything; choose another with -dir", s.Dir, gibibytes(int64(free)))
	}
	return room, []string{fmt.Sprintf("**only %s were staged, not %s: the disk has no room for more**", gibibytes(room), gibibytes(s.Backlog))}, nil
}

func gibibytes(n int64) string { return fmt.Sprintf("%.3g GiB", float64(n)/(1<<30)) }

func stageBacklog(ctx context.Context, r *Run) ([]string, error) {
	size, remarks, err := affordable(r.Settings)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(r.sharedLog(), 0o755); err != nil {
		return nil, err
	}
	p, err := r.StartRole(ctx, "stage", "-dir", r.sharedLog(), "-bytes", fmt.Sprint(size), "-body", fmt.Sprint(putBody))
	if err != nil {
		return nil, err
	}
	var staged uint64
	err = hearDone(ctx, p, &staged)
	if err := errors.Join(err, p.Stop(stopGrace)); err != nil {
		return nil, err
	}
	return append(remarks, fmt.Sprintf("%d events were staged", staged)), nil
}

func measureBacklog(ctx context.Context, r *Run) (Sample, error) {
	if r.Program.Name == Bare {
		return scanBacklog(ctx, r)
	}
	var d roles.Drained
	if err := r.cold(ctx, &d, "drain", "-dir", r.sharedLog()); err != nil {
		return nil, err
	}
	if err := r.killWriter(ctx); err != nil {
		return nil, err
	}
	var after roles.Drained
	if err := r.cold(ctx, &after, "drain", "-dir", r.sharedLog(), "-open-only"); err != nil {
		return nil, err
	}
	if want := d.Staged + killedTail/putBody; after.Staged < want {
		return nil, fmt.Errorf("after kill -9 the log has %d events; at least %d were durable", after.Staged, want)
	}
	return Sample{
		{backlogRate, float64(d.Bytes) / 1e6 / d.Took.Seconds()},
		{backlogCPU, d.CPU.Seconds() / (float64(d.Bytes) / 1e9)},
		{fromDisk, 100 * float64(d.Device) / float64(d.Bytes)},
		{peak, mebibytes(d.Peak)},
		{earlyMemory, mebibytes(d.EarlyRSS)},
		{lateMemory, mebibytes(d.LateRSS)},
		{openClean, milliseconds(d.Open)},
		{openKilled, milliseconds(after.Open)},
		{openResident, mebibytes(max(d.OpenRSS, after.OpenRSS))},
	}, nil
}

func scanBacklog(ctx context.Context, r *Run) (Sample, error) {
	var s roles.Scanned
	if err := r.cold(ctx, &s, "scan", "-dir", r.sharedLog()); err != nil {
		return nil, err
	}
	return Sample{
		{backlogRate, float64(s.Bytes) / 1e6 / s.Took.Seconds()},
		{backlogCPU, s.CPU.Seconds() / (float64(s.Bytes) / 1e9)},
		{fromDisk, 100 * float64(s.Device) / float64(s.Bytes)},
		{peak, mebibytes(s.Peak)},
	}, nil
}

// cold does a role's work on files that are not in the page cache.
func (r *Run) cold(ctx context.Context, result any, role string, args ...string) (err error) {
	if err := proc.Chill(r.Shared); err != nil {
		return err
	}
	p, err := r.StartRole(ctx, role, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop(stopGrace)) }()
	return await(ctx, p, result)
}

// killWriter kills a process while it puts into the log.
func (r *Run) killWriter(ctx context.Context) error {
	p, err := r.StartRole(ctx, "stage", "-dir", r.sharedLog(), "-bytes", fmt.Sprint(killedTail), "-body", fmt.Sprint(putBody), "-hang")
	if err != nil {
		return err
	}
	var staged uint64
	return errors.Join(hearDone(ctx, p, &staged), p.Kill())
}
