package thrift

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/flume-go/flume/event"
)

// The struct ThriftFlumeEvent: its fields are both required.
const (
	fieldHeaders = 1 // map<string,string>
	fieldBody    = 2 // binary
)

// Both fields of an event as all generated clients send them: in order, the
// second one's id as the difference to the first.
const (
	compactHeaders = 1<<4 | 11 // id 1, map
	compactStrings = 8<<4 | 8  // keys and values are strings
	compactBody    = 1<<4 | 8  // id 2, binary

	binaryHead = 9 // bytes: field, types and length of the map
	binaryBody = 7 // bytes: field and length
)

const (
	// fewHeaders is up to how many headers an event's keys are compared one by
	// one. Beyond, a client could make that take very long.
	fewHeaders = 32
	// mostHeaders is how many headers one event can have.
	mostHeaders = 1 << 16
)

// FlumeEvent decodes a ThriftFlumeEvent into a new event of b, whose body and
// headers are views of d's memory: that must be b's.
func (d *Decoder) FlumeEvent(b *event.Batch) error {
	e, err := d.Event(b)
	if err != nil {
		return err
	}
	// All clients there are send the same layout. Anything else is left to the
	// general way, from the start.
	headers := d.headers
	if d.proto == Compact {
		if d.usualCompact(b, e) {
			return nil
		}
	} else if d.usualBinary(b, e) {
		return nil
	}
	e.Headers, d.headers = nil, headers
	d.before = seen{}
	return d.anyEvent(b, e)
}

// seen is the headers of an event in the usual layout, as they stand in the message and as
// the event has them. Mostly the next one has the same.
type seen struct {
	encoded []byte
	count   int // in encoded, where a key may come twice
	headers []event.Header
}

// repeat gives e the headers of the event before if they stand at p, and returns what is
// behind them, p if they do not. There is no need to look for their keys.
func (d *Decoder) repeat(b *event.Batch, e *event.Event, p int) int {
	s := &d.before
	if len(s.encoded) == 0 || s.count > d.headers || !bytes.HasPrefix(d.buf[p:], s.encoded) {
		return p
	}
	d.headers -= s.count
	b.RepeatHeaders(e, s.headers)
	return p + len(s.encoded)
}

// usualCompact decodes an event in the usual layout, or reports false and has
// read nothing.
func (d *Decoder) usualCompact(b *event.Batch, e *event.Event) bool {
	buf, p := d.buf, d.repeat(b, e, d.pos)
	if p == d.pos {
		if p = d.compactHeaders(b, e); p == 0 {
			return false
		}
	}
	if p >= len(buf) || buf[p] != compactBody {
		return false
	}
	size, p := shortLength(buf, p+1)
	return d.body(b, e, p, size)
}

// compactHeaders decodes the headers of an event and returns where they end, 0 if they
// are not in the usual layout.
func (d *Decoder) compactHeaders(b *event.Batch, e *event.Event) (end int) {
	buf, p := d.buf, d.pos
	if len(buf)-p < 2 || buf[p] != compactHeaders || buf[p+1] > fewHeaders {
		return 0
	}
	n := int(buf[p+1])
	p += 2
	if n > d.headers {
		return 0
	}
	if n > 0 {
		if p >= len(buf) || buf[p] != compactStrings {
			return 0
		}
		p++
	}
	for range n {
		var k, v int
		if k, p = shortLength(buf, p); k > len(buf)-p {
			return 0
		}
		key := buf[p : p+k]
		p += k
		if v, p = shortLength(buf, p); v > len(buf)-p {
			return 0
		}
		b.SetHeader(e, Text(key), Text(buf[p:p+v]))
		p += v
	}
	d.headers -= n
	d.before = seen{encoded: buf[d.pos:p], count: n, headers: e.Headers}
	return p
}

// body takes size bytes at p as the body of an event that ends behind it.
func (d *Decoder) body(b *event.Batch, e *event.Event, p, size int) bool {
	if size >= len(d.buf)-p || d.buf[p+size] != byte(Stop) {
		return false
	}
	b.SetBody(e, d.buf[p:p+size])
	d.pos = p + size + 1
	return true
}

// shortLength reads a length of up to three bytes at p. A longer one, and one that
// is cut off, come back as more than there can be.
func shortLength(buf []byte, p int) (n, next int) {
	if p < len(buf) && buf[p] < 0x80 {
		return int(buf[p]), p + 1
	}
	if p+2 < len(buf) {
		n = int(buf[p]&0x7F) | int(buf[p+1]&0x7F)<<7
		if buf[p+1] < 0x80 {
			return n, p + 2
		}
		if buf[p+2] < 0x80 {
			return n | int(buf[p+2])<<14, p + 3
		}
	}
	return len(buf) + 1, len(buf)
}

