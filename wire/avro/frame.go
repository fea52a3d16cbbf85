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
)

// frameWriter writes requests as frames. Not safe for concurrent use.
type frameWriter struct {
	to  io.Writer
	buf []byte // of the frame, what is not written yet
	err error

	open    int           // where the present buffer begins in buf, with its length
	cuts    int           // buffers that have ended
	counted bool          // the number of buffers has been written
	rest    []event.Event // not in buf yet
	tail    int           // bytes of the payload behind them

	// Most events have the headers of the one before.
	headers []event.Header
	encoded []byte // headers
}

// one writes a request with head and, behind it, one event.
func (w *frameWriter) one(serial uint32, head []byte, e *event.Event) error {
	w.begin(serial, head)
	w.event(e)
	return w.end()
}

// batch writes a request with head and, behind it, an array of events.
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

// begin starts a frame. Nothing is left of the one before.
func (w *frameWriter) begin(serial uint32, head []byte) {
	w.err, w.cuts, w.counted, w.tail = nil, 0, false, 0
	w.encoded = append(w.encoded[:0], 0)
	w.buf = binary.BigEndian.AppendUint32(w.buf[:0], serial)
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
		w.flush()
	}
	if large {
		w.write(e.Body)
	}
	w.next()
}

// flush writes buf, the end of which is that of a buffer.
func (w *frameWriter) flush() {
	if !w.counted {
		w.counted = true
		binary.BigEndian.PutUint32(w.buf[4:], uint32(w.cuts+w.toCome()))
	}
	w.write(w.buf)
	w.buf = w.buf[:0]
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

func (w *frameWriter) write(p []byte) {
	if w.err == nil {
		_, w.err = w.to.Write(p)
	}
}

// end ends the frame and reports whether all of it was written.
func (w *frameWriter) end() error {
	if len(w.buf) == w.open+4 {
		w.buf = w.buf[:w.open] // nothing is in the last buffer
	} else {
		w.cut(0)
	}
	w.rest, w.tail = nil, 0
	if len(w.buf) > 0 {
		w.flush()
	}
	w.headers = nil // they are the batch's
	if cap(w.buf)+cap(w.encoded) > 2*writeAt {
		w.buf, w.encoded = nil, nil // there were very long headers
	}
	return w.err
}
