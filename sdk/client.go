package sdk

import (
	"context"
	"fmt"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/rpc"
)

// Event is what is sent: a body, and headers that say something about it.
type Event struct {
	Headers map[string]string
	Body    []byte
}

// Client sends events to agents. It is safe for concurrent use. Events must not be
// changed before the call that was given them has returned.
type Client interface {
	// Append sends one event and returns nil when an agent has it.
	Append(ctx context.Context, e Event) error
	// AppendBatch sends events in their order, in calls of at most BatchSize, and
	// returns nil when an agent has all of them. The error is a *DeliveryError. Without
	// events it does nothing.
	AppendBatch(ctx context.Context, events []Event) error
	// BatchSize is how many events one call to an agent has at most. More may be given
	// to AppendBatch; so many at once is best.
	BatchSize() int
	// Close closes the connections. Calls under way fail, and later ones with ErrClosed.
	Close() error
}

// ErrClosed is the error of calls after Close.
var ErrClosed = rpc.ErrClosed

// DeliveryError says that not all events could be sent.
type DeliveryError struct {
	// Delivered is how many events, from the first on, agents have acknowledged.
	// Those behind them are to be sent again.
	Delivered int
	// Unknown says that no answer came to what was sent last: an agent may have some
	// of the events behind those delivered, and sending them again may double them.
	Unknown bool
	// Err is what happened.
	Err error
}

// Error implements error.
func (e *DeliveryError) Error() string {
	if e.Delivered == 0 {
		return "sending events: " + e.Err.Error()
	}
	return fmt.Sprintf("sending events, after %d were delivered: %v", e.Delivered, e.Err)
}

// Unwrap returns the cause.
func (e *DeliveryError) Unwrap() error { return e.Err }

// outcome is what became of events. It is of DeliveryError's form; a nil err means that
// all are delivered.
type outcome struct {
	delivered int
	unknown   bool
	err       error
}

// then is the outcome of trying again, from the first event that was not delivered.
func (o outcome) then(next outcome) outcome {
	return outcome{
		delivered: o.delivered + next.delivered,
		// What came of an event that a later try has delivered is of no interest.
		unknown: next.unknown || o.unknown && next.delivered == 0,
		err:     next.err,
	}
}

// client is a Client on any route.
type client struct {
	route rpc.Route
	size  int
}

// Append implements Client.
func (c *client) Append(ctx context.Context, e Event) error {
	return c.result(c.send(ctx, []Event{e}, true))
}

// AppendBatch implements Client.
func (c *client) AppendBatch(ctx context.Context, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	return c.result(c.send(ctx, events, false))
}

// send sends events; single says that it is one, by the message for one. What an agent
// has taken is not sent to the next.
func (c *client) send(ctx context.Context, events []Event, single bool) outcome {
	var o outcome
	err := c.route.Send(ctx, func(h rpc.Host) error {
		o = o.then(deliver(ctx, h, events[o.delivered:], c.size, single))
		return o.err
	})
	o.err = err
	return o
}

func (c *client) result(o outcome) error {
	if o.err == nil {
		return nil
	}
	return &DeliveryError{Delivered: o.delivered, Unknown: o.unknown, Err: o.err}
}

// BatchSize implements Client.
func (c *client) BatchSize() int { return c.size }

// Close implements Client.
func (c *client) Close() error { return c.route.Close() }

// mostBytes is the most bytes of one call, but for one with a single event: what a
// thrift source of Apache Flume takes, with space for what surrounds the events.
const mostBytes = 15 << 20

// deliver sends events to h, in calls of at most size events, until one fails.
func deliver(ctx context.Context, h rpc.Host, events []Event, size int, single bool) outcome {
	var o outcome
	for o.delivered < len(events) {
		rest := events[o.delivered:]
		n := fitting(rest, size)
		if sent, err := call(ctx, h, rest[:n], single); err != nil {
			o.unknown, o.err = sent, err
			return o
		}
		o.delivered += n
	}
	return o
}

// fitting returns how many of the events go into one call.
func fitting(events []Event, size int) int {
	bytes := 0
	for i := range events {
		bytes += len(events[i].Body)
		for k, v := range events[i].Headers {
			bytes += len(k) + len(v) + headerBytes
		}
		if bytes > mostBytes || i == size {
			return max(i, 1)
		}
	}
	return len(events)
}

// headerBytes is more than surrounds a header in any of the protocols.
const headerBytes = 10

func call(ctx context.Context, h rpc.Host, events []Event, single bool) (sent bool, err error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	b := event.NewBatch()
	defer b.Release()
	for i := range events {
		e := b.Append(events[i].Body) // nobody changes it while the batch is in use
		for k, v := range events[i].Headers {
			b.SetHeader(e, k, v)
		}
	}
	return h.Call(ctx, rpc.Call{Batch: b, Single: single})
}
