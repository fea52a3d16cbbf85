// Package durable is what the channels have in common that keep their events in files: the properties (Config) and the
// way from them to an open store (Channel). Package store has the rules of the flow, package wal the files.
package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/flume-go/flume/channels/internal/counters"
	"github.com/flume-go/flume/channels/internal/store"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/javalock"
	"github.com/flume-go/flume/internal/keys"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/wal"
)

// Limits are what channels with the same Config may differ in.
type Limits struct {
	Capacity int           // most events; at least 1
	Wait     time.Duration // how long a put waits for space; negative: as long as it takes
}

// Channel is a store in the directories of a configuration. Safe for concurrent use.
type Channel struct {
	*store.Store
	cfg      Config
	dirs     dirs
	limits   Limits
	env      component.Env
	counters *counters.File

	quarantined *metrics.Counter
	syncs       *metrics.Histogram
	checkpoints *metrics.Histogram

	mu       sync.Mutex // Open and Close take turns
	locks    io.Closer  // nil when closed
	takeover *takeover  // of Apache Flume's events, while its files are not moved aside
	stop     context.CancelFunc
	watch    sync.WaitGroup
}

var (
	_ flow.Channel  = (*Channel)(nil)
	_ flow.Reserver = (*Channel)(nil)
)

// New makes a channel that is not open. c counts for it; what Flume does not count goes to env.Metrics.
func New(cfg Config, limits Limits, env component.Env, c *counters.File) (*Channel, error) {
	d, err := cfg.dirs()
	if err != nil {
		return nil, err
	}
	ch := &Channel{Store: store.New(c), cfg: cfg, dirs: d, limits: limits, env: env, counters: c}
	m := env.Metrics
	ch.quarantined = m.OwnCounter("damaged_records", "Damaged records of the log that were skipped; copies are in the directory quarantine.")
	ch.syncs = m.OwnHistogram("sync_seconds", "Time that the disk took to make puts safe.", metrics.LatencyBounds)
	ch.checkpoints = m.OwnHistogram("checkpoint_seconds", "Time that writing a checkpoint took.", metrics.LatencyBounds)
	counters.OwnGauges(m, ch.Stats)
	gauge := func(name, help string, value func(wal.Stats) float64) {
		m.OwnGauge(name, help, func() float64 { return value(ch.LogStats()) })
	}
	gauge("segments", "Files of the log that hold events.", func(s wal.Stats) float64 { return float64(s.Segments) })
	gauge("free_segments", "Files of the log that wait to be used again.", func(s wal.Stats) float64 { return float64(s.Free) })
	gauge("cached_bytes", "Memory that holds events for sinks that keep up.", func(s wal.Stats) float64 { return float64(s.Cached) })
	return ch, nil
}

// Open locks the directories, recovers what is in them, and lets events in and out.
func (c *Channel) Open(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.locks != nil {
		return errors.New("opening the channel: it is open")
	}
	start := time.Now()
	err := c.open(ctx)
	c.counters.Opened(err)
	if err != nil {
		return fmt.Errorf("opening the channel: %w", err)
	}
	s := c.LogStats()
	c.env.Log.Info("channel is open", "events", s.Events, "bytes", s.Bytes, "files", s.Segments, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

func (c *Channel) open(ctx context.Context) (err error) {
	o := c.cfg.options(c.dirs)
	o.FS, o.Log, o.Hooks = c.env.FS, c.env.Log, c.hooks()
	if o.Cipher, err = c.cipher(); err != nil {
		return err
	}
	for _, dir := range c.dirs.all() {
		if err := vfs.MkdirAllSync(c.env.FS, dir, 0o755); err != nil {
			return err
		}
	}
	locks, err := javalock.Lock(c.env.FS, c.dirs.all()...)
	if err != nil {
		return err
	}
	c.takeover = nil
	if err := c.takeOver(ctx, o); err != nil {
		return errors.Join(err, locks.Close())
	}
	if err := c.Store.Open(store.Options{
		Log: o, Capacity: c.limits.Capacity, Batch: c.cfg.TransactionCapacity, Wait: c.limits.Wait,
	}); err != nil {
		return errors.Join(withRemedy(err, o), locks.Close())
	}
	c.locks = locks
	if c.takeover != nil && !c.settleTakeover() {
		watching, stop := context.WithCancel(context.WithoutCancel(ctx))
		c.stop = stop
		c.watch.Go(func() { c.watchTakeover(watching) })
	}
	return nil
}

// withRemedy names the property by which a log with these options opens without files that are missing, if there are
// any. The log has given up its locks with the failed attempt.
func withRemedy(err error, o wal.Options) error {
	if o.AllowMissing {
		return err
	}
	o.Log, o.Hooks = nil, wal.Hooks{} // nothing happens to the log: it is looked at
	found, inspectErr := wal.Inspect(o)
	if inspectErr != nil || !slices.ContainsFunc(found.Missing, func(m wal.MissingSegment) bool { return !m.Present }) {
		return err
	}
	return fmt.Errorf("files of the log are missing (with allowMissingSegments = true the channel opens and gives their events up): %w", err)
}

func (c *Channel) hooks() wal.Hooks {
	return wal.Hooks{
		Synced:       func(took time.Duration) { c.syncs.Observe(took.Seconds()) },
		Checkpointed: func(took time.Duration) { c.checkpoints.Observe(took.Seconds()) },
		Damaged:      func(wal.Damage) { c.quarantined.Add(1) },
	}
}

// cipher returns how the log is encrypted; nil if it is not.
func (c *Channel) cipher() (*wal.Cipher, error) {
	if !c.cfg.encrypted() {
		return nil, nil //nolint:nilnil // most logs are not encrypted
	}
	k, err := keys.Open(keys.Options{
		FS: c.env.FS, Log: c.env.Log,
		Store: c.cfg.KeyStoreFile, PasswordFile: c.cfg.KeyStorePasswordFile, Aliases: c.cfg.aliases(),
	})
	if err != nil {
		return nil, err
	}
	return &wal.Cipher{Active: c.cfg.ActiveKey, Key: k.Key}, nil
}

// Close makes everything durable and gives up the directories. What is not acknowledged is there at the next Open.
func (c *Channel) Close(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.locks == nil {
		return nil
	}
	if c.stop != nil {
		c.stop()
		c.watch.Wait()
		c.stop = nil
	}
	left := c.Stats().Events
	err := errors.Join(c.Store.Close(), c.locks.Close())
	c.locks = nil
	c.counters.Shut()
	if err != nil {
		return fmt.Errorf("closing the channel: %w", err)
	}
	if left > 0 {
		c.env.Log.Info("channel is closed; events that were not delivered stay on the disk", "events", left, "directories", c.dirs.all())
	}
	return nil
}
