package scribe

import (
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
	"github.com/flume-go/flume/internal/netio"
)

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Harness{
		Type: "scribe",
		Client: func(_ testing.TB, s *sourcetest.Subject) sourcetest.Client {
			c := &client{subject: s, work: make(chan []uint64, 1000), done: make(chan struct{}), ended: make(chan struct{})}
			go c.run()
			return c
		},
		Network: "tcp",
		Listen: func(host string, port int) map[string]string {
			return map[string]string{"bind": host, "port": strconv.Itoa(port)}
		},
		Acks:    true,
		Adds:    []string{"category"},
		Grace:   netio.Grace,
		Sockets: true,
	})
}

// client sends the events of one Generate as one call, in a goroutine of its own.
type client struct {
	subject *sourcetest.Subject
	work    chan []uint64
	done    chan struct{} // closed by Close
	ended   chan struct{} // closed at the end of run
	conn    net.Conn
}

// Generate implements sourcetest.Client.
func (c *client) Generate(ids ...uint64) {
	select {
	case c.work <- ids:
	case <-c.done:
		tell(c.subject.Refused, ids)
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
				tell(c.subject.Refused, <-c.work)
			}
			if c.conn != nil {
				c.conn.Close()
			}
			return
		}
	}
}

func (c *client) send(ids []uint64) {
	entries := make([][2]string, len(ids))
	for i, id := range ids {
		entries[i] = [2]string{"c", sourcetest.Text(id)}
	}
	if string(c.call(frame(entries))) == answer(0) {
		tell(c.subject.Acked, ids)
	} else {
		tell(c.subject.Refused, ids)
	}
}

// call returns the answer, nil if there is none.
func (c *client) call(request []byte) []byte {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.subject.Address)
		if err != nil {
			return nil
		}
		c.conn = conn
	}
	out := make([]byte, len(answer(0)))
	_, err := c.conn.Write(request)
	if err == nil {
		_, err = io.ReadFull(c.conn, out)
	}
	if err != nil {
		c.conn.Close()
		c.conn = nil
		return nil
	}
	return out
}

func tell(what func(uint64), ids []uint64) {
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

func appendText(buf []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(buf, uint32(len(s))), s...)
}

// frame is the frame of a call of Log with entries of a category and a message; an
// empty one of either is left out.
func frame(entries [][2]string) []byte {
	buf := []byte{0, 0, 0, 0, 0x80, 1, 0, 1}
	buf = appendText(buf, "Log")
	buf = append(buf, 0, 0, 0, 1, 15, 0, 1, 12)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(entries)))
	for _, e := range entries {
		for i, text := range e {
			if text != "" {
				buf = appendText(append(buf, 11, 0, byte(i+1)), text)
			}
		}
		buf = append(buf, 0)
	}
	buf = append(buf, 0)
	binary.BigEndian.PutUint32(buf, uint32(len(buf)-4))
	return buf
}

// answer is the frame of an answer.
func answer(result byte) string {
	return "\x00\x00\x00\x14\x00\x00\x00\x03Log\x02\x00\x00\x00\x01\x08\x00\x00\x00\x00\x00" + string(rune(result)) + "\x00"
}
