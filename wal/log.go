package wal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

const lockName = "wal.lock"

// Log is an open log. Safe for concurrent use; reads take turns.
type Log struct {
	opts  Options
	locks []io.Closer
	id    logID
	keys  *keyring

	readMu sync.Mutex // guards reader
	reader reader
	ckptMu sync.Mutex // guards the checkpoint file and reserve
	disk   checkpointFile

	mu       sync.Mutex
	closed   bool
	queue    []*request    // of the commit queue, first in first out
	early    []*request    // written ahead: not in the queue any more, and not yet in a group
	window   chan struct{} // closed when large puts may be written ahead; nil if nobody waits for that
	leading  bool          // someone leads
	pending  int           // events in the queue and in the group being written
	wake     chan struct{} // closed at the next publication; nil if nobody waits
	next     uint64        // number of the next event
	gone     rangeSet
	sessions []session // of the events that are not gone, by first number
	origins  origins
	stored   uint64        // events in the segments
	acked    rangeSet      // in the books, and not yet with the writer
	changes  uint64        // groups and acknowledgements so far
	segments []*segment    // in use, by generation; the active one is the last
	released []*segment    // emptied by acknowledgements that the writer may not have yet
	settling []*segment    // emptied by acknowledgements that may not be durable yet
	free     []*segment    // to be reused
	coming   chan struct{} // closed once the next of these is made; nil if none is being made
	cache    cache
	cursor   cursor
	damaged  int

	writer writer

	stop context.CancelFunc
	done sync.WaitGroup
	kick chan struct{} // asks the background goroutine to prepare a segment
}

// Stats is the state of a log at one moment.
type Stats struct {
	Events   int       // stored and not acknowledged
	Bytes    int64     // of their bodies; an estimate for segments that are partly acknowledged
	Oldest   time.Time // when the oldest segment with stored events got its first; zero when empty
	Segments int       // in use
	Free     int       // segments waiting to be reused
	Cached   int64     // bytes of batches kept in memory
	Damaged  int       // damaged records skipped since the log was opened

	First uint64 // number of the first event that is not gone; Next if there is none
	Next  uint64 // number of the next event to be appended
}

// Open opens the log in the directories of the options, which are made if they are missing. It
// recovers what a crash left. The caller closes the log.
func Open(opts Options) (_ *Log, err error) {
	opts, err = opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("opening log: %w", err)
	}
	l := newLog(opts)
	defer func() {
		if err != nil {
			err = fmt.Errorf("opening log in %s: %w", opts.CheckpointDir, errors.Join(err, l.release()))
		}
	}()
	if opts.NoLock {
		return nil, errors.New("a log cannot be opened for writing without locks")
	}
	if err := l.lock(); err != nil {
		return nil, err
	}
	if alias := l.keys.active(); alias != "" {
		if _, err := l.keys.key(alias); err != nil {
			return nil, fmt.Errorf("the active key for new segments: %w", err)
		}
	}
	known, err := l.recover()
	if err != nil {
		return nil, err
	}
	if err := l.beginSession(known); err != nil {
		return nil, err
	}
	if err := l.Checkpoint(); err == nil {
		_ = l.exclusive(func() error { l.writer.settle(l.countSettling()); return nil })
	} else if !vfs.IsNoSpace(err) {
		return nil, err
	} else {
		opts.Log.Warn("the disk is full: no checkpoint was written", "error", err)
		l.sessions = nil // nobody would know of them after a crash
	}
	if !opts.foreground {
		ctx, cancel := context.WithCancel(context.Background())
		l.stop = cancel
		signal(l.kick)
		l.done.Go(func() { l.background(ctx) })
	}
	return l, nil
}

// newLog returns a log with nothing in it, for options that are complete.
func newLog(opts Options) *Log {
	l := &Log{
		opts: opts, keys: newKeyring(opts.Cipher), next: 1, gone: rangeSet{{0, 1}},
		kick: make(chan struct{}, 1),
	}
	l.disk = checkpointFile{fs: opts.FS, dir: opts.CheckpointDir, reserve: opts.reserve}
	l.writer.l = l
	l.reader.l = l
	return l
}

