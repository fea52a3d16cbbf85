package thrift

import (
	"slices"

	"github.com/flume-go/flume/event"
)

// Status is what a server of ThriftSourceProtocol answers.
type Status int32

// The values of Status. Flume sends the first two only.
const (
	StatusOK      Status = 0
	StatusFailed  Status = 1
	StatusError   Status = 2
	StatusUnknown Status = 3
)

// String names the status as the interface definition does.
func (s Status) String() string {
	if s < 0 || int(s) >= len(statusNames) {
		return "none that the protocol knows"
	}
	return statusNames[s]
}

var statusNames = [...]string{"OK", "FAILED", "ERROR", "UNKNOWN"}

// Methods of ThriftSourceProtocol.
const (
	MethodAppend      = "append"
	MethodAppendBatch = "appendBatch"
)

// FlumeService is the service ThriftSourceProtocol.
func FlumeService() *Service {
	return &Service{Orders: true, Methods: []Method{
		{Name: MethodAppendBatch, Args: (*Decoder).appendBatchArgs, Result: true},
		{Name: MethodAppend, Args: (*Decoder).appendArgs, Result: true},
	}}
}

// fieldArgument is the id of the one argument that each method has.
const fieldArgument = 1

func (d *Decoder) appendArgs(b *event.Batch) error {
	return d.argument(Struct, MethodAppend, func() error { return d.FlumeEvent(b) })
}

func (d *Decoder) appendBatchArgs(b *event.Batch) error {
	return d.argument(List, MethodAppendBatch, func() error {
		n, err := d.Structs()
		for ; err == nil && n > 0; n-- {
			err = d.FlumeEvent(b)
		}
		return err
	})
}

// argument reads the arguments of a method that has one, of this type.
func (d *Decoder) argument(want Type, method string, read func() error) error {
	var last int16
	found := false
	for {
		typ, id, err := d.Field(last)
		switch {
		case err != nil:
			return err
		case typ == Stop && !found:
			// What Flume's server answers, which finds it when it uses it.
			return &Exception{KindInternalError, "Internal error processing " + method + ": its argument is missing"}
		case typ == Stop:
			return nil
		case typ == want && id == fieldArgument && !found:
			found = true
			err = read()
		default:
			d.ahead = d.ahead || id == fieldAhead
			err = d.SkipField(typ)
		}
		if err != nil {
			return err
		}
		last = id
	}
}

// Structs reads the head of a list of structs and returns its length.
func (d *Decoder) Structs() (int, error) {
	typ, n, err := d.ListBegin()
	if err == nil && n > 0 && typ != Struct {
		err = &Exception{KindProtocolError, "the elements of a list are no structs"}
	}
	return n, err
}

// AppendBatch writes the framed call of appendBatch for events [from, to) of b.
// size is the sum of their EventSize.
func (e *Encoder) AppendBatch(p Protocol, seq int32, b *event.Batch, from, to, size int) {
	e.Reset(p, CallOverhead+size)
	e.addBatch(p, seq, b, from, to, size, false)
}

// addBatch adds such a call to what was written; ahead gives it the mark of calls that are sent ahead.
func (e *Encoder) addBatch(p Protocol, seq int32, b *event.Batch, from, to, size int, ahead bool) {
	e.buf = slices.Grow(e.buf, CallOverhead+size)
	start := e.FrameBegin()
	e.Message(Message{Type: Call, Seq: seq, Name: []byte(MethodAppendBatch), Protocol: p})
	e.Field(List, fieldArgument)
	e.listBegin(to - from)
	for i := from; i < to; i++ {
		e.FlumeEvent(b.At(i))
	}
	e.forget()
	if ahead {
		e.Field(I32, fieldAhead)
		e.I32(1)
	}
	e.Stop()
	e.FrameEnd(start)
}

// StatusReply reads what follows the head of a reply or failure: the status, or
// the *Exception.
func (d *Decoder) StatusReply(m Message) (Status, error) {
	if m.Type == Failure {
		x, err := d.exception()
		if err != nil {
			return 0, err
		}
		return 0, x
	}
	if m.Type != Reply {
		return 0, Malformed("a message of type %d is no answer", m.Type)
	}
	var last int16
	status, found := int32(0), false
	for {
		typ, id, err := d.Field(last)
		switch {
		case err != nil:
			return 0, err
		case typ == Stop && !found:
			return 0, &Exception{KindMissingResult, "the answer has no status"}
		case typ == Stop:
			return Status(status), nil
		case id == 0 && typ == I32:
			found = true
			status, err = d.I32()
		default:
			err = d.SkipField(typ)
		}
		if err != nil {
			return 0, err
		}
		last = id
	}
}

func (d *Decoder) exception() (*Exception, error) {
	x := &Exception{Kind: KindUnknown, Text: "the server gives no reason"}
	var last int16
	for {
		typ, id, err := d.Field(last)
		switch {
		case err != nil:
			return nil, err
		case typ == Stop:
			return x, nil
		case id == 1 && typ == String:
			var p []byte
			if p, err = d.Bytes(); err == nil && len(p) > 0 {
				x.Text = string(p)
			}
		case id == 2 && typ == I32:
			x.Kind, err = d.I32()
		default:
			err = d.SkipField(typ)
		}
		if err != nil {
			return nil, err
		}
		last = id
	}
}
