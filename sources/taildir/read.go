package taildir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/flume-go/flume/event"
)

// slack is how much more is asked for than a file had when it was looked at.
const slack = 4 << 10

// turn reads a block of f and adds its events to the batch. It reports whether
// there is likely to be more.
func (w *follower) turn(f *file) (again bool) {
	f.round = w.rounds
	if f.twin != nil || f.empty || !f.alive() {
		return false
	}
	if f.left {
		return w.endTurn(f, false)
	}
	if err := w.open(f); err != nil {
		w.cannotRead(f, err)
		return false
	}
	if f.short {
		if f.size < f.pos {
			return w.endTurn(f, false)
		}
		f.short, f.proven = false, false
	}
	if f.left || !w.prove(f) || w.stillSearching(f) {
		return w.endTurn(f, false)
	}
	data, filled, err := w.readBlock(f)
	switch {
	case err != nil && !isEOF(err):
		w.cannotRead(f, err)
		return false
	case f.anchor.fits(data) && (f.pos > int64(f.anchor.n) || f.head.fits(data)):
	case f.isTorn():
		w.cannotRead(f, f.unpack.err)
		return false
	case w.isShort(f):
		w.finished(f, f.unpack.end, f.head)
		f.left = true
		return w.endTurn(f, false)
	default:
		w.lose(f)
		return false
	}
	if f.packing == plain && f.pos+int64(len(data)-f.anchor.n) > f.size {
		f.closing = false // it has just grown
	}
	end := f.ending
	torn := f.unpack != nil && !filled && !isEOF(f.unpack.err)
	switch {
	case filled, torn:
	case f.unpack != nil, f.closing && (w.src.cfg.Unterminated == deliver || !f.linked):
		end = last
	case f.closing:
		end = pause
	}
	used, stopped := w.cutBlock(f, data, end, filled)
	rest := len(data) - f.anchor.n - used
	f.greedy = filled
	if used > 0 {
		f.lastData, f.heldSince = w.now, time.Time{}
		f.closing = f.closing && !stopped
	} else if filled {
		return w.needMore(f, rest)
	} else if torn {
		w.cannotRead(f, f.unpack.err)
		return false
	}
	if stopped || filled || torn {
		return true
	}
	f.failing = ""
	f.searched = f.pos + int64(used+rest)
	if w.src.records.multi != nil && end == more && bytes.IndexByte(data[len(data)-rest:], '\n') >= 0 {
		f.heldSince = w.now
		w.wake(w.now.Add(w.src.cfg.FlushAfter))
	}
	if f.unpack != nil {
		f.left = true
	}
	return w.endTurn(f, used > 0)
}

// readBlock reads the anchor and what follows it, into memory of the batch. filled
// says that there was as much as was asked for.
func (w *follower) readBlock(f *file) (data []byte, filled bool, err error) {
	start := f.pos - int64(f.anchor.n)
	want := int64(max(blockSize-anchorBytes-1, int(f.need)) + f.anchor.n)
	if f.unpack == nil && !f.greedy && f.need == 0 {
		want = min(want, max(f.size-start, int64(f.anchor.n))+slack)
	}
	space := w.batch.batch.Reserve(int(want))[:want]
	data, err = readUpTo(f.content(), space, start)
	return data, len(data) == len(space), err
}

// cutBlock adds the events in data, of which the first bytes are the anchor, and
// returns how many bytes they take. filled says that the file has more than data;
// stopped, that there is more to be had at once, in data or behind it.
func (w *follower) cutBlock(f *file, data []byte, end ending, filled bool) (used int, stopped bool) {
	p, before := &w.batch, f.anchor.n
	text := data[before:]
	limit := min(w.src.cfg.turnEvents(), mostEvents)
	plainEvents := !w.src.cfg.ByteOffset && !w.src.cfg.FileHeader && len(f.group.headers) == 0
	events := 0
	for events < limit {
		taken, n := 0, 0
		if plainEvents {
			taken, n = w.src.records.lines(p.batch, text[used:], min(limit-events, p.toEdge()))
		}
		if taken > 0 && events == 0 {
			p.batch.Commit(len(data))
		}
		if taken == 0 {
			if n = w.cutOne(f, data, used, end, events == 0); n == 0 {
				break
			}
			taken = 1
		}
		used += n
		events += taken
		if p.atEdge() {
			p.step(f, f.pos+int64(used), data[:before+used])
			if filled && scraps(len(text)-used, used, events, p.size) {
				stopped = true
				break
			}
		}
	}
	if used > 0 && !p.atEdge() {
		p.step(f, f.pos+int64(used), data[:before+used])
	}
	p.bytes += used
	return used, stopped || events == limit
}

// scraps reports whether what is left of a block, of which this many bytes were
// events, would make so small a batch that it is better read again with what
// follows it: handing on a batch costs more.
func scraps(left, used, events, size int) bool {
	return int64(left)*int64(events)*4 < int64(used)*int64(size)
}

// cutOne adds the event with which data[anchor+used:] begins, and returns how many
// bytes it takes; 0 if it is not complete. first says that it is the first of data,
// which is then kept in the batch's memory.
func (w *follower) cutOne(f *file, data []byte, used int, end ending, first bool) int {
	b, text := w.batch.batch, data[f.anchor.n+used:]
	body, n, cut := w.src.records.first(text, end)
	if n == 0 {
		return 0
	}
	if first {
		b.Commit(len(data))
	}
	if cut {
		w.tooLong(f)
	}
	var e *event.Event
	if n == len(body)+1 {
		e = b.AppendLine(text[:n])
	} else {
		e = b.Append(body)
	}
	w.setHeaders(b, e, f, f.pos+int64(used))
	return n
}

