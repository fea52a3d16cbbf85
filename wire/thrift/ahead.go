package thrift

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/flume-go/flume/event"
)

// A client that wants several calls under way asks the server, by a call without arguments of the method methodAhead,
// whether it keeps the order of calls that are sent ahead. Apache Flume's server answers that there is no such method; this
// one answers OK. From then on a call that was sent before the client knew that the one in front was answered with OK has the
// field fieldAhead behind its arguments, which readers of Thrift pass over. If the one in front is not answered with OK, the
// server answers such a call with FAILED and stores nothing of it.
const (
	methodAhead = "flume-go.ahead"
	fieldAhead  = 1000
)

// Orders asks the server whether it keeps the order of calls that are sent ahead. After an error the connection is of no
// use any more: there may be servers that end it because of the question. No call is under way.
func (c *Client) Orders() (bool, error) {
	c.seq++
	c.enc.Reset(c.proto, CallOverhead)
	start := c.enc.FrameBegin()
	c.enc.Message(Message{Type: Call, Seq: c.seq, Name: []byte(methodAhead), Protocol: c.proto})
	c.enc.Stop()
	c.enc.FrameEnd(start)
	if err := c.Flush(); err != nil {
		return false, err
	}
	status, err := c.answer(methodAhead, c.seq)
	var no *Exception
	if errors.As(err, &no) {
		return false, nil
	}
	return err == nil && status == StatusOK, err
}

// Queue adds a call with events [from, to) of b, of which size is the sum of EventSize, to those that Flush sends together, and
// returns its number for Answer. ahead says that it is sent before the one in front is known to be stored. b is not needed
// afterwards.
func (c *Client) Queue(b *event.Batch, from, to, size int, ahead bool) (seq int32) {
	c.seq++
	if c.sent {
		c.sent = false
		c.enc.Reset(c.proto, CallOverhead+size)
	}
	c.enc.addBatch(c.proto, c.seq, b, from, to, size, ahead)
	return c.seq
}

// Waiting returns how many bytes wait for Flush.
func (c *Client) Waiting() int {
	if c.sent {
		return 0
	}
	return len(c.enc.Written())
}

// Flush sends the calls that wait. After an error the server may have some of them.
func (c *Client) Flush() error {
	if c.Waiting() == 0 {
		return nil
	}
	c.sent = true
	if _, err := c.conn.Write(c.enc.Written()); err != nil {
		return fmt.Errorf("sending a call: %w", err)
	}
	return nil
}

// Answer returns the answer to the call of that number, which is the oldest without one.
func (c *Client) Answer(seq int32) (Status, error) { return c.answer(MethodAppendBatch, seq) }

// Ready reports whether the next answer has come already, so that Answer will not wait for it.
func (c *Client) Ready() bool {
	n := c.in.Buffered()
	if n < frameHead {
		return false
	}
	head, err := c.in.Peek(frameHead)
	return err == nil && uint64(n) >= frameHead+uint64(binary.BigEndian.Uint32(head))
}