// usualBinary is usualCompact for the binary protocol.
func (d *Decoder) usualBinary(b *event.Batch, e *event.Event) bool {
	buf, p := d.buf, d.repeat(b, e, d.pos)
	if p == d.pos {
		if p = d.binaryHeaders(b, e); p == 0 {
			return false
		}
	}
	if len(buf)-p < binaryBody || buf[p] != byte(String) || buf[p+1] != 0 || buf[p+2] != fieldBody {
		return false
	}
	size, p := wideLength(buf, p+3)
	return d.body(b, e, p, size)
}

// binaryHeaders is compactHeaders for the binary protocol.
func (d *Decoder) binaryHeaders(b *event.Batch, e *event.Event) (end int) {
	buf, p := d.buf, d.pos
	if len(buf)-p < binaryHead || buf[p] != byte(Map) || buf[p+1] != 0 || buf[p+2] != fieldHeaders ||
		buf[p+3] != byte(String) || buf[p+4] != byte(String) {
		return 0
	}
	n, p := wideLength(buf, p+5)
	if n > fewHeaders || n > d.headers {
		return 0
	}
	for range n {
		var k, v int
		if k, p = wideLength(buf, p); k > len(buf)-p {
			return 0
		}
		key := buf[p : p+k]
		p += k
		if v, p = wideLength(buf, p); v > len(buf)-p {
			return 0
		}
		b.SetHeader(e, Text(key), Text(buf[p:p+v]))
		p += v
	}
	d.headers -= n
	d.before = seen{encoded: buf[d.pos:p], count: n, headers: e.Headers}
	return p
}

// wideLength reads a length of four bytes at p. A negative one, and one that is
// cut off, come back as more than there can be.
func wideLength(buf []byte, p int) (n, next int) {
	if len(buf)-p < 4 {
		return len(buf) + 1, len(buf)
	}
	v := binary.BigEndian.Uint32(buf[p:])
	if v > math.MaxInt32 {
		return len(buf) + 1, len(buf)
	}
	return int(v), p + 4
}

// anyEvent decodes an event in whatever layout the protocol allows.
func (d *Decoder) anyEvent(b *event.Batch, e *event.Event) error {
	var last int16
	var headers, body bool
	for {
		typ, id, err := d.Field(last)
		switch {
		case err != nil:
			return err
		case typ == Stop:
			return checkEvent(headers, body)
		case id == fieldHeaders && typ == Map:
			headers = true
			err = d.eventHeaders(b, e)
		case id == fieldBody && typ == String:
			body = true
			var p []byte
			if p, err = d.Bytes(); err == nil {
				b.SetBody(e, p)
			}
		default:
			err = d.SkipField(typ)
		}
		if err != nil {
			return err
		}
		last = id
	}
}

func checkEvent(headers, body bool) error {
	switch {
	case !headers:
		return &Exception{KindProtocolError, "the required field 'headers' of a ThriftFlumeEvent is missing"}
	case !body:
		return &Exception{KindProtocolError, "the required field 'body' of a ThriftFlumeEvent is missing"}
	}
	return nil
}

func (d *Decoder) eventHeaders(b *event.Batch, e *event.Event) error {
	e.Headers = nil
	key, value, n, err := d.MapBegin()
	if err != nil {
		return err
	}
	if n > 0 && (key != String || value != String) {
		return &Exception{KindProtocolError, "the field 'headers' of a ThriftFlumeEvent is not a map of strings"}
	}
	if n > fewHeaders {
		return d.manyHeaders(e, n)
	}
	for range n {
		k, err := d.Bytes()
		if err != nil {
			return err
		}
		v, err := d.Bytes()
		if err != nil {
			return err
		}
		if err := d.Header(b, e, Text(k), Text(v)); err != nil {
			return err
		}
	}
	return nil
}

// manyHeaders finds keys that come twice by a map. The last one counts.
func (d *Decoder) manyHeaders(e *event.Event, n int) error {
	if d.headers -= n; d.headers < 0 || n > mostHeaders {
		return Malformed("an event has more than %d headers, or a call more than %d", mostHeaders, maxHeaders)
	}
	at := make(map[string]int, n)
	hs := make([]event.Header, 0, n)
	for range n {
		k, err := d.Bytes()
		if err != nil {
			return err
		}
		v, err := d.Bytes()
		if err != nil {
			return err
		}
		if i, twice := at[Text(k)]; twice {
			hs[i].Value = Text(v)
			continue
		}
		at[Text(k)] = len(hs)
		hs = append(hs, event.Header{Key: Text(k), Value: Text(v)})
	}
	e.Headers = hs
	return nil
}
