package flow

import (
	"context"
	"io"
	"time"

	"github.com/flume-go/flume/event"
)

// Source brings events in.
type Source interface {
	// Run works until ctx is cancelled (then it returns nil) or it cannot go on
	// (then it returns the error, and is run again after a pause). It may
	// acknowledge its client, or move its position, only after Emit returned
	// nil. When it returns it has left no goroutine, port, file or process behind.
	Run(ctx context.Context, out Emitter) error
}

// Emitter is how a source hands on what it has. Safe for concurrent use.
type Emitter interface {
	// Emit returns nil once every required channel has committed b. On error
	// some may have: the source sends again and duplicates are possible, as in
	// Flume. From the call on b is read-only. The caller keeps its reference
	// and releases it when done, whatever Emit returned.
	//
	// A full channel makes Emit wait, as long as that channel's keep-alive says;
	// then the error is ErrFull. The same batch may be emitted again: it goes
	// past the interceptors, which have seen it.
	Emit(ctx context.Context, b *event.Batch) error
}

// Interceptor changes events between source and selector.
type Interceptor interface {
	// Intercept edits b in place, in the configured order. To drop events:
	// b.Filter. An error fails the batch: nothing of it is stored. It is called
	// concurrently, on different batches, by the goroutines of one source.
	Intercept(b *event.Batch) error
}

// Selector chooses the channels of each event.
type Selector interface {
	// Select enters into plan which of the source's channels get which events.
	// It must not change b, which may be shared from here on. Called
	// concurrently; plans are not shared.
	Select(b *event.Batch, plan *Plan) error
}

// Channel stores batches between sources and sinks. Safe for concurrent use.
type Channel interface {
	Lifecycle // Open recovers and may be slow; Close leaves everything unacknowledged in place

	// Put stores all of b or none (a channel that cannot promise that returns a
	// Partial), and returns nil when it is as safe as this channel makes it. It waits for space, as long as the channel is
	// configured to, and then returns ErrFull; or until ctx ends. A ctx that has
	// ended before the call only means that Put must not wait: with space at
	// hand it stores b all the same, so that a stopping source gets rid of what
	// it has. To keep b past the call it retains it. A batch of more events than
	// the channel's transaction capacity is refused; the emitter cuts batches
	// before.
	Put(ctx context.Context, b *event.Batch) error

	// Take waits for the first event or the end of ctx, then returns at once
	// what is there, oldest first, at most limit events.
	Take(ctx context.Context, limit int) (Delivery, error)

	// Stats returns the channel's present state. Cheap.
	Stats() Stats
}

// Delivery is a batch on its way out. It owns the batch until exactly one of Ack
// or Nack, which releases it; a second call returns ErrSettled and changes
// nothing. There is no ctx: half a commit cannot be cancelled.
type Delivery interface {
	// Batch is valid until Ack or Nack. Read-only.
	Batch() *event.Batch
	// Ack says the destination has the events: they are gone for good, and
	// their space is free, once it returns nil.
	Ack() error
	// Nack puts the events back at the head, in their old order.
	Nack() error
}

// Stats is the state of a channel at one moment.
type Stats struct {
	Events   int       // stored and not acknowledged, those in open deliveries included
	InFlight int       // of these, in open deliveries
	Bytes    int64     // size of the bodies of Events
	Capacity int       // most events it will hold; 0: no limit of its own
	Oldest   time.Time // when the oldest of Events was put; zero when empty
	Refuses  error     // why puts fail at present though the channel is not full of events, such as a full disk; nil if they do not
}

// Sink takes events out.
type Sink interface {
	// Deliver returns nil only when the destination has all of b. It is never
	// called twice at once on one Sink. It neither keeps nor releases b. A group
	// of sinks (failover, load balancing) is a Sink made of Sinks: it may hand
	// the same batch to the next after an error. A sink with a Lifecycle that is
	// not open returns ErrClosed.
	Deliver(ctx context.Context, b *event.Batch) error
}

// Lifecycle is required of channels and optional for all others. A constructor
// only checks; Open does the I/O. Close may be called without Open and twice,
// and leaves no goroutine, file or port behind. Open may be called again after
// an error and after Close.
type Lifecycle interface {
	Open(ctx context.Context) error
	Close(ctx context.Context) error
}

// Member is a sink in a group, by the name the configuration gives it.
type Member struct {
	Name string
	Sink Sink
}

