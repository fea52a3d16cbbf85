package syslogtcp

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
	"github.com/flume-go/flume/internal/netio"
)

// TestConformance checks the source with messages in lines, and with octet counts.
func TestConformance(t *testing.T) {
	sourcetest.Run(t,
		harness("lines", func(s string) string { return s + "\n" }),
		harness("octet counts", func(s string) string { return strconv.Itoa(len(s)) + " " + s }),
	)
}

func harness(name string, frame func(string) string) sourcetest.Harness {
	return sourcetest.Harness{
		Name: name,
		Type: "syslogtcp",
		Client: func(t testing.TB, s *sourcetest.Subject) sourcetest.Client {
			conn, err := net.Dial("tcp", s.Address)
			if err != nil {
				t.Fatalf("connecting to the source: %v", err)
			}
			return client{conn, frame}
		},
		Network: "tcp",
		Listen: func(host string, port int) map[string]string {
			return map[string]string{"host": host, "port": strconv.Itoa(port)}
		},
		Adds:    []string{"Facility", "Severity", "priority", "version", "timestamp", "host"},
		Grace:   netio.Grace,
		Sockets: true,
	}
}

// client sends each event as a message, which nobody answers.
type client struct {
	conn  net.Conn
	frame func(string) string
}

// Generate implements sourcetest.Client.
func (c client) Generate(ids ...uint64) {
	var text strings.Builder
	for _, id := range ids {
		text.WriteString(c.frame("<13>1 2026-06-15T12:00:00.5Z host " + sourcetest.Text(id)))
	}
	c.conn.Write([]byte(text.String())) //nolint:errcheck // what is lost with the connection is lost
}

// Close implements sourcetest.Client.
func (c client) Close() { c.conn.Close() }
