package wal

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/flume-go/flume/internal/vfs"
)

// found is the segment files of a log as they are on the disk.
type found struct {
	good    []*segment // by generation
	oneBad  []*segment // good, but for one copy of the header
	unused  []*segment
	damaged []*segment
}

// findSegments reads the headers of all segment files.
func findSegments(opts Options) (*found, error) {
	files, err := listSegments(opts.FS, opts.Dirs)
	if err != nil {
		return nil, err
	}
	f := &found{}
	for _, s := range files {
		state, err := readHead(opts.FS, s)
		if opts.NoLock && errors.Is(err, fs.ErrNotExist) {
			continue // removed by the process that has the log
		}
		if err != nil {
			return nil, fmt.Errorf("reading the header of segment %s: %w", s.path, err)
		}
		switch state {
		case headUnused:
			f.unused = append(f.unused, s)
			continue
		case headDamaged:
			f.damaged = append(f.damaged, s)
			continue
		case headOneBad:
			f.oneBad = append(f.oneBad, s)
		case headGood:
		}
		s.sealed, s.end = true, segmentStart
		f.good = append(f.good, s)
	}
	slices.SortFunc(f.good, func(a, b *segment) int { return cmp.Compare(a.gen, b.gen) })
	for i := 1; i < len(f.good); i++ {
		if a, b := f.good[i-1], f.good[i]; a.gen == b.gen && a.id == b.id {
			return nil, fmt.Errorf("segments %s and %s are copies of each other: move one away", a.path, b.path)
		}
	}
	return f, nil
}

// identity returns the identity that all files agree on; ok is false if there is none yet.
func (f *found) identity(ckpt *snapshot) (id logID, ok bool, err error) {
	if ckpt != nil {
		id, ok = ckpt.id, true
	}
	for _, s := range f.good {
		if ok && s.id != id {
			return id, false, fmt.Errorf("segment %s belongs to another log than the checkpoint or the other segments: directories of two logs are mixed up", s.path)
		}
		id, ok = s.id, true
	}
	return id, ok, nil
}

// recovery rebuilds the state of a log. Until resume it changes nothing on the disk.
type recovery struct {
	l       *Log
	files   *found
	ckpt    *snapshot            // the checkpoint; nil if there is none
	ckptBad error                // why it is not usable
	base    *snapshot            // where replaying starts
	heads   map[uint64]*snapshot // what good segments begin with, by generation, as far as it was asked
	lost    []extent             // of base, without a file of the same life
	missing []MissingSegment     // those of them whose events were not gone
	from    int                  // index of the first replayed segment in files.good
	tail    tail                 // behind the end of the last segment

	damaged func(s *scanner, from, to int64) // told of a bad record
	told    func(Damage)                     // told of other damage
}

// recover brings the log to the state that its files tell of, and makes it ready for writing. known says that the sessions
// are all known.
func (l *Log) recover() (known bool, err error) {
	r := &recovery{l: l, damaged: l.reportDamage, told: l.told}
	if err := r.survey(); err != nil {
		return false, err
	}
	if err := l.checkKeys(); err != nil {
		return false, err
	}
	if err := r.resume(); err != nil {
		return false, err
	}
	return r.ckpt != nil, r.clean()
}

