package javachannel

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/flume-go/flume/event"
)

// A batch has at most this many events, and no further one once it has this many bytes.
const (
	batchEvents = 1000
	batchBytes  = 4 << 20
)

// Read calls fn with all staged events, in queue order, in batches that are not empty. fn may keep a batch by
// retaining it and must not change it. The first error of fn ends Read and is returned as it is.
//
// Events that cannot be read are skipped, counted as Lost and listed in the Report. Reading again yields the
// same again; nothing on disk changes.
func (d *Dir) Read(ctx context.Context, fn func(*event.Batch) error) error {
	d.report.Delivered, d.report.DeliveredBytes, d.report.Lost = 0, 0, 0
	r := reader{dir: d, fn: fn}
	for _, p := range d.returned {
		if err := r.add(ctx, p); err != nil {
			return err
		}
	}
	for p := range d.queue.all() {
		if err := r.add(ctx, p); err != nil {
			return err
		}
	}
	return r.flush(ctx)
}

// Check reads all staged events and yields none. The Report then knows their bytes and whether all can be
// read.
func (d *Dir) Check(ctx context.Context) error {
	return d.Read(ctx, func(*event.Batch) error { return nil })
}

// slot is an event of the batch being read.
type slot struct {
	pointer  pointer
	from, to int // its encoded form in the scratch memory; empty if it was skipped
	v2       bool
}

// reader collects pointers, reads their events in the order in which these are stored and yields them in the
// order of the queue.
type reader struct {
	dir   *Dir
	fn    func(*event.Batch) error
	slots []slot
	bytes int64
	order []int // of slots, as stored
}

func (r *reader) add(ctx context.Context, p pointer) error {
	r.slots = append(r.slots, slot{pointer: p})
	size, err := r.size(p)
	if err != nil {
		return err
	}
	if r.bytes += size; len(r.slots) < batchEvents && r.bytes < batchBytes {
		return nil
	}
	return r.flush(ctx)
}

// size returns what the record's own length says, a guess for what has none.
func (r *reader) size(p pointer) (int64, error) {
	l := r.dir.logs[p.file()]
	if l == nil || l.meta.version == version2 {
		return minWindow, nil
	}
	f, err := r.dir.scan.files.get(l.name)
	if err != nil {
		return minWindow, nil // told when the event is read
	}
	frame, err := f.read(p.offset(), frameSize)
	if err != nil || len(frame) < frameSize {
		return minWindow, errorIn(l, err)
	}
	return int64(binary.BigEndian.Uint32(frame[1:])), nil
}

// flush reads and yields the events collected.
func (r *reader) flush(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.order = r.order[:0]
	for i := range r.slots {
		r.order = append(r.order, i)
	}
	slices.SortFunc(r.order, func(i, j int) int { return cmp.Compare(r.slots[i].pointer, r.slots[j].pointer) })
	d := r.dir
	if d.scratch = d.scratch[:0]; cap(d.scratch) > 2*batchBytes {
		d.scratch = nil
	}
	for _, i := range r.order {
		if err := r.load(&r.slots[i]); err != nil {
			return err
		}
	}
	b := event.NewBatch()
	defer b.Release()
	for i := range r.slots {
		if err := r.append(b, &r.slots[i]); err != nil {
			return err
		}
	}
	r.slots, r.bytes = r.slots[:0], 0
	if b.Len() == 0 {
		return nil
	}
	d.report.Delivered += b.Len()
	d.report.DeliveredBytes += int64(b.Bytes())
	return r.fn(b)
}

// load puts the encoded form of an event into the scratch memory.
func (r *reader) load(s *slot) error {
	d := r.dir
	l := d.logs[s.pointer.file()]
	if l == nil {
		r.lost(s, fmt.Sprintf("log-%d", s.pointer.file()), errMissingLog)
		return nil
	}
	st, err := d.scan.at(l, s.pointer.offset())
	if errors.Is(err, fs.ErrNotExist) {
		r.lost(s, l.name, errMissingLog)
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case st.what == stepNoop:
		d.report.Noops++
	case st.what == stepBad:
		r.lost(s, l.name, st.why)
		return d.scan.checkKey(l)
	case st.what == stepEnd:
		r.lost(s, l.name, errors.New("the log ends before"))
	case st.rec.kind != kindPut:
		r.lost(s, l.name, errors.New("another record is in its place"))
	default:
		s.from, s.v2 = len(d.scratch), l.meta.version == version2
		d.scratch = append(d.scratch, st.rec.event...)
		s.to = len(d.scratch)
	}
	return nil
}

var errMissingLog = errors.New("the log is missing")

// lost notes an event that cannot be read.
func (r *reader) lost(s *slot, file string, why error) {
	r.dir.report.Lost++
	r.dir.report.addCorrupt(Damage{File: file, Offset: s.pointer.offset(), Reason: "staged event: " + why.Error()})
}

// append decodes a loaded event into the batch.
func (r *reader) append(b *event.Batch, s *slot) error {
	encoded := r.dir.scratch[s.from:s.to]
	switch {
	case len(encoded) == 0:
		return nil
	case s.v2:
		return appendEventV2(b, encoded)
	}
	return appendEvent(b, encoded)
}
