package wal

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

// Errors of the log. Those returned wrap them and say more.
var (
	// ErrClosed says that the log is closed.
	ErrClosed = errors.New("log is closed")
	// ErrFull says that the log holds as many events as it may. Acknowledging makes room.
	ErrFull = errors.New("log is full")
	// ErrVersion says that a segment was written in a format that this package does not know. Nothing was changed.
	ErrVersion = errors.New("another format of the log")
	// ErrNoSpace says that no segment could be started for lack of disk space. Reading and
	// acknowledging go on, and make room.
	ErrNoSpace = errors.New("no disk space for another segment")
)

// SyncPolicy says when appended batches are made durable.
type SyncPolicy uint8

const (
	// SyncAlways makes Append return after the sync.
	SyncAlways SyncPolicy = iota
	// SyncDelayed makes Append return after the write; the sync follows within SyncDelay.
	// A killed process loses nothing, a power cut at most that much.
	SyncDelayed
)

// Options are the settings of a log. Only Dirs and CheckpointDir must be set.
type Options struct {
	FS            vfs.FS   // nil: the operating system's
	Dirs          []string // where segments are; made if missing
	CheckpointDir string   // where the checkpoint is; made if missing

	SegmentSize  int64 // bytes of a segment; 0: 64 MiB. A larger batch gets a segment of its own size
	MaxEvents    int   // most events stored; 0: no limit. A batch that exceeds it alone is taken when the log is empty
	CacheBytes   int64 // most bytes of batches kept in memory for the reader; 0: 32 MiB, negative: none
	KeepFree     int   // most free segments kept for reuse; 0: 4
	MinFree      int64 // bytes of disk that making a segment leaves to others
	AckReserve   int64 // bytes at a segment's end for acknowledgements; 0: a sixteenth, at most 1 MiB
	AllowMissing bool  // open although segment files with events in them have vanished
	NoLock       bool  // for Inspect, Verify and Export: another process may have the log open

	Sync               SyncPolicy
	SyncAcks           bool          // Ack returns after a sync, not after the write
	SyncDelay          time.Duration // most time that a written record stays unsynced; 0: a second
	CheckpointInterval time.Duration // between checkpoints while there are changes; 0: 30 seconds

	Cipher *Cipher // nil: nothing is encrypted, and nothing that was can be read

	Log   *slog.Logger // nil: nothing is logged
	Hooks Hooks

	// foreground leaves out the goroutine that syncs and writes checkpoints in the
	// background: tests that number file operations need them in one order.
	foreground bool
	reserve    int64 // of the checkpoint; tests copy whole file systems
	aheadSize  int64 // least size of a put that is written ahead; 0: 32 KiB
}

// Hooks are called when something has happened. Any may be nil. They hold up what calls them, may be called by several
// goroutines at once, and must not use the log.
type Hooks struct {
	Synced           func(took time.Duration) // a sync of the active segment succeeded
	Checkpointed     func(took time.Duration) // a checkpoint was written
	CheckpointFailed func(err error)          // a checkpoint that was due or asked for could not be written
	Damaged          func(Damage)             // a damaged record was skipped
	SegmentDied      func(err error)          // a write or sync failed
}

const (
	defaultSegmentSize = 64 << 20
	minSegmentSize     = 8 << 10
	// maxSegmentSize is little enough that a segment has fewer than 2^32 records, the most that
	// one key may seal with random nonces.
	maxSegmentSize = 1 << 38
	defaultCache   = 32 << 20
	maxAckReserve  = 1 << 20
	// defaultAhead is large enough that its memory takes longer to be copied than a system call does. Smaller puts are better gathered.
	defaultAhead = 32 << 10
)

// withDefaults returns o complete and checked.
func (o Options) withDefaults() (Options, error) {
	if len(o.Dirs) == 0 || o.CheckpointDir == "" {
		return o, errors.New("a log needs at least one data directory and a checkpoint directory")
	}
	seen := make(map[string]bool)
	for _, d := range o.Dirs {
		if d = filepath.Clean(d); seen[d] {
			return o, fmt.Errorf("data directory %s is listed twice", d)
		}
		seen[filepath.Clean(d)] = true
	}
	setDefault(&o.SegmentSize, defaultSegmentSize)
	setDefault(&o.CacheBytes, defaultCache)
	setDefault(&o.KeepFree, 4)
	setDefault(&o.reserve, reserveSize)
	setDefault(&o.aheadSize, defaultAhead)
	setDefault(&o.SyncDelay, time.Second)
	setDefault(&o.CheckpointInterval, 30*time.Second)
	setDefault(&o.AckReserve, min(o.SegmentSize/16, maxAckReserve))
	if o.SegmentSize < minSegmentSize || o.SegmentSize > maxSegmentSize {
		return o, fmt.Errorf("a segment size of %d is not between %d and %d bytes", o.SegmentSize, minSegmentSize, int64(maxSegmentSize))
	}
	if o.AckReserve < 0 || o.AckReserve > o.SegmentSize/2 {
		return o, fmt.Errorf("an acknowledgement reserve of %d is not between 0 and half the segment size of %d bytes", o.AckReserve, o.SegmentSize)
	}
	if c := o.Cipher; c != nil && (c.Key == nil || len(c.Active) > maxAlias) {
		return o, fmt.Errorf("encryption needs a source of keys, and an alias of the active key of at most %d bytes", maxAlias)
	}
	if o.MaxEvents < 0 || o.KeepFree < 0 || o.MinFree < 0 || o.SyncDelay < 0 || o.CheckpointInterval < 0 {
		return o, errors.New("limits and intervals of a log must not be negative")
	}
	o.SegmentSize = align(o.SegmentSize, vfs.SectorSize)
	if o.FS == nil {
		o.FS = vfs.OS{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// directories returns all directories, each once: segments and checkpoint may share one.
func (o Options) directories() []string {
	dirs := []string{o.CheckpointDir}
	for _, d := range o.Dirs {
		if filepath.Clean(d) != filepath.Clean(o.CheckpointDir) {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

func setDefault[T int | int64 | time.Duration](v *T, to T) {
	if *v == 0 {
		*v = to
	}
}

// align rounds n up to a multiple of unit.
func align(n, unit int64) int64 { return (n + unit - 1) / unit * unit }
