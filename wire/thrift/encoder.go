package thrift

import (
	"encoding/binary"
	"slices"

	"github.com/flume-go/flume/event"
)

// Encoder appends the values of messages to memory of its own, which it reuses.
// The zero value is ready. Not safe for concurrent use.
type Encoder struct {
	proto Protocol
	buf   []byte
	last  int16 // id of the struct's field before, for the compact protocol

	// Most events have the headers of the one before, which stand in buf[from:to]; to is
	// 0 if there is none.
	headers  []event.Header
	from, to int
}

// keepMemory is the most memory that is kept for the next message.
const keepMemory = 1 << 20

// Reset begins anew, with room for n bytes, and forgets what was written.
func (e *Encoder) Reset(p Protocol, n int) {
	if cap(e.buf) > keepMemory && n <= keepMemory {
		e.buf = nil
	}
	if cap(e.buf) < n {
		e.buf = make([]byte, 0, n)
	}
	e.buf, e.proto, e.last = e.buf[:0], p, 0
	e.forget()
}

// forget forgets the headers of the event before, which are its batch's.
func (e *Encoder) forget() { e.headers, e.from, e.to = nil, 0, 0 }

// Written returns what was written, valid until the next Reset.
func (e *Encoder) Written() []byte { return e.buf }

// frameHead is the length in front of a framed message.
const frameHead = 4

// FrameBegin leaves room for the length of a frame and returns what FrameEnd
// needs to fill it in.
func (e *Encoder) FrameBegin() int {
	e.buf = append(e.buf, 0, 0, 0, 0)
	return len(e.buf)
}

// FrameEnd completes the frame that began at start.
func (e *Encoder) FrameEnd(start int) {
	binary.BigEndian.PutUint32(e.buf[start-frameHead:], uint32(len(e.buf)-start))
}

// Message writes the head of a message, in m's protocol.
func (e *Encoder) Message(m Message) {
	e.proto, e.last = m.Protocol, 0
	switch {
	case m.Protocol == Compact:
		e.buf = append(e.buf, compactID, compactVersion|byte(m.Type)<<5)
		e.buf = binary.AppendUvarint(e.buf, uint64(uint32(m.Seq)))
		e.Bytes(m.Name)
	case m.Old:
		e.Bytes(m.Name)
		e.buf = append(e.buf, byte(m.Type))
		e.I32(m.Seq)
	default:
		e.buf = binary.BigEndian.AppendUint32(e.buf, binaryVersion1<<16|uint32(m.Type))
		e.Bytes(m.Name)
		e.I32(m.Seq)
	}
}

// Field writes the head of a struct's field, which is no bool. The fields of a
// struct come in rising order of their ids; structs in structs are not supported.
func (e *Encoder) Field(t Type, id int16) {
	if e.proto == Binary {
		e.buf = append(e.buf, byte(t), byte(id>>8), byte(id))
		return
	}
	if delta := id - e.last; delta > 0 && delta < 16 {
		e.buf = append(e.buf, byte(delta)<<4|compactNumber(t))
	} else {
		e.buf = append(e.buf, compactNumber(t))
		e.buf = binary.AppendUvarint(e.buf, zigzag(int64(id)))
	}
	e.last = id
}

// Stop writes the end of a struct.
func (e *Encoder) Stop() { e.buf = append(e.buf, byte(Stop)) }

// Bytes writes a string or binary.
func (e *Encoder) Bytes(p []byte) {
	e.length(len(p))
	e.buf = append(e.buf, p...)
}

// Text writes a string.
func (e *Encoder) Text(s string) {
	e.length(len(s))
	e.buf = append(e.buf, s...)
}

func (e *Encoder) length(n int) {
	if e.proto == Compact {
		e.buf = binary.AppendUvarint(e.buf, uint64(n))
	} else {
		e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(n))
	}
}

// I32 writes a number of 32 bits.
func (e *Encoder) I32(v int32) {
	if e.proto == Compact {
		e.buf = binary.AppendUvarint(e.buf, uint64(uint32(zigzag(int64(v)))))
	} else {
		e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(v))
	}
}

func zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

// Exception writes the struct of an exception.
func (e *Encoder) Exception(x *Exception) {
	e.last = 0
	e.Field(String, 1)
	e.Text(x.Text)
	e.Field(I32, 2)
	e.I32(x.Kind)
	e.Stop()
}

// Sizes of what surrounds the values of an event: no protocol needs more.
const (
	eventOverhead  = 17
	headerOverhead = 10
)

// CallOverhead is the most bytes that surround the events of a call.
const CallOverhead = 64

// EventSize returns the most bytes that an event takes in a message.
func EventSize(ev *event.Event) int {
	n := eventOverhead + len(ev.Body)
	for i := range ev.Headers {
		n += headerOverhead + len(ev.Headers[i].Key) + len(ev.Headers[i].Value)
	}
	return n
}

// FlumeEvent writes a ThriftFlumeEvent. Until the next Reset its headers must not change.
func (e *Encoder) FlumeEvent(ev *event.Event) {
	from := len(e.buf)
	switch {
	case e.to > 0 && slices.Equal(ev.Headers, e.headers):
		e.buf = append(e.buf, e.buf[e.from:e.to]...)
	case e.proto == Compact:
		e.buf = appendCompact(e.buf, ev.Headers)
	default:
		e.buf = appendBinary(e.buf, ev.Headers)
	}
	e.headers, e.from, e.to = ev.Headers, from, len(e.buf)
	if e.proto == Compact {
		e.buf = append(e.buf, compactBody)
		e.buf = binary.AppendUvarint(e.buf, uint64(len(ev.Body)))
	} else {
		e.buf = append(e.buf, byte(String), 0, fieldBody)
		e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(len(ev.Body)))
	}
	e.buf = append(e.buf, ev.Body...)
	e.buf = append(e.buf, byte(Stop))
}

// appendCompact appends the headers of an event.
func appendCompact(buf []byte, headers []event.Header) []byte {
	buf = append(buf, compactHeaders)
	buf = binary.AppendUvarint(buf, uint64(len(headers)))
	if len(headers) > 0 {
		buf = append(buf, compactStrings)
	}
	for i := range headers {
		h := &headers[i]
		buf = binary.AppendUvarint(buf, uint64(len(h.Key)))
		buf = append(buf, h.Key...)
		buf = binary.AppendUvarint(buf, uint64(len(h.Value)))
		buf = append(buf, h.Value...)
	}
	return buf
}

// appendBinary is appendCompact for the binary protocol.
func appendBinary(buf []byte, headers []event.Header) []byte {
	buf = append(buf, byte(Map), 0, fieldHeaders, byte(String), byte(String))
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(headers)))
	for i := range headers {
		h := &headers[i]
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(h.Key)))
		buf = append(buf, h.Key...)
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(h.Value)))
		buf = append(buf, h.Value...)
	}
	return buf
}

// listBegin writes the head of a list of structs.
func (e *Encoder) listBegin(n int) {
	switch {
	case e.proto == Binary:
		e.buf = append(e.buf, byte(Struct))
		e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(n))
	case n < 15:
		e.buf = append(e.buf, byte(n)<<4|compactNumber(Struct))
	default:
		e.buf = append(e.buf, 15<<4|compactNumber(Struct))
		e.buf = binary.AppendUvarint(e.buf, uint64(n))
	}
}
