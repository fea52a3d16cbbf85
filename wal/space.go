package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

// retryStart is how long after a segment could not be started it is tried again. Released
// segments are used at once.
const retryStart = time.Second

// makeRoom starts a segment for n more bytes. On a full disk that may be one whose events are all gone, once that is
// durable.
func (w *writer) makeRoom(n int64) error {
	err := w.advance(n)
	if errors.Is(err, ErrNoSpace) && w.recycle() {
		err = w.advance(n)
	}
	return err
}

// recycle makes the segments reusable now that have no events left, by a checkpoint that lists none of them. One of them
// may be the active one: where the disk has no space for another, it would otherwise be full for ever.
func (w *writer) recycle() bool {
	if w.active != nil && w.l.drained(w.active) {
		w.seal(w.active)
	}
	w.takeAcks()
	if w.l.countSettling() == 0 {
		return false
	}
	w.unsaved = true // the one that was sealed took what was acknowledged with it
	return w.saveAcks() == nil
}

// drained reports whether all events of a segment are gone.
func (l *Log) drained(s *segment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.live == 0 && s.pins == 0
}

// advance seals the active segment and starts another that has room for a record of n bytes.
func (w *writer) advance(n int64) error {
	w.flushEarly()
	if err := w.sync(); err != nil {
		w.abandon(err)
	}
	seg, err := w.obtain(n)
	if err != nil {
		return err
	}
	// From the moment that a successor may be on the disk, the old one takes nothing.
	switch {
	case w.active == nil:
	case w.active.failed != nil:
		w.abandon(w.active.failed)
	default:
		w.seal(w.active)
	}
	if err := w.start(seg); err != nil {
		err = errors.Join(err, seg.file.Close(), w.l.opts.FS.Remove(seg.path))
		w.refuse(fmt.Errorf("starting segment %s: %w", seg.path, err), 0)
		return w.why
	}
	w.active = seg
	w.saved()
	w.l.mu.Lock()
	w.l.segments = append(w.l.segments, seg)
	w.l.mu.Unlock()
	w.settle(w.l.countSettling())
	if len(w.l.opts.Dirs) > 1 {
		// So that recovery knows of the segment even if its directory is not there. Its events are safe without.
		snap := w.snapshot()
		if err := w.withoutPen(func() error { return w.l.saveCheckpoint(snap) }); err != nil {
			w.l.opts.Log.Warn("a new segment could not be entered in the checkpoint", "segment", seg.path, "error", err)
		}
	}
	return nil
}

// seal ends the life of a segment as one that takes records.
func (w *writer) seal(seg *segment) {
	if err := seg.file.Close(); err != nil {
		w.l.opts.Log.Warn("closing a segment failed", "segment", seg.path, "error", err)
	}
	seg.file, w.active = nil, nil
	if seg.synced < seg.written {
		w.unsaved = true // nobody will sync the acknowledgements at its end
	}
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	seg.sealed = true
	seg.end = max(seg.end, seg.synced)
	w.l.releaseIfEmpty(seg)
}

// obtain returns a segment with an open file and space for n bytes of records beside a
// snapshot: a free one, or a new one.
func (w *writer) obtain(n int64) (*segment, error) {
	w.l.mu.Lock()
	// Twice the snapshot's size: it grows while the segment is being made, if only by one entry.
	need := int64(segmentStart) + 2*recordSize(snapshotFixed+12+(len(w.l.segments)+1)*extentSize+16*(len(w.l.gone)+1)+w.l.originsSize()) + n
	seg := w.l.takeFree(need, w.l.opts.Dirs[w.dir])
	coming := w.l.coming
	w.l.mu.Unlock()
	if seg == nil && coming != nil {
		_ = w.withoutPen(func() error { <-coming; return nil })
		w.l.mu.Lock()
		seg = w.l.takeFree(need, w.l.opts.Dirs[w.dir])
		w.l.mu.Unlock()
	}
	size := max(w.l.opts.SegmentSize, align(need, vfs.SectorSize))
	if seg == nil && size >= w.refused && time.Now().Before(w.retry) {
		return nil, w.why
	}
	var err error
	if seg != nil {
		seg.file, err = w.l.opts.FS.OpenFile(seg.path, os.O_RDWR, 0o644)
	} else {
		seg, err = w.create(size)
		if errors.Is(err, ErrNoSpace) && w.l.dropFree(need) {
			seg, err = w.create(size)
		}
	}
	if err != nil {
		w.refuse(err, size)
		return nil, err
	}
	w.retry = time.Time{}
	w.dir = (w.dir + 1) % len(w.l.opts.Dirs)
	return seg, nil
}

