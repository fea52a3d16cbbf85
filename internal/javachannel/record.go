package javachannel

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/flume-go/flume/event"
)

// The versions of the format.
const (
	version2 = 2
	version3 = 3
)

// The first byte of everything in a log.
const (
	opRecord = 0x7F
	opNoop   = 0x00 // a record that an integrity tool disabled
	opEnd    = 0x80 // filler behind the last record
)

// frameSize is the operation byte and the length before each record of version 3.
const frameSize = 5

// maxRecord is the most that Flume lets a log have, and thus a record: 2 GiB less 500 MiB.
const maxRecord = 1<<31 - 1 - 500<<20

// kind is the type of a record, also the one that a commit names.
type kind uint8

const (
	kindPut kind = iota + 1
	kindTake
	kindRollback
	kindCommit
)

// pointer addresses the put of an event: the number of its log in the upper half, the offset of its record
// in the lower. No event has 0.
type pointer uint64

func pointerTo(file int32, offset int64) pointer { return pointer(file)<<32 | pointer(uint32(offset)) }

func (p pointer) file() int32   { return int32(p >> 32) }
func (p pointer) offset() int64 { return int64(uint32(p)) }
func (p pointer) valid() bool   { return p.file() > 0 && int32(uint32(p)) >= 0 }

// record is a decoded record. Slices are views of what it was decoded from.
type record struct {
	kind   kind
	commit kind    // of a commit: kindPut or kindTake
	taken  pointer // of a take

	transaction, order int64

	event []byte // of a put: the encoded event, for appendEvent or appendEventV2
	body  int    // of a put: bytes of the event's body
}

// parseRecord decodes the payload of a record of version 3 and verifies its checksum.
func parseRecord(payload []byte) (r record, err error) {
	head, rest, err := nextMessage(payload)
	if err != nil {
		return r, err
	}
	if err = r.parseHeader(head); err != nil {
		return r, err
	}
	msg, rest, err := nextMessage(rest)
	if err != nil {
		return r, err
	}
	switch r.kind {
	case kindPut:
		err = r.parsePut(msg)
	case kindTake:
		err = r.parseTake(msg)
	case kindCommit:
		err = r.parseCommit(msg)
	case kindRollback:
		err = skipFields(msg)
	}
	if err != nil {
		return r, err
	}
	foot, _, err := nextMessage(rest)
	if err != nil {
		return r, fmt.Errorf("footer: %w", err)
	}
	return r, skipFields(foot)
}

func (r *record) parseHeader(msg []byte) error {
	var hasKind, hasTransaction, hasOrder bool
	for f, err := range fields(msg) {
		if err != nil {
			return err
		}
		switch {
		case f.is(1, protowire.Fixed32Type):
			if f.fixed < uint64(kindPut) || f.fixed > uint64(kindCommit) {
				return fmt.Errorf("%w: record type %d", errMalformed, f.fixed)
			}
			r.kind, hasKind = kind(f.fixed), true
		case f.is(2, protowire.Fixed64Type):
			r.transaction, hasTransaction = int64(f.fixed), true
		case f.is(3, protowire.Fixed64Type):
			r.order, hasOrder = int64(f.fixed), true
		}
	}
	if !hasKind || !hasTransaction || !hasOrder {
		return missing("TransactionEventHeader", "type, transactionID or writeOrderID")
	}
	return nil
}

func (r *record) parsePut(msg []byte) error {
	var sum uint64
	var hasSum, hasEvent bool
	for f, err := range fields(msg) {
		if err != nil {
			return err
		}
		switch {
		case f.is(1, protowire.BytesType):
			r.event, hasEvent = f.bytes, true
		case f.is(2, protowire.Fixed64Type):
			sum, hasSum = f.fixed, true
		}
	}
	if !hasEvent {
		return missing("Put", "event")
	}
	body, err := eventBody(r.event)
	if err != nil {
		return err
	}
	r.body = len(body)
	if got := uint64(crc32.ChecksumIEEE(body)); hasSum && got != sum {
		return fmt.Errorf("the body's checksum is %08x and should be %08x", got, sum)
	}
	return nil
}

