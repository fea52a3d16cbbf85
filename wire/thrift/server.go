package thrift

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/metrics"
)

// handshakeTime is how long a client may take to agree on TLS, and again on SASL.
const handshakeTime = 10 * time.Second

// Server serves connections. Its exported fields are set before the first one.
type Server struct {
	Service *Service
	// Framed says that messages come in frames; else one follows the other.
	Framed bool
	// OldAnswers says that answers have heads of the binary protocol's first
	// version.
	OldAnswers bool
	// MaxMessage is the longest message in bytes.
	MaxMessage int
	// MaxConnections is the most connections at one time, and Workers the most
	// calls of Store; 0 means no limit.
	MaxConnections, Workers int
	// ReceiveTimeout is how long a message may take to arrive once it has begun,
	// and SendTimeout how long answers may stay unread; 0 means no limit.
	ReceiveTimeout, SendTimeout time.Duration
	// TLS is nil for plain connections.
	TLS *tls.Config
	// SASL is nil if clients need not show who they are. With it, messages come
	// in frames.
	SASL    *SASL
	Log     *slog.Logger
	Metrics *metrics.Set

	slots     chan struct{}
	open      *metrics.Gauge
	refused   *metrics.Counter
	malformed *metrics.Counter
	peers     peers
}

// Serve serves the connections of ln until ctx ends, and then returns nil; or
// until ln fails. It closes ln. What calls bring goes to store, which is called
// by several goroutines. It may be called again when it has returned.
func (s *Server) Serve(ctx context.Context, ln net.Listener, store Store) error {
	s.open = s.Metrics.Gauge("OpenConnectionCount")
	s.malformed = s.Metrics.OwnCounter("malformed_messages",
		"Connections that were closed because of what came is no message, or not all of one in time.")
	if s.TLS != nil || s.SASL != nil {
		s.refused = s.Metrics.OwnCounter("failed_handshakes", "Connections on which client and source did not agree on TLS or Kerberos.")
	}
	if s.Workers > 0 {
		s.slots = make(chan struct{}, s.Workers)
	}
	server := netio.Server{
		Log: s.Log, Max: s.MaxConnections,
		Handle: func(work context.Context, conn net.Conn) {
			s.open.Add(1)
			defer s.open.Add(-1)
			s.handle(ctx, work, conn, store)
		},
	}
	return server.Serve(ctx, ln)
}

// handle serves one connection. What was read is stored under work, which
// outlives ctx.
func (s *Server) handle(ctx, work context.Context, conn net.Conn, store Store) {
	client := conn.RemoteAddr()
	if s.TLS != nil {
		secure := tls.Server(conn, s.TLS)
		if err := secureWithin(ctx, secure); err != nil {
			if ctx.Err() == nil {
				s.refused.Add(1)
				s.complain("no agreement on TLS", client, err)
			}
			return
		}
		defer secure.Close() //nolint:errcheck // says goodbye; conn is closed in any case
		conn = secure
	}
	if s.SASL != nil {
		if err := s.identify(ctx, conn); err != nil {
			if ctx.Err() == nil && !errors.Is(err, io.EOF) {
				s.refused.Add(1)
				s.complain("no agreement on Kerberos", client, err)
			}
			return
		}
	}
	err := newSession(s, conn, store).serve(work)
	switch {
	case err == nil, ctx.Err() != nil, errors.Is(err, net.ErrClosed):
	case errors.Is(err, ErrMalformed), errors.Is(err, errSlow):
		s.malformed.Add(1)
		s.complain("its input is not usable", client, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.complain("it does not read its answers", client, err)
	default:
		s.complain("it failed", client, err)
	}
}

func secureWithin(ctx context.Context, conn *tls.Conn) error {
	limited, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	return conn.HandshakeContext(limited)
}

// stored calls store, when one of the workers is free.
func (s *Server) stored(ctx context.Context, store Store, b *event.Batch, calls []Request) error {
	if s.slots != nil {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return store(ctx, b, calls)
}

// complain logs why a connection is closed: one line for each client and minute.
func (s *Server) complain(why string, client net.Addr, err error) {
	ok, more := s.peers.limit(client).Allow()
	if !ok {
		return
	}
	args := []any{"client", client, "error", err}
	if more > 0 {
		args = append(args, "not-logged", more)
	}
	s.Log.Warn("closing a connection: "+why, args...)
}

// mostPeers bounds how many clients are told apart in the log. The limits of all
// are forgotten beyond it: more clients than that are worth a few lines more.
const mostPeers = 1000

// peers has the limits of log lines for each client. The zero value is ready. Safe
// for concurrent use.
type peers struct {
	mu     sync.Mutex
	limits map[netip.Addr]*netio.LogLimit
}

func (p *peers) limit(client net.Addr) *netio.LogLimit {
	var addr netip.Addr
	if tcp, ok := client.(*net.TCPAddr); ok {
		addr = tcp.AddrPort().Addr()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.limits[addr]; l != nil {
		return l
	}
	if p.limits == nil || len(p.limits) >= mostPeers {
		p.limits = map[netip.Addr]*netio.LogLimit{}
	}
	l := new(netio.LogLimit)
	p.limits[addr] = l
	return l
}