// refuse has segments of this size and more refused for a while.
func (w *writer) refuse(why error, size int64) {
	w.why, w.refused, w.retry = why, size, time.Now().Add(retryStart)
}

// takeFree takes a free segment of enough bytes, in this directory if there is one. mu is held.
func (l *Log) takeFree(need int64, dir string) *segment {
	best := -1
	for i, s := range l.free {
		if s.size >= need && (best < 0 || s.dir == dir && l.free[best].dir != dir) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	s := l.free[best]
	l.free = slices.Delete(l.free, best, best+1)
	// A life of its own: the reader may still look at the former one.
	return &segment{dir: s.dir, path: s.path, slot: s.slot, size: s.size}
}

// create makes a file of zeros in the next directory that has space.
func (w *writer) create(size int64) (*segment, error) {
	var errs []error
	for i := range w.l.opts.Dirs {
		dir := w.l.opts.Dirs[(w.dir+i)%len(w.l.opts.Dirs)]
		w.slot++
		var seg *segment
		err := w.withoutPen(func() (err error) {
			seg, err = w.l.createIn(dir, w.slot, size)
			return err
		})
		if err == nil {
			return seg, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// createIn makes a file of zeros.
func (l *Log) createIn(dir string, slot uint32, size int64) (*segment, error) {
	fsys := l.opts.FS
	avail, err := vfs.DiskFree(fsys, dir)
	if err == nil && avail < uint64(size+l.opts.MinFree) {
		return nil, fmt.Errorf("%w in %s: %d bytes are free, %d are needed and %d kept for others; free some or acknowledge events",
			ErrNoSpace, dir, avail, size, l.opts.MinFree)
	}
	seg := &segment{dir: dir, slot: slot, path: filepath.Join(dir, segmentName(slot)), size: size}
	seg.file, err = fsys.OpenFile(seg.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("making segment %s: %w", seg.path, err)
	}
	if err = vfs.WriteZeros(seg.file, 0, size); err == nil {
		if err = seg.file.Sync(); err == nil {
			if err = fsys.SyncDir(dir); err == nil {
				return seg, nil
			}
		}
	}
	if vfs.IsNoSpace(err) {
		err = fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return nil, fmt.Errorf("making segment %s: %w", seg.path, errors.Join(err, seg.file.Close(), fsys.Remove(seg.path)))
}

// start gives a segment its next life: headers and a snapshot, durable.
func (w *writer) start(seg *segment) error {
	w.gen++
	snap := w.snapshot()
	w.l.mu.Lock()
	seg.events = Range{w.l.next, w.l.next}
	w.l.mu.Unlock()
	seg.id, seg.gen = w.l.id, w.gen
	var err error
	if seg.aead, err = w.l.keys.begin(seg); err != nil {
		return err
	}
	snap.gen, snap.pos = seg.gen, segmentStart
	payload := snap.encode()
	rec := newRecord(nil, len(payload))
	copy(rec[recordHeader:], payload)
	h := header{length: len(payload), payloadCRC: checksum(payload), kind: recordSnapshot}
	h.put(rec, seg.at(segmentStart))
	n, err := vfs.WritevAt(seg.file, [][]byte{encodeSegmentHeader(seg), rec}, 0)
	if err != nil {
		return err
	}
	if err := vfs.SyncData(seg.file); err != nil {
		return err
	}
	seg.written, seg.synced, seg.end = n, n, n
	return nil
}

// emptySegment reports whether the segment has nothing but its snapshot.
func (l *Log) emptySegment(s *segment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.events.Len() == 0
}

// markGone enters events as gone. mu is held.
func (l *Log) markGone(r Range) {
	first := l.indexFrom(r.From)
	i := first
	for ; i < len(l.segments) && l.segments[i].events.From < r.To; i++ {
		s := l.segments[i]
		if from, to := max(r.From, s.events.From), min(r.To, s.events.To); from < to {
			n := (to - from) - l.gone.count(Range{from, to})
			s.live -= n
			l.stored -= n
		}
	}
	l.gone.add(r)
	for i--; i >= first; i-- {
		l.releaseIfEmpty(l.segments[i])
	}
}

// indexFrom returns the index of the first segment in use with events numbered n or higher. mu is held.
func (l *Log) indexFrom(n uint64) int {
	return sort.Search(len(l.segments), func(i int) bool { return l.segments[i].events.To > n })
}

// releaseIfEmpty takes a sealed segment out of use when nothing in it is needed. mu is held.
func (l *Log) releaseIfEmpty(s *segment) {
	if !s.sealed || s.live > 0 || s.pins > 0 {
		return
	}
	i := slices.Index(l.segments, s)
	if i < 0 {
		return
	}
	if l.cursor.seg == s {
		l.cursor.seg = nil // the reader goes on with the first segment behind
	}
	l.segments = slices.Delete(l.segments, i, i+1)
	l.released = append(l.released, s)
}

// countSettling returns how many segments wait for acknowledgements to be durable. Only who leads takes some away.
func (l *Log) countSettling() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.settling)
}

// settle makes the first n of the segments reusable that waited for their acknowledgements to be durable, and removes what
// is more than is kept.
func (w *writer) settle(n int) {
	if surplus := w.l.keepFree(n); len(surplus) > 0 {
		_ = w.withoutPen(func() error { w.l.removeSegments(surplus); return nil })
	}
}

// keepFree moves the first n segments from those that are settling to the free ones, and returns those that are too many.
func (l *Log) keepFree(n int) (surplus []*segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.settling[:n] {
		if len(l.free) < l.opts.KeepFree && s.size == l.opts.SegmentSize {
			l.free = append(l.free, s)
		} else {
			surplus = append(surplus, s)
		}
	}
	l.settling = slices.Delete(l.settling, 0, n)
	return surplus
}

// removeSegments removes files that nothing refers to any more.
func (l *Log) removeSegments(list []*segment) {
	for _, s := range list {
		if err := l.opts.FS.Remove(s.path); err != nil {
			l.opts.Log.Warn("removing a segment that is not needed failed; it is taken up at the next start", "segment", s.path, "error", err)
		}
	}
}

// dropFree removes free segments of less than need bytes, to make space for a larger one; false if there are none.
func (l *Log) dropFree(need int64) bool {
	small := func(s *segment) bool { return s.size < need }
	l.mu.Lock()
	var drop []*segment
	for _, s := range l.free {
		if small(s) {
			drop = append(drop, s)
		}
	}
	l.free = slices.DeleteFunc(l.free, small)
	l.mu.Unlock()
	l.removeSegments(drop)
	return len(drop) > 0
}

// prepare makes one free segment if there is none, so that neither the first append nor a switch waits for zeros. It is
// done beside the writing; only the names are given by the leader.
func (l *Log) prepare() error {
	l.mu.Lock()
	enough := len(l.free)+len(l.released)+len(l.settling) > 0
	l.mu.Unlock()
	if enough {
		return nil
	}
	var dir string
	var slot uint32
	err := l.exclusive(func() error {
		l.writer.slot++
		dir, slot = l.opts.Dirs[l.writer.dir], l.writer.slot
		return nil
	})
	if err != nil {
		return err
	}
	l.prepareIn(dir, slot)
	return nil
}

// prepareIn makes one free segment. A switch meanwhile waits for it; after a failure it tries again, and tells.
func (l *Log) prepareIn(dir string, slot uint32) {
	coming := make(chan struct{})
	defer close(coming)
	l.mu.Lock()
	l.coming = coming
	l.mu.Unlock()
	seg, err := l.createIn(dir, slot, l.opts.SegmentSize)
	if err == nil {
		err = seg.file.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.coming = nil
	if err != nil {
		return
	}
	seg.file = nil
	l.free = append(l.free, seg)
}

// foresee asks, once in each segment's life, for one to switch to. Not at its beginning: most often the one before it is
// free a moment later, when the reader has had its last events.
func (w *writer) foresee() {
	if !w.active.foreseen && w.active.written >= w.active.size/8 {
		w.active.foreseen = true
		signal(w.l.kick)
	}
}
