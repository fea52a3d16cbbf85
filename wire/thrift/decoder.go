package thrift

import (
	"encoding/binary"
	"unsafe"

	"github.com/flume-go/flume/event"
)

const (
	maxDepth = 64   // of values in values
	maxName  = 4096 // bytes of a method's name
)

// Decoder reads the values of messages from memory. What it returns are views of
// that memory. Not safe for concurrent use.
//
// Every length is compared with the bytes that are there before anything is done
// with it.
type Decoder struct {
	proto Protocol
	buf   []byte
	pos   int
	// fill, if not nil, makes n bytes available behind pos, or fails. It may
	// exchange buf for a longer one that begins with the same bytes.
	fill func(n int) error
	// room, if not 0, is how long buf may become: its end is not the message's.
	room int

	yes     bool // the value of the bool that Field returned last, in the compact protocol
	headers int  // how many more headers of events are taken
	events  int  // how many more events are taken

	ahead  bool // the arguments have the mark of a call that is sent ahead
	before seen // of the event before in the same message
}

// Limits of one call. What is beyond is refused: small values take many times
// their bytes once they are decoded.
const (
	maxEvents  = 1 << 20
	maxHeaders = 1 << 21
)

// Reset makes d read from buf.
func (d *Decoder) Reset(buf []byte) {
	d.buf, d.pos, d.fill, d.room = buf, 0, nil, 0
	d.headers, d.events = maxHeaders, maxEvents
	d.before, d.ahead = seen{}, false
}

// Pos returns how much of the memory has been read.
func (d *Decoder) Pos() int { return d.pos }

// need makes sure that there are n more bytes.
func (d *Decoder) need(n int) error {
	if len(d.buf)-d.pos >= n {
		return nil
	}
	return d.more(n)
}

func (d *Decoder) more(n int) error {
	if d.fill == nil {
		return errShort
	}
	return d.fill(n)
}

// left returns how many more bytes there can be.
func (d *Decoder) left() int {
	return max(d.room, len(d.buf)) - d.pos
}

// Message reads the head of a message and sets the protocol by it.
func (d *Decoder) Message() (Message, error) {
	if err := d.need(4); err != nil {
		return Message{}, err
	}
	if d.buf[d.pos] == compactID {
		return d.compactMessage()
	}
	return d.binaryMessage()
}

func (d *Decoder) compactMessage() (Message, error) {
	d.proto = Compact
	b := d.buf[d.pos+1]
	if b&versionMask != compactVersion {
		return Message{}, Malformed("version %d of the compact protocol is not known", b&versionMask)
	}
	d.pos += 2
	seq, err := d.uvarint(32)
	if err != nil {
		return Message{}, err
	}
	m := Message{Protocol: Compact, Type: MessageType(b >> 5), Seq: int32(uint32(seq))}
	m.Name, err = d.name()
	return m, err
}

func (d *Decoder) binaryMessage() (Message, error) {
	d.proto = Binary
	m := Message{Protocol: Binary}
	head := binary.BigEndian.Uint32(d.buf[d.pos:])
	strict := head&(1<<31) != 0
	if strict {
		if head>>16 != binaryVersion1 {
			return m, Malformed("a message begins with %#x, which is no version of a protocol", head)
		}
		m.Type = MessageType(head)
		d.pos += 4
	}
	m.Old = !strict // its first four bytes are the length of the name
	var err error
	if m.Name, err = d.name(); err != nil {
		return m, err
	}
	if m.Old {
		if err := d.need(1); err != nil {
			return m, err
		}
		m.Type = MessageType(d.buf[d.pos])
		d.pos++
	}
	m.Seq, err = d.I32()
	return m, err
}

func (d *Decoder) name() ([]byte, error) {
	n, err := d.length()
	if err != nil {
		return nil, err
	}
	if n > maxName {
		return nil, Malformed("the name of a method has %d bytes, more than %d", n, maxName)
	}
	return d.take(n)
}

