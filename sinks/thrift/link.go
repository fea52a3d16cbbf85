package thrift

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	wire "github.com/flume-go/flume/wire/thrift"
)

// link is a connection to the source.
type link struct {
	conn   net.Conn
	client *wire.Client
	since  time.Time
}

// longAgo ends what a connection is doing.
var longAgo = time.Unix(1, 0)

func (s *sink) address() string {
	return net.JoinHostPort(s.cfg.Hostname, strconv.Itoa(s.cfg.Port))
}

// connect makes a connection if there is none, or the one there is has the age to
// be made anew.
func (s *sink) connect(ctx context.Context) error {
	if l := s.link; l != nil {
		if age := s.cfg.ResetInterval; age == 0 || time.Since(l.since) < age {
			return nil
		}
		s.hangUp()
	}
	limited, cancel := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	defer cancel()
	conn, err := s.dial(limited)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.failed.Add(1)
		return fmt.Errorf("connecting to %s (properties hostname and port): %w", s.address(), err)
	}
	s.created.Add(1)
	s.link = &link{conn: conn, client: wire.NewClient(conn, s.protocol), since: time.Now()}
	s.env.Log.Debug("connected", "address", conn.RemoteAddr())
	return nil
}

func (s *sink) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	d.SetMultipathTCP(false) // see netio.Listen
	conn, err := d.DialContext(ctx, "tcp", s.address())
	if err != nil {
		return nil, err
	}
	secure := conn
	if s.cfg.SSL {
		if secure, err = s.secure(ctx, conn); err != nil {
			conn.Close()
			return nil, fmt.Errorf("agreeing on TLS: %w", err)
		}
	}
	if s.kerberos != nil {
		if err := s.kerberos.Identify(ctx, secure, s.cfg.Hostname); err != nil {
			conn.Close()
			return nil, fmt.Errorf("%w (properties client-principal, client-keytab and server-principal)", err)
		}
	}
	return secure, nil
}

func (s *sink) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	cfg, err := s.cfg.Client(s.cfg.Hostname, s.env.FS)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, cfg)
	return secure, secure.HandshakeContext(ctx)
}

// hangUp closes the connection, if there is one.
func (s *sink) hangUp() {
	if s.link != nil {
		s.link.conn.Close()
		s.link = nil
		s.closed.Add(1)
	}
}

// send sends events [from, to) of b in one call and waits for its answer. size is
// the sum of their EventSize.
func (s *sink) send(ctx context.Context, b *event.Batch, from, to, size int) error {
	if from == to {
		return nil
	}
	conn := s.link.conn
	if err := conn.SetDeadline(time.Now().Add(s.cfg.RequestTimeout)); err != nil {
		return fmt.Errorf("sending to %s: %w", s.address(), err)
	}
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(longAgo) //nolint:errcheck // fails on closed connections only
	})
	defer stop()
	status, err := s.link.client.AppendBatch(b, from, to, size)
	var refusal *wire.Exception
	switch {
	case errors.As(err, &refusal):
		return fmt.Errorf("%s cannot carry out the call: %w", s.address(), err)
	case err != nil:
		return flow.Unknown(fmt.Errorf("sending to %s: %w", s.address(), err))
	case status != wire.StatusOK:
		return fmt.Errorf("%s answers %v: it could not store the events", s.address(), status)
	default:
		return nil
	}
}

// tooLong rejects the events that do not fit into a call; all others are
// delivered.
func (s *sink) tooLong(b *event.Batch) error {
	if len(s.pending) == 0 {
		return nil
	}
	longest := 0
	for _, i := range s.pending {
		longest = max(longest, wire.EventSize(b.At(i)))
	}
	return flow.Reject(fmt.Errorf("an event takes %d bytes and a call has at most %d; raise max-frame-size here and at the source, or set deadLetter",
		longest, s.cfg.MaxFrameSize), slices.Clone(s.pending)...)
}
