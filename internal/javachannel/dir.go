package javachannel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/flume-go/flume/internal/vfs"
)

// Options says where a channel's directories are and how to read them.
type Options struct {
	FS            vfs.FS // nil stands for the operating system's
	CheckpointDir string
	BackupDir     string // of dual checkpoints; empty without them
	DataDirs      []string

	// Key returns the key of an alias, as Flume's key provider does. nil will do for channels in clear.
	Key func(alias string) ([]byte, error)

	// Lock holds Flume's own lock of each directory until Close, so that no Flume can be started on
	// them meanwhile. The lock files that this makes are removed by Close.
	Lock bool

	// InUse lets a directory be opened that a running Flume uses. What is found is then a guess:
	// checkpoint and logs change while they are read.
	InUse bool

	// Held says that the caller has Flume's locks already, so that there is nobody to look for.
	Held bool

	Log *slog.Logger // nil discards
}

// ErrInUse is wrapped by the error of Open and Repair for directories that a running Flume has open. Flume of
// another user, and on macOS and FreeBSD any, cannot be noticed: its lock does not hold there.
var ErrInUse = errors.New("in use by a running Flume: stop that first")

// Dir is the directories of one channel, whose staged events are known. It is for one goroutine at a time.
type Dir struct {
	opts     Options
	scan     *scanner
	logs     map[int32]*logFile
	returned []pointer // taken but not acknowledged: before the queue
	queue    queue
	report   Report
	locks    io.Closer // nil: none
	scratch  []byte    // of Read
}

// Open finds out which events are staged. It reads the checkpoint and the logs from there on; without a good
// checkpoint it reads all logs, which takes as long as the disk needs for that.
//
// It fails if a running Flume uses the directories (ErrInUse), if a file cannot be read, if a log's .meta file
// is missing or damaged, and if a key is needed that is not to be had or does not fit. Damaged records do not
// make it fail: see the Report. The caller closes the Dir.
func Open(ctx context.Context, opts Options) (dir *Dir, err error) {
	opts = opts.withDefaults()
	d := &Dir{opts: opts, logs: make(map[int32]*logFile)}
	d.scan = &scanner{files: files{fs: opts.FS}, keyOf: opts.Key, report: &d.report}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("reading the directories of Flume's file channel: %w", err), d.Close())
			dir = nil
		}
	}()
	if d.locks, d.report.InUse, err = guard(opts); err != nil {
		return nil, err
	}
	logs, err := listLogs(opts.FS, opts.DataDirs)
	if err != nil {
		return nil, err
	}
	for _, l := range logs {
		d.logs[l.id] = l
		d.report.Logs++
		d.report.LogBytes += l.size
		d.report.addVersion(int(l.meta.version))
	}
	c, err := d.chooseCheckpoint()
	if err != nil {
		return nil, err
	}
	if err := d.replay(ctx, c, logs); err != nil {
		return nil, err
	}
	d.logReport()
	return d, nil
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.OS{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// dirs returns all directories.
func (o *Options) dirs() []string {
	var dirs []string
	for _, dir := range append([]string{o.CheckpointDir, o.BackupDir}, o.DataDirs...) {
		if dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// chooseCheckpoint returns the best checkpoint there is, an empty one at the least.
func (d *Dir) chooseCheckpoint() (*checkpoint, error) {
	c, err := loadCheckpoint(d.opts.FS, d.opts.CheckpointDir)
	var unusable *badCheckpointError
	if err != nil && !errors.As(err, &unusable) {
		return nil, err
	}
	backup, backupErr := backupComplete(d.opts.FS, d.opts.BackupDir)
	if backupErr != nil {
		return nil, fmt.Errorf("examining the backup checkpoint: %w", backupErr)
	}
	switch {
	case c != nil:
		return d.chose(c, FromCheckpoint), nil
	case err != nil:
		d.problem(d.opts.CheckpointDir, err)
	case len(d.logs) == 0 && !backup:
		return d.chose(new(checkpoint), FromCheckpoint), nil
	default:
		d.problem(d.opts.CheckpointDir, bad("there is no checkpoint"))
	}
	if !backup {
		return d.chose(new(checkpoint), FromLogs), nil
	}
	c, err = loadCheckpoint(d.opts.FS, d.opts.BackupDir)
	switch {
	case c != nil:
		return d.chose(c, FromBackup), nil
	case err == nil:
		err = bad("there is no checkpoint")
	case !errors.As(err, &unusable):
		return nil, err
	}
	d.problem(d.opts.BackupDir, err)
	return d.chose(new(checkpoint), FromLogs), nil
}

func (d *Dir) problem(dir string, err error) {
	d.report.Problems = append(d.report.Problems, fmt.Sprintf("%s: %v", dir, err))
}

func (d *Dir) chose(c *checkpoint, source Source) *checkpoint {
	d.report.Source, d.report.Checkpoint = source, c.order
	d.report.MaxOrder, d.report.MaxTransaction = c.order, c.order
	if c.version != 0 {
		d.report.addVersion(c.version)
	}
	return c
}

// replay makes the queue of today from a checkpoint and the logs.
func (d *Dir) replay(ctx context.Context, c *checkpoint, logs []*logFile) error {
	r := replay{
		scan: d.scan, order: c.order, queue: &c.queue, logs: d.logs,
		open: make(map[int64]*transaction), takes: c.takes, returned: make(map[pointer]struct{}),
	}
	for id, pointers := range c.puts {
		r.open[id] = &transaction{pointers: pointers}
	}
	if err := r.run(ctx, logs); err != nil {
		return err
	}
	d.queue = c.queue
	d.returned = slices.Sorted(maps.Keys(r.returned))
	d.report.ReturnedTakes = len(d.returned)
	d.report.Events = len(d.returned) + d.queue.size
	return nil
}

func (d *Dir) logReport() {
	r := &d.report
	d.opts.Log.Info("read the directories of Flume's file channel",
		"events", r.Events, "logs", r.Logs, "bytes", r.LogBytes, "source", string(r.Source),
		"uncommitted_puts", r.UncommittedPuts, "returned_takes", r.ReturnedTakes)
	for _, p := range r.Problems {
		d.opts.Log.Warn("a checkpoint of Flume's cannot be used; events delivered before may come again", "reason", p)
	}
	if r.CorruptCount > 0 {
		d.opts.Log.Error("skipped damaged records in Flume's logs", "count", r.CorruptCount, "first", r.Corrupt[0].String())
	}
	if r.TornCount > 0 {
		d.opts.Log.Warn("logs of Flume's end in a record that was not completed", "count", r.TornCount, "first", r.Torn[0].String())
	}
}

// Len returns the number of staged events.
func (d *Dir) Len() int { return d.report.Events }

// Report returns what is known so far.
func (d *Dir) Report() Report { return d.report.clone() }

// Close releases files and locks. The Dir is of no use afterwards.
func (d *Dir) Close() error {
	d.scan.files.close()
	var err error
	if d.locks != nil {
		err = d.locks.Close()
		d.locks = nil
	}
	return err
}
