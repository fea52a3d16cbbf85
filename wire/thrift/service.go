package thrift

import (
	"context"
	"errors"
	"fmt"

	"github.com/flume-go/flume/event"
)

// Service is what a server offers.
type Service struct {
	Methods []Method
	// Orders says that calls may be sent ahead, and clients are told so if they ask.
	Orders bool
	// Status returns the result of calls whose events Store dealt with, or the
	// exception that is sent instead. err is what Store returned. nil: methods
	// have no result, and an error of Store ends the connection.
	Status func(err error) (int32, *Exception)
}

// Method is one function of a service.
type Method struct {
	Name string
	// Args decodes the arguments and appends the events in them to b, whose
	// memory is the decoder's. An *Exception or a Result is the answer to this
	// call; any other error ends the connection.
	Args   func(d *Decoder, b *event.Batch) error
	Oneway bool // is not answered
	Result bool // the answer has a status; else it is empty
}

// Result is an error of Args by which a call is answered with this status.
type Result int32

// Error says so.
func (r Result) Error() string { return fmt.Sprintf("the call is answered with status %d", int32(r)) }

// Request is one call that a connection has brought.
type Request struct {
	Method *Method // nil if the call is refused
	Events int     // how many events it has

	head    Message
	refusal *refusal // nil: the answer depends on Store
}

// Store stores the events of calls that have come together, and returns nil when
// that is done. b has the events of calls in their order. Calls that are refused are not
// among them.
type Store func(ctx context.Context, b *event.Batch, calls []Request) error

// method finds a method by its name. There are two or three.
func (s *Service) method(name []byte) *Method {
	for i := range s.Methods {
		if s.Methods[i].Name == string(name) {
			return &s.Methods[i]
		}
	}
	return nil
}

// answer writes the answer to a call, if it has one.
func (s *Service) answer(e *Encoder, r *Request, status int32, x *Exception) {
	head := r.head
	if r.refusal != nil {
		status, x = r.refusal.status, r.refusal.exception
	}
	if x != nil {
		head.Type = Failure
		e.Message(head)
		e.Exception(x)
		return
	}
	head.Type = Reply
	e.Message(head)
	if r.Method == nil || r.Method.Result {
		e.Field(I32, 0)
		e.I32(status)
	}
	e.Stop()
}

// good reports whether the answer to a call that is settled before Store is OK.
func (r *refusal) good() bool { return r.exception == nil && r.status == int32(StatusOK) }

// silent reports whether nobody waits for an answer.
func (r *Request) silent() bool {
	return r.head.Type == Oneway || r.Method != nil && r.Method.Oneway
}

// refusal is the answer to a call that is settled before Store.
type refusal struct {
	status    int32
	exception *Exception // sent instead of the status if not nil
}

// refusalOf returns the answer that err is, nil if it is none.
func refusalOf(err error) *refusal {
	var x *Exception
	if errors.As(err, &x) {
		return &refusal{exception: x}
	}
	var r Result
	if errors.As(err, &r) {
		return &refusal{status: int32(r)}
	}
	return nil
}
