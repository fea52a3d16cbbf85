package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"unsafe"

	"github.com/flume-go/flume/event"
)

// putFixed is the part of a put's payload before the index: time and two lengths.
const putFixed = 16

// putSeparated is set in the length of the index if each body is followed by one byte that is not part of it.
const putSeparated = 1 << 31

// putMarked is set there if a mark follows the fixed part.
const putMarked = 1 << 30

const putFlags = putSeparated | putMarked

// gatherFrom is the mean length of a piece of the bodies from which on handing all of them to the disk costs less than copying
// them together: measured, with bodies of 64 bytes to 4 KiB.
const gatherFrom = 256

// alignFrom is the length of a piece from which on its place in the file is made to fit its place in memory.
const alignFrom = 16 << 10

// errPayload is wrapped by what the decoders return. As they see only payloads whose checksum
// is right, it means a defect in the writer, or a very unlikely flip of bits.
var errPayload = errors.New("payload does not hold what its type says")

// encodedPut is the record of a batch. Its buffers are used again by the next encode.
type encodedPut struct {
	head    []byte   // the record's beginning; its header is not filled in yet
	bodies  [][]byte // what follows: memory of the batch; empty if head has it
	size    int64    // of the record, with the padding behind it
	payload int      // length of the payload
	volume  int      // bytes of the bodies
	crc     uint32   // of the payload, if that is not to be sealed
}

// indexUsual is how many bytes of the index an event without headers takes at most, but for very long ones.
const indexUsual = 4

// padding is what fills a record up to its alignment.
var padding [recordAlign]byte

// appendTo appends the parts of the record to bufs.
func (e *encodedPut) appendTo(bufs [][]byte) [][]byte {
	bufs = append(append(bufs, e.head), e.bodies...)
	if pad := e.size - recordHeader - int64(e.payload); pad > 0 {
		bufs = append(bufs, padding[:pad])
	}
	return bufs
}

// sealable returns the payload, which is all in head, and has the room it was made with at its end.
func (e *encodedPut) sealable() []byte { return e.head[recordHeader:] }

// reset gives up the memory of the batch, and a buffer that is larger than limit.
func (e *encodedPut) reset(limit int) {
	clear(e.bodies)
	*e = encodedPut{head: e.head[:0], bodies: e.bodies[:0]}
	if cap(e.head) > limit {
		e.head = nil
	}
	if cap(e.bodies)*int(unsafe.Sizeof(e.head)) > limit {
		e.bodies = nil
	}
}

// encode makes e the record of a batch. With room, which is how much longer than needed the payload is for sealing, there is
// no checksum yet and head has all of it. Without, the bodies stay where they are if that is faster: they must not change
// before the record is written.
func (e *encodedPut) encode(b *event.Batch, now int64, room int, m *mark) error {
	events := b.Events()
	flags := uint32(0)
	if room == 0 {
		flags = e.gather(b)
	}
	marked := m.size()
	start := recordHeader + putFixed + marked
	e.head = slices.Grow(e.head[:0], start)[:start]
	strings := e.appendIndex(events)
	index, bodies, copied := len(e.head)-start, e.volume, 0
	if len(e.bodies) == 0 {
		copied = e.volume
	}
	gap := e.gap(len(e.head) + strings)
	if flags&putSeparated != 0 {
		bodies += len(events)
	}
	e.payload = putFixed + marked + index + strings + gap + bodies + room
	if e.payload > maxPayload {
		return fmt.Errorf("a batch of %d bytes is larger than the most a record holds, %d bytes; make batches smaller", e.payload, maxPayload)
	}
	e.size = recordSize(e.payload)
	e.head = slices.Grow(e.head, strings+gap+copied+room)
	if strings > 0 {
		e.appendStrings(events)
	}
	e.head = append(e.head, padding[:gap]...)
	if copied > 0 {
		e.appendBodies(events)
	}
	e.head = e.head[:len(e.head)+room]
	p := e.head[recordHeader:]
	le := binary.LittleEndian
	le.PutUint64(p, uint64(now))
	le.PutUint32(p[8:], uint32(index)|flags)
	le.PutUint32(p[12:], uint32(strings+gap))
	if marked > 0 {
		le.PutUint32(p[8:], uint32(index)|flags|putMarked)
		m.put(p[putFixed:], marked)
	}
	if room == 0 {
		e.crc = checksum(p)
		for _, piece := range e.bodies {
			e.crc = crc32.Update(e.crc, crc32.IEEETable, piece)
		}
	}
	return nil
}

