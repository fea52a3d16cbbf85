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

	acks    rangeSet   // of the group
	chunk   []*request // puts of the group that are not written yet
	bufs    [][]byte
	ackRec  []byte    // acknowledgement record to be written with the chunk
	ackSize int       // its payload
	unsaved bool      // acknowledgements are in the books, but not yet in a segment or checkpoint
	retry   time.Time // after a segment could not be started: not before
	why     error     // and why not
}

// commit writes a group of puts and acknowledgements and enters in each how it ended.
func (w *writer) commit(group []*request) {
	w.applyAcks(group)
	var stuck error
	for _, r := range group {
		if !r.isPut() {
			continue
		}
		if w.fits(int64(len(r.record)), w.l.opts.AckReserve) {
			w.chunk = append(w.chunk, r)
			continue
		}
		w.flush()
		if stuck == nil {
			stuck = w.advance(int64(len(r.record)))
		}
		if r.err = stuck; stuck == nil {
			w.chunk = append(w.chunk, r)
		}
	}
	w.flush()
	if err := w.saveAcks(); err != nil {
		for _, r := range group {
			if len(r.acks) > 0 {
				r.err = err
			}
		}
	}
	w.acks = w.acks[:0]
}

// fits reports whether n more bytes go into the active segment and leave the reserve.
func (w *writer) fits(n, reserve int64) bool {
	if w.active == nil {
		return false
	}
	used := w.active.written + int64(len(w.ackRec))
	for _, r := range w.chunk {
		used += int64(len(r.record))
	}
	return used+n+reserve <= w.active.size || used == w.active.written && w.l.emptySegment(w.active) && used+n <= w.active.size
}

// applyAcks merges the acknowledgements of the group, enters them in the books, and makes the record.
func (w *writer) applyAcks(group []*request) {
	for _, r := range group {
		for _, a := range r.acks {
			w.acks.add(a)
		}
	}
	if len(w.acks) == 0 {
		return
	}
	w.l.mu.Lock()
	for _, a := range w.acks {
		w.l.markGone(a)
	}
	w.l.mu.Unlock()
	w.unsaved = true
	if size := recordSize(4 + 16*len(w.acks)); w.fits(size, 0) {
		w.ackRec, w.ackSize = encodeAck(w.acks)
		return
	}
	// The snapshot at the head of another segment has them as well.
	if err := w.advance(0); err != nil {
		w.l.opts.Log.Debug("acknowledgements go to the checkpoint", "error", err)
	}
}

// saveAcks makes acknowledgements durable that are in no segment.
func (w *writer) saveAcks() error {
	if !w.unsaved {
		return nil
	}
	if err := w.l.saveCheckpoint(w.snapshot()); err != nil {
		return err
	}
	w.unsaved = false
	w.l.settleReleased()
	return nil
}

// flush writes the chunk and the acknowledgement record, and syncs if any of them asks for it. If that
// fails the segment is dead, and another is started.
func (w *writer) flush() {
	chunk := w.chunk
	w.chunk = w.chunk[:0]
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
		w.unsaved = w.unsaved && !hasAcks
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
	add := func(record []byte, h header) {
		h.synced = w.active.synced
		h.put(record, w.active.at(pos))
		w.bufs = append(w.bufs, record)
		pos += int64(len(record))
	}
	if rec := w.ackRec; rec != nil {
		add(rec, header{length: w.ackSize, kind: recordAck, payloadCRC: checksum(rec[recordHeader : recordHeader+w.ackSize])})
	}
	for _, r := range chunk {
		add(r.record, header{length: r.payload, kind: recordPut, payloadCRC: r.crc, first: first, count: r.events()})
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
	if w.active == nil || w.active.synced == w.active.written {
		return nil
	}
	start := time.Now()
	if err := vfs.SyncData(w.active.file); err != nil {
		return err
	}
	w.active.synced = w.active.written
	if w.l.opts.Hooks.Synced != nil {
		w.l.opts.Hooks.Synced(time.Since(start))
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

// syncDirty is sync for the background: a failure leads to another segment.
func (w *writer) syncDirty() error {
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
		seg.bytes += r.bytes
		pos += int64(len(r.record))
		l.cache.push(r, seg, pos, l.opts.CacheBytes)
	}
	seg.end = seg.written
	l.wakeReaders()
}

// wakeReaders wakes all who wait for events. mu is held.
func (l *Log) wakeReaders() {
	close(l.wake)
	l.wake = make(chan struct{})
}