// Field reads the head of a struct's next field; its type is Stop behind the last
// one. last is the id of the field before, 0 for the first.
func (d *Decoder) Field(last int16) (Type, int16, error) {
	if err := d.need(1); err != nil {
		return Stop, 0, err
	}
	b := d.buf[d.pos]
	d.pos++
	if b == byte(Stop) {
		return Stop, 0, nil
	}
	if d.proto == Binary {
		if err := d.need(2); err != nil {
			return Stop, 0, err
		}
		id := int16(binary.BigEndian.Uint16(d.buf[d.pos:]))
		d.pos += 2
		return Type(b), id, nil
	}
	typ := compactTypes[b&0x0F]
	d.yes = b&0x0F == compactTrue
	if delta := b >> 4; delta != 0 {
		return typ, last + int16(delta), nil
	}
	id, err := d.uvarint(16)
	return typ, int16(unzigzag(id)), err
}

// Bytes reads a string or binary.
func (d *Decoder) Bytes() ([]byte, error) {
	n, err := d.length()
	if err != nil {
		return nil, err
	}
	return d.take(n)
}

// length reads the length of a string.
func (d *Decoder) length() (int, error) {
	var n int
	if d.proto == Compact {
		v, err := d.uvarint(32)
		if err != nil {
			return 0, err
		}
		n = int(int32(uint32(v)))
	} else {
		v, err := d.I32()
		if err != nil {
			return 0, err
		}
		n = int(v)
	}
	if n < 0 {
		return 0, Malformed("a string has the length %d", n)
	}
	if n > d.left() {
		return 0, Malformed("a string of %d bytes has no room in its message", n)
	}
	return n, nil
}

func (d *Decoder) take(n int) ([]byte, error) {
	if err := d.need(n); err != nil {
		return nil, err
	}
	p := d.buf[d.pos : d.pos+n : d.pos+n]
	d.pos += n
	return p, nil
}

// I32 reads a number of 32 bits.
func (d *Decoder) I32() (int32, error) {
	if d.proto == Compact {
		v, err := d.uvarint(32)
		return int32(unzigzag(v)), err
	}
	if err := d.need(4); err != nil {
		return 0, err
	}
	v := binary.BigEndian.Uint32(d.buf[d.pos:])
	d.pos += 4
	return int32(v), nil
}

