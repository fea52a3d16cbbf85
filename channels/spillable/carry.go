package spillable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"path/filepath"

	"github.com/flume-go/flume/channels/internal/durable"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
)

// carrier brings what is in memory over a stop. Close writes it to a log of its own and, since events in memory and on the disk
// take turns, the order of the runs to a file beside it. The next Open goes on with those runs: the events stay in that log
// until they are delivered, so that a kill after the start does not lose them either.
//
// The log is made at the first stop with something in memory.
type carrier struct {
	*durable.Channel
	fs     vfs.FS
	log    *slog.Logger
	dir    string // of the checkpoint of the log
	order  string // file with the order
	isOpen bool
}

const (
	// carryDir is the directory of the log in each of the directories of the disk's part.
	carryDir  = "memory-at-stop"
	orderFile = "order.json"

	// What is written at once: there is a sync for each.
	carryBatchBytes = 4 << 20

	carrySegment = 16 << 20
)

// newCarrier makes a carrier for a channel with this configuration.
func newCarrier(cfg durable.Config, env component.Env) (carrier, error) {
	checkpoint, data := "", []string(nil)
	for _, claim := range cfg.Claims() { // the directories, with the defaults filled in
		switch claim.Key {
		case "checkpointDir":
			checkpoint = claim.ID
		case "dataDirs":
			data = append(data, filepath.Join(claim.ID, carryDir))
		}
	}
	dir := filepath.Join(checkpoint, carryDir)
	if len(data) == 0 { // one directory for all
		data = []string{dir}
	}
	cfg.CheckpointDir, cfg.DataDirs, cfg.UseDualCheckpoints = dir, data, false
	cfg.MaxFileSize = min(cfg.MaxFileSize, carrySegment)
	cfg.MinimumRequiredSpace = 0 // to lose events would be worse than to use what was to be left to others
	inner := env
	inner.Log, inner.Metrics = env.Log.With("part", carryDir), metrics.NewSet(metrics.KindChannel, env.Name)
	ch, err := durable.New(cfg, durable.Limits{Capacity: math.MaxInt}, inner, unregistered(env))
	if err != nil {
		return carrier{}, err
	}
	return carrier{Channel: ch, fs: env.FS, log: env.Log, dir: dir, order: filepath.Join(dir, orderFile)}, nil
}

// open opens the log, if there is one.
func (k *carrier) open(ctx context.Context) error {
	if _, err := k.fs.Stat(k.dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("opening the channel: looking for what was in memory at the last stop: %w", err)
	}
	return k.Open(ctx)
}

// Open opens the log, and makes it if it is not there.
func (k *carrier) Open(ctx context.Context) error {
	if k.isOpen {
		return nil
	}
	err := k.Channel.Open(ctx)
	k.isOpen = err == nil
	return err
}

// Close closes the log.
func (k *carrier) Close(ctx context.Context) error {
	k.isOpen = false
	return k.Channel.Close(ctx)
}

// save writes what is in memory, in batches of at most limit events. What was written is changed in content from in memory to
// carried, also if there is an error.
func (k *carrier) save(ctx context.Context, content []*run, limit int) error {
	var next []*run
	events, bytes := 0, int64(0)
	flush := func() error {
		err := k.write(ctx, next)
		next, events, bytes = next[:0], 0, 0
		return err
	}
	for _, r := range content {
		if r.place != inMemory {
			continue
		}
		if len(next) > 0 && (events+r.events > limit || bytes+r.size.bytes > carryBatchBytes) {
			if err := flush(); err != nil {
				return err
			}
		}
		next = append(next, r)
		events += r.events
		bytes += r.size.bytes
	}
	return flush()
}

// write writes runs that are in memory to the log, as one batch.
func (k *carrier) write(ctx context.Context, all []*run) error {
	if len(all) == 0 {
		return nil
	}
	if err := k.Open(ctx); err != nil {
		return err
	}
	b := event.NewBatch()
	defer b.Release()
	for _, r := range all {
		b.AppendShared(r.batch, r.from, r.from+r.events)
	}
	if err := k.Put(ctx, b); err != nil {
		return err
	}
	for _, r := range all {
		r.release()
		*r = *elsewhere(carried, r.events)
	}
	return nil
}

// order is the content of the order file: the lengths of the runs, oldest first; those on the disk negative.
type order struct {
	Runs []int `json:"runs"`
}

// writeOrder writes the order of runs none of which is in memory. Where there is only one order, there is no need to.
func (k *carrier) writeOrder(content []*run) error {
	if count(content, onDisk) == 0 || count(content, carried) == 0 {
		return nil
	}
	var o order
	for _, r := range content {
		n := r.events
		if r.place == onDisk {
			n = -n
		}
		if last := len(o.Runs) - 1; last >= 0 && (o.Runs[last] < 0) == (n < 0) {
			o.Runs[last] += n
			continue
		}
		o.Runs = append(o.Runs, n)
	}
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return vfs.ReplaceFile(k.fs, k.order, data, 0o644)
}

// readOrder returns the runs as they were written, and removes the file: it says nothing about what comes then.
func (k *carrier) readOrder() ([]*run, error) {
	data, err := vfs.ReadFile(k.fs, k.order)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := k.fs.Remove(k.order); err != nil {
		return nil, err
	}
	var o order
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, fmt.Errorf("reading %s: %w", k.order, err)
	}
	var all []*run
	for _, n := range o.Runs {
		switch {
		case n > 0:
			all = append(all, elsewhere(carried, n))
		case n < 0:
			all = append(all, elsewhere(onDisk, -n))
		}
	}
	return all, nil
}

// restore returns the runs with which an open channel begins.
func (c *channel) restore() []*run {
	disk, kept := c.overflow.Stats().Events, 0
	var all []*run
	var err error
	if c.carry.isOpen {
		kept = c.carry.Stats().Events
		all, err = c.carry.readOrder()
	}
	if c.left != nil {
		all, c.left = c.left, nil
	}
	if count(all, onDisk) == disk && count(all, carried) == kept {
		return all
	}
	if disk > 0 && kept > 0 {
		if err == nil {
			err = errors.New("there was no orderly stop since")
		}
		c.env.Log.Warn("it is not known in which order events were stored that were in memory at the last stop and those on the disk; those of the memory come first",
			"memory", kept, "disk", disk, "reason", err)
	}
	var out []*run
	if kept > 0 {
		out = append(out, elsewhere(carried, kept))
	}
	for _, r := range all {
		if r.place == inMemory {
			out = append(out, r)
		}
	}
	if disk > 0 {
		out = append(out, elsewhere(onDisk, disk))
	}
	return out
}
