package avro

import (
	"encoding/binary"
	"io"

	"github.com/flume-go/flume/event"
)

// chunk is the size of the buffers that a request is cut into: it need not be in
// memory as a whole, neither here nor at the other end.
const chunk = 64 << 10

// frameWriter writes a payload of known size as a frame of buffers of one chunk each,
// the last one shorter. Each buffer is written to the connection when it is full. Not
// safe for concurrent use.
type frameWriter struct {
	to   io.Writer
	buf  []byte // what is not written yet: heads and a part of a chunk
	free int    // bytes that the present buffer still takes
	left int    // bytes of the payload behind the present buffer
	err  error
}

// begin starts a frame. Nothing is left of the one before.
func (w *frameWriter) begin(serial uint32, size int) {
	if w.buf == nil {
		w.buf = make([]byte, 0, frameHead+chunk)
	}
	w.err = nil
	w.buf = binary.BigEndian.AppendUint32(w.buf[:0], serial)
	w.buf = binary.BigEndian.AppendUint32(w.buf, uint32((size+chunk-1)/chunk))
	w.left = size
	w.next()
}

// next begins a buffer.
func (w *frameWriter) next() {
	w.free = min(w.left, chunk)
	w.left -= w.free
	w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(w.free))
}

func (w *frameWriter) flush() {
	if w.err == nil {
		_, w.err = w.to.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

// bytes adds a part of the payload.
func (w *frameWriter) bytes(p []byte) {
	for len(p) > w.free {
		w.buf = append(w.buf, p[:w.free]...)
		p = p[w.free:]
		w.flush()
		w.next()
	}
	w.buf = append(w.buf, p...)
	w.free -= len(p)
}

// event adds an event of that encoded size.
func (w *frameWriter) event(e *event.Event, size int) {
	if size <= w.free {
		w.buf = append(appendHead(w.buf, e), e.Body...)
		w.free -= size
		return
	}
	w.slow(e)
}

// slow adds an event that the present buffer does not hold.
func (w *frameWriter) slow(e *event.Event) {
	var space [64]byte
	if n := len(e.Headers); n > 0 {
		w.bytes(appendLong(space[:0], int64(n)))
		for i := range e.Headers {
			w.text(space[:0], e.Headers[i].Key)
			w.text(space[:0], e.Headers[i].Value)
		}
	}
	w.bytes(appendLong(append(space[:0], 0), int64(len(e.Body))))
	w.bytes(e.Body)
}

// text adds a string, using space for its pieces.
func (w *frameWriter) text(space []byte, s string) {
	w.bytes(appendLong(space, int64(len(s))))
	for len(s) > 0 {
		n := min(len(s), cap(space))
		w.bytes(append(space, s[:n]...))
		s = s[n:]
	}
}

// end writes what is left and reports whether all was written.
func (w *frameWriter) end() error {
	w.flush()
	return w.err
}
