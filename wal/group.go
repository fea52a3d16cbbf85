package wal

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

// writer writes groups, and acknowledgements between them. Most of it belongs to whoever leads the commit queue.
type writer struct {
	l       *Log
	gen     uint64 // the highest that was ever given
	slot    uint32 // likewise
	dir     int    // the next new segment goes there
	ordinal uint64 // of the latest snapshot taken

	early []*request // puts of the group that were written ahead, and not yet published
	chunk []*request // puts of the group that are not written yet
	size  int64      // of the chunk and the acknowledgement record
	bufs  [][]byte
	bound sealedWith

	retry   time.Time // after a segment could not be started: not before
	refused int64     // nor one of this size or more
	why     error     // and why not

	// pen is for writing at the end of the active segment, and guards what follows. Whoever leads has it, and puts it
	// down while the disk works: see withoutPen.
	pen     sync.Mutex
	active  *segment // takes records; nil after it died, until another could be started; only who leads changes it
	acks    rangeSet // in the books, and not yet written
	ackRec  []byte   // acknowledgement record to be written with the chunk; nil for none
	ackBuf  []byte   // its memory
	unsaved bool     // acknowledgements are in the books, but not yet in a segment that will be synced, or a checkpoint
	ahead   bool     // whoever leads waits for a sync of the active segment, after its last write: see writeAhead
}

// withoutPen puts the pen down while f has the disk work. What others write meanwhile are acknowledgements, and large puts while ahead says so.
func (w *writer) withoutPen(f func() error) error {
	w.pen.Unlock()
	defer w.pen.Lock()
	return f()
}

// commit writes a group and what was acknowledged before it, and enters in each request how it ended.
func (w *writer) commit(group []*request) error {
	w.placeAcks()
	var stuck error
	for _, r := range group {
		if r.batch == nil || r.early {
			continue
		}
		n := r.put.size
		// More than once if acknowledgements have filled the new segment meanwhile.
		for stuck == nil && !w.fits(n, w.l.opts.AckReserve) {
			w.flush(false)
			stuck = w.makeRoom(n)
		}
		if stuck != nil && !w.fits(n, w.l.opts.AckReserve) {
			r.err = stuck
			continue
		}
		w.chunk = append(w.chunk, r)
		w.size += n
	}
	w.flush(len(group) > 0) // without one it is a task, which syncs and takes a snapshot behind it
	err := w.saveAcks()
	if err != nil {
		for _, r := range group {
			if r.acks {
				r.err = err
			}
		}
	}
	return err
}

// placeAcks makes the record of what was acknowledged since the last group.
func (w *writer) placeAcks() {
	w.takeAcks()
	if len(w.acks) == 0 {
		return
	}
	if w.ackRec = w.ackRecord(); w.ackRec != nil {
		w.size = int64(len(w.ackRec))
		return
	}
	// The snapshot at the head of another segment has them as well.
	if err := w.advance(0); err != nil {
		w.l.opts.Log.Debug("acknowledgements go to the checkpoint", "error", err)
	}
}

// fits reports whether n more bytes go into the active segment and leave the reserve.
func (w *writer) fits(n, reserve int64) bool {
	if w.active == nil || w.active.failed != nil {
		return false
	}
	used := w.active.written + w.size
	return used+n+reserve <= w.active.size || w.size == 0 && w.l.emptySegment(w.active) && used+n <= w.active.size
}

// flush writes the chunk and the acknowledgement record, syncs if any of them asks for it, and publishes them and what was
// written ahead of them. If that fails the segment is dead, and another is started. last says that nothing
// else is written before the next group.
func (w *writer) flush(last bool) {
	early, chunk := slices.DeleteFunc(w.early, func(r *request) bool { return r.err != nil }), w.chunk
	w.early, w.chunk, w.size = w.early[:0], w.chunk[:0], 0
	if len(early) == 0 && len(chunk) == 0 && w.ackRec == nil {
		return
	}
	needSync := len(early) > 0 || len(chunk) > 0 && w.l.opts.Sync == SyncAlways || w.ackRec != nil && w.l.opts.SyncAcks
	seg, err := w.active, error(nil)
	if len(chunk) > 0 || w.ackRec != nil {
		err = w.write(chunk)
	}
	if err == nil && needSync {
		err = w.syncGroup(last)
	}
	if err == nil {
		w.l.publish(seg, early)
		w.l.publish(seg, chunk)
		return
	}
	w.abandon(err, early, chunk, w.l.lateEarly())
	w.unsaved = true // the snapshot of the next segment, or a checkpoint, has what this write held
	if err := w.advance(0); err != nil {
		w.l.opts.Log.Error("starting another segment failed; appends fail until one can be started", "error", err)
	}
}

