package thrift

import (
	"maps"
	"net"
	"slices"
	"strconv"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/netio"
	wire "github.com/flume-go/flume/wire/thrift"
)

// TestConformance checks the source with clients of both protocols.
func TestConformance(t *testing.T) {
	sourcetest.Run(t,
		harness("compact", wire.Compact, nil),
		harness("binary", wire.Binary, map[string]string{"threads": "3"}),
	)
}

func harness(name string, p wire.Protocol, settings map[string]string) sourcetest.Harness {
	return sourcetest.Harness{
		Name:     name,
		Type:     "thrift",
		Settings: func(testing.TB) map[string]string { return settings },
		Client: func(_ testing.TB, s *sourcetest.Subject) sourcetest.Client {
			c := &client{subject: s, protocol: p, work: make(chan []uint64, 1000), done: make(chan struct{}), ended: make(chan struct{})}
			go c.run()
			return c
		},
		Network: "tcp",
		Listen: func(host string, port int) map[string]string {
			return map[string]string{"bind": host, "port": strconv.Itoa(port)}
		},
		Acks:    true,
		Carries: true,
		Grace:   netio.Grace,
		Sockets: true,
	}
}

// client sends the events of one Generate as one call, in a goroutine of its own.
type client struct {
	subject  *sourcetest.Subject
	protocol wire.Protocol
	work     chan []uint64
	done     chan struct{} // closed by Close
	ended    chan struct{} // closed at the end of run
	conn     net.Conn
	calls    *wire.Client
}

// Generate implements sourcetest.Client.
func (c *client) Generate(ids ...uint64) {
	select {
	case c.work <- ids:
	case <-c.done:
		c.tell(c.subject.Refused, ids)
	}
}

func (c *client) run() {
	defer close(c.ended)
	for {
		select {
		case ids := <-c.work:
			c.send(ids)
		case <-c.done:
			for len(c.work) > 0 {
				c.tell(c.subject.Refused, <-c.work)
			}
			if c.conn != nil {
				c.conn.Close()
			}
			return
		}
	}
}

func (c *client) send(ids []uint64) {
	b := event.NewBatch()
	defer b.Release()
	size := 0
	for _, id := range ids {
		e := b.AppendCopy([]byte(sourcetest.Text(id)))
		headers := sourcetest.Headers(id)
		for _, k := range slices.Sorted(maps.Keys(headers)) {
			b.SetHeader(e, k, headers[k])
		}
		size += wire.EventSize(e)
	}
	if status, err := c.call(b, size); err != nil || status != wire.StatusOK {
		c.tell(c.subject.Refused, ids)
		return
	}
	c.tell(c.subject.Acked, ids)
}

// call connects if it must. A connection that failed is not used again.
func (c *client) call(b *event.Batch, size int) (wire.Status, error) {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.subject.Address)
		if err != nil {
			return 0, err
		}
		c.conn, c.calls = conn, wire.NewClient(conn, c.protocol)
	}
	status, err := c.calls.AppendBatch(b, 0, b.Len(), size)
	if err != nil {
		c.conn.Close()
		c.conn = nil
	}
	return status, err
}

func (c *client) tell(what func(uint64), ids []uint64) {
	for _, id := range ids {
		what(id)
	}
}

// Close implements sourcetest.Client.
func (c *client) Close() {
	select {
	case <-c.done:
	default:
		close(c.done)
	}
	<-c.ended
}