// I64 reads a number of 64 bits.
func (d *Decoder) I64() (int64, error) {
	if d.proto == Compact {
		v, err := d.uvarint(64)
		return unzigzag(v), err
	}
	if err := d.need(8); err != nil {
		return 0, err
	}
	v := binary.BigEndian.Uint64(d.buf[d.pos:])
	d.pos += 8
	return int64(v), nil
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// uvarint reads a number of at most so many bits, seven in each byte.
func (d *Decoder) uvarint(bits int) (uint64, error) {
	var v uint64
	for shift := 0; shift < bits; shift += 7 {
		if err := d.need(1); err != nil {
			return 0, err
		}
		b := d.buf[d.pos]
		d.pos++
		v |= uint64(b&0x7F) << shift
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, Malformed("a number of %d bits has too many bytes", bits)
}

// ListBegin reads the head of a list or set. As many elements follow, and there
// are bytes enough for the smallest.
func (d *Decoder) ListBegin() (Type, int, error) {
	if err := d.need(1); err != nil {
		return Stop, 0, err
	}
	b := d.buf[d.pos]
	d.pos++
	typ, n := Type(b), 0
	if d.proto == Compact {
		typ, n = compactTypes[b&0x0F], int(b>>4)
		if n == 15 {
			v, err := d.uvarint(32)
			if err != nil {
				return Stop, 0, err
			}
			n = int(int32(uint32(v)))
		}
	} else {
		v, err := d.I32()
		if err != nil {
			return Stop, 0, err
		}
		n = int(v)
	}
	return typ, n, d.checkCount("list", n, smallest(d.proto, typ))
}

// MapBegin reads the head of a map. As many pairs follow, and there are bytes
// enough for the smallest. The types of an empty map may be missing.
func (d *Decoder) MapBegin() (key, value Type, n int, err error) {
	if d.proto == Binary {
		if err := d.need(6); err != nil {
			return Stop, Stop, 0, err
		}
		key, value = Type(d.buf[d.pos]), Type(d.buf[d.pos+1])
		d.pos += 2
		v, _ := d.I32() // it is there
		n = int(v)
	} else {
		v, err := d.uvarint(32)
		if err != nil {
			return Stop, Stop, 0, err
		}
		if n = int(int32(uint32(v))); n == 0 {
			return Stop, Stop, 0, nil
		}
		if err := d.need(1); err != nil {
			return Stop, Stop, 0, err
		}
		b := d.buf[d.pos]
		d.pos++
		key, value = compactTypes[b>>4], compactTypes[b&0x0F]
	}
	k, w := smallest(d.proto, key), smallest(d.proto, value)
	if k == 0 || w == 0 {
		w, k = 0, 0
	}
	return key, value, n, d.checkCount("map", n, k+w)
}

func (d *Decoder) checkCount(what string, n, each int) error {
	switch {
	case n < 0:
		return Malformed("a %s has the length %d", what, n)
	case n > 0 && each == 0:
		return Malformed("a %s has elements of a type that is not known", what)
	case each > 0 && n > d.left()/each:
		return Malformed("a %s of %d elements has no room in its message", what, n)
	}
	return nil
}

// SkipField passes over the value of a field whose head was read.
func (d *Decoder) SkipField(t Type) error {
	if t == Bool && d.proto == Compact {
		return nil // the type was the value
	}
	return d.skip(t, maxDepth)
}

// SkipStruct passes over a struct.
func (d *Decoder) SkipStruct() error { return d.skip(Struct, maxDepth) }

func (d *Decoder) skip(t Type, depth int) error {
	if depth == 0 {
		return Malformed("values are nested more than %d deep", maxDepth)
	}
	switch t {
	case Bool, Byte, Double, UUID:
		return d.pass(smallest(d.proto, t))
	case I16, I32, I64:
		if d.proto == Binary {
			return d.pass(smallest(d.proto, t))
		}
		_, err := d.uvarint(64)
		return err
	case String:
		_, err := d.Bytes()
		return err
	case Struct:
		return d.skipFields(depth)
	case List, Set:
		typ, n, err := d.ListBegin()
		for ; err == nil && n > 0; n-- {
			err = d.skip(typ, depth-1)
		}
		return err
	case Map:
		key, value, n, err := d.MapBegin()
		for ; err == nil && n > 0; n-- {
			if err = d.skip(key, depth-1); err == nil {
				err = d.skip(value, depth-1)
			}
		}
		return err
	default:
		return Malformed("a value has the type %d, which is not known", t)
	}
}

func (d *Decoder) skipFields(depth int) error {
	var last int16
	for {
		t, id, err := d.Field(last)
		if err != nil || t == Stop {
			return err
		}
		if t != Bool || d.proto == Binary {
			if err := d.skip(t, depth-1); err != nil {
				return err
			}
		}
		last = id
	}
}

func (d *Decoder) pass(n int) error {
	if err := d.need(n); err != nil {
		return err
	}
	d.pos += n
	return nil
}

// Text returns p, memory of a batch, as a string without copying it. It lives as
// long as the batch, as headers do.
func Text(p []byte) string {
	return unsafe.String(unsafe.SliceData(p), len(p))
}

// Header sets a header of e, an event of b, and refuses what is too much for one
// call. Key and value are not copied.
func (d *Decoder) Header(b *event.Batch, e *event.Event, key, value string) error {
	if d.headers--; d.headers < 0 {
		return Malformed("a call has more than %d headers", maxHeaders)
	}
	b.SetHeader(e, key, value)
	return nil
}

// Event takes note of one more event and refuses what is too much for one call.
func (d *Decoder) Event(b *event.Batch) (*event.Event, error) {
	if d.events--; d.events < 0 {
		return nil, Malformed("a call has more than %d events", maxEvents)
	}
	return b.Append(nil), nil
}
