package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

const (
	checkpointName = "wal.checkpoint"
	reserveName    = "wal.reserve"
	// reserveSize is enough for the checkpoint of some thousand segments.
	reserveSize = int64(256 << 10)
)

// checkpointFile is the checkpoint on the disk, and the space kept for it. Log.ckptMu guards it.
type checkpointFile struct {
	fs       vfs.FS
	dir      string
	written  uint64 // ordinal of the snapshot in the file
	reserve  int64  // bytes of space to be kept
	reserved bool   // they are
}

// numbered is a snapshot with its place in the order in which they were taken.
type numbered struct {
	snapshot
	ordinal uint64
}

// Checkpoint writes a checkpoint now, after making everything durable that was written. Opening is faster
// after it; nothing else depends on it.
func (l *Log) Checkpoint() error {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return ErrClosed
	}
	return l.checkpoint(false)
}

// checkpoint makes everything durable and writes a checkpoint, at last one after which nothing follows.
func (l *Log) checkpoint(last bool) error {
	var snap *numbered
	err := l.exclusive(func() error {
		if err := l.writer.syncDirty(); err != nil {
			return fmt.Errorf("writing checkpoint: %w", err)
		}
		snap = l.writer.snapshot()
		snap.closed = last
		return nil
	})
	if err == nil {
		err = l.saveCheckpoint(snap)
	}
	if err != nil && l.opts.Hooks.CheckpointFailed != nil {
		l.opts.Hooks.CheckpointFailed(err)
	}
	return err
}

// saveCheckpoint replaces the checkpoint by snap, unless it is newer already.
func (l *Log) saveCheckpoint(snap *numbered) error {
	l.ckptMu.Lock()
	defer l.ckptMu.Unlock()
	if snap.ordinal <= l.disk.written {
		return nil
	}
	start := time.Now()
	if err := l.disk.replace(snap.encode()); err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	l.disk.written = snap.ordinal
	if l.opts.Hooks.Checkpointed != nil {
		l.opts.Hooks.Checkpointed(time.Since(start))
	}
	return nil
}

// replace writes the file, if need be in the space that is kept for it.
func (c *checkpointFile) replace(data []byte) error {
	name := filepath.Join(c.dir, checkpointName)
	err := vfs.ReplaceFile(c.fs, name, data, 0o644)
	if vfs.IsNoSpace(err) {
		// Also when it was not made by this process.
		if rmErr := c.fs.Remove(filepath.Join(c.dir, reserveName)); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
			return errors.Join(err, rmErr)
		}
		c.reserved = false
		err = vfs.ReplaceFile(c.fs, name, data, 0o644)
		return err
	}
	if err == nil && !c.reserved {
		c.reserved = c.keepSpace() == nil
	}
	return err
}

// keepSpace makes the file that keeps space. If there is none for it that is tried again at the next checkpoint.
func (c *checkpointFile) keepSpace() error {
	name := filepath.Join(c.dir, reserveName)
	f, err := c.fs.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < c.reserve {
		err = vfs.WriteZeros(f, 0, c.reserve)
		if err == nil {
			err = f.Sync()
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, c.fs.Remove(name))
	}
	return nil
}

// read returns the checkpoint; nil if there is none. The error says that there is one and it is not usable.
func (c *checkpointFile) read() (*snapshot, error) {
	name := filepath.Join(c.dir, checkpointName)
	data, err := vfs.ReadFile(c.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // a log without a checkpoint is a usual one
	}
	if err != nil {
		return nil, err
	}
	s, err := decodeSnapshot(data)
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint %s: %w", name, err)
	}
	return s, nil
}

// snapshot returns the state of the log. What replaying starts from is durable.
func (w *writer) snapshot() *numbered {
	l := w.l
	w.ordinal++
	s := &numbered{ordinal: w.ordinal}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.id, s.next = l.id, l.next
	s.gen, s.pos = w.gen+1, segmentStart
	if w.active != nil {
		s.gen, s.pos = w.active.gen, w.active.synced
	}
	for _, seg := range l.segments {
		end := seg.end
		if seg == w.active {
			end = s.pos
		}
		s.extents = append(s.extents, seg.extent(end))
	}
	s.gone = append(s.gone, l.gone...)
	s.sessions, s.origins = l.sessions, l.origins.list()
	return s
}
