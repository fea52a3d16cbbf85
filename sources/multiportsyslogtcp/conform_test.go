package multiportsyslogtcp

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
	"github.com/flume-go/flume/internal/netio"
)

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Harness{
		Type: "multiport_syslogtcp",
		Settings: func(testing.TB) map[string]string {
			return map[string]string{"portHeader": "port"}
		},
		Client:  connect,
		Network: "tcp",
		Listen: func(host string, port int) map[string]string {
			return map[string]string{"host": host, "ports": strconv.Itoa(port)}
		},
		Adds:    []string{"Facility", "Severity", "Priority", "Version", "timestamp", "host", "port"},
		Grace:   netio.Grace,
		Sockets: true,
	})
}

// client sends each event as a message, which nobody answers.
type client struct{ conn net.Conn }

func connect(t testing.TB, s *sourcetest.Subject) sourcetest.Client {
	conn, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatalf("connecting to the source: %v", err)
	}
	return client{conn}
}

// Generate implements sourcetest.Client.
func (c client) Generate(ids ...uint64) {
	var text strings.Builder
	for _, id := range ids {
		text.WriteString("<13>1 2026-06-15T12:00:00Z host " + sourcetest.Text(id) + "\n")
	}
	c.conn.Write([]byte(text.String())) //nolint:errcheck // what is lost with the connection is lost
}

// Close implements sourcetest.Client.
func (c client) Close() { c.conn.Close() }
