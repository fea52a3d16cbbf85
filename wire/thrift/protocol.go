package thrift

import (
	"errors"
	"fmt"
)

// Protocol is how values become bytes.
type Protocol uint8

// The protocols. Messages of both begin with a byte that tells them apart.
const (
	Compact Protocol = iota
	Binary
)

// String returns the protocol's name in configuration files.
func (p Protocol) String() string {
	if p == Binary {
		return "binary"
	}
	return "compact"
}

// Type is the type of a value, numbered as in the binary protocol.
type Type uint8

// The types. Stop is the end of a struct's fields.
const (
	Stop   Type = 0
	Bool   Type = 2
	Byte   Type = 3
	Double Type = 4
	I16    Type = 6
	I32    Type = 8
	I64    Type = 10
	String Type = 11 // and binary
	Struct Type = 12
	Map    Type = 13
	Set    Type = 14
	List   Type = 15
	UUID   Type = 16
)

// none marks a number that is no type.
const none Type = 0xFF

// compactTypes are the types by their numbers in the compact protocol, where
// both values of a bool have one.
var compactTypes = [16]Type{
	Stop, Bool, Bool, Byte, I16, I32, I64, Double, String, List, Set, Map, Struct, UUID, none, none,
}

// compactTrue is the number that a true field has for a type.
const compactTrue = 1

// compactNumber returns the number of a type, not of a bool, in the compact protocol.
func compactNumber(t Type) byte {
	for i, c := range compactTypes {
		if c == t {
			return byte(i)
		}
	}
	return 0
}

// smallest is the least number of bytes that a value of a type takes, 0 for what
// is no type. It bounds the claimed length of a collection by the bytes there are.
func smallest(p Protocol, t Type) int {
	switch t {
	case Bool, Byte, Struct:
		return 1
	case Double:
		return 8
	case UUID:
		return 16
	}
	if p == Compact {
		switch t {
		case I16, I32, I64, String, Map, Set, List:
			return 1
		}
		return 0
	}
	switch t {
	case I16:
		return 2
	case I32, String:
		return 4
	case I64:
		return 8
	case Set, List:
		return 5
	case Map:
		return 6
	}
	return 0
}

// MessageType says what a message is.
type MessageType uint8

// The types of messages.
const (
	Call    MessageType = 1
	Reply   MessageType = 2
	Failure MessageType = 3 // an Exception
	Oneway  MessageType = 4
)

// Message is the head of a message.
type Message struct {
	Type     MessageType
	Seq      int32
	Name     []byte // of the method; a view of what was decoded
	Protocol Protocol
	// Old says that the message has the head of the binary protocol's first
	// version.
	Old bool
}

// Heads of messages.
const (
	compactID      = 0x82
	compactVersion = 1
	versionMask    = 0x1F
	binaryVersion1 = 0x8001
)

// Kinds of Exception.
const (
	KindUnknown         int32 = 0
	KindUnknownMethod   int32 = 1
	KindInvalidType     int32 = 2
	KindWrongMethod     int32 = 3
	KindBadSequence     int32 = 4
	KindMissingResult   int32 = 5
	KindInternalError   int32 = 6
	KindProtocolError   int32 = 7
	KindUnsupportedType int32 = 9
)

// Exception is the answer to a call that a server cannot carry out
// (TApplicationException). The connection goes on.
type Exception struct {
	Kind int32
	Text string
}

// Error returns the text and the kind.
func (e *Exception) Error() string { return fmt.Sprintf("%s (exception %d)", e.Text, e.Kind) }

// ErrMalformed is at the bottom of every error about bytes that are no message of
// this protocol. What follows them on a connection has no meaning.
var ErrMalformed = errors.New("malformed message")

// errShort says that the bytes end within a message.
var errShort = fmt.Errorf("%w: it ends too early", ErrMalformed)

// Malformed returns an error about bytes that are no message, for services of one's
// own.
func Malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}