// survey finds out the state of the log.
func (r *recovery) survey() error {
	l := r.l
	var err error
	if r.files, err = findSegments(l.opts); err != nil {
		return err
	}
	ckpt, err := l.disk.read()
	switch {
	case errors.Is(err, errSnapshot):
		r.ckptBad = err
		l.opts.Log.Warn("the checkpoint is not usable; recovering by the snapshots in the segments", "error", err)
	case err != nil:
		return err
	case ckpt == nil && len(r.files.good) > 0:
		l.opts.Log.Warn("there is no checkpoint; recovering by the snapshots in the segments", "directory", l.opts.CheckpointDir)
	}
	id, known, err := r.files.identity(ckpt)
	if err != nil {
		return err
	}
	if !known {
		if _, err := rand.Read(id[:]); err != nil {
			return err
		}
	}
	l.id, r.ckpt = id, ckpt
	r.heads = make(map[uint64]*snapshot)
	for _, s := range r.files.oneBad {
		r.told(Damage{Segment: s.path, From: 0, To: segmentStart})
	}
	for _, step := range []func() error{r.choose, r.adopt, r.replay, r.account} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// checkKeys makes sure that what is stored can be read.
func (l *Log) checkKeys() error {
	for _, s := range l.segments {
		if s.live == 0 {
			continue
		}
		if _, err := l.keys.open(s); err != nil {
			return fmt.Errorf("%d stored events cannot be read: %w", s.live, err)
		}
	}
	return nil
}

// choose takes the newest snapshot.
func (r *recovery) choose() error {
	ckpt, good := r.ckpt, r.files.good
	for i := len(good) - 1; i >= 0 && (ckpt == nil || good[i].gen > ckpt.gen); i-- {
		s, err := r.head(good[i])
		if err != nil {
			return err
		}
		if s != nil {
			r.base = s
			break
		}
	}
	if ckpt != nil && (r.base == nil || ckpt.gen > r.base.gen) {
		r.base = ckpt
	}
	if r.base == nil {
		r.base = &snapshot{next: 1}
	}
	return nil
}

// head returns the snapshot that a segment begins with, nil if it is not good.
func (r *recovery) head(seg *segment) (snap *snapshot, err error) {
	if s, ok := r.heads[seg.gen]; ok {
		return s, nil
	}
	err = r.l.withScanner(seg, func(s *scanner) error {
		rec, ok, err := s.read(segmentStart)
		if err != nil || !ok || rec.kind != recordSnapshot {
			return err
		}
		if d, err := decodeSnapshot(rec.payload); err == nil && d.id == seg.id && d.gen == seg.gen {
			snap = d
		}
		return nil
	})
	r.heads[seg.gen] = snap
	return snap, err
}

// adopt takes the state of the base, and the segments that it lists.
func (r *recovery) adopt() error {
	l, w := r.l, &r.l.writer
	l.next = max(l.next, r.base.next)
	r.merge(r.base.gone)
	r.inherit(r.base)
	if r.base.gen > 0 {
		w.gen = r.base.gen - 1
	}
	for _, list := range [][]*segment{r.files.good, r.files.unused, r.files.damaged} {
		for _, s := range list {
			w.slot, w.gen = max(w.slot, s.slot), max(w.gen, s.gen)
		}
	}
	for _, e := range r.base.extents {
		w.slot, w.gen = max(w.slot, e.slot), max(w.gen, e.gen)
		s := ofGeneration(r.files.good, e.gen)
		if s == nil || s.slot != e.slot {
			r.lost = append(r.lost, e)
			continue
		}
		s.events, s.end, s.bytes, s.since = e.events, min(e.end, s.size), e.bytes, e.since
		if e.end-s.size >= recordAlign && e.events.Len() > r.l.gone.count(e.events) {
			// The file was cut off. Between two records there is no bad one that would tell. (Less than a record has is
			// missing of the last one, which tells itself; or only of what fills it up.)
			r.told(Damage{Segment: s.path, From: s.size, To: e.end})
		}
		if s.gen < r.base.gen {
			l.segments = append(l.segments, s)
		}
	}
	r.from = len(r.files.good)
	for i, s := range r.files.good {
		if s.gen >= r.base.gen {
			r.from = i
			break
		}
	}
	return nil
}

// ofGeneration returns the segment of a generation from a list sorted by them; nil if there is none.
func ofGeneration(list []*segment, gen uint64) *segment {
	i, ok := slices.BinarySearchFunc(list, gen, func(s *segment, gen uint64) int { return cmp.Compare(s.gen, gen) })
	if !ok {
		return nil
	}
	return list[i]
}

func (r *recovery) merge(gone []Range) {
	for _, g := range gone {
		r.l.gone.add(g)
		r.l.next = max(r.l.next, g.To)
	}
}

// inherit takes over what a snapshot says of sessions and origins. Of what was replayed before it, it knows better: a put may have
// failed though it is on the disk.
func (r *recovery) inherit(s *snapshot) {
	r.l.sessions, r.l.origins = s.sessions, nil
	for i := range s.origins {
		r.l.origins.add(&s.origins[i], uint64(i))
	}
}

// replay reads what came after the base.
func (r *recovery) replay() error {
	for i := r.from; i < len(r.files.good); i++ {
		s := r.files.good[i]
		pos := int64(segmentStart)
		if s.gen == r.base.gen {
			pos = max(pos, r.base.pos)
		}
		durable, err := r.durable(i)
		if err != nil {
			return err
		}
		r.l.next = max(r.l.next, s.events.From)
		if err := r.replaySegment(s, pos, durable); err != nil {
			return err
		}
		r.l.segments = append(r.l.segments, s)
	}
	return nil
}

// durable returns up to where snapshots say that segment i of the good ones was durable.
func (r *recovery) durable(i int) (int64, error) {
	s := r.files.good[i]
	end := r.base.endOf(s.gen)
	if s.gen == r.base.gen {
		end = max(end, r.base.pos)
	}
	if i+1 == len(r.files.good) {
		return end, nil
	}
	successor, err := r.head(r.files.good[i+1])
	if err != nil || successor == nil {
		return end, err
	}
	return max(end, successor.endOf(s.gen)), nil
}

// endOf returns the end of the segment of a generation, 0 if it is not listed.
func (s *snapshot) endOf(gen uint64) int64 {
	for _, e := range s.extents {
		if e.gen == gen {
			return e.end
		}
	}
	return 0
}

func (r *recovery) replaySegment(seg *segment, pos, durable int64) error {
	return r.l.withScanner(seg, func(s *scanner) error {
		end, behind, err := s.walk(pos, durable,
			func(rec record) error {
				r.apply(s, rec)
				return nil
			},
			func(from, to int64) error {
				r.damaged(s, from, to)
				return nil
			})
		if err != nil {
			return err
		}
		seg.end, r.tail = end, behind
		r.l.next = max(r.l.next, behind.next)
		return nil
	})
}

// apply enters a record in the books.
func (r *recovery) apply(s *scanner, rec record) {
	switch rec.kind {
	case recordPut:
		m, err := putMark(rec.payload)
		if err != nil {
			break
		}
		s.seg.addPut(rec)
		r.l.next = max(r.l.next, rec.events().To)
		if m != nil {
			r.l.origins.add(m, r.l.next)
		}
		return
	case recordAck:
		if gone, err := decodeAck(rec.payload); err == nil {
			r.merge(gone)
			return
		}
	case recordSnapshot:
		if snap, err := decodeSnapshot(rec.payload); err == nil {
			r.merge(snap.gone)
			r.inherit(snap)
			r.l.next = max(r.l.next, snap.next)
			return
		}
	}
	r.damaged(s, rec.pos, rec.pos+rec.size())
}

// addPut enters a put that was read.
func (s *segment) addPut(rec record) {
	at, bodies := putSummary(rec.payload, rec.count, s.sealing.overhead())
	if s.events.Len() == 0 {
		s.events.From, s.since = rec.first, at
	}
	s.events.To = max(s.events.To, rec.events().To)
	s.bytes += bodies
}

// account counts what is stored, and looks for the events of segments without a file.
func (r *recovery) account() error {
	l := r.l
	for _, s := range l.segments {
		s.live = s.events.Len() - l.gone.count(s.events)
		l.stored += s.live
	}
	for _, e := range r.lost {
		r.accountLost(e)
	}
	if !l.opts.AllowMissing {
		if err := r.refuseMissing(); err != nil {
			return err
		}
	}
	for _, m := range r.missing {
		l.opts.Log.Error("the events of a segment are lost", "segment", m.Name, "events", m.Events)
		l.gone.add(m.Numbers)
	}
	l.cursor.expect = l.gone[0].To
	l.cache.broken = len(l.segments) > 0
	for _, s := range r.files.damaged {
		r.told(Damage{Segment: s.path, From: 0, To: s.size})
	}
	return nil
}

// accountLost looks for the events of a segment that the base lists and that has no file of that life.
func (r *recovery) accountLost(e extent) {
	events := e.events.Len() - r.l.gone.count(e.events)
	// Records may have followed, unless the log was closed or was writing to a later segment.
	writing := e.gen == r.base.gen && r.from == len(r.files.good) && !r.base.closed
	if events == 0 && !writing {
		return // recycled after the base was written, or not needed any more
	}
	hasSlot := func(s *segment) bool { return s.slot == e.slot }
	if i := slices.IndexFunc(r.files.unused, hasSlot); i >= 0 {
		// Its header was overwritten with zeros. What is behind may be of use to somebody.
		r.files.damaged = append(r.files.damaged, r.files.unused[i])
		r.files.unused = slices.Delete(r.files.unused, i, i+1)
	}
	r.missing = append(r.missing, MissingSegment{
		Name: segmentName(e.slot), Numbers: e.events, Events: int(events), Writing: writing,
		Present: slices.ContainsFunc(r.files.damaged, hasSlot) || slices.ContainsFunc(r.files.good, hasSlot),
	})
}

// refuseMissing returns an error that names segments whose files are not there at all. It is more often
// a disk that is not mounted than a loss.
func (r *recovery) refuseMissing() error {
	var names []string
	events, writing := 0, false
	for _, m := range r.missing {
		if !m.Present {
			names = append(names, m.Name)
			events += m.Events
			writing = writing || m.Writing
		}
	}
	if len(names) == 0 {
		return nil
	}
	more := ""
	if writing {
		more = " and perhaps more, as the log was not closed"
	}
	return fmt.Errorf("%d segment files with %d events%s are in none of the data directories %v: %s; "+
		"mount or list their directory, or allow missing segments to go on without these events",
		len(names), events, more, r.l.opts.Dirs, strings.Join(names[:min(len(names), 8)], ", "))
}

// resume makes durable what was replayed, and goes on in the last segment if that is sound.
func (r *recovery) resume() error {
	l := r.l
	for i := r.from; i < len(r.files.good); i++ {
		s := r.files.good[i]
		f, err := l.opts.FS.OpenFile(s.path, os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("opening segment %s: %w", s.path, err)
		}
		if err := vfs.SyncData(f); err != nil {
			return fmt.Errorf("syncing segment %s: %w", s.path, errors.Join(err, f.Close()))
		}
		last := i == len(r.files.good)-1
		if last && !r.tail.any && s.gen == l.writer.gen && s.end > segmentStart && s.end < s.size && s.sealing.alias == l.keys.active() {
			// A key that has changed is told by checkKeys if it matters; otherwise a new segment will do.
			if aead, err := l.keys.open(s); err == nil {
				s.sealed, s.file, s.aead, s.written, s.synced = false, f, aead, s.end, s.end
				l.writer.active = s
				continue
			}
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// clean sorts out what is free. Nothing of it is reused before a checkpoint has been written.
func (r *recovery) clean() error {
	l := r.l
	for _, s := range r.files.good[:r.from] {
		if ofGeneration(l.segments, s.gen) == nil {
			l.released = append(l.released, s)
		}
	}
	for i := len(l.segments) - 1; i >= 0; i-- {
		l.releaseIfEmpty(l.segments[i])
	}
	l.settling, l.released = append(l.settling, l.released...), nil
	for _, s := range r.files.unused {
		if err := l.opts.FS.Remove(s.path); err != nil {
			return fmt.Errorf("removing the unfinished segment %s: %w", s.path, err)
		}
	}
	return nil
}