// Encoding makes the encoders of one configured serializer, one per file.
type Encoding interface {
	// NewEncoder returns an encoder that writes to w. resumed says that w
	// continues a file that has content already; an encoding that cannot do
	// that returns an error. The encoder writes what a file starts with.
	NewEncoder(w io.Writer, resumed bool) (Encoder, error)
}

// Encoder writes events to one stream. Not safe for concurrent use.
type Encoder interface {
	// Encode writes all of b, or keeps a copy for Flush: nothing of b is needed
	// when it has returned. After an error the stream may hold a part of it.
	// If b has an event that this encoder can never write, b is rejected
	// (Reject, without indexes) before anything of it is written.
	Encode(b *event.Batch) error
	// Flush completes what readers of the stream need to see the events so far.
	// Called after every batch of the sink.
	Flush() error
	// Close writes what a file ends with. It does not close the stream.
	Close() error
}

// The following interfaces are optional. Whoever calls asks with a type
// assertion, of an error with [errors.As]; wrappers pass them on.

// PartEmitter is an Emitter that can stop in the middle of a batch. For sources
// whose clients hear of each event by itself.
type PartEmitter interface {
	// EmitPart is Emit, except that a full channel ends it even after a part of
	// b is stored. stored is the number of leading events that every required
	// channel holds; no channel holds any of the others.
	EmitPart(ctx context.Context, b *event.Batch) (stored int, err error)
}

// Partial is an error of Put by a channel that cannot take back what it did with
// some events of the batch. Only the missing ones are to be put again.
type Partial interface {
	error
	// Missing returns the indexes, in rising order and never none, of the events
	// that are not stored for good. The caller may change the slice.
	Missing() []int
}

// Reserver is a channel that can promise space before it is given the batch, so
// that a batch for several channels is put in all of them or in none.
type Reserver interface {
	// Reserve waits like Put for the space that b needs. The reservation must
	// be ended by exactly one Commit or Cancel, soon.
	Reserve(ctx context.Context, b *event.Batch) (Reservation, error)
}

// Reservation is space promised by a channel for one batch.
type Reservation interface {
	// Commit stores the batch; it does not wait. An error means that the
	// batch is not stored.
	Commit() error
	// Cancel gives the space back.
	Cancel()
}

// Rewinder is an Encoder that can go back to its last successful Flush: after an
// error the sink cuts its stream back to what it had then and goes on with the
// same encoder. Any other encoder cannot be used again, and its stream ends.
type Rewinder interface {
	// Rewind forgets all that was given to Encode, and all that it wrote, since
	// the last Flush that returned nil; without one, since NewEncoder returned.
	// Called after the stream was cut back, whether or not Encode failed.
	Rewind()
}

// Misfit is an error of Encode: every event can be written, but not all to the
// present stream. It is rejected without indexes, for sinks that have no other
// stream; nothing of the batch has been written. A sink that can begin another
// stream writes the batch in runs.
type Misfit interface {
	error
	// Runs returns the indexes of the events before each of which a new stream
	// begins: never empty, in rising order, 0 if not even the first event fits
	// the present one. The caller may change the slice.
	Runs() []int
}

// Heir is a channel that can take over, on reload, what a channel of the same
// type and name holds that it replaces. Both are idle: old is closed, the heir
// not open yet.
type Heir interface {
	Inherit(old Channel) error
}

// Volatile is a channel whose events do not survive the process. Such a channel
// is drained to its sinks when the agent stops.
type Volatile interface {
	Volatile() bool
}

// Sender is a Sink that need not have the answer to one batch before it sends the
// next. Only Wait rejects events, and only if no batch was sent behind: Window is 1 until then.
type Sender interface {
	Sink
	// Window returns the most batches that may be under way at present: 1 to have
	// each answer before the next batch is sent, 0 if the sink, a wrapper, has
	// Deliver alone.
	Window() int
	// Send begins to deliver b, which the sink may need until Wait returns, and may
	// leave sending it to the next Send or Wait. An error is that of Deliver: nothing
	// is under way then. Send, Wait and Deliver are never called at the same time. The destination stores the batches in the
	// order of Send: when it does not take one it takes none of those that were
	// sent before the sink's caller knew.
	Send(ctx context.Context, b *event.Batch) (Sending, error)
}

// Sending is a batch under way.
type Sending interface {
	// Wait returns what Deliver would have returned. It is called once for each
	// batch, in the order of Send, also after an error.
	Wait(ctx context.Context) error
}
