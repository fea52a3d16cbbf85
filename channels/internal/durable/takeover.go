package durable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/javachannel"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/wal"
)

// This file takes over the queue that Apache Flume's own file channel left in the directories of a channel.
//
// The staged events are copied to a log of ours before the channel opens, so that nobody has taken any when a crash
// comes in between: then the unfinished log is removed and the copying starts anew. Apache Flume's files are only
// read. They stay where they are until the last copied event is delivered, and are then moved aside. A file says how
// far that is: before the first event is copied (taking), when all are (taken), and it is removed at the end.

const (
	takeoverName = "wal.takeover"                 // in the checkpoint directory
	asideName    = "apache-flume-20060102T150405" // subdirectory of each directory that its files are moved to, by time
	asidePoll    = time.Second                    // between two looks at whether they can be
)

// takeover is the state of taking over a queue, as its file has it.
type takeover struct {
	State string    `json:"state"`
	Since time.Time `json:"since"`
	// Once taken:
	Events int      `json:"events,omitempty"`
	Until  uint64   `json:"until,omitempty"` // number in the log after the last copied event
	Logs   []string `json:"logs,omitempty"`  // names of Apache Flume's logs: each of its starts makes new ones
}

// aside returns the name of the subdirectories that Apache Flume's files are moved to.
func (t *takeover) aside() string { return t.Since.UTC().Format(asideName) }

const (
	taking = "taking"
	taken  = "taken"
)

// javaLog has the names of the logs of Apache Flume's file channel.
var javaLog = regexp.MustCompile(`^log-\d+$`)

// javaFile has the names of the files of Apache Flume's file channel, but for its locks.
var javaFile = regexp.MustCompile(`^(log-\d+(\.meta(\.tmp|\.old)?|\.tmp)?|checkpoint(\.meta|\.snappy|-backup-\d+)?|inflight(puts|takes)|queueset|backupComplete)$`)

// takeOver copies what Apache Flume left to the log that o describes, unless that was done before. The channel is
// closed, and its directories are locked.
func (c *Channel) takeOver(ctx context.Context, o wal.Options) error {
	state, err := c.takeoverState()
	if err != nil {
		return err
	}
	if state != nil && state.State == taken {
		if c.takeover, err = c.recheck(state, o); c.takeover != nil || err != nil {
			return err
		}
		state = nil
	}
	present, err := javachannel.Present(c.env.FS, c.dirs.data)
	if err != nil {
		return err
	}
	switch {
	case !present && state != nil:
		return fmt.Errorf("taking over Apache Flume's events was interrupted at %s and its files are not there any more: put them back, or remove %s to go on without their events",
			state.Since.Format(time.RFC3339), c.takeoverPath())
	case !present:
		return nil
	case state == nil:
		if ours, err := wal.Inspect(o); err != nil {
			return err
		} else if ours.Events > 0 {
			c.env.Log.Warn("the directories hold files of Apache Flume's own file channel besides events of this channel; their events are taken over at the first start that finds this channel empty",
				"directories", c.dirs.data, "events", ours.Events)
			return nil
		}
	}
	return c.copyJava(ctx, o)
}

// recheck returns a takeover whose events are all copied, or nil if Apache Flume has used its files since and there is
// a new queue to take over.
func (c *Channel) recheck(state *takeover, o wal.Options) (*takeover, error) {
	logs, err := c.javaLogs()
	if err != nil {
		return nil, err
	}
	if len(logs) == 0 || slices.Equal(logs, state.Logs) {
		return state, nil // without any they are being moved aside
	}
	ours, err := wal.Inspect(o)
	if err != nil {
		return nil, err
	}
	if ours.Events > 0 {
		return nil, fmt.Errorf("Apache Flume has used its files in %v since its events were taken over, and this channel still holds %d events, of which it may have delivered some: "+
			"to go on with the events of this channel move the files log-* and checkpoint* away; to go on with Apache Flume's move segment-*.wal and wal.* away (flume channel export shows what is in them)",
			c.dirs.data, ours.Events)
	}
	c.env.Log.Info("Apache Flume has used its files since its events were taken over, and all of those are delivered: its new events are taken over", "directories", c.dirs.data)
	return nil, nil //nolint:nilnil // a new beginning
}

