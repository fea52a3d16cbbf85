package flow

import (
	"context"
	"errors"
	"time"
)

// Class says what an error means for the batch that met it.
type Class int

const (
	// ClassRetry says that the same batch may succeed later. Any plain error.
	ClassRetry Class = iota
	// ClassUnknown says that the batch was sent but not answered: the destination
	// may have it. Tried again, counted as a possible duplicate.
	ClassUnknown
	// ClassReject says that some events will never be taken. With a dead-letter channel
	// they go there; without, they are tried again, as in Flume. See Reject.
	ClassReject
	// ClassFatal says that the component cannot work as configured. The component is marked failed
	// and tried again slowly.
	ClassFatal
	// ClassShutdown is nobody's fault: the agent or the component is stopping.
	ClassShutdown
)

// String names the class.
func (c Class) String() string {
	return [...]string{"retry", "unknown outcome", "rejected", "fatal", "shutting down"}[c]
}

// Sentinel errors of the contract.
var (
	// ErrFull says that a channel stayed full for as long as it may be waited for. Retry.
	ErrFull = errors.New("channel is full")
	// ErrClosed says that the channel or component is closed. Shutting down.
	ErrClosed = errors.New("closed")
	// ErrSettled answers an Ack or Nack of a delivery that was settled before.
	ErrSettled = errors.New("delivery is already settled")
)

type classified struct {
	class    Class
	err      error
	after    time.Duration
	rejected []int
}

func (e *classified) Error() string { return e.err.Error() }
func (e *classified) Unwrap() error { return e.err }

// Retry marks err as worth trying again. Plain errors are, too.
func Retry(err error) error { return &classified{class: ClassRetry, err: err} }

// RetryAfter is Retry with the pause that the other side asked for.
func RetryAfter(err error, pause time.Duration) error {
	return &classified{class: ClassRetry, err: err, after: pause}
}

// Unknown marks err as coming after the batch was sent: it may have been stored.
func Unknown(err error) error { return &classified{class: ClassUnknown, err: err} }

// Reject marks the events of these indexes (of the batch that was passed) as
// never acceptable, and says that all others have been delivered. Without
// indexes it says that at least one event is not acceptable and that none has
// been delivered.
//
// What becomes of them without a dead-letter channel follows from that. Where
// none has been delivered the whole batch goes back to its channel and is tried
// again. Where others have been, only the rejected ones are tried again, in a batch
// of their own, and the delivery stays open until they are taken: a channel takes
// back all of it or nothing, and each return would deliver the others once more.
// When the sink is stopped before, all of it goes back: after a stop what was
// delivered of it comes again.
func Reject(err error, indexes ...int) error {
	if len(indexes) == 0 {
		indexes = nil // an empty list must not say that all are delivered
	}
	return &classified{class: ClassReject, err: err, rejected: indexes}
}

// Fatal marks err as not curable by trying again soon.
func Fatal(err error) error { return &classified{class: ClassFatal, err: err} }

// ClassOf returns the class of err, looking through wrapping. The outermost
// class counts. err is not nil.
func ClassOf(err error) Class {
	var c *classified
	switch {
	case errors.As(err, &c):
		return c.class
	case errors.Is(err, context.Canceled), errors.Is(err, ErrClosed):
		return ClassShutdown
	default:
		return ClassRetry
	}
}

// Pause returns the pause that RetryAfter asked for, or 0.
func Pause(err error) time.Duration {
	var c *classified
	if errors.As(err, &c) {
		return c.after
	}
	return 0
}

// Rejected returns the indexes given to Reject; nil when there are none.
func Rejected(err error) []int {
	var c *classified
	if errors.As(err, &c) && c.class == ClassReject {
		return c.rejected
	}
	return nil
}