// gap returns how many bytes to put behind the strings, which end at this offset of the record, so that the first piece of
// the bodies lies in the file as it lies in memory, relative to cache lines. The kernel then copies it a sixth faster, and never
// three times slower, as it does where the two places in their pages are eight bytes apart. A small piece is not worth it.
func (e *encodedPut) gap(end int) int {
	if len(e.bodies) == 0 || len(e.bodies[0]) < alignFrom {
		return 0
	}
	return int(address(e.bodies[0])-uintptr(end)) & (recordAlign - 1)
}

func address(p []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(p))) }

// gather has the bodies stay where they are, if their pieces are not too small for that, and returns what the
// record says of them.
func (e *encodedPut) gather(b *event.Batch) (flags uint32) {
	var separated bool
	e.bodies, separated = b.Pieces(e.bodies[:0])
	total := 0
	for _, piece := range e.bodies {
		total += len(piece)
	}
	if total < gatherFrom*len(e.bodies) {
		clear(e.bodies)
		e.bodies = e.bodies[:0]
		return 0
	}
	if separated && len(e.bodies) > 0 {
		return putSeparated
	}
	return 0
}

// appendIndex appends the index to the head, notes how many bytes the bodies have, and returns how many the strings will have.
func (e *encodedPut) appendIndex(events []event.Event) (strings int) {
	at, volume := slices.Grow(e.head, indexUsual*len(events)), 0
	for i := range events {
		v := &events[i]
		n := len(v.Body)
		volume += n
		if n >= 1<<7 && n < 1<<14 && len(v.Headers) == 0 { // as most are: two bytes, and nothing to go through
			at = append(at, byte(n)|0x80, byte(n>>7), 0)
			continue
		}
		at = binary.AppendUvarint(at, uint64(n))
		at = binary.AppendUvarint(at, uint64(len(v.Headers)))
		for _, h := range v.Headers {
			at = binary.AppendUvarint(at, uint64(len(h.Key)))
			at = binary.AppendUvarint(at, uint64(len(h.Value)))
			strings += len(h.Key) + len(h.Value)
		}
	}
	e.head, e.volume = at, volume
	return strings
}

// appendStrings appends the strings to the head.
func (e *encodedPut) appendStrings(events []event.Event) {
	text := e.head
	for i := range events {
		for _, h := range events[i].Headers {
			text = append(append(text, h.Key...), h.Value...)
		}
	}
	e.head = text
}

// appendBodies appends the bodies to the head.
func (e *encodedPut) appendBodies(events []event.Event) {
	p := e.head
	for i := range events {
		p = append(p, events[i].Body...)
	}
	e.head = p
}

func uvarintLen(n uint64) int {
	l := 1
	for n >= 0x80 {
		n >>= 7
		l++
	}
	return l
}

// decodePut returns the batch in the payload of a put of count events, with one reference, the
// caller's, and when it was appended. The batch does not use the memory of p.
func decodePut(p []byte, count int) (*event.Batch, int64, error) {
	start, ok := putStart(p)
	if !ok {
		return nil, 0, errPayload
	}
	le := binary.LittleEndian
	now := int64(le.Uint64(p))
	index, strings := int64(le.Uint32(p[8:])&^putFlags), int64(le.Uint32(p[12:]))
	rest := p[start:]
	if index+strings > int64(len(rest)) || int64(count) > index/2 {
		return nil, 0, errPayload
	}
	b := event.NewBatch()
	// One copy for all keys and values, which are parts of one string.
	d := putDecoder{batch: b, index: rest[:index], text: b.String(rest[index : index+strings])}
	d.bodies = b.Copy(rest[index+strings:])
	if le.Uint32(p[8:])&putSeparated != 0 {
		d.behind = 1
	}
	for range count {
		if !d.event() {
			b.Release()
			return nil, 0, errPayload
		}
	}
	if len(d.index)+len(d.bodies) > 0 || len(d.text) >= recordAlign {
		b.Release()
		return nil, 0, errPayload
	}
	return b, now, nil
}

// putStart returns the length of what is before the index: the fixed part and the mark; false if p does not have them.
func putStart(p []byte) (int, bool) {
	if len(p) < putFixed {
		return 0, false
	}
	le := binary.LittleEndian
	if le.Uint32(p[8:])&putMarked == 0 {
		return putFixed, true
	}
	if len(p) < putFixed+markFixed {
		return 0, false
	}
	n := int64(le.Uint32(p[putFixed:]))
	if n < markFixed || putFixed+n > int64(len(p)) {
		return 0, false
	}
	return putFixed + int(n), true
}

