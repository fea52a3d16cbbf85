package javachannel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/flume-go/flume/event"
)

// A log of version 2 begins with its version, number, checkpoint position and write-order number. Its
// records have no length, no checksum and the numbers in Java's DataOutput format.
const (
	headSizeV2   = 24
	magicV2      = 0xDEADBEEF
	headerMark   = 0x8C // before each key and value
	maxEventV2   = 1 << 30
	maxHeadersV2 = 1 << 20
)

// errShort says that a record of version 2 goes on behind the bytes given.
var errShort = errors.New("record is cut short")

// parseHeadV2 decodes the first bytes of a log of version 2.
func parseHeadV2(data []byte) (m logMeta, err error) {
	if len(data) < headSizeV2 {
		return m, errShort
	}
	m.version = int32(binary.BigEndian.Uint32(data))
	m.id = int32(binary.BigEndian.Uint32(data[4:]))
	m.position = int64(binary.BigEndian.Uint64(data[8:]))
	m.order = int64(binary.BigEndian.Uint64(data[16:]))
	if m.version != version2 {
		return m, fmt.Errorf("%w: version %#x", errMalformed, m.version)
	}
	return m, nil
}

// input takes values off the front of a slice. After the first error it returns zeros.
type input struct {
	data []byte
	err  error
}

func (in *input) fail(err error) {
	if in.err == nil {
		in.err = err
	}
}

// take returns the next n bytes, none and an error where there are fewer.
func (in *input) take(n int) []byte {
	if in.err != nil || n > len(in.data) {
		in.fail(errShort)
		return nil
	}
	b := in.data[:n:n]
	in.data = in.data[n:]
	return b
}

func (in *input) uint8() uint8 {
	if b := in.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (in *input) uint16() uint16 {
	if b := in.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (in *input) uint32() uint32 {
	if b := in.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (in *input) int64() int64 {
	if b := in.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// vint decodes an integer as Hadoop's WritableUtils writes it.
func (in *input) vint() int64 {
	first := int8(in.uint8())
	if first >= -112 {
		return int64(first)
	}
	n, negative := -112-int(first), false
	if first < -120 {
		n, negative = -120-int(first), true
	}
	var v int64
	for _, b := range in.take(n) {
		v = v<<8 | int64(b)
	}
	if negative {
		return ^v
	}
	return v
}

// text returns a marked string: a key or value of a header.
func (in *input) text() []byte {
	if mark := in.uint8(); in.err == nil && mark != headerMark {
		in.fail(fmt.Errorf("%w: header mark %#x", errMalformed, mark))
	}
	n := in.vint()
	if n < 0 || n > maxEventV2 {
		in.fail(fmt.Errorf("%w: header of %d bytes", errMalformed, n))
		return nil
	}
	return in.take(int(n))
}

// parseRecordV2 decodes the record at the beginning of data, its operation byte included, and returns its
// length. The error is errShort if it goes on behind the end of data.
func parseRecordV2(data []byte) (r record, size int, err error) {
	in := input{data: data}
	if op := in.uint8(); in.err == nil && op != opRecord {
		in.fail(fmt.Errorf("%w: operation %#x", errMalformed, op))
	}
	if magic := in.uint32(); in.err == nil && magic != magicV2 {
		in.fail(fmt.Errorf("%w: magic number %#x", errMalformed, magic))
	}
	typ := in.uint16()
	r.transaction, r.order = in.int64(), in.int64()
	if in.err != nil {
		return r, 0, in.err
	}
	if typ < uint16(kindPut) || typ > uint16(kindCommit) {
		return r, 0, fmt.Errorf("%w: record type %d", errMalformed, typ)
	}
	r.kind = kind(typ)
	switch r.kind {
	case kindPut:
		r.event = in.data
		body := in.eventV2(func(_, _ []byte) {})
		r.event, r.body = r.event[:len(r.event)-len(in.data)], len(body)
	case kindTake:
		offset, file := in.uint32(), in.uint32()
		r.taken = pointer(file)<<32 | pointer(offset)
		if in.err == nil {
			in.err = r.checkTaken()
		}
	case kindCommit:
		r.commit = kind(min(in.uint16(), math.MaxUint8))
		if in.err == nil {
			in.err = r.checkCommit()
		}
	}
	return r, len(data) - len(in.data), in.err
}

// eventV2 decodes an event, hands its headers to set, and returns its body.
func (in *input) eventV2(set func(key, value []byte)) []byte {
	// A table of the classes of keys and values, empty for strings, comes first.
	for range in.uint8() {
		in.uint8()
		in.take(int(in.uint16()))
	}
	n := in.uint32()
	if n > maxHeadersV2 {
		in.fail(fmt.Errorf("%w: %d headers", errMalformed, n))
	}
	for i := uint32(0); i < n && in.err == nil; i++ {
		key, value := in.text(), in.text()
		if in.err == nil {
			set(key, value)
		}
	}
	size := int32(in.uint32())
	if size == -1 { // no body at all
		return nil
	}
	if size < 0 || size > maxEventV2 {
		in.fail(fmt.Errorf("%w: body of %d bytes", errMalformed, size))
		return nil
	}
	return in.take(int(size))
}

// appendEventV2 is appendEvent for version 2.
func appendEventV2(b *event.Batch, data []byte) error {
	bodyOf := input{data: data}
	body := bodyOf.eventV2(func(_, _ []byte) {})
	if bodyOf.err != nil {
		return bodyOf.err
	}
	h := headers{batch: b, event: b.AppendCopy(body)}
	in := input{data: data}
	in.eventV2(h.set)
	return in.err
}
