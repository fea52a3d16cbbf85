package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

// Headers of a dead letter. The event's own headers and body stay as they were.
const (
	HeaderReason    = "flume.deadletter.reason"    // what the sink said
	HeaderComponent = "flume.deadletter.component" // the sink
	HeaderAttempts  = "flume.deadletter.attempts"  // deliveries that included the event
	HeaderTime      = "flume.deadletter.time"      // when it was given up, RFC 3339
)

// Rejecting stands before a sink and deals with events that the sink rejects. With
// a dead-letter channel they go there, and hold up nothing: a batch that is
// rejected as a whole is halved until the culprit is alone. Without one they are
// tried again, as in Flume, and the counter events_poison says so. A rejection of a
// part, which says that the others are delivered, is then passed on, for the runner
// to try that part alone; one of all events is an error like any other, after which
// a group gives them to its next sink.
type Rejecting struct {
	name    string
	sink    flow.Sink
	letters *Branch // nil: none
	log     *slog.Logger

	rejected, poison *metrics.Counter
	attempts         int // deliveries of the batch at the head
	state            Tracker
}

// Reject returns sink with its rejections sent to letters, which may be nil.
func Reject(name string, sink flow.Sink, letters *Branch, log *slog.Logger, set *metrics.Set) *Rejecting {
	return &Rejecting{
		name: name, sink: sink, letters: letters, log: log,
		rejected: set.OwnCounter("events_dead_lettered", "Events that the sink rejected and that went to the dead-letter channel."),
		poison:   set.OwnCounter("events_poison", "Times the sink rejected events while it has no dead-letter channel; they block the channel."),
	}
}

// Open opens the sink if it has something to open.
func (r *Rejecting) Open(ctx context.Context) error { return openSink(ctx, r.sink) }

// Close closes the sink if it has something to close.
func (r *Rejecting) Close(ctx context.Context) error { return closeSink(ctx, r.sink) }

// Deliver implements flow.Sink.
func (r *Rejecting) Deliver(ctx context.Context, b *event.Batch) error {
	r.attempts++
	return r.settled(ctx, b, r.sink.Deliver(ctx, b))
}

// settled does what is to be done about the events that err, of a delivery of b, rejects.
func (r *Rejecting) settled(ctx context.Context, b *event.Batch, err error) error {
	if err != nil && flow.ClassOf(err) == flow.ClassReject {
		err = r.handle(ctx, b, err)
	}
	if err == nil {
		r.attempts = 0
	}
	return err
}

// Window implements flow.Sender.
func (r *Rejecting) Window() int { return windowOf(r.sink) }

// Send implements flow.Sender.
func (r *Rejecting) Send(ctx context.Context, b *event.Batch) (flow.Sending, error) {
	r.attempts++
	sending, err := send(ctx, r.sink, b)
	if err != nil {
		return nil, err
	}
	return &rejectingSending{sending, r, b}, nil
}

// rejectingSending is a batch under way. When events of it are rejected nothing else is.
type rejectingSending struct {
	flow.Sending
	sink  *Rejecting
	batch *event.Batch
}

// Wait implements flow.Sending.
func (s *rejectingSending) Wait(ctx context.Context) error {
	return s.sink.settled(ctx, s.batch, s.Sending.Wait(ctx))
}

func (r *Rejecting) handle(ctx context.Context, b *event.Batch, err error) error {
	indexes := rejectedOf(b, err)
	switch {
	case r.letters == nil:
		return r.blocked(b, indexes, err)
	case indexes != nil:
		return r.bury(ctx, b, indexes, err)
	default:
		return r.bisect(ctx, b, err)
	}
}

// blocked returns the error for events that have nowhere else to go.
func (r *Rejecting) blocked(b *event.Batch, indexes []int, err error) error {
	r.poison.Add(1)
	if r.state.Fail(StateRetrying, err) {
		r.log.Error("the sink rejects events for good; they block its channel until they can be delivered",
			"error", err, "remedy", "set deadLetter to a channel for such events")
	}
	if indexes == nil || len(indexes) == b.Len() {
		return flow.Retry(err)
	}
	return err
}

// bisect finds the rejected events of b, all of which is undelivered, by halves.
func (r *Rejecting) bisect(ctx context.Context, b *event.Batch, reason error) error {
	if b.Len() == 1 {
		return r.bury(ctx, b, []int{0}, reason)
	}
	half := b.Len() / 2
	for _, cut := range [2][2]int{{0, half}, {half, b.Len()}} {
		part := b.View(cut[0], cut[1])
		err := r.deliverPart(ctx, part)
		part.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// deliverPart delivers a part of a batch other parts of which may be delivered.
// Giving the batch back now would deliver those twice, so that an error that may
// pass is waited out here.
func (r *Rejecting) deliverPart(ctx context.Context, part *event.Batch) error {
	var pause flow.Backoff
	for {
		r.attempts++
		err := r.sink.Deliver(ctx, part)
		if err == nil {
			return nil
		}
		switch flow.ClassOf(err) {
		case flow.ClassReject:
			if indexes := rejectedOf(part, err); indexes != nil {
				return r.bury(ctx, part, indexes, err)
			}
			return r.bisect(ctx, part, err)
		case flow.ClassRetry, flow.ClassUnknown:
			if !pause.Wait(ctx, flow.Pause(err)) {
				return err
			}
		default:
			return err
		}
	}
}

// bury puts the events of these indexes into the dead-letter channel.
func (r *Rejecting) bury(ctx context.Context, b *event.Batch, indexes []int, reason error) error {
	step := len(indexes)
	if r.letters.Transaction > 0 {
		step = min(step, r.letters.Transaction)
	}
	for len(indexes) > 0 {
		n := min(step, len(indexes))
		if err := r.put(ctx, r.letter(b, indexes[:n], reason)); err != nil {
			return fmt.Errorf("putting rejected events into dead-letter channel %s: %w", r.letters.Name, err)
		}
		r.rejected.Add(n)
		indexes = indexes[n:]
	}
	if r.state.Fail(StateRetrying, reason) {
		r.log.Warn("the sink rejected events; they went to the dead-letter channel", "channel", r.letters.Name, "error", reason)
	}
	return nil
}

// put stores letters, waiting for a full channel while ctx is on: the other
// events of the batch are delivered, so that failing would deliver them twice.
// That is also worse than a letter that is in the channel twice.
func (r *Rejecting) put(ctx context.Context, letters *event.Batch) error {
	defer func() { letters.Release() }()
	var pause flow.Backoff
	for {
		err := r.letters.Channel.Put(ctx, letters)
		if err == nil {
			return nil
		}
		if some, ok := errors.AsType[flow.Partial](err); ok {
			rest := share(letters, &flow.Share{Indexes: some.Missing()})
			letters.Release()
			letters = rest
		}
		switch flow.ClassOf(err) {
		case flow.ClassRetry, flow.ClassUnknown:
			if !pause.Wait(ctx, flow.Pause(err)) {
				return err
			}
		default:
			return err
		}
	}
}

func (r *Rejecting) letter(b *event.Batch, indexes []int, reason error) *event.Batch {
	letters := event.NewBatch()
	why, tries := reason.Error(), strconv.Itoa(r.attempts)
	now := time.Now().Format(time.RFC3339Nano)
	for _, i := range indexes {
		e := letters.AppendEvent(b.At(i))
		letters.SetHeader(e, HeaderReason, why)
		letters.SetHeader(e, HeaderComponent, r.name)
		letters.SetHeader(e, HeaderAttempts, tries)
		letters.SetHeader(e, HeaderTime, now)
	}
	return letters
}