// write writes the acknowledgement record and the chunk at the end of the active segment.
func (w *writer) write(chunk []*request) error {
	w.fill(chunk, w.number(chunk))
	saves := w.ackRec != nil
	w.ackRec = nil
	n, err := vfs.WritevAt(w.active.file, w.bufs, w.active.written)
	clear(w.bufs)
	if err != nil {
		return err
	}
	w.active.written += n
	w.foresee()
	if saves {
		w.saved()
	}
	return nil
}

// number gives the events of the chunk their numbers and returns the first.
func (w *writer) number(chunk []*request) uint64 {
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	first := w.l.next
	for _, r := range chunk {
		r.first = w.l.next
		w.l.next += uint64(r.events())
	}
	return first
}

// fill completes the records of the chunk for their places.
func (w *writer) fill(chunk []*request, first uint64) {
	w.bufs = w.bufs[:0]
	pos := w.active.written
	if rec := w.ackRec; rec != nil {
		w.bufs = append(w.bufs, rec)
		pos += int64(len(rec))
	}
	for _, r := range chunk {
		h := header{length: r.put.payload, kind: recordPut, synced: w.active.synced, payloadCRC: r.put.crc, first: first, count: r.events()}
		if w.active.aead != nil {
			payload := r.put.sealable()
			sealPut(w.active.aead, w.active.at(pos), &h, payload, &w.bound)
			h.payloadCRC = checksum(payload)
		}
		h.put(r.put.head, w.active.at(pos))
		w.bufs = r.put.appendTo(w.bufs)
		pos += r.put.size
		r.end = pos
		first += uint64(r.events())
	}
}

// abandon gives up the active segment and fails what was to be stored in it. The numbers stay used: see the README.
func (w *writer) abandon(err error, puts ...[]*request) {
	seg := w.active
	w.l.opts.Log.Error("a segment of the log cannot be written any more; starting another", "segment", seg.path, "error", err)
	if w.l.opts.Hooks.SegmentDied != nil {
		w.l.opts.Hooks.SegmentDied(err)
	}
	w.seal(seg)
	for _, list := range puts {
		w.l.fail(list, seg, err)
	}
}

// fail says that puts are not in a segment, though they have numbers.
func (l *Log) fail(puts []*request, seg *segment, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range puts {
		r.err = fmt.Errorf("writing to segment %s: %w", seg.path, err)
		l.gone.add(Range{r.first, r.first + uint64(r.events())})
	}
}

// sync makes durable what is written when it begins. The pen is down meanwhile.
func (w *writer) sync() error {
	seg := w.active
	if seg == nil {
		return nil
	}
	written, settled := seg.written, 0
	if !w.unsaved {
		settled = w.l.countSettling()
	}
	if seg.synced < written {
		if err := w.withoutPen(func() error { return w.l.syncSegment(seg.file) }); err != nil {
			return err
		}
		seg.synced = written
	}
	w.settle(settled)
	return nil
}

// syncSegment syncs the active segment's file.
func (l *Log) syncSegment(f vfs.File) error {
	start := time.Now()
	if err := vfs.SyncData(f); err != nil {
		return err
	}
	if l.opts.Hooks.Synced != nil {
		l.opts.Hooks.Synced(time.Since(start))
	}
	return nil
}

// close closes the active segment's file.
func (w *writer) close() error {
	if w.active == nil {
		return nil
	}
	f := w.active.file
	w.active = nil
	return f.Close()
}

// syncDirty writes what was acknowledged and syncs, for the background: a failure leads to another segment.
func (w *writer) syncDirty() error {
	if err := w.commit(nil); err != nil {
		return err
	}
	if err := w.sync(); err != nil {
		w.abandon(err)
		w.unsaved = true
		if startErr := w.advance(0); startErr != nil {
			return errors.Join(err, startErr, w.saveAcks())
		}
	}
	return w.saveAcks()
}

// publish enters puts that were written one behind the other, with nothing but acknowledgements between them, in the books and wakes
// the reader.
func (l *Log) publish(seg *segment, puts []*request) {
	if len(puts) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if seg.events.Len() == 0 {
		seg.events.From, seg.since = puts[0].first, puts[0].at
	}
	for _, r := range puts {
		n := uint64(r.events())
		seg.events.To = r.first + n
		seg.live += n
		l.stored += n
		seg.bytes += int64(r.put.volume)
		seg.end = r.end
		l.cache.push(r, seg, r.end, l.opts.CacheBytes)
		if r.mark != nil {
			l.origins.add(r.mark, l.next)
		}
	}
	l.changes++
	l.wakeReaders()
}

// wakeReaders wakes all who wait for events. mu is held.
func (l *Log) wakeReaders() {
	if l.wake != nil {
		close(l.wake)
		l.wake = nil
	}
}