// putMark returns the mark of a put; nil if it has none.
func putMark(p []byte) (*mark, error) {
	start, ok := putStart(p)
	switch {
	case !ok:
		return nil, errPayload
	case start == putFixed:
		return nil, nil //nolint:nilnil // most puts have no mark
	}
	return decodeMark(p[putFixed:start])
}

// putDecoder holds what is left of the three parts of a put.
type putDecoder struct {
	batch         *event.Batch
	index, bodies []byte
	text          string
	behind        int // bytes behind each body: 1 or 0
}

// event appends the next event; false if the parts do not have it.
func (d *putDecoder) event() bool {
	if len(d.bodies) < d.behind {
		return false
	}
	body, ok := d.length(len(d.bodies) - d.behind)
	if !ok {
		return false
	}
	headers, ok := d.length(len(d.index) / 2)
	if !ok {
		return false
	}
	e := d.append(d.bodies[:body+d.behind])
	d.bodies = d.bodies[body+d.behind:]
	for range headers {
		if !d.header(e) {
			return false
		}
	}
	return true
}

// append appends an event with this body, with what is behind it.
func (d *putDecoder) append(body []byte) *event.Event {
	if d.behind == 0 {
		return d.batch.Append(body)
	}
	return d.batch.AppendLine(body)
}

// header adds the next header to e.
func (d *putDecoder) header(e *event.Event) bool {
	key, ok := d.length(len(d.text))
	if !ok {
		return false
	}
	value, ok := d.length(len(d.text) - key)
	if !ok {
		return false
	}
	d.batch.SetHeader(e, d.text[:key], d.text[key:key+value])
	d.text = d.text[key+value:]
	return true
}

// length takes a varint that is at most limit.
func (d *putDecoder) length(limit int) (int, bool) {
	v, n := binary.Uvarint(d.index)
	if n <= 0 || v > uint64(limit) {
		return 0, false
	}
	d.index = d.index[n:]
	return int(v), true
}

// encodeAck returns the record of acknowledged ranges without its header, and the length of
// the payload. The record is made in buf if that is large enough.
func encodeAck(buf []byte, ranges []Range) (record []byte, payload int) {
	payload = ackSize(ranges)
	record = newRecord(buf, payload)
	appendRanges(record[recordHeader:recordHeader], ranges)
	return record, payload
}

// ackSize returns the length of an acknowledgement's payload.
func ackSize(ranges []Range) int { return 4 + 16*len(ranges) }

// decodeAck returns the ranges in the payload of an acknowledgement.
func decodeAck(p []byte) ([]Range, error) {
	ranges, rest, ok := takeRanges(p)
	if !ok || len(rest) > 0 {
		return nil, errPayload
	}
	return ranges, nil
}

func appendRanges(dst []byte, ranges []Range) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(ranges)))
	for _, r := range ranges {
		dst = binary.LittleEndian.AppendUint64(dst, r.From)
		dst = binary.LittleEndian.AppendUint64(dst, r.To)
	}
	return dst
}

// takeRanges is the reverse of appendRanges. Ranges that are empty are refused.
func takeRanges(p []byte) (ranges []Range, rest []byte, ok bool) {
	if len(p) < 4 {
		return nil, nil, false
	}
	le := binary.LittleEndian
	n := int64(le.Uint32(p))
	p = p[4:]
	if n*16 > int64(len(p)) {
		return nil, nil, false
	}
	ranges = make([]Range, n)
	for i := range ranges {
		ranges[i] = Range{le.Uint64(p), le.Uint64(p[8:])}
		if ranges[i].From >= ranges[i].To {
			return nil, nil, false
		}
		p = p[16:]
	}
	return ranges, p, true
}

// putSummary returns when a put of count events was appended and how many bytes its bodies have, of a payload that
// sealing has made longer by overhead.
func putSummary(p []byte, count, overhead int) (at, bodies int64) {
	start, ok := putStart(p)
	if !ok {
		return 0, 0
	}
	le := binary.LittleEndian
	index := le.Uint32(p[8:])
	bodies = int64(len(p)-overhead-start) - int64(index&^putFlags) - int64(le.Uint32(p[12:]))
	if index&putSeparated != 0 {
		bodies -= int64(count)
	}
	return int64(le.Uint64(p)), max(bodies, 0)
}
