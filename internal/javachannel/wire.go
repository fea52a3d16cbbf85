package javachannel

import (
	"errors"
	"fmt"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
)

// errMalformed says that bytes are no message of Flume's.
var errMalformed = errors.New("malformed message")

// field is one field of a protocol buffers message.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	fixed uint64 // the value of a Fixed32Type or Fixed64Type
	bytes []byte // the value of a BytesType
}

// is reports whether the field has this number and type. A known number of another type counts as an
// unknown field, as the format demands.
func (f *field) is(num protowire.Number, typ protowire.Type) bool {
	return f.num == num && f.typ == typ
}

// nextField cuts the first field off a message.
func nextField(msg []byte) (f field, rest []byte, err error) {
	num, typ, n := protowire.ConsumeTag(msg)
	if n < 0 {
		return f, nil, fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
	}
	msg = msg[n:]
	f.num, f.typ = num, typ
	switch typ {
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(msg)
		f.fixed = uint64(v)
	case protowire.Fixed64Type:
		f.fixed, n = protowire.ConsumeFixed64(msg)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(msg)
	default:
		n = protowire.ConsumeFieldValue(num, typ, msg)
	}
	if n < 0 {
		return f, nil, fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
	}
	return f, msg[n:], nil
}

// fields returns the fields of a message, the last one with an error if it is malformed there.
func fields(msg []byte) iter.Seq2[field, error] {
	return func(yield func(field, error) bool) {
		for len(msg) > 0 {
			f, rest, err := nextField(msg)
			if !yield(f, err) || err != nil {
				return
			}
			msg = rest
		}
	}
}

// nextMessage cuts the first message, which its length precedes, off data.
func nextMessage(data []byte) (msg, rest []byte, err error) {
	msg, n := protowire.ConsumeBytes(data)
	if n < 0 {
		return nil, nil, fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
	}
	return msg, data[n:], nil
}

// missing is the error for a required field that is not there.
func missing(message, field string) error {
	return fmt.Errorf("%w: %s without %s", errMalformed, message, field)
}

// logMeta is what a .meta file, or the head of a log of version 2, says about a log.
type logMeta struct {
	version int32
	id      int32

	// Replay starts at position, if order is not beyond the checkpoint's; else at the backup
	// pair, which belong to the checkpoint before.
	position, order             int64
	backupPosition, backupOrder int64

	encryption *encryptionMeta // nil for a log in clear
}

// encryptionMeta says how the records of a log are encrypted.
type encryptionMeta struct {
	provider string // as configured: AESCTRNOPADDING or a class name
	alias    string
	iv       []byte
}

// parseLogMeta decodes the content of a .meta file.
func parseLogMeta(data []byte) (m logMeta, err error) {
	msg, _, err := nextMessage(data)
	if err != nil {
		return m, err
	}
	var has [5]bool
	for f, err := range fields(msg) {
		if err != nil {
			return m, err
		}
		switch {
		case f.is(1, protowire.Fixed32Type):
			m.version, has[1] = int32(f.fixed), true
		case f.is(2, protowire.Fixed32Type):
			m.id, has[2] = int32(f.fixed), true
		case f.is(3, protowire.Fixed64Type):
			m.position, has[3] = int64(f.fixed), true
		case f.is(4, protowire.Fixed64Type):
			m.order, has[4] = int64(f.fixed), true
		case f.is(5, protowire.BytesType):
			if m.encryption, err = parseEncryptionMeta(f.bytes); err != nil {
				return m, err
			}
		case f.is(6, protowire.Fixed64Type):
			m.backupPosition = int64(f.fixed)
		case f.is(7, protowire.Fixed64Type):
			m.backupOrder = int64(f.fixed)
		}
	}
	if !has[1] || !has[2] || !has[3] || !has[4] {
		return m, missing("LogFileMetaData", "version, logFileID, checkpointPosition or checkpointWriteOrderID")
	}
	if m.version != version3 {
		return m, fmt.Errorf("version %d of a .meta file is unknown", m.version)
	}
	return m, nil
}

func parseEncryptionMeta(msg []byte) (*encryptionMeta, error) {
	m := new(encryptionMeta)
	var hasProvider, hasAlias bool
	for f, err := range fields(msg) {
		if err != nil {
			return nil, err
		}
		switch {
		case f.is(1, protowire.BytesType):
			m.provider, hasProvider = string(f.bytes), true
		case f.is(2, protowire.BytesType):
			m.alias, hasAlias = string(f.bytes), true
		case f.is(3, protowire.BytesType):
			m.iv = append([]byte(nil), f.bytes...)
		}
	}
	if !hasProvider || !hasAlias {
		return nil, missing("LogFileEncryption", "cipherProvider or keyAlias")
	}
	return m, nil
}

// checkpointMeta is the content of checkpoint.meta.
type checkpointMeta struct {
	version    int32
	order      int64
	size, head int32
}

// parseCheckpointMeta decodes the content of checkpoint.meta. The counts per log, which Flume keeps to
// know what it may delete, are of no use here.
func parseCheckpointMeta(data []byte) (m checkpointMeta, err error) {
	msg, _, err := nextMessage(data)
	if err != nil {
		return m, err
	}
	var has [5]bool
	for f, err := range fields(msg) {
		if err != nil {
			return m, err
		}
		switch {
		case f.is(1, protowire.Fixed32Type):
			m.version, has[1] = int32(f.fixed), true
		case f.is(2, protowire.Fixed64Type):
			m.order, has[2] = int64(f.fixed), true
		case f.is(3, protowire.Fixed32Type):
			m.size, has[3] = int32(f.fixed), true
		case f.is(4, protowire.Fixed32Type):
			m.head, has[4] = int32(f.fixed), true
		}
	}
	if !has[1] || !has[2] || !has[3] || !has[4] {
		return m, missing("Checkpoint", "version, writeOrderID, queueSize or queueHead")
	}
	return m, nil
}
