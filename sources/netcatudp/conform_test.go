package netcatudp

import (
	"net"
	"strconv"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
	"github.com/flume-go/flume/internal/netio"
)

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Harness{
		Type: "netcatudp",
		Settings: func(testing.TB) map[string]string {
			return map[string]string{"remoteAddress": "sender"}
		},
		Client:  dial,
		Network: "udp",
		Listen: func(host string, port int) map[string]string {
			return map[string]string{"bind": host, "port": strconv.Itoa(port)}
		},
		Adds:    []string{"sender"},
		Grace:   netio.Grace,
		Sockets: true,
	})
}

// datagramClient sends each event as a datagram, which nobody answers.
type datagramClient struct{ conn net.Conn }

func dial(t testing.TB, s *sourcetest.Subject) sourcetest.Client {
	conn, err := net.Dial("udp", s.Address)
	if err != nil {
		t.Fatalf("connecting to the source: %v", err)
	}
	return datagramClient{conn}
}

// Generate implements sourcetest.Client. A datagram that nobody receives is lost:
// the suite sends only to a running source what must arrive.
func (c datagramClient) Generate(ids ...uint64) {
	for _, id := range ids {
		c.conn.Write([]byte(sourcetest.Text(id))) //nolint:errcheck // see above
	}
}

// Close implements sourcetest.Client.
func (c datagramClient) Close() { c.conn.Close() }
