package thrift

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	wire "github.com/flume-go/flume/wire/thrift"
)

const (
	// mostAhead is how many calls are under way at most to a source that keeps their order.
	mostAhead = 32
	// writeNow is how many bytes of calls do not wait for further ones.
	writeNow = 256 << 10
	// askTime is how long a source may take to say whether it keeps the order of calls.
	askTime = 5 * time.Second
)

var errEnded = errors.New("the connection has ended")

// Window implements flow.Sender. A source of Apache Flume stores what is behind a call
// that it did not take. With a batch of several calls under way there is no other.
func (s *sink) Window() int {
	if s.link == nil || !s.link.orders || s.cut || s.worn() {
		return 1
	}
	return mostAhead
}

// Send implements flow.Sender.
func (s *sink) Send(ctx context.Context, b *event.Batch) (flow.Sending, error) {
	switch {
	case !s.open:
		return nil, flow.ErrClosed
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case s.under == 0:
		s.broken = false
		if err := s.connect(ctx); err != nil {
			return nil, err
		}
	case s.broken || s.link == nil:
		return nil, fmt.Errorf("sending to %s: %w", s.address(), errEnded)
	}
	c := &call{sink: s, batch: b}
	size := 0
	for i := range b.Len() {
		size += wire.EventSize(b.At(i))
	}
	if b.Len() == 0 || size > s.cfg.MaxFrameSize-wire.CallOverhead {
		s.cut, c.late = true, true
		s.under++
		return c, nil
	}
	c.seq = s.link.client.Queue(b, 0, b.Len(), size, s.under > 0)
	s.under++
	if s.link.client.Waiting() >= writeNow {
		c.err = s.within(ctx, s.link.client.Flush)
	}
	return c, nil
}

// call is a batch under way.
type call struct {
	sink  *sink
	batch *event.Batch
	seq   int32
	late  bool  // it is sent when it is waited for: then nothing in front of it is under way
	err   error // of sending it
}

// Wait implements flow.Sending. Like Flume's sink, this one makes another connection after an error,
// when the answers to all that was sent are there.
func (c *call) Wait(ctx context.Context) error {
	s := c.sink
	s.under--
	err := c.wait(ctx)
	if c.late {
		s.cut = false
	}
	if err != nil && flow.ClassOf(err) != flow.ClassReject {
		s.broken = true
	}
	if s.broken && s.under == 0 {
		s.hangUp()
	}
	return err
}

func (c *call) wait(ctx context.Context) error {
	s := c.sink
	switch {
	case c.late && s.broken:
		return fmt.Errorf("sending to %s: a batch in front was not stored", s.address())
	case c.late && c.batch.Len() == 0:
		return nil
	case c.late:
		return s.deliver(ctx, c.batch)
	case s.link == nil:
		return flow.Unknown(fmt.Errorf("sending to %s: %w", s.address(), errEnded))
	}
	var status wire.Status
	err := c.err
	if client := s.link.client; err == nil && client.Waiting() == 0 && client.Ready() {
		status, err = client.Answer(c.seq)
	} else if err == nil {
		err = s.within(ctx, func() (err error) {
			if err = client.Flush(); err == nil {
				status, err = client.Answer(c.seq)
			}
			return err
		})
	}
	return s.outcome(status, err)
}

// within does something with the connection within the time for a call, or until ctx ends.
func (s *sink) within(ctx context.Context, do func() error) error {
	conn := s.link.conn
	if err := conn.SetDeadline(time.Now().Add(s.cfg.RequestTimeout)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(longAgo) //nolint:errcheck // fails on closed connections only
	})
	defer stop()
	return do()
}

// outcome says what an answer, or an error in its place, means for a batch. Without an answer
// the connection is of no use any more.
func (s *sink) outcome(status wire.Status, err error) error {
	var refusal *wire.Exception
	switch {
	case errors.As(err, &refusal):
		return fmt.Errorf("%s cannot carry out the call: %w", s.address(), err)
	case err != nil:
		s.hangUp()
		return flow.Unknown(fmt.Errorf("sending to %s: %w", s.address(), err))
	case status != wire.StatusOK:
		return fmt.Errorf("%s answers %v: it could not store the events", s.address(), status)
	default:
		return nil
	}
}
