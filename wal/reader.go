package wal

import (
	"context"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/flume-go/flume/event"
)

// Entry is a run of events from the log. Whoever reads it owns one reference of the batch.
type Entry struct {
	Batch  *event.Batch // read-only
	Events Range        // their numbers, for Ack
	At     time.Time    // when they were appended

	Session SessionID // in which they got their numbers; the zero value if that is not known
}

// cursor is the position of the reader. Log.mu guards it.
type cursor struct {
	seg    *segment // nil: the first segment with events from expect on
	pos    int64    // in seg
	expect uint64   // number of the next event
	batch  *event.Batch
	first  uint64 // number of the first event of batch
	at     int64
}

// drop releases the batch being cut up.
func (c *cursor) drop() {
	if c.batch != nil {
		c.batch.Release()
		c.batch = nil
	}
}

// reader reads segments. Log.readMu guards it.
type reader struct {
	l *Log
	scanner
}

func (r *reader) close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.scanner = scanner{}
	return err
}

// Read waits for the next event, or the end of ctx, and returns it with those that were appended
// with it, at most limit. Events come in the order in which they were appended, each once between
// Open and Close, except those that are gone.
func (l *Log) Read(ctx context.Context, limit int) (Entry, error) {
	for {
		e, ok, err := l.TryRead(limit)
		if ok || err != nil {
			return e, err
		}
		l.mu.Lock()
		if l.wake == nil {
			l.wake = make(chan struct{})
		}
		wake := l.wake
		l.mu.Unlock()
		// What came between is not waited for.
		if e, ok, err = l.TryRead(limit); ok || err != nil {
			return e, err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return Entry{}, fmt.Errorf("reading from the log: %w", ctx.Err())
		}
	}
}

// TryRead is Read without waiting; false if there is nothing to read.
func (l *Log) TryRead(limit int) (Entry, bool, error) {
	if limit < 1 {
		return Entry{}, false, fmt.Errorf("reading %d events: ask for at least one", limit)
	}
	l.readMu.Lock()
	defer l.readMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.closed {
			return Entry{}, false, ErrClosed
		}
		if e, ok := l.cut(limit); ok {
			return e, true, nil
		}
		if l.fromCache() {
			continue
		}
		seg, pos, end := l.position()
		if seg == nil {
			l.cache.broken = false // the reader is at the end: what comes next may be kept
			return Entry{}, false, nil
		}
		if err := l.readNext(seg, pos, end); err != nil {
			return Entry{}, false, err
		}
	}
}

// readNext has the reader read the next put of seg. mu is held, but not meanwhile.
func (l *Log) readNext(seg *segment, pos, end int64) error {
	seg.pins++
	l.mu.Unlock()
	err := l.reader.next(seg, pos, end)
	l.mu.Lock()
	seg.pins--
	l.releaseIfEmpty(seg)
	return err
}

// cut returns the next run of events of the batch at the cursor that are not gone. mu is held.
func (l *Log) cut(limit int) (Entry, bool) {
	c := &l.cursor
	if c.batch == nil {
		return Entry{}, false
	}
	all := Range{c.first, c.first + uint64(c.batch.Len())}
	run := l.gone.gap(Range{max(c.expect, all.From), all.To})
	if run.Len() == 0 {
		c.expect = max(c.expect, all.To)
		c.drop()
		return Entry{}, false
	}
	run.To = min(run.To, run.From+uint64(limit))
	c.expect = run.To
	e := Entry{Events: run, At: time.Unix(0, c.at), Session: l.sessionOf(run.From)}
	if run == all {
		e.Batch = c.batch.Retain()
	} else {
		e.Batch = c.batch.View(int(run.From-all.From), int(run.To-all.From))
	}
	if run.To == all.To {
		c.drop()
	}
	return e, true
}

// fromCache moves the cursor to the next batch in memory. mu is held.
func (l *Log) fromCache() bool {
	e, ok := l.cache.pop(l.cursor.expect)
	if !ok {
		return false
	}
	c := &l.cursor
	c.batch, c.first, c.at = e.batch, e.first, e.at
	c.seg, c.pos = e.seg, e.end
	return true
}

