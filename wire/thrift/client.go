package thrift

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"github.com/flume-go/flume/event"
)

// mostAnswer is the longest answer in bytes: a status or the text of an exception.
const mostAnswer = 1 << 20

// Client calls ThriftSourceProtocol over one connection, in frames. After an error
// that is no *Exception the connection is of no use any more. Deadlines are
// those of the connection. Not safe for concurrent use.
type Client struct {
	conn  net.Conn
	in    *bufio.Reader
	proto Protocol
	seq   int32
	sent  bool // what enc holds was sent
	enc   Encoder
	dec   Decoder
	buf   []byte
}

// NewClient returns a client on conn, which stays the caller's.
func NewClient(conn net.Conn, p Protocol) *Client {
	return &Client{conn: conn, in: bufio.NewReaderSize(conn, firstRead), proto: p}
}

// AppendBatch sends events [from, to) of b, of which size is the sum of EventSize,
// and waits for the answer. After an error that is no *Exception the server may
// have them all the same.
func (c *Client) AppendBatch(b *event.Batch, from, to, size int) (Status, error) {
	seq := c.Queue(b, from, to, size, false)
	if err := c.Flush(); err != nil {
		return 0, err
	}
	return c.Answer(seq)
}

// answer reads the answer to a call.
func (c *Client) answer(method string, seq int32) (Status, error) {
	content, err := c.readFrame()
	if err != nil {
		return 0, fmt.Errorf("reading the answer: %w", err)
	}
	c.dec.Reset(content)
	m, err := c.dec.Message()
	if err != nil {
		return 0, fmt.Errorf("reading the answer: %w", err)
	}
	status, err := c.dec.StatusReply(m)
	switch {
	case m.Seq != seq:
		return 0, Malformed("the answer is to call %d, not to %d", m.Seq, seq)
	case err == nil && string(m.Name) != method:
		return 0, Malformed("the answer is to %.100q, not to %q", m.Name, method)
	}
	return status, err
}

func (c *Client) readFrame() ([]byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > mostAnswer {
		return nil, Malformed("an answer of %d bytes is not allowed, from 1 to %d are", n, mostAnswer)
	}
	if cap(c.buf) < int(n) {
		c.buf = make([]byte, n)
	}
	c.buf = c.buf[:n]
	if _, err := io.ReadFull(c.in, c.buf); err != nil {
		return nil, err
	}
	return c.buf, nil
}
