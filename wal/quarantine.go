package wal

import (
	"fmt"
	"path/filepath"

	"github.com/flume-go/flume/internal/vfs"
)

const quarantineDir = "quarantine"

// reportDamage tells of a damaged part of a segment once, and keeps a copy of it. A copy that
// cannot be made is logged: there is nothing else to be done about it.
func (l *Log) reportDamage(s *scanner, from, to int64) {
	seg := s.seg
	if seg.told[from] {
		return
	}
	if seg.told == nil {
		seg.told = make(map[int64]bool)
	}
	seg.told[from] = true
	d := Damage{Segment: seg.path, From: from, To: to}
	name := fmt.Sprintf("segment-%08d-generation-%d-offset-%d.bad", seg.slot, seg.gen, from)
	path := filepath.Join(seg.dir, quarantineDir, name)
	if err := l.quarantine(s, path, from, to); err != nil {
		l.opts.Log.Error("keeping a copy of a damaged record failed", "segment", seg.path, "offset", from, "error", err)
	} else {
		d.Copy = path
	}
	l.told(d)
}

// quarantine copies [from, to) of a segment to the file path.
func (l *Log) quarantine(s *scanner, path string, from, to int64) error {
	bad, err := s.window(from, int(min(to-from, maxPayload)))
	if err != nil {
		return err
	}
	if err := vfs.MkdirAllSync(l.opts.FS, filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return vfs.ReplaceFile(l.opts.FS, path, bad, 0o644)
}

// told counts and logs damage.
func (l *Log) told(d Damage) {
	l.mu.Lock()
	l.damaged++
	l.mu.Unlock()
	l.opts.Log.Error("damaged record skipped: check the disk",
		"segment", d.Segment, "offset", d.From, "end", d.To, "copy", d.Copy)
	if l.opts.Hooks.Damaged != nil {
		l.opts.Hooks.Damaged(d)
	}
}
