package wal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/flume-go/flume/event"
)

// putFixed is the part of a put's payload before the index: time and two lengths.
const putFixed = 16

// errPayload is wrapped by what the decoders return. As they see only payloads whose checksum
// is right, it means a defect in the writer, or a very unlikely flip of bits.
var errPayload = errors.New("payload does not hold what its type says")

// encodePut returns the record of a batch without its header, and the length and checksum of its payload.
// With room, which is how much longer than needed the payload is for sealing, there is no checksum
// yet. The record is made in buf if that is large enough.
func encodePut(buf []byte, events []event.Event, now int64, room int) (record []byte, payload int, crc uint32, err error) {
	index, strings, bodies := measurePut(events)
	payload = putFixed + index + strings + bodies + room
	if payload > maxPayload {
		return nil, 0, 0, fmt.Errorf("a batch of %d bytes is larger than the most a record holds, %d bytes; make batches smaller", payload, maxPayload)
	}
	record = newRecord(buf, payload)
	p := record[recordHeader : recordHeader+payload]
	le := binary.LittleEndian
	le.PutUint64(p, uint64(now))
	le.PutUint32(p[8:], uint32(index))
	le.PutUint32(p[12:], uint32(strings))
	at := p[putFixed:putFixed]
	text := p[putFixed+index : putFixed+index]
	body := p[putFixed+index+strings : putFixed+index+strings]
	for i := range events {
		e := &events[i]
		at = binary.AppendUvarint(at, uint64(len(e.Body)))
		at = binary.AppendUvarint(at, uint64(len(e.Headers)))
		for _, h := range e.Headers {
			at = binary.AppendUvarint(at, uint64(len(h.Key)))
			at = binary.AppendUvarint(at, uint64(len(h.Value)))
			text = append(append(text, h.Key...), h.Value...)
		}
		body = append(body, e.Body...)
	}
	if room == 0 {
		crc = checksum(p)
	}
	return record, payload, crc, nil
}

// measurePut returns the lengths of the three parts.
func measurePut(events []event.Event) (index, strings, bodies int) {
	for i := range events {
		e := &events[i]
		index += uvarintLen(len(e.Body)) + uvarintLen(len(e.Headers))
		bodies += len(e.Body)
		for _, h := range e.Headers {
			index += uvarintLen(len(h.Key)) + uvarintLen(len(h.Value))
			strings += len(h.Key) + len(h.Value)
		}
	}
	return index, strings, bodies
}

func uvarintLen(n int) int {
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
	if len(p) < putFixed {
		return nil, 0, errPayload
	}
	le := binary.LittleEndian
	now := int64(le.Uint64(p))
	index, strings := int64(le.Uint32(p[8:])), int64(le.Uint32(p[12:]))
	rest := p[putFixed:]
	if index+strings > int64(len(rest)) || int64(count) > index/2 {
		return nil, 0, errPayload
	}
	b := event.NewBatch()
	// One copy for all keys and values, which are parts of one string.
	d := putDecoder{batch: b, index: rest[:index], text: b.String(rest[index : index+strings])}
	d.bodies = b.Copy(rest[index+strings:])
	for range count {
		if !d.event() {
			b.Release()
			return nil, 0, errPayload
		}
	}
	if len(d.index)+len(d.text)+len(d.bodies) > 0 {
		b.Release()
		return nil, 0, errPayload
	}
	return b, now, nil
}

// putDecoder holds what is left of the three parts of a put.
type putDecoder struct {
	batch         *event.Batch
	index, bodies []byte
	text          string
}

// event appends the next event; false if the parts do not have it.
func (d *putDecoder) event() bool {
	body, ok := d.length(len(d.bodies))
	if !ok {
		return false
	}
	headers, ok := d.length(len(d.index) / 2)
	if !ok {
		return false
	}
	e := d.batch.Append(d.bodies[:body])
	d.bodies = d.bodies[body:]
	for range headers {
		if !d.header(e) {
			return false
		}
	}
	return true
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

// putSummary returns when a put was appended and how many bytes its bodies have, of a payload that
// sealing has made longer by overhead.
func putSummary(p []byte, overhead int) (at, bodies int64) {
	if len(p) < putFixed {
		return 0, 0
	}
	le := binary.LittleEndian
	bodies = int64(len(p)-overhead) - putFixed - int64(le.Uint32(p[8:])) - int64(le.Uint32(p[12:]))
	return int64(le.Uint64(p)), max(bodies, 0)
}
