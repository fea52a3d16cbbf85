package avro

import (
	"bytes"
	"unsafe"

	"github.com/flume-go/flume/event"
)

// What an event and a header take in memory besides their bytes.
const (
	eventCost  = int(unsafe.Sizeof(event.Event{}))
	headerCost = int(unsafe.Sizeof(event.Header{}))
)

// separator stands behind the bodies of a run of events with the same headers, so that a sink that writes lines need not
// copy them. See event.Batch.Span.
const separator = '\n'

// fastHeaders is the most headers of an event that is decoded on the short way.
const fastHeaders = 16

// maxHeaders is the most headers of an event: each is looked for among all.
const maxHeaders = 1024

// events decodes events from an input into a batch, and charges what they take.
type events struct {
	in     *input
	charge func(n int) error
	decoder
}

// array decodes an array of events.
func (d *events) array() error {
	for {
		count, err := d.in.block()
		if err != nil || count == 0 {
			return err
		}
		for range count {
			if err := d.event(); err != nil {
				return err
			}
		}
	}
}

// event decodes one event. Mostly it stands in the window as a whole.
func (d *events) event() error {
	n, err := d.in.window()
	if err != nil {
		return err
	}
	if size, cost := d.decode(d.in.slab[d.in.r : d.in.r+n]); size > 0 {
		d.in.advance(size)
		return d.charge(cost)
	}
	return d.slow()
}

// decoder decodes events that are in memory as a whole into a batch. Mostly an event has
// the headers of the one before: they are taken from there.
type decoder struct {
	batch   *event.Batch
	encoded []byte // headers, in memory of the batch
	headers []event.Header
}

// reset makes the decoder one for a batch.
func (d *decoder) reset(b *event.Batch) { *d = decoder{batch: b} }

// decode adds the event at the front of p to the batch and returns its size in p, and what
// it takes in memory; 0, and nothing is done, if p does not have all of it, or it is not
// a plain one.
func (d *decoder) decode(p []byte) (size, cost int) {
	if n := len(d.encoded); n > 0 && bytes.HasPrefix(p, d.encoded) {
		body, end := field(p, n)
		if end == 0 {
			return 0, 0
		}
		line := d.batch.Alloc(body.to - body.from + 1)
		line[copy(line, p[body.from:body.to])] = separator
		e := d.batch.AppendLine(line)
		d.batch.RepeatHeaders(e, d.headers)
		return end, body.to - body.from + eventCost + len(e.Headers)*headerCost
	}
	return d.decodeAll(p)
}

// decodeAll is decode for an event with other headers than the one before.
func (d *decoder) decodeAll(p []byte) (size, cost int) {
	var keys, values [fastHeaders]span
	at, headers := 0, 0
	for {
		count, n := varint(p[at:])
		if n <= 0 || count < 0 || count > int64(fastHeaders-headers) {
			return 0, 0
		}
		at += n
		if count == 0 {
			break
		}
		for range count {
			key, next := field(p, at)
			value, end := field(p, next)
			if end == 0 {
				return 0, 0
			}
			keys[headers], values[headers] = key, value
			headers++
			at = end
		}
	}
	body, end := field(p, at)
	if end == 0 {
		return 0, 0
	}
	mine := d.batch.Copy(p[:end])
	e := d.batch.Append(mine[body.from:body.to])
	for i := range headers {
		d.batch.SetHeader(e, keys[i].text(mine), values[i].text(mine))
	}
	d.encoded, d.headers = mine[:at], e.Headers
	return end, end + eventCost + headers*headerCost
}

// span is a part of a slice.
type span struct{ from, to int }

// text returns the part as a string that shares its memory: that of a batch.
func (s span) text(p []byte) string {
	if s.from == s.to {
		return ""
	}
	return unsafe.String(&p[s.from], s.to-s.from)
}

// field finds the string or bytes at p[at:], and where it ends; end is 0 if p does
// not have all of it. at may be such a 0 if it is not the first field.
func field(p []byte, at int) (s span, end int) {
	if at == 0 {
		return span{}, 0
	}
	n, size := varint(p[at:])
	at += size
	if size <= 0 || n < 0 || n > int64(len(p)-at) {
		return span{}, 0
	}
	return span{at, at + int(n)}, at + int(n)
}

// slow decodes an event field by field.
func (d *events) slow() error {
	e := d.batch.Append(nil)
	for {
		count, err := d.in.block()
		if err != nil {
			return err
		}
		if count == 0 {
			break
		}
		for range count {
			if err := d.header(e); err != nil {
				return err
			}
		}
	}
	body, err := d.value("a body")
	if err != nil {
		return err
	}
	d.batch.SetBody(e, body)
	return d.charge(eventCost)
}

func (d *events) header(e *event.Event) error {
	key, err := d.value("a header's name")
	if err != nil {
		return err
	}
	value, err := d.value("a header's value")
	if err != nil {
		return err
	}
	if len(e.Headers) == maxHeaders {
		return malformed("an event of more than %d headers", maxHeaders)
	}
	d.batch.SetHeader(e, span{0, len(key)}.text(key), span{0, len(value)}.text(value))
	return d.charge(headerCost)
}

// value reads a string or bytes into memory of the batch; a large one into memory of
// its own, which only grows as it arrives.
func (d *events) value(what string) ([]byte, error) {
	n, err := d.in.length(what, d.in.limit)
	if err != nil {
		return nil, err
	}
	if n > believed {
		return d.in.grow(n, d.charge)
	}
	if err := d.charge(n); err != nil {
		return nil, err
	}
	p := d.batch.Alloc(n)
	return p, d.in.full(p)
}

// sizeOf returns how many bytes appendEvent appends for e.
func sizeOf(e *event.Event) int {
	size := 1
	if n := len(e.Headers); n > 0 {
		size += sizeOfLong(n)
		for i := range e.Headers {
			h := &e.Headers[i]
			size += sizeOfLong(len(h.Key)) + len(h.Key) + sizeOfLong(len(h.Value)) + len(h.Value)
		}
	}
	return size + sizeOfLong(len(e.Body)) + len(e.Body)
}

// appendHeaders appends the headers of e.
func appendHeaders(p []byte, e *event.Event) []byte {
	if n := len(e.Headers); n > 0 {
		p = appendLong(p, int64(n))
		for i := range e.Headers {
			p = appendString(p, e.Headers[i].Key)
			p = appendString(p, e.Headers[i].Value)
		}
	}
	return append(p, 0)
}