// lock makes and locks the directories.
func (l *Log) lock() error {
	for _, dir := range l.opts.directories() {
		if err := vfs.MkdirAllSync(l.opts.FS, dir, 0o755); err != nil {
			return err
		}
		if err := l.lockDirectory(dir); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) lockDirectory(dir string) error {
	lock, err := l.opts.FS.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return fmt.Errorf("locking %s (is another agent using it?): %w", dir, err)
	}
	l.locks = append(l.locks, lock)
	return nil
}

// release closes files and locks.
func (l *Log) release() error {
	errs := []error{l.reader.close(), l.writer.close()}
	for _, lock := range l.locks {
		errs = append(errs, lock.Close())
	}
	l.locks = nil
	return errors.Join(errs...)
}

// Close waits for appends in progress, makes everything durable, and gives up the directories. What was read
// and not acknowledged is read again after the next Open. Closing twice does nothing.
func (l *Log) Close() error {
	if l.stop != nil {
		l.stop()
		l.done.Wait()
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.wakeReaders()
	l.mu.Unlock()
	// What was queued before closed was set is still done; this waits for it.
	err := l.checkpoint(true)
	last := l.exclusive(l.writer.close)
	l.ckptMu.Lock()
	l.disk.written = math.MaxUint64 // from here on the file may be another's
	l.ckptMu.Unlock()
	l.readMu.Lock()
	defer l.readMu.Unlock()
	l.mu.Lock()
	l.cache.clear()
	l.cursor.drop()
	l.mu.Unlock()
	if err := errors.Join(err, last, l.release()); err != nil {
		return fmt.Errorf("closing log in %s: %w", l.opts.CheckpointDir, err)
	}
	return nil
}

// Stats returns the present state. Its cost grows with the segments, not with the events.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Segments: len(l.segments), Events: int(l.stored), Free: len(l.free) + len(l.released) + len(l.settling), Cached: l.cache.bytes, Damaged: l.damaged, Next: l.next}
	s.First = l.gone.gap(Range{1, l.next}).From
	for _, seg := range l.segments {
		if seg.live == 0 {
			continue
		}
		s.Bytes += int64(float64(seg.bytes) * float64(seg.live) / float64(seg.events.Len()))
		if s.Oldest.IsZero() {
			s.Oldest = time.Unix(0, seg.since)
		}
	}
	return s
}

// Cached returns how many bytes of what was not read yet are in memory, and whether that is all of it.
func (l *Log) Cached() (bytes int64, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cache.bytes, !l.cache.broken
}

// background syncs what was written without, writes checkpoints and prepares segments.
func (l *Log) background(ctx context.Context) {
	syncs := time.NewTicker(l.opts.SyncDelay)
	defer syncs.Stop()
	checkpoints := time.NewTicker(l.opts.CheckpointInterval)
	defer checkpoints.Stop()
	durable := outage{log: l.opts.Log, begun: "making the log durable in the background failed; trying again", over: "the log is made durable again"}
	saved := outage{log: l.opts.Log, begun: "writing a checkpoint failed, nothing is lost by that; it is tried again at the next interval", over: "checkpoints are written again"}
	var covered uint64 // changes that the latest checkpoint has
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.kick:
			durable.tell(l.prepare())
		case <-syncs.C:
			durable.tell(l.exclusive(l.writer.syncDirty))
		case <-checkpoints.C:
			changes := l.changed()
			if changes == covered {
				continue
			}
			err := l.Checkpoint()
			if err == nil {
				covered = changes
			}
			saved.tell(err)
		}
	}
}

// changed returns how many changes there have been.
func (l *Log) changed() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changes
}

// outage tells of something that fails again and again once when that begins, and once when it is over.
type outage struct {
	log         *slog.Logger
	begun, over string
	failing     bool
}

func (o *outage) tell(err error) {
	failing := err != nil
	if failing == o.failing {
		return
	}
	o.failing = failing
	if failing {
		o.log.Warn(o.begun, "error", err)
	} else {
		o.log.Info(o.over)
	}
}
