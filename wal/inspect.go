package wal

import (
	"encoding/hex"
	"path/filepath"
	"slices"
	"time"
)

// Report is what Inspect found.
type Report struct {
	Identity string    // of the log, in hexadecimal
	Next     uint64    // number that the next event will get
	Events   int       // stored and not acknowledged
	Bytes    int64     // of their bodies; an estimate for segments that are partly acknowledged
	Oldest   time.Time // when the oldest segment with stored events got its first; zero when empty

	Checkpoint CheckpointReport
	Segments   []SegmentReport  // with a good header, in the order in which they were begun
	Missing    []MissingSegment // segments with stored events whose files are not there
	Unreadable []string         // segment files without a good header
	Prepared   []string         // segment files that were never used
	Damage     []Damage         // met by the way; Verify looks for all
	Quarantine []QuarantineFile
}

// CheckpointReport is what Inspect found out about the checkpoint.
type CheckpointReport struct {
	Path    string
	Time    time.Time // when it was written; zero if there is none
	Size    int64
	Problem string // why it cannot be used; empty if it can, or if there is none
	Used    bool   // opening would start from it, and not from the head of a later segment
	Closed  bool   // the log was closed after it was written
}

// SegmentState is what a segment is for.
type SegmentState string

// States of a segment.
const (
	SegmentActive SegmentState = "active" // the last: takes records, unless it is full
	SegmentStaged SegmentState = "staged" // has events that are not acknowledged
	SegmentFree   SegmentState = "free"   // is reused or removed
)

// SegmentReport is what Inspect found out about one segment file.
type SegmentReport struct {
	Path       string
	State      SegmentState
	Generation uint64
	Size, End  int64 // of the file, and of the records in it as far as they are known without reading them
	Numbers    Range // of its events, acknowledged or not
	Events     int   // stored and not acknowledged
	Since      time.Time
	HeaderBad  bool   // one copy of the header is damaged
	KeyAlias   string // key that its events are encrypted with; empty in the clear
	KeyProblem string // why they cannot be decrypted with the keys of the options; empty if they can
}

// MissingSegment is a segment without a usable file.
type MissingSegment struct {
	Name    string // of the file
	Numbers Range  // of its events, acknowledged or not
	Events  int    // not acknowledged
	Writing bool   // the log was writing to it and was not closed: it may have had more
	Present bool   // the file is there, but damaged or reused
}

// QuarantineFile is the copy of a damaged record.
type QuarantineFile struct {
	Path string
	Size int64
	Time time.Time
}

// Inspect reports the state of a log without changing anything. It reads the header of each segment, and
// what opening would replay. It needs no keys. Unless opts.NoLock is set nobody may have the log open.
func Inspect(opts Options) (_ *Report, err error) {
	v, err := openView(opts)
	if err != nil {
		return nil, err
	}
	defer v.close()
	stats := v.l.Stats()
	report := &Report{
		Identity: hex.EncodeToString(v.l.id[:]), Next: v.l.next,
		Events: stats.Events, Bytes: stats.Bytes, Oldest: stats.Oldest,
		Checkpoint: v.checkpoint(), Missing: v.r.missing, Damage: v.damage,
	}
	for _, s := range v.r.files.good {
		report.Segments = append(report.Segments, v.segment(s))
	}
	for _, s := range v.r.files.damaged {
		report.Unreadable = append(report.Unreadable, s.path)
	}
	for _, s := range v.r.files.unused {
		report.Prepared = append(report.Prepared, s.path)
	}
	report.Quarantine, err = v.quarantined()
	return report, err
}

func (v *view) segment(s *segment) SegmentReport {
	out := SegmentReport{
		Path: s.path, State: v.state(s), Generation: s.gen, Size: s.size, End: s.end,
		Numbers: s.events, Events: int(s.live), HeaderBad: slices.Contains(v.r.files.oneBad, s),
		KeyAlias: s.sealing.alias, KeyProblem: v.keyProblem(s),
	}
	if s.since != 0 {
		out.Since = time.Unix(0, s.since)
	}
	return out
}

func (v *view) checkpoint() CheckpointReport {
	out := CheckpointReport{Path: filepath.Join(v.l.opts.CheckpointDir, checkpointName)}
	if info, err := v.l.opts.FS.Stat(out.Path); err == nil {
		out.Time, out.Size = info.ModTime(), info.Size()
	}
	if v.r.ckptBad != nil {
		out.Problem = v.r.ckptBad.Error()
	}
	if v.r.ckpt != nil {
		out.Closed, out.Used = v.r.ckpt.closed, v.r.ckpt == v.r.base
	}
	return out
}
