package syslogudp

import (
	"net"
	"strconv"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
	"github.com/flume-go/flume/internal/netio"
)

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Harness{
		Type: "syslogudp",
		Settings: func(testing.TB) map[string]string {
			return map[string]string{"clientIPHeader": "ip"}
		},
		Client:  connect,
		Network: "udp",
		Listen: func(host string, port int) map[string]string {
			return map[string]string{"host": host, "port": strconv.Itoa(port)}
		},
		Adds:    []string{"Facility", "Severity", "priority", "timestamp", "host", "ip"},
		Grace:   netio.Grace,
		Sockets: true,
	})
}

// client sends each event as a datagram, which nobody answers.
type client struct{ conn net.Conn }

func connect(t testing.TB, s *sourcetest.Subject) sourcetest.Client {
	conn, err := net.Dial("udp", s.Address)
	if err != nil {
		t.Fatalf("connecting to the source: %v", err)
	}
	return client{conn}
}

// Generate implements sourcetest.Client. A datagram that nobody receives is lost:
// the suite sends only to a running source what must arrive.
func (c client) Generate(ids ...uint64) {
	for _, id := range ids {
		c.conn.Write([]byte("<13>Oct 11 22:14:15 host " + sourcetest.Text(id))) //nolint:errcheck // see above
	}
}

// Close implements sourcetest.Client.
func (c client) Close() { c.conn.Close() }
