package thriftlegacy

import (
	"encoding/binary"
	"net"
	"strconv"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
	"github.com/flume-go/flume/internal/netio"
)

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Harness{
		Type: "thriftlegacy",
		Client: func(t testing.TB, s *sourcetest.Subject) sourcetest.Client {
			conn, err := net.Dial("tcp", s.Address)
			if err != nil {
				t.Fatalf("connecting to the source: %v", err)
			}
			return client{conn}
		},
		Network: "tcp",
		Listen: func(host string, port int) map[string]string {
			return map[string]string{"host": host, "port": strconv.Itoa(port)}
		},
		Adds:    []string{"host", "timestamp", "pri", "nanos", "FlumeOG", "k"},
		Grace:   netio.Grace,
		Sockets: true,
	})
}

// client sends each event as a call, which nobody answers.
type client struct{ conn net.Conn }

// Generate implements sourcetest.Client.
func (c client) Generate(ids ...uint64) {
	var calls []byte
	for i, id := range ids {
		calls = append(calls, call(int32(i), sourcetest.Text(id), true)...)
	}
	c.conn.Write(calls) //nolint:errcheck // what is lost with the connection is lost
}

// Close implements sourcetest.Client.
func (c client) Close() { c.conn.Close() }

func appendText(buf []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(buf, uint32(len(s))), s...)
}

// call is a call of append as a Flume 0.9.x agent sends it; the priority and the
// fields are left out unless whole.
func call(seq int32, body string, whole bool) []byte {
	buf := []byte{0x80, 1, 0, 4}
	buf = appendText(buf, "append")
	buf = binary.BigEndian.AppendUint32(buf, uint32(seq))
	buf = append(buf, 12, 0, 1)
	buf = binary.BigEndian.AppendUint64(append(buf, 10, 0, 1), 1_700_000_000_123)
	if whole {
		buf = append(buf, 8, 0, 2, 0, 0, 0, 3)
	}
	buf = appendText(append(buf, 11, 0, 3), body)
	buf = binary.BigEndian.AppendUint64(append(buf, 10, 0, 4), 42)
	buf = appendText(append(buf, 11, 0, 5), "old.example")
	if whole {
		buf = append(buf, 13, 0, 6, 11, 11, 0, 0, 0, 2)
		buf = appendText(appendText(buf, "k"), "vé")
		buf = appendText(appendText(buf, "nanos"), "7")
	}
	return append(buf, 0, 0)
}
