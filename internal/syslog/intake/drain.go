package intake

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

const (
	// quietTime is how long a client has to send nothing to count as done: more
	// than a sender on another continent, who looks at its connection before
	// each write, takes to see that it has ended.
	quietTime = 250 * time.Millisecond
	// drainTime is how long a client may go on. Those who never look would for
	// ever. It is less than netio.Grace, so that the last messages can still be
	// handed on.
	drainTime = 2 * time.Second
)

// drain ends a connection when the source stops. What is on its way, in buffers
// of either kernel, has left the sender for good as far as that can tell, so
// closing the connection now would lose it. Instead the sender is told (this end
// will write no more, not that it ever did), and what it has sent is read until
// it closes its end, falls silent, or time is up.
func (s *session) drain(ctx context.Context) state {
	closeWrite(s.conn)
	last := time.Now().Add(drainTime)
	for {
		deadline := time.Now().Add(quietTime)
		if deadline.After(last) {
			deadline = last
		}
		if err := s.conn.SetReadDeadline(deadline); err != nil {
			return hungUp
		}
		how := s.step(ctx)
		now := time.Now()
		// The server may interrupt more than once: only time ends the wait.
		again := how == reading || how == interrupted && now.Before(deadline)
		if !again {
			return how
		}
		if !now.Before(last) {
			return interrupted
		}
	}
}

// closeWrite tells the client that nothing will come from here. Of TLS, too, only
// the connection below is closed: that is what senders such as rsyslog look at.
func closeWrite(conn net.Conn) {
	if protected, ok := conn.(*tls.Conn); ok {
		conn = protected.NetConn()
	}
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite() //nolint:errcheck // fails on a connection that is gone, which reading it shows
	}
}
