package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// viewAttempts is how often a look at a log that somebody is writing is begun anew when it shows what
// no resting log shows.
const viewAttempts = 5

// view is a log looked at without changing it. What tools show comes from the same recovery that
// opening does, up to where that would begin to write.
type view struct {
	l      *Log
	r      *recovery
	damage []Damage
}

// openView surveys a log. The caller closes the view.
func openView(opts Options) (_ *view, err error) {
	opts, err = opts.withDefaults()
	if err != nil {
		return nil, err
	}
	opts.AllowMissing = true // it is reported
	var v *view
	for range viewAttempts {
		v = &view{l: newLog(opts)}
		if err = v.open(); err == nil && len(v.damage) == 0 && len(v.r.missing) == 0 || !opts.NoLock {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("looking at the log in %s: %w", opts.CheckpointDir, errors.Join(err, v.close()))
	}
	return v, nil
}

func (v *view) open() error {
	if !v.l.opts.NoLock {
		if err := v.lock(); err != nil {
			return err
		}
	}
	v.r = &recovery{l: v.l, told: v.tell, damaged: func(s *scanner, from, to int64) {
		v.tell(Damage{Segment: s.seg.path, From: from, To: to})
	}}
	return v.r.survey()
}

// lock locks the directories that have a lock; where there is none nobody can have the log open.
func (v *view) lock() error {
	for _, dir := range v.l.opts.directories() {
		name := filepath.Join(dir, lockName)
		if _, err := v.l.opts.FS.Stat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		lock, err := v.l.opts.FS.Lock(name)
		if err != nil {
			return fmt.Errorf("locking %s (look without locks if another process has the log open): %w", dir, err)
		}
		v.l.locks = append(v.l.locks, lock)
	}
	return nil
}

func (v *view) close() error { return v.l.release() }

func (v *view) tell(d Damage) { v.damage = append(v.damage, d) }

// state returns what a segment with a good header is for.
func (v *view) state(s *segment) SegmentState {
	switch {
	case s == v.r.files.good[len(v.r.files.good)-1] && slices.Contains(v.l.segments, s):
		return SegmentActive
	case s.live > 0:
		return SegmentStaged
	}
	return SegmentFree
}

// stale reports whether a segment has begun another life, or is gone, since the survey.
func (v *view) stale(s *segment) bool {
	if !v.l.opts.NoLock {
		return false
	}
	now := segment{path: s.path, slot: s.slot}
	state, err := readHead(v.l.opts.FS, &now)
	return errors.Is(err, fs.ErrNotExist) || err == nil && (state == headUnused || now.gen != s.gen)
}

// keyProblem returns what prevents reading a sealed segment; empty if nothing does.
func (v *view) keyProblem(s *segment) string {
	if _, err := v.l.keys.open(s); err != nil {
		return err.Error()
	}
	return ""
}

// quarantined lists the copies of damaged records.
func (v *view) quarantined() ([]QuarantineFile, error) {
	var list []QuarantineFile
	for _, dir := range v.l.opts.Dirs {
		dir = filepath.Join(dir, quarantineDir)
		entries, err := v.l.opts.FS.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				return nil, err
			}
			list = append(list, QuarantineFile{Path: filepath.Join(dir, e.Name()), Size: info.Size(), Time: info.ModTime()})
		}
	}
	return list, nil
}

// withScanner calls f with a scanner of the whole segment.
func (l *Log) withScanner(seg *segment, f func(*scanner) error) (err error) {
	file, err := l.opts.FS.OpenFile(seg.path, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("opening segment %s: %w", seg.path, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return f(&scanner{file: file, seg: seg, end: seg.size})
}
