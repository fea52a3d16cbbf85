package jceks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
)

// errSerial is wrapped by all errors of the reader of Java's serialization.
var errSerial = errors.New("reading serialized Java data")

// reader takes a byte slice apart. The first error stays; from then on it returns zeros.
type reader struct {
	data []byte
	err  error

	handles []any // what later parts may refer to, in the order of its appearance
	depth   int
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{errSerial}, args...)...)
		r.data = nil
	}
}

// next returns the next n bytes, or nil.
func (r *reader) next(n int64) []byte {
	if r.err == nil && (n < 0 || n > int64(len(r.data))) {
		r.fail("%d bytes are needed, %d are left", n, len(r.data))
	}
	if r.err != nil {
		return nil
	}
	p := r.data[:n]
	r.data = r.data[n:]
	return p
}

func (r *reader) skip(n int64) { r.next(n) }

func (r *reader) u8() byte {
	if p := r.next(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if p := r.next(2); p != nil {
		return binary.BigEndian.Uint16(p)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if p := r.next(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

// utf reads text in Java's modified UTF-8 behind its length: units of UTF-16, each in one to three bytes.
func (r *reader) utf() string {
	p := r.next(int64(r.u16()))
	var units []uint16
	for len(p) > 0 {
		unit, n := uint16(p[0]), 1
		switch {
		case p[0] < 0x80:
		case p[0]>>5 == 0b110 && len(p) > 1:
			unit, n = uint16(p[0]&0x1F)<<6|uint16(p[1]&0x3F), 2
		case p[0]>>4 == 0b1110 && len(p) > 2:
			unit, n = uint16(p[0]&0x0F)<<12|uint16(p[1]&0x3F)<<6|uint16(p[2]&0x3F), 3
		default:
			r.fail("text is not in modified UTF-8")
			return ""
		}
		units = append(units, unit)
		p = p[n:]
	}
	return string(utf16.Decode(units))
}

// Type codes and flags of the Object Serialization Stream Protocol.
const (
	streamMagic   = 0xACED
	streamVersion = 5

	tcNull      = 0x70
	tcReference = 0x71
	tcClassDesc = 0x72
	tcObject    = 0x73
	tcString    = 0x74
	tcArray     = 0x75
	tcBlockData = 0x77
	tcEndBlock  = 0x78
	tcEnum      = 0x7E

	firstHandle = 0x7E0000

	flagWriteMethod  = 0x01
	flagSerializable = 0x02
)

// Bounds of what is accepted; the objects in key stores need a tenth of it.
const (
	maxDepth   = 32
	maxHandles = 256
	maxFields  = 64
)

// class describes the class of an object in the stream.
type class struct {
	name   string
	flags  byte
	fields []field
	super  *class
}

type field struct {
	kind byte // B C D F I J S Z, [ and L
	name string
}

// object is an object in the stream. Its values are nil, string, []byte and *object; numbers are left out, as
// nothing needed is one.
type object struct {
	class  *class
	values map[string]any
}

// readObject reads a stream with one object in it.
func readObject(r *reader) (*object, error) {
	if m, v := r.u16(), r.u16(); r.err == nil && (m != streamMagic || v != streamVersion) {
		r.fail("it begins with %04x %04x", m, v)
	}
	r.handles = nil
	o, ok := r.value().(*object)
	if r.err == nil && !ok {
		r.fail("it is not an object")
	}
	return o, r.err
}

// value reads anything that can be the value of a field.
func (r *reader) value() any {
	if r.depth++; r.depth > maxDepth {
		r.fail("it is nested too deeply")
	}
	defer func() { r.depth-- }()
	switch tc := r.u8(); tc {
	case tcNull:
		return nil
	case tcReference:
		return r.reference()
	case tcClassDesc:
		return r.classDesc()
	case tcObject:
		return r.object()
	case tcString:
		at := r.handle()
		s := r.utf()
		r.resolve(at, s)
		return s
	case tcArray:
		return r.array()
	case tcEnum:
		r.classOf()
		at := r.handle()
		name, _ := r.value().(string)
		r.resolve(at, name)
		return name
	default:
		r.fail("it has a part of the kind 0x%02x", tc)
		return nil
	}
}

// handle takes the next number by which later parts can refer to what is being read.
func (r *reader) handle() int {
	if len(r.handles) == maxHandles {
		r.fail("it has more than %d parts", maxHandles)
		return 0
	}
	r.handles = append(r.handles, nil)
	return len(r.handles) - 1
}

func (r *reader) resolve(handle int, v any) {
	if r.err == nil {
		r.handles[handle] = v
	}
}

func (r *reader) reference() any {
	n := int64(r.u32()) - firstHandle
	if r.err == nil && (n < 0 || n >= int64(len(r.handles))) {
		r.fail("it refers to part %d of %d", n, len(r.handles))
	}
	if r.err != nil {
		return nil
	}
	return r.handles[n]
}

// classOf reads a class that must be there; after an error it returns an empty one.
func (r *reader) classOf() *class {
	c, ok := r.value().(*class)
	if !ok {
		r.fail("a class is missing")
		return &class{}
	}
	return c
}

func (r *reader) classDesc() any {
	c := &class{name: r.utf()}
	r.skip(8) // the class's version
	at := r.handle()
	c.flags = r.u8()
	n := int(r.u16())
	if n > maxFields {
		r.fail("class %s has %d fields", c.name, n)
	}
	for i := 0; i < n && r.err == nil; i++ {
		f := field{kind: r.u8(), name: r.utf()}
		if f.kind == '[' || f.kind == 'L' {
			r.value() // the name of its class
		}
		c.fields = append(c.fields, f)
	}
	r.annotation()
	c.super, _ = r.value().(*class)
	r.resolve(at, c)
	if r.err != nil {
		return nil
	}
	return c
}

// annotation passes over what a class wrote besides its fields.
func (r *reader) annotation() {
	for r.err == nil && len(r.data) > 0 {
		switch r.data[0] {
		case tcEndBlock:
			r.skip(1)
			return
		case tcBlockData:
			r.skip(1)
			r.skip(int64(r.u8()))
		default:
			r.value()
		}
	}
	r.fail("an annotation has no end")
}

func (r *reader) object() any {
	c := r.classOf()
	o := &object{class: c, values: make(map[string]any)}
	r.resolve(r.handle(), o)
	var line []*class // from the class to its most distant ancestor
	for ; c != nil && len(line) < maxDepth; c = c.super {
		line = append(line, c)
	}
	for i := len(line) - 1; i >= 0; i-- {
		r.fieldsOf(line[i], o)
	}
	if r.err != nil {
		return nil
	}
	return o
}

// fieldsOf reads the part of an object that one of its classes wrote.
func (r *reader) fieldsOf(c *class, o *object) {
	if c.flags&flagSerializable == 0 {
		r.fail("class %s is written in a form of its own", c.name)
	}
	for _, f := range c.fields {
		if size := sizeOf(f.kind); size > 0 {
			r.skip(size)
		} else {
			o.values[f.name] = r.value()
		}
	}
	if c.flags&flagWriteMethod != 0 {
		r.annotation()
	}
}

// sizeOf returns the bytes of a number in the stream, 0 for objects.
func sizeOf(kind byte) int64 {
	switch kind {
	case 'B', 'Z':
		return 1
	case 'C', 'S':
		return 2
	case 'F', 'I':
		return 4
	case 'D', 'J':
		return 8
	default:
		return 0
	}
}

// array reads an array of bytes; there are no others in keys.
func (r *reader) array() any {
	c := r.classOf()
	if r.err == nil && c.name != "[B" {
		r.fail("it has an array of the class %s", c.name)
	}
	at := r.handle()
	p := r.next(int64(r.u32()))
	r.resolve(at, p)
	if r.err != nil {
		return nil
	}
	return p
}
