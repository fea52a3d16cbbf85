package avro

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/flume-go/flume/event"
)

const (
	// chunk is the length at which a buffer of a request ends, behind the event that
	// makes it longer: a receiver need not have memory for all of a request.
	chunk = 64 << 10
	// writeAt is how much is written to the connection at once. Most requests are one
	// write, which wakes the receiver once and not for each of their buffers.
	writeAt = 1 << 20
	// writeNow is how much does not wait for further requests.
	writeNow = 256 << 10
)

// frameWriter writes requests as frames, which wait in memory for flush, or for more than
// that allows. Not safe for concurrent use.
type frameWriter struct {
	to  io.Writer
	buf []byte // what is not written yet: the end of the latest frame, or frames
	err error  // of the latest frame, or of what was written with it

	frame   int           // where the latest frame begins in buf, unless counted
	open    int           // where the present buffer begins in buf, with its length
	cuts    int           // buffers that have ended
	counted bool          // the number of buffers has been written
	rest    []event.Event // not in buf yet
	tail    int           // bytes of the payload behind them

	// Most events have the headers of the one before.
	headers []event.Header
	encoded []byte // headers
}

// one adds a request with head and, behind it, one event.
func (w *frameWriter) one(serial uint32, head []byte, e *event.Event) error {
	w.begin(serial, head)
	w.event(e)
	return w.end()
}

// batch adds a request with head and, behind it, an array of events.
func (w *frameWriter) batch(serial uint32, head []byte, events []event.Event) error {
	w.begin(serial, head)
	w.tail = 1
	if len(events) > 0 {
		w.buf = appendLong(w.buf, int64(len(events)))
	}
	for w.rest = events; len(w.rest) > 0 && w.err == nil; {
		e := &w.rest[0]
		w.rest = w.rest[1:]
		w.event(e)
	}
	w.buf = append(w.buf, 0)
	return w.end()
}

// begin starts a frame.
func (w *frameWriter) begin(serial uint32, head []byte) {
	w.err, w.cuts, w.counted, w.tail = nil, 0, false, 0
	w.encoded = append(w.encoded[:0], 0)
	w.frame = len(w.buf)
	w.buf = binary.BigEndian.AppendUint32(w.buf, serial)
	w.buf = append(w.buf, 0, 0, 0, 0) // number of buffers
	w.next()
	w.buf = append(w.buf, head...)
}

// next begins a buffer.
func (w *frameWriter) next() {
	w.open = len(w.buf)
	w.buf = append(w.buf, 0, 0, 0, 0)
}

// cut ends the present buffer, of which so many bytes will not be in buf.
func (w *frameWriter) cut(elsewhere int) {
	binary.BigEndian.PutUint32(w.buf[w.open:], uint32(len(w.buf)-w.open-4+elsewhere))
	w.cuts++
}

// event adds an event, and ends the present buffer if it is long enough then.
func (w *frameWriter) event(e *event.Event) {
	if !slices.Equal(e.Headers, w.headers) {
		w.headers, w.encoded = e.Headers, appendHeaders(w.encoded[:0], e)
	}
	w.buf = append(w.buf, w.encoded...)
	w.buf = appendLong(w.buf, int64(len(e.Body)))
	large := len(e.Body) > chunk && len(w.buf)+len(e.Body) > writeAt
	if large {
		w.cut(len(e.Body)) // which is written from where it is
	} else if w.buf = append(w.buf, e.Body...); len(w.buf)-w.open-4 > chunk {
		w.cut(0)
	} else {
		return
	}
	if large || len(w.buf) >= writeAt {
		w.count()
		w.write()
	}
	if large {
		w.writeBody(e.Body)
	}
	w.next()
}

// count enters the number of buffers. The end of buf is that of a buffer.
func (w *frameWriter) count() {
	if !w.counted {
		w.counted = true
		binary.BigEndian.PutUint32(w.buf[w.frame+4:], uint32(w.cuts+w.toCome()))
	}
}

// toCome returns how many buffers will be behind one that has just ended.
func (w *frameWriter) toCome() (n int) {
	size := 0
	for i := range w.rest {
		if size += sizeOf(&w.rest[i]); size > chunk {
			size = 0
			n++
		}
	}
	if size+w.tail > 0 {
		n++
	}
	return n
}

// write writes what is in buf.
func (w *frameWriter) write() {
	w.writeBody(w.buf)
	w.buf = w.buf[:0]
}

func (w *frameWriter) writeBody(p []byte) {
	if w.err == nil && len(p) > 0 {
		_, w.err = w.to.Write(p)
	}
}

// end ends the frame, and returns the error of what had to be written already.
func (w *frameWriter) end() error {
	if len(w.buf) == w.open+4 {
		w.buf = w.buf[:w.open] // nothing is in the last buffer
	} else {
		w.cut(0)
	}
	w.rest, w.tail = nil, 0
	w.count()
	w.headers = nil // they are the batch's
	return w.err
}

// flush writes the frames that are in memory, and reports whether all of them was written.
func (w *frameWriter) flush() error {
	w.write()
	if cap(w.buf)+cap(w.encoded) > 2*writeAt {
		w.buf, w.encoded = nil, nil // there were very long headers
	}
	return w.err
}
