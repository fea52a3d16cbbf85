package wal

import (
	"context"
	"fmt"
)

// Ack says that these events are gone for good; they need not have been read together or first. Once it returns nil the
// system has that in its files: a process that is killed then, or ends in any other way, finds the events gone. They are durable
// with the next sync, within SyncDelay at most; with SyncAcks Ack returns after it. Otherwise it waits for no sync of
// appends, only for a segment that is being started, and for a checkpoint where the disk is full or failing. After an
// error the events are not read again in this life of the log, but may be in the next.
func (l *Log) Ack(ranges ...Range) error {
	l.mu.Lock()
	err := l.acknowledge(ranges)
	l.mu.Unlock()
	if err != nil {
		return fmt.Errorf("acknowledging events: %w", err)
	}
	if !l.opts.SyncAcks && l.writer.note() {
		return nil
	}
	r := requests.Get().(*request)
	defer r.recycle()
	r.acks = true
	if err := l.submit(context.Background(), r); err != nil {
		return fmt.Errorf("acknowledging %d ranges of events: %w", len(ranges), err)
	}
	return nil
}

// acknowledge enters ranges in the books, and keeps them for whoever writes next. mu is held.
func (l *Log) acknowledge(ranges []Range) error {
	if l.closed {
		return ErrClosed
	}
	for _, r := range ranges {
		if r.From >= r.To || r.From == 0 || r.To > l.next {
			return fmt.Errorf("events %v are not in the log, which has events 1 to %d", r, l.next-1)
		}
	}
	for _, r := range ranges {
		l.markGone(r)
		l.acked.add(r)
	}
	l.changes++
	return nil
}

// note writes what was acknowledged at the end of the active segment, without a sync. It takes the pen, which whoever leads
// has put down while the disk works, so that no acknowledgement waits for a sync; those who wait for the pen together are served
// by the first of them. False says that it cannot be written there: whoever leads next sees to it.
func (w *writer) note() bool {
	w.pen.Lock()
	defer w.pen.Unlock()
	if w.unsaved {
		return false
	}
	w.takeAcks()
	if !w.unsaved {
		return true // another has written it
	}
	rec := w.ackRecord()
	if rec == nil {
		return false
	}
	if _, err := w.active.file.WriteAt(rec, w.active.written); err != nil {
		w.active.failed = err
		return false
	}
	w.active.written += int64(len(rec))
	w.saved()
	return true
}

// takeAcks takes over what was acknowledged. Segments emptied by it become reusable once it is durable. The pen is held.
func (w *writer) takeAcks() {
	l := w.l
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.acked {
		w.acks.add(a)
		w.unsaved = true
	}
	l.acked = l.acked[:0]
	l.settling = append(l.settling, l.released...)
	clear(l.released)
	l.released = l.released[:0]
}

// ackRecord returns the record of the acknowledgements for the end of the active segment; nil if that does not take it. The
// pen is held until it is written.
func (w *writer) ackRecord() []byte {
	seg := w.active
	if seg == nil || seg.failed != nil || seg.written+recordSize(ackSize(w.acks)) > seg.size {
		return nil
	}
	rec, n := encodeAck(w.ackBuf, w.acks)
	w.ackBuf = rec
	h := header{length: n, kind: recordAck, synced: seg.synced, payloadCRC: checksum(rec[recordHeader : recordHeader+n])}
	h.put(rec, seg.at(seg.written))
	return rec
}

// saved says that all acknowledgements taken so far are written. The pen is held.
func (w *writer) saved() {
	w.unsaved = false
	w.acks = w.acks[:0]
}

// saveAcks makes acknowledgements durable that are in no segment.
func (w *writer) saveAcks() error {
	if !w.unsaved {
		return nil
	}
	snap, settled := w.snapshot(), w.l.countSettling()
	// Until it is written nobody notes anything, as unsaved says.
	if err := w.withoutPen(func() error { return w.l.saveCheckpoint(snap) }); err != nil {
		return err
	}
	w.saved()
	w.settle(settled)
	return nil
}
