package wal

import (
	"errors"
	"fmt"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

// writer writes groups. It belongs to whoever leads the commit queue.
type writer struct {
	l       *Log
	active  *segment // takes records; nil after it died, until another could be started
	gen     uint64   // the highest that was ever given
	slot    uint32   // likewise
	dir     int      // the next new segment goes there
	ordinal uint64   // of the latest snapshot taken

	group   []*request
	chunk   []*request // puts of the group that are not written yet
	size    int64      // of the chunk and the acknowledgement record
	bufs    [][]byte
	acks    rangeSet // in the books, and not yet written
	ackRec  []byte   // acknowledgement record to be written with the chunk; nil for none
	ackBuf  []byte   // its memory
	ackSize int      // its payload
	unsaved bool     // acknowledgements are in the books, but not yet in a segment or checkpoint
	bound   sealedWith
	retry   time.Time // after a segment could not be started: not before
	why     error     // and why not
}

// commit writes a group and what was acknowledged before it, and enters in each request how it ended.
func (w *writer) commit(group []*request) error {
	w.takeAcks()
	var stuck error
	for _, r := range group {
		if r.record == nil {
			continue
		}
		n := int64(len(r.record))
		if !w.fits(n, w.l.opts.AckReserve) {
			w.flush()
			if stuck == nil {
				stuck = w.makeRoom(n)
			}
			if r.err = stuck; stuck != nil {
				continue
			}
		}
		w.chunk = append(w.chunk, r)
		w.size += n
	}
	w.flush()
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

// makeRoom starts a segment for n more bytes. On a full disk the one to take may be one that was
// emptied just now, once that is durable.
func (w *writer) makeRoom(n int64) error {
	err := w.advance(n)
	if errors.Is(err, ErrNoSpace) && w.unsaved && w.saveAcks() == nil {
		err = w.advance(n)
	}
	return err
}

// fits reports whether n more bytes go into the active segment and leave the reserve.
func (w *writer) fits(n, reserve int64) bool {
	if w.active == nil {
		return false
	}
	used := w.active.written + w.size
	return used+n+reserve <= w.active.size || w.size == 0 && w.l.emptySegment(w.active) && used+n <= w.active.size
}

// takeAcks makes the record of what was acknowledged since the last group. Segments emptied by it become
// reusable with the next sync.
func (w *writer) takeAcks() {
	l := w.l
	l.mu.Lock()
	for _, a := range l.acked {
		w.acks.add(a)
	}
	if len(l.acked) > 0 {
		l.takes++
	}
	l.acked = l.acked[:0]
	l.settling = append(l.settling, l.released...)
	l.released = l.released[:0]
	l.mu.Unlock()
	if len(w.acks) == 0 {
		return
	}
	w.unsaved = true
	if size := recordSize(4 + 16*len(w.acks)); w.fits(size, 0) {
		w.ackRec, w.ackSize = encodeAck(w.ackBuf, w.acks)
		w.ackBuf = w.ackRec
		w.size = size
		return
	}
	// The snapshot at the head of another segment has them as well.
	if err := w.advance(0); err != nil {
		l.opts.Log.Debug("acknowledgements go to the checkpoint", "error", err)
	}
}

// saved says that all acknowledgements taken so far are written.
func (w *writer) saved() {
	w.unsaved = false
	w.acks = w.acks[:0]
}

// saveAcks makes acknowledgements durable that are in no segment.
func (w *writer) saveAcks() error {
	if !w.unsaved {
		return nil
	}
	if err := w.l.saveCheckpoint(w.snapshot()); err != nil {
		return err
	}
	w.saved()
	w.l.settleReleased()
	return nil
}

// flush writes the chunk and the acknowledgement record, and syncs if any of them asks for it. If that
// fails the segment is dead, and another is started.
func (w *writer) flush() {
	chunk := w.chunk
	w.chunk, w.size = w.chunk[:0], 0
	if len(chunk) == 0 && w.ackRec == nil {
		return
	}
	first := w.number(chunk)
	w.fill(chunk, first)
	needSync := len(chunk) > 0 && w.l.opts.Sync == SyncAlways || w.ackRec != nil && w.l.opts.SyncAcks
	hasAcks := w.ackRec != nil
	n, err := vfs.WritevAt(w.active.file, w.bufs, w.active.written)
	clear(w.bufs)
	w.ackRec = nil
	if err == nil {
		w.active.written += n
		if hasAcks {
			w.saved()
		}
		if needSync {
			err = w.sync()
		}
	}
	if err == nil {
		w.l.publish(w.active, chunk)
		return
	}
	w.abandon(chunk, err)
	w.unsaved = true // the snapshot of the next segment, or a checkpoint, has what this write held
	if err := w.advance(0); err != nil {
		w.l.opts.Log.Error("starting another segment failed; appends fail until one can be started", "error", err)
	}
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
		h := header{length: w.ackSize, kind: recordAck, synced: w.active.synced, payloadCRC: checksum(rec[recordHeader : recordHeader+w.ackSize])}
		h.put(rec, w.active.at(pos))
		w.bufs = append(w.bufs, rec)
		pos += int64(len(rec))
	}
	for _, r := range chunk {
		h := header{length: r.payload, kind: recordPut, synced: w.active.synced, payloadCRC: r.crc, first: first, count: r.events()}
		if w.active.aead != nil {
			payload := r.record[recordHeader : recordHeader+r.payload]
			sealPut(w.active.aead, w.active.at(pos), &h, payload, &w.bound)
			h.payloadCRC = checksum(payload)
		}
		h.put(r.record, w.active.at(pos))
		w.bufs = append(w.bufs, r.record)
		pos += int64(len(r.record))
		first += uint64(r.events())
	}
}

// abandon gives up the active segment and fails the chunk. The numbers stay used: see the README.
func (w *writer) abandon(chunk []*request, err error) {
	seg := w.active
	w.l.opts.Log.Error("a segment of the log cannot be written any more; starting another", "segment", seg.path, "error", err)
	if w.l.opts.Hooks.SegmentDied != nil {
		w.l.opts.Hooks.SegmentDied(err)
	}
	for _, r := range chunk {
		r.err = fmt.Errorf("writing to segment %s: %w", seg.path, err)
	}
	w.seal(seg)
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	for _, r := range chunk {
		w.l.gone.add(Range{r.first, r.first + uint64(r.events())})
	}
}

// sync makes what was written durable.
func (w *writer) sync() error {
	if w.active == nil {
		return nil
	}
	if w.active.synced < w.active.written {
		start := time.Now()
		if err := vfs.SyncData(w.active.file); err != nil {
			return err
		}
		w.active.synced = w.active.written
		if w.l.opts.Hooks.Synced != nil {
			w.l.opts.Hooks.Synced(time.Since(start))
		}
	}
	if !w.unsaved {
		w.l.settleReleased()
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
		w.abandon(nil, err)
		w.unsaved = true
		if startErr := w.advance(0); startErr != nil {
			return errors.Join(err, startErr, w.saveAcks())
		}
	}
	return w.saveAcks()
}

// publish enters a written chunk in the books and wakes the reader.
func (l *Log) publish(seg *segment, chunk []*request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(chunk) == 0 {
		return
	}
	if seg.events.Len() == 0 {
		seg.events.From, seg.since = chunk[0].first, chunk[0].at
	}
	pos := seg.written
	for _, r := range chunk {
		pos -= int64(len(r.record))
	}
	for _, r := range chunk {
		n := uint64(r.events())
		seg.events.To = r.first + n
		seg.live += n
		l.stored += n
		seg.bytes += r.bytes
		pos += int64(len(r.record))
		l.cache.push(r, seg, pos, l.opts.CacheBytes)
	}
	seg.end = seg.written
	l.wakeReaders()
}

// wakeReaders wakes all who wait for events. mu is held.
func (l *Log) wakeReaders() {
	if l.wake != nil {
		close(l.wake)
		l.wake = nil
	}
}