// javaLogs returns the paths of Apache Flume's logs, sorted.
func (c *Channel) javaLogs() (paths []string, err error) {
	for _, dir := range c.dirs.data {
		entries, err := c.env.FS.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if javaLog.MatchString(e.Name()) {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// copyJava makes a new log with all staged events of Apache Flume.
func (c *Channel) copyJava(ctx context.Context, o wal.Options) (err error) {
	start := time.Now()
	jo := javachannel.Options{FS: c.env.FS, CheckpointDir: c.dirs.checkpoint, BackupDir: c.dirs.backup, DataDirs: c.dirs.data, Held: true, Log: c.env.Log}
	if o.Cipher != nil {
		jo.Key = o.Cipher.Key
	}
	from, err := javachannel.Open(ctx, jo)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	c.env.Log.Info("taking over the events of Apache Flume's file channel", "events", from.Len(), "directories", c.dirs.data)
	if err := c.setTakeover(&takeover{State: taking, Since: start}); err != nil {
		return err
	}
	next, err := c.fill(ctx, o, from)
	if err != nil {
		return fmt.Errorf("taking over the events of Apache Flume's file channel, which is left as it was: %w", err)
	}
	logs, err := c.javaLogs()
	if err != nil {
		return err
	}
	r := from.Report()
	done := &takeover{State: taken, Since: start, Events: r.Delivered, Until: next, Logs: logs}
	if err := c.setTakeover(done); err != nil {
		return err
	}
	c.takeover = done
	c.tellDamage(&r, done.aside())
	c.env.Log.Info("the events of Apache Flume's file channel are taken over; its files stay until the last of them is delivered",
		"events", r.Delivered, "bytes", r.DeliveredBytes, "unreadable", r.Lost, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// toldDamages bounds the damaged places of which each gets a line of the log.
const toldDamages = 20

// tellDamage tells what of Apache Flume's files could not be read, with its place: an operator decides whether to
// look for the events there, as long as the files are kept.
func (c *Channel) tellDamage(r *javachannel.Report, aside string) {
	if r.CorruptCount == 0 {
		return
	}
	told := r.Corrupt[:min(len(r.Corrupt), toldDamages)]
	for _, d := range told {
		c.env.Log.Warn("a damaged record of Apache Flume's file channel is skipped", "file", d.File, "offset", d.Offset, "reason", d.Reason)
	}
	c.env.Log.Warn("damaged records of Apache Flume's file channel were not taken over; its files keep them, and are moved aside and not removed once all else is delivered; flume channel verify lists all damage",
		"records", r.CorruptCount, "listed", len(told), "lost_events", r.Lost, "subdirectory", aside)
}

// fill removes what there is of the log, writes it anew with all events of from, and returns the number that follows.
func (c *Channel) fill(ctx context.Context, o wal.Options, from *javachannel.Dir) (next uint64, err error) {
	if err := wal.Remove(o); err != nil {
		return 0, err
	}
	o.Sync = wal.SyncDelayed // Close syncs before anybody relies on it
	o.CacheBytes = -1
	to, err := wal.Open(o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	err = from.Read(ctx, func(b *event.Batch) error { return to.Append(ctx, b) })
	return to.Stats().Next, err
}

func (c *Channel) takeoverPath() string { return filepath.Join(c.dirs.checkpoint, takeoverName) }

// takeoverState reads how far taking over is; nil if nothing was begun, or all is done.
func (c *Channel) takeoverState() (*takeover, error) {
	data, err := vfs.ReadFile(c.env.FS, c.takeoverPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // the usual state
	}
	if err != nil {
		return nil, err
	}
	var t takeover
	if err := json.Unmarshal(data, &t); err != nil || t.State != taking && t.State != taken {
		return nil, fmt.Errorf("reading %s, which says how far Apache Flume's events are taken over: it is damaged; look with flume channel inspect at what the channel holds, and remove the file to take them over again", c.takeoverPath())
	}
	return &t, nil
}

func (c *Channel) setTakeover(t *takeover) error {
	data, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	return vfs.ReplaceFile(c.env.FS, c.takeoverPath(), append(data, '\n'), 0o644)
}

// settleTakeover moves Apache Flume's files aside once all events taken over are delivered, and reports whether
// nothing is left to do. The channel is open.
func (c *Channel) settleTakeover() bool {
	s := c.LogStats()
	if s.Next == 0 || s.First < c.takeover.Until {
		return false
	}
	if err := c.moveAside(); err != nil {
		c.env.Log.Warn("all events of Apache Flume's file channel are delivered, but its files could not be moved aside; trying again", "error", err)
		return false
	}
	c.env.Log.Info("all events of Apache Flume's file channel are delivered; its files are kept aside and can be removed",
		"events", c.takeover.Events, "subdirectory", c.takeover.aside(), "directories", c.dirs.all())
	return true
}

// moveAside moves Apache Flume's files to a subdirectory and forgets the takeover. It may be repeated.
func (c *Channel) moveAside() error {
	for _, dir := range c.dirs.all() {
		if err := c.moveFiles(dir); err != nil {
			return err
		}
	}
	if err := c.env.FS.Remove(c.takeoverPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.env.FS.SyncDir(c.dirs.checkpoint)
}

func (c *Channel) moveFiles(dir string) error {
	entries, err := c.env.FS.ReadDir(dir)
	if err != nil {
		return err
	}
	aside := filepath.Join(dir, c.takeover.aside())
	moved := false
	for _, e := range entries {
		if !javaFile.MatchString(e.Name()) {
			continue
		}
		if !moved {
			if err := vfs.MkdirAllSync(c.env.FS, aside, 0o755); err != nil {
				return err
			}
			moved = true
		}
		if err := c.env.FS.Rename(filepath.Join(dir, e.Name()), filepath.Join(aside, e.Name())); err != nil {
			return err
		}
	}
	if !moved {
		return nil
	}
	return errors.Join(c.env.FS.SyncDir(aside), c.env.FS.SyncDir(dir))
}

// watchTakeover settles the takeover in the background, until the channel closes or nothing is left to do.
func (c *Channel) watchTakeover(ctx context.Context) {
	poll := time.NewTicker(asidePoll)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			if c.settleTakeover() {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