func (r *record) parseTake(msg []byte) error {
	var file, offset uint64
	var hasFile, hasOffset bool
	for f, err := range fields(msg) {
		if err != nil {
			return err
		}
		switch {
		case f.is(1, protowire.Fixed32Type):
			file, hasFile = f.fixed, true
		case f.is(2, protowire.Fixed32Type):
			offset, hasOffset = f.fixed, true
		}
	}
	if !hasFile || !hasOffset {
		return missing("Take", "fileID or offset")
	}
	r.taken = pointer(file<<32 | offset)
	return r.checkTaken()
}

func (r *record) checkTaken() error {
	if !r.taken.valid() {
		return fmt.Errorf("%w: take of an event at file %d offset %d", errMalformed, r.taken.file(), int32(uint32(r.taken)))
	}
	return nil
}

func (r *record) parseCommit(msg []byte) error {
	for f, err := range fields(msg) {
		if err != nil {
			return err
		}
		if f.is(1, protowire.Fixed32Type) {
			r.commit = kind(min(f.fixed, 0xFF))
		}
	}
	return r.checkCommit()
}

func (r *record) checkCommit() error {
	if r.commit != kindPut && r.commit != kindTake {
		return fmt.Errorf("%w: commit of type %d", errMalformed, r.commit)
	}
	return nil
}

// skipFields checks that a message is one.
func skipFields(msg []byte) error {
	for _, err := range fields(msg) {
		if err != nil {
			return err
		}
	}
	return nil
}

// eventBody finds the body in an encoded event and checks everything else.
func eventBody(msg []byte) (body []byte, err error) {
	has := false
	for f, err := range fields(msg) {
		if err != nil {
			return nil, err
		}
		switch {
		case f.is(1, protowire.BytesType):
			if _, _, err = parseEventHeader(f.bytes); err != nil {
				return nil, err
			}
		case f.is(2, protowire.BytesType):
			body, has = f.bytes, true
		}
	}
	if !has {
		return nil, missing("FlumeEvent", "body")
	}
	return body, nil
}

func parseEventHeader(msg []byte) (key, value []byte, err error) {
	has := false
	for f, err := range fields(msg) {
		if err != nil {
			return nil, nil, err
		}
		switch {
		case f.is(1, protowire.BytesType):
			key, has = f.bytes, true
		case f.is(2, protowire.BytesType):
			value = f.bytes
		}
	}
	if !has {
		return nil, nil, missing("FlumeEventHeader", "key")
	}
	return key, value, nil
}

// appendEvent adds an encoded event that parseRecord accepted to a batch, which keeps no view of it. A
// header that had no value gets an empty one, as in Flume.
func appendEvent(b *event.Batch, msg []byte) error {
	body, err := eventBody(msg)
	if err != nil {
		return err
	}
	h := headers{batch: b, event: b.AppendCopy(body)}
	for f, err := range fields(msg) {
		if err != nil {
			return err
		}
		if f.is(1, protowire.BytesType) {
			key, value, err := parseEventHeader(f.bytes)
			if err != nil {
				return err
			}
			h.set(key, value)
		}
	}
	return nil
}

// manyHeaders is the count from which looking for a key one by one would take too long on an event made
// to be slow.
const manyHeaders = 64

// headers sets the headers of one event, the last of equal keys winning.
type headers struct {
	batch *event.Batch
	event *event.Event
	index map[string]int // once there are many
}

func (h *headers) set(key, value []byte) {
	if len(h.event.Headers) < manyHeaders {
		h.batch.SetHeader(h.event, h.batch.String(key), h.batch.String(value))
		return
	}
	if h.index == nil {
		h.index = make(map[string]int)
		for i, old := range h.event.Headers {
			h.index[old.Key] = i
		}
	}
	if i, ok := h.index[string(key)]; ok {
		h.event.Headers[i].Value = h.batch.String(value)
		return
	}
	k := h.batch.String(key)
	h.index[k] = len(h.event.Headers)
	h.event.Headers = append(h.event.Headers, event.Header{Key: k, Value: h.batch.String(value)})
}

// headSize is the length of what begins every payload of version 3: the header message, whose fields all
// have a fixed size, and its length.
const headSize = 1 + 5 + 9 + 9

// looksLikeHead says whether a payload, in clear, begins as those that Flume writes.
func looksLikeHead(p []byte) bool {
	return len(p) >= headSize && p[0] == headSize-1 && p[1] == 0x0D && p[6] == 0x11 && p[15] == 0x19 &&
		binary.LittleEndian.Uint32(p[2:])-uint32(kindPut) <= uint32(kindCommit-kindPut)
}
