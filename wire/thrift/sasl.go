package thrift

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Negotiation is one end of a SASL mechanism, on one connection.
type Negotiation interface {
	// Next takes what the other end has sent, nothing when a client begins, and
	// returns what to send. done says that this end is content.
	Next(in []byte) (out []byte, done bool, err error)
}

// SASL is how clients show a server who they are.
type SASL struct {
	Mechanism string
	// Begin returns the server's end for a client at this address.
	Begin func(client net.Addr) Negotiation
}

// Statuses of the messages of a negotiation.
const (
	saslStart    = 1
	saslOK       = 2
	saslBad      = 3 // the other end has not shown who it is
	saslError    = 4
	saslComplete = 5
)

const (
	saslHead = 5 // bytes in front of a message: status and length
	// mostSASL is the longest message of a negotiation in bytes. A ticket of a
	// domain controller may have some 64 KiB.
	mostSASL = 1 << 17
	// mostRounds is the most messages that a client sends. GSSAPI needs three.
	mostRounds = 10
	// mostReason is how much of the other end's reasons is shown.
	mostReason = 500
)

// Refused is an error of Negotiate and of servers: the other end has not shown who it
// is, or says the same of this one.
type Refused struct{ Reason string }

// Error returns the reason.
func (r *Refused) Error() string { return r.Reason }

// saslConn sends and receives messages of a negotiation. It reads no byte behind
// them: those are the session's.
type saslConn struct {
	conn net.Conn
	buf  []byte
}

func (c *saslConn) send(status byte, payload []byte) error {
	c.buf = append(c.buf[:0], status)
	c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(len(payload)))
	c.buf = append(c.buf, payload...)
	_, err := c.conn.Write(c.buf)
	return err
}

// receive returns a message. What it is told of a refusal is an error.
func (c *saslConn) receive() (status byte, payload []byte, err error) {
	var head [saslHead]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return 0, nil, err
	}
	status = head[0]
	n := binary.BigEndian.Uint32(head[1:])
	switch {
	case status < saslStart || status > saslComplete:
		return 0, nil, Malformed("it begins with % x, which is none of SASL: the other end seems not to use Kerberos", head)
	case n > mostSASL:
		return 0, nil, Malformed("a message of %d bytes is not allowed while SASL is negotiated, at most %d are", n, mostSASL)
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(c.conn, payload); err != nil {
		return 0, nil, err
	}
	if status == saslBad || status == saslError {
		return 0, nil, &Refused{"the other end refuses: " + reason(payload)}
	}
	return status, payload, nil
}

// reason makes a text of what came from the network.
func reason(payload []byte) string {
	if len(payload) > mostReason {
		payload = payload[:mostReason]
	}
	if len(payload) == 0 {
		return "it gives no reason"
	}
	return fmt.Sprintf("%q", strings.ToValidUTF8(string(payload), "?"))
}

// serve is the server's end of a negotiation.
func (s *SASL) serve(conn net.Conn) error {
	c := saslConn{conn: conn}
	err := s.agree(&c)
	var r *Refused
	if err == nil || errors.As(err, &r) || !errors.Is(err, errDisagree) {
		return err
	}
	// The client is told why; if it does not hear it, the log says it.
	if sent := c.send(saslBad, []byte(err.Error())); sent != nil {
		return fmt.Errorf("%w (%w)", err, sent)
	}
	return err
}

// errDisagree is at the bottom of errors of which the client is told.
var errDisagree = errors.New("the client has not shown who it is")

func (s *SASL) agree(c *saslConn) error {
	status, name, err := c.receive()
	switch {
	case err != nil:
		return err
	case status != saslStart:
		return Malformed("a negotiation begins with status %d", status)
	case string(name) != s.Mechanism:
		return fmt.Errorf("%w: it wants the mechanism %.50q, and %s is what there is", errDisagree, name, s.Mechanism)
	}
	end := s.Begin(c.conn.RemoteAddr())
	for range mostRounds {
		status, in, err := c.receive()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // the client has begun: this is no mere look at the port
		}
		if err != nil {
			return fmt.Errorf("negotiating: %w", err)
		}
		if status == saslStart {
			return Malformed("a negotiation begins twice")
		}
		out, done, err := end.Next(in)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", errDisagree, err)
		case done:
			return c.send(saslComplete, out)
		}
		if err := c.send(saslOK, out); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: the negotiation does not end", errDisagree)
}

// Negotiate is the client's end of a negotiation, after which a Client can be made
// for conn. Deadlines are those of the connection. A *Refused says that one end did
// not accept the other.
func Negotiate(conn net.Conn, mechanism string, end Negotiation) error {
	c := saslConn{conn: conn}
	out, done, err := end.Next(nil)
	if err != nil {
		return err
	}
	if err := c.send(saslStart, []byte(mechanism)); err != nil {
		return fmt.Errorf("beginning a negotiation: %w", err)
	}
	for range mostRounds {
		status := byte(saslOK)
		if done {
			status = saslComplete
		}
		if err := c.send(status, out); err != nil {
			return fmt.Errorf("negotiating: %w", err)
		}
		status, in, err := c.receive()
		switch {
		case err != nil:
			return fmt.Errorf("negotiating: %w", err)
		case status == saslComplete && done && len(in) == 0:
			return nil
		case status == saslStart || done != (status == saslComplete):
			return Malformed("the server answers with status %d where it should not", status)
		}
		if out, done, err = end.Next(in); err != nil {
			// The server waits; it is told that there is nothing to wait for.
			sent := c.send(saslBad, []byte("the client does not accept the server"))
			return errors.Join(&Refused{err.Error()}, sent)
		}
	}
	return &Refused{"the negotiation does not end"}
}

// identify has a client show who it is, within handshakeTime.
func (s *Server) identify(ctx context.Context, conn net.Conn) error {
	// A deadline set beforehand would undo the one by which a server that stops
	// interrupts all reads.
	stop := time.AfterFunc(handshakeTime, func() {
		conn.SetDeadline(longAgo) //nolint:errcheck // fails on closed connections only
	})
	err := s.SASL.serve(conn)
	if !stop.Stop() && ctx.Err() == nil {
		return errSlow
	}
	return err
}
