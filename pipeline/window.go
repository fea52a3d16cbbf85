package pipeline

import (
	"context"
	"errors"
	"slices"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// enoughAhead is how many bytes of bodies under way are enough: as much as keeps both sides at work, where each time that one
// has to wait for the other costs more than the work of a call. More than that wins nothing.
const enoughAhead = 1 << 20

// lowAhead is how many bytes are left under way, once there was enough, when more is sent.
const lowAhead = enoughAhead / 2

// window delivers from a channel to a sink that need not have one answer before it
// sends on. Not safe for concurrent use.
type window struct {
	runner *SinkRunner
	sink   flow.Sender
	in     taker
	sent   []underway // oldest first
	bytes  int        // of their bodies
	rest   outgoing   // a delivery of which the sink has rejected a part: nothing else is under way
	// draining says that no batch is sent until less is under way.
	draining bool
}

// underway is a delivery that was sent.
type underway struct {
	delivery flow.Delivery
	sending  flow.Sending
	bytes    int
}

// runAhead is what run does with a sink that need not have one answer before it sends
// on. After an error it begins anew, with the events given back, when all answers are
// there.
func (r *SinkRunner) runAhead(takeCtx, hardCtx context.Context, sink flow.Sender) {
	w := window{runner: r, sink: sink, in: taker{channel: r.Channel, batch: r.Batch, empty: r.Empty}}
	defer w.in.stop()
	defer func() {
		if err := w.rest.giveBack(); err != nil {
			r.Log.Error("returning events to the channel failed", "error", err)
		}
	}()
	var pause flow.Backoff
	for {
		answered, err := w.step(takeCtx, hardCtx)
		if err == nil {
			if answered {
				r.delivered()
				pause.Reset()
			}
			continue
		}
		err = w.settleAll(hardCtx, err)
		var take *takeError
		switch {
		case !errors.As(err, &take):
			if hardCtx.Err() != nil {
				return
			}
			r.failed(err)
		case takeCtx.Err() != nil || flow.ClassOf(take.err) == flow.ClassShutdown:
			return
		default:
			r.takeFailed(take.err)
		}
		if !pause.Wait(takeCtx, pauseAfter(err)) {
			return
		}
	}
}

// step takes and sends one delivery, or waits for the oldest answer: if enough is under
// way, and also if the next batch would not be a full one. So a sink that keeps up sends
// whole batches, and no answer is left unread while there is nothing to send.
func (w *window) step(takeCtx, hardCtx context.Context) (answered bool, err error) {
	if w.rest.delivery != nil {
		_, err := w.runner.deliver(hardCtx, &w.rest)
		return true, err
	}
	if len(w.sent) > 0 && (w.draining || w.full() || w.ready() < w.runner.Batch) {
		w.draining = len(w.sent)-1 > 0 && w.bytes > lowAhead
		return true, w.settle(hardCtx)
	}
	d, err := w.in.next(takeCtx)
	if err != nil {
		return false, &takeError{err}
	}
	var sending flow.Sending
	err = safely(w.runner.Log, func() (err error) {
		sending, err = w.sink.Send(hardCtx, d.Batch())
		return err
	})
	if err != nil {
		return false, errors.Join(err, giveBack(d))
	}
	u := underway{d, sending, d.Batch().Bytes()}
	w.sent = append(w.sent, u)
	w.bytes += u.bytes
	return false, nil
}

func (w *window) full() bool { return len(w.sent) >= w.sink.Window() || w.bytes >= enoughAhead }

// ready returns how many events wait in the channel.
func (w *window) ready() int {
	s := w.runner.Channel.Stats()
	return s.Events - s.InFlight
}

// settle waits for the oldest answer.
func (w *window) settle(ctx context.Context) error {
	u := w.sent[0]
	w.sent = slices.Delete(w.sent, 0, 1)
	w.bytes -= u.bytes
	if err := safely(w.runner.Log, func() error { return u.sending.Wait(ctx) }); err != nil {
		if w.rest.delivery = u.delivery; w.rest.keep(rejectedOf(u.delivery.Batch(), err)) {
			return err
		}
		w.rest.delivery = nil
		return errors.Join(err, giveBack(u.delivery))
	}
	if err := u.delivery.Ack(); err != nil {
		return ackFailed(err)
	}
	return nil
}

// settleAll waits for all answers and returns err, but for a failed take the first error
// of theirs, if there is one: it says more.
func (w *window) settleAll(ctx context.Context, err error) error {
	for len(w.sent) > 0 {
		failed := w.settle(ctx)
		var take *takeError
		if failed != nil && errors.As(err, &take) {
			err = failed
		}
	}
	return err
}

func giveBack(d flow.Delivery) error {
	if err := d.Nack(); err != nil {
		return nackFailed(err)
	}
	return nil
}

// takeError says that the channel, not the sink, has failed, or that the sink is stopped.
type takeError struct{ err error }

func (e *takeError) Error() string { return "taking from the channel: " + e.err.Error() }
func (e *takeError) Unwrap() error { return e.err }

// windowOf returns the window of a sink, 0 if it has Deliver alone.
func windowOf(s flow.Sink) int {
	if s, ok := s.(flow.Sender); ok {
		return s.Window()
	}
	return 0
}

// send sends by a sink that is a flow.Sender.
func send(ctx context.Context, s flow.Sink, b *event.Batch) (flow.Sending, error) {
	if s, ok := s.(flow.Sender); ok {
		return s.Send(ctx, b)
	}
	return nil, errors.New("the sink has one batch under way at a time")
}