// position returns what to read from the disk; nil if everything has been read. mu is held.
func (l *Log) position() (seg *segment, pos, end int64) {
	c := &l.cursor
	for {
		if c.seg == nil {
			c.seg, c.pos = l.segmentFrom(c.expect), segmentStart
			if c.seg == nil {
				return nil, 0, 0
			}
		}
		if c.pos < c.seg.end {
			return c.seg, c.pos, c.seg.end
		}
		if !c.seg.sealed {
			return nil, 0, 0
		}
		l.leave(c.seg)
	}
}

// leave moves the cursor from the end of seg to the segment behind it. Events that it should
// have had and that were not found are gone. mu is held.
func (l *Log) leave(seg *segment) {
	l.lose(seg.events.To)
	l.cursor.expect = max(l.cursor.expect, seg.events.To)
	l.cursor.seg = nil
	if i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].gen > seg.gen }); i < len(l.segments) {
		l.cursor.seg, l.cursor.pos = l.segments[i], segmentStart
		return
	}
	// The one behind is released already, and everything before expect is read.
	l.cursor.expect = max(l.cursor.expect, seg.events.To)
}

// segmentFrom returns the first segment that may have events from number n on. mu is held.
func (l *Log) segmentFrom(n uint64) *segment {
	if i := l.indexFrom(n); i < len(l.segments) {
		return l.segments[i]
	}
	// The active one may get it yet.
	if last := len(l.segments) - 1; last >= 0 && !l.segments[last].sealed {
		return l.segments[last]
	}
	return nil
}

// lose acknowledges the events between the cursor and number to: the records that should have them do
// not. mu is held.
func (l *Log) lose(to uint64) {
	if r := (Range{l.cursor.expect, to}); r.From < r.To && l.gone.count(r) < r.Len() {
		l.markGone(r)
		l.acked.add(r) // nobody waits until it is written
		l.changes++
	}
}

// next reads the next put of seg and gives it to the cursor, or moves the cursor to the end.
func (r *reader) next(seg *segment, pos, end int64) error {
	if err := r.use(seg, end); err != nil {
		return err
	}
	for pos < end {
		rec, ok, err := r.read(pos)
		if err != nil {
			return err
		}
		if !ok {
			if pos, err = r.pass(pos, end); err != nil {
				return err
			}
			continue
		}
		pos += rec.size()
		if rec.kind != recordPut {
			continue
		}
		b, at, err := r.decode(rec)
		if err != nil {
			r.l.reportDamage(&r.scanner, rec.pos, pos)
			continue
		}
		r.found(rec, b, at)
		return nil
	}
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	r.l.cursor.pos = pos
	return nil
}

// pass reports the damage at pos and returns where good records go on.
func (r *reader) pass(pos, end int64) (int64, error) {
	next, err := r.skip(pos)
	if err == nil {
		r.l.reportDamage(&r.scanner, pos, min(next, end))
	}
	return next, err
}

// found gives the batch of a put to the cursor.
func (r *reader) found(rec record, b *event.Batch, at int64) {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	c := &r.l.cursor
	c.pos = rec.pos + rec.size()
	r.l.lose(rec.first)
	r.l.cache.dropUntil(rec.events().To)
	c.expect = max(c.expect, rec.first)
	c.batch, c.first, c.at = b, rec.first, at
}

// use turns to a segment, up to end.
func (r *reader) use(seg *segment, end int64) error {
	if r.seg == seg {
		r.end = end
		return nil
	}
	if err := r.close(); err != nil {
		return err
	}
	aead, err := r.l.keys.open(seg)
	if err != nil {
		return err
	}
	f, err := r.l.opts.FS.OpenFile(seg.path, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("reading segment %s: %w", seg.path, err)
	}
	r.scanner = scanner{file: f, seg: seg, end: end, aead: aead}
	return nil
}

// entries calls f with each run of events of a batch that are not in the set. The entry's batch is
// valid during the call.
func (s rangeSet) entries(b *event.Batch, first uint64, at int64, f func(Entry) error) error {
	all := Range{first, first + uint64(b.Len())}
	for rest := all; ; {
		run := s.gap(rest)
		if run.Len() == 0 {
			return nil
		}
		part := b.View(int(run.From-first), int(run.To-first))
		err := f(Entry{Batch: part, Events: run, At: time.Unix(0, at)})
		part.Release()
		if err != nil {
			return err
		}
		rest.From = run.To
	}
}
