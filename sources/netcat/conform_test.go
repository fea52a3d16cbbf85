package netcat

import (
	"bufio"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
	"github.com/flume-go/flume/internal/netio"
)

// TestConformance checks the source with answers, and without: it then tries until
// its lines are stored.
func TestConformance(t *testing.T) {
	sourcetest.Run(t, harness("true"), harness("false"))
}

func harness(answers string) sourcetest.Harness {
	return sourcetest.Harness{
		Name: "ack-every-event = " + answers,
		Type: "netcat",
		Settings: func(testing.TB) map[string]string {
			return map[string]string{"ack-every-event": answers, "max-line-length": "1000"}
		},
		Client:  connect,
		Network: "tcp",
		Listen: func(host string, port int) map[string]string {
			return map[string]string{"bind": host, "port": strconv.Itoa(port)}
		},
		Acks:    answers == "true",
		Grace:   netio.Grace,
		Sockets: true,
	}
}

// lineClient sends lines and reads one answer for each.
type lineClient struct {
	subject *sourcetest.Subject
	conn    net.Conn
	done    chan struct{} // closed when no more answers are read

	mu     sync.Mutex
	sent   []uint64 // not answered yet
	broken bool     // nothing more will be answered
}

func connect(t testing.TB, s *sourcetest.Subject) sourcetest.Client {
	conn, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatalf("connecting to the source: %v", err)
	}
	c := &lineClient{subject: s, conn: conn, done: make(chan struct{})}
	go c.read()
	return c
}

// Generate implements sourcetest.Client.
func (c *lineClient) Generate(ids ...uint64) {
	var text strings.Builder
	for _, id := range ids {
		text.WriteString(sourcetest.Text(id) + "\n")
	}
	c.mu.Lock()
	c.sent = append(c.sent, ids...)
	broken := c.broken
	c.mu.Unlock()
	if !broken {
		_, err := c.conn.Write([]byte(text.String()))
		broken = err != nil
	}
	if broken {
		<-c.done
		c.refuseRest()
	}
}

func (c *lineClient) read() {
	defer close(c.done)
	answers := bufio.NewScanner(c.conn)
	for answers.Scan() {
		c.mu.Lock()
		id := c.sent[0]
		c.sent = c.sent[1:]
		c.mu.Unlock()
		if answers.Text() == "OK" {
			c.subject.Acked(id)
		} else {
			c.subject.Refused(id)
		}
	}
	c.refuseRest()
}

// refuseRest is called when no more answers are to come.
func (c *lineClient) refuseRest() {
	c.mu.Lock()
	rest := c.sent
	c.sent, c.broken = nil, true
	c.mu.Unlock()
	for _, id := range rest {
		c.subject.Refused(id)
	}
}

// Close implements sourcetest.Client.
func (c *lineClient) Close() {
	c.conn.Close()
	<-c.done
}