// setHeaders sets the headers in Flume's order: later ones replace earlier ones of
// the same name.
func (w *follower) setHeaders(b *event.Batch, e *event.Event, f *file, offset int64) {
	if w.src.cfg.ByteOffset {
		var digits [20]byte
		b.SetHeader(e, "byteoffset", b.String(strconv.AppendInt(digits[:0], offset, 10)))
	}
	for _, h := range f.group.headers {
		b.SetHeader(e, h.Key, h.Value)
	}
	if w.src.cfg.FileHeader {
		b.SetHeader(e, w.src.cfg.FileHeaderKey, f.label)
	}
}

// needMore asks for a larger block: no event ends in the one that was read.
func (w *follower) needMore(f *file, got int) bool {
	f.need = min(2*int64(max(got, blockSize)), int64(w.src.records.reach()))
	return true
}

// stillSearching looks for the end of a long line that was not there before, in
// what has come since, so that the line is not read again each time that it grows.
func (w *follower) stillSearching(f *file) bool {
	if f.searched-f.pos < blockSize/4 || f.unpack != nil || w.src.records.multi != nil || f.closing || !f.linked {
		return false
	}
	reach := int64(w.src.records.reach())
	if w.scratch == nil {
		w.scratch = make([]byte, blockSize/4)
	}
	for f.searched-f.pos < reach {
		got, err := readUpTo(f.handle, w.scratch, f.searched)
		if err != nil || len(got) == 0 {
			return err == nil && f.size >= f.searched // else the usual way finds out what is wrong
		}
		if i := bytes.IndexByte(got, '\n'); i >= 0 {
			f.need = f.searched + int64(i) + 1 - f.pos
			return false
		}
		f.searched += int64(len(got))
		f.lastData = w.now
	}
	f.need = reach
	return false
}

// prove compares the content with what is remembered of it, once after the file
// was found. It reports whether reading can go on.
func (w *follower) prove(f *file) bool {
	if f.packing == plain && f.size < f.pos {
		w.lookOpen(f)
		if f.size < f.pos {
			w.lose(f)
			return false
		}
	}
	if f.proven {
		return true
	}
	var buf [headBytes]byte
	head, err := readUpTo(f.content(), buf[:f.head.n], 0)
	if err != nil {
		w.cannotRead(f, err)
		return false
	}
	if !f.head.fits(head) {
		switch {
		case len(head) == f.head.n:
			w.lose(f)
		case f.isTorn():
			w.cannotRead(f, f.unpack.err)
		case w.isShort(f):
			w.finished(f, f.unpack.end, markOf(head))
			f.left = true
		default:
			w.lose(f)
		}
		return false
	}
	f.proven = true
	w.extendHead(f)
	return true
}

// isTorn reports whether f is packed and breaks off, as one that is being written does.
func (f *file) isTorn() bool { return f.unpack != nil && f.unpack.err != nil && !isEOF(f.unpack.err) }

// endTurn closes f if its time has come.
func (w *follower) endTurn(f *file, read bool) bool {
	f.ending = more
	done := f.left && f.unpack != nil
	if !done && (!f.closing || read) {
		// An event that was read is emitted first; the file is closed in the next turn.
		if f.closing {
			return true
		}
		return false
	}
	if read {
		f.closing = true
		return true
	}
	f.closing = false
	w.shut(f)
	w.log.Debug("file closed", "file", f.path, "inode", f.id.ino, "position", f.pos)
	if !f.linked {
		w.retire(f)
	}
	return false
}

// retire ends the reading of a file that has lost its name. What was read is
// remembered for a while: a compressed copy may come.
func (w *follower) retire(f *file) {
	if f.linked || w.files[f.no] != f || w.bequeath(f) {
		return
	}
	if f.head.n == 0 {
		w.forget(f)
		return
	}
	w.loseID(f)
	f.missing = w.now
	w.note(f)
}

// cannotRead says why, once, and lets f wait for its next look.
func (w *follower) cannotRead(f *file, err error) {
	if errors.Is(err, errReplaced) || errors.Is(err, fs.ErrNotExist) {
		if !f.linked {
			w.unlinked = append(w.unlinked, f)
		}
		f.nextLook, w.nextSweep, f.adrift = w.now, w.now, true // which find out
		return
	}
	if f.unpack != nil {
		f.unpack.close() // the next try begins anew
	}
	if text := err.Error(); f.failing != text {
		f.failing = text
		w.src.count.readFail.Add(1)
		w.log.Warn("a file cannot be read; it is tried again", "file", f.path, "position", f.pos, "error", err)
	}
	if f.closing {
		f.closing = false
		w.shut(f)
		w.retire(f)
	}
}

// tooLong says that a line was cut.
func (w *follower) tooLong(f *file) {
	w.src.count.splitLines.Add(1)
	if ok, more := w.src.longLines.Allow(); ok {
		w.log.Warn(fmt.Sprintf("a line is longer than %d bytes and becomes several events; raise maxLineLength to keep it whole", w.src.records.maxLine),
			"file", f.path, "position", f.pos, "not-logged", more)
	}
}
