package thrift

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/netio"
	wire "github.com/flume-go/flume/wire/thrift"
)

// link is a connection to the source.
type link struct {
	conn   net.Conn
	client *wire.Client
	since  time.Time
	orders bool // the source keeps the order of calls that are sent ahead
}

// longAgo ends what a connection is doing.
var longAgo = time.Unix(1, 0)

func (s *sink) address() string {
	return net.JoinHostPort(s.cfg.Hostname, strconv.Itoa(s.cfg.Port))
}

// connect makes a connection if there is none, or the one there is has the age to
// be made anew.
func (s *sink) connect(ctx context.Context) error {
	if s.link != nil {
		if !s.worn() {
			return nil
		}
		s.hangUp()
	}
	limited, cancel := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	defer cancel()
	l, err := s.reach(limited)
	if err != nil {
		s.plain = false // there may be another source when it can be reached again
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.failed.Add(1)
		return fmt.Errorf("connecting to %s (properties hostname and port): %w", s.address(), err)
	}
	s.created.Add(1)
	s.link = l
	s.env.Log.Debug("connected", "address", l.conn.RemoteAddr(), "callsAhead", l.orders)
	return nil
}

// worn reports whether the connection is so old that it is to be made anew.
func (s *sink) worn() bool {
	return s.cfg.ResetInterval > 0 && time.Since(s.link.since) >= s.cfg.ResetInterval
}

// reach connects, and asks the source whether it keeps the order of calls. One that ends the connection because of that, or
// does not answer, is not asked again.
func (s *sink) reach(ctx context.Context) (*link, error) {
	l, err := s.connection(ctx)
	if err != nil || s.plain {
		return l, err
	}
	if err := l.conn.SetDeadline(time.Now().Add(min(askTime, s.cfg.RequestTimeout))); err == nil {
		stop := context.AfterFunc(ctx, func() {
			l.conn.SetDeadline(longAgo) //nolint:errcheck // fails on closed connections only
		})
		l.orders, err = l.client.Orders()
		if stop() && err == nil {
			return l, nil
		}
	}
	l.conn.Close()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s.plain = true
	return s.connection(ctx)
}

func (s *sink) connection(ctx context.Context) (*link, error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &link{conn: conn, client: wire.NewClient(conn, s.protocol), since: time.Now()}, nil
}

func (s *sink) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	d.SetMultipathTCP(false) // see netio.Listen
	conn, err := d.DialContext(ctx, "tcp", s.address())
	if err != nil {
		return nil, err
	}
	conn = netio.Direct(conn)
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
	var status wire.Status
	err := s.within(ctx, func() (err error) {
		status, err = s.link.client.AppendBatch(b, from, to, size)
		return err
	})
	return s.outcome(status, err)
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
