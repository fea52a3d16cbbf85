package avro

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
	wire "github.com/flume-go/flume/wire/avro"
)

type counters struct {
	appendReceived, appendAccepted *metrics.Counter
	batchReceived, batchAccepted   *metrics.Counter
	readFail                       *metrics.Counter
	filtered                       *metrics.Counter
	refusedTLS                     *metrics.Counter
	busy                           *metrics.Counter
}

func newCounters(set *metrics.Set) counters {
	return counters{
		appendReceived: set.Counter("AppendReceivedCount"),
		appendAccepted: set.Counter("AppendAcceptedCount"),
		batchReceived:  set.Counter("AppendBatchReceivedCount"),
		batchAccepted:  set.Counter("AppendBatchAcceptedCount"),
		readFail:       set.Counter("EventReadFail"),
		filtered:       set.OwnCounter("filtered_connections", "Connections that ipFilterRules do not allow."),
		refusedTLS:     set.OwnCounter("failed_handshakes", "Connections on which client and source did not agree on TLS."),
		busy:           set.OwnCounter("requests_limited", "Requests that were answered with FAILED for want of memory."),
	}
}

// service is one run of the source. It is the handler of its connections.
type service struct {
	source *source
	server *wire.Server
	out    flow.Emitter
}

var _ wire.Handler = (*service)(nil)

func newService(s *source, secure *tls.Config, out flow.Emitter) *service {
	v := &service{source: s, out: out}
	v.server = wire.NewServer(v, s.cfg.deflate(), secure, wire.Limits{
		Request: s.cfg.MaxRequest, Memory: s.cfg.MaxMemory, Arrive: s.cfg.RequestArrive,
	})
	return v
}

// connection serves one connection. What was read is handed on under work, which
// outlives ctx.
func (v *service) connection(ctx, work context.Context, conn net.Conn) {
	s := v.source
	if s.filter != nil && !s.filter.allows(ctx, conn.RemoteAddr()) {
		s.count.filtered.Add(1)
		s.refusals.warn(conn.RemoteAddr(), "closing a connection: ipFilterRules do not allow it", nil)
		return
	}
	s.open.Add(1)
	defer s.open.Add(-1)
	err := v.server.Serve(ctx, work, conn)
	if err == nil || ctx.Err() != nil {
		return
	}
	var tlsFailed *wire.TLSError
	if errors.As(err, &tlsFailed) {
		s.count.refusedTLS.Add(1)
	} else {
		s.count.readFail.Add(1)
	}
	s.refusals.warn(conn.RemoteAddr(), "closing a connection", err)
}

// Handle implements wire.Handler.
func (v *service) Handle(ctx context.Context, c *wire.Call) (wire.Status, error) {
	s := v.source
	received, accepted := s.count.batchReceived, s.count.batchAccepted
	if c.Single {
		received, accepted = s.count.appendReceived, s.count.appendAccepted
	}
	received.Add(c.Count)
	if c.Batch.Len() > 0 {
		c.Meta.SetOrigin(c.Batch)
		if err := v.out.Emit(ctx, c.Batch); err != nil {
			s.emitFailed(err)
			return wire.Failed, nil
		}
		s.emitted()
	}
	accepted.Add(c.Count)
	return wire.OK, nil
}

// Refused implements wire.Handler.
func (v *service) Refused(client net.Addr, err error) {
	if errors.Is(err, wire.ErrBusy) {
		v.source.count.busy.Add(1)
	} else {
		v.source.count.readFail.Add(1)
	}
	v.source.refusals.warn(client, "refusing a request", err)
}

// emitFailed and emitted log the beginning and the end of trouble downstream, once
// for all connections together.
func (s *source) emitFailed(err error) {
	if flow.ClassOf(err) != flow.ClassShutdown && !s.failing.Swap(true) {
		s.log.Warn("handing on events fails; clients are told to send them again", "error", err)
	}
}

func (s *source) emitted() {
	if s.failing.Load() && s.failing.Swap(false) {
		s.log.Info("handing on events works again")
	}
}

// peerLog warns of each client once a minute. Safe for concurrent use.
type peerLog struct {
	log *slog.Logger

	mu    sync.Mutex
	peers map[string]*trouble
}

// trouble is what was said of one client.
type trouble struct {
	next  time.Time // when it may be said again
	quiet int       // how often it was not
}

// maxTroubled is the most clients that are told apart. When there are more, all that
// were quiet are forgotten; if there are none, the others are one.
const maxTroubled = 1000

// warn logs a line about a client, whose ports do not count; err may be nil.
func (p *peerLog) warn(client net.Addr, what string, err error) {
	host, _, split := net.SplitHostPort(client.String())
	if split != nil {
		host = client.String()
	}
	quiet, ok := p.allow(host, time.Now())
	if !ok {
		return
	}
	var args []any
	if err != nil {
		args = append(args, "error", err)
	}
	if quiet > 0 {
		args = append(args, "not-logged", quiet)
	}
	p.log.Warn(what, append([]any{"client", client}, args...)...)
}

// allow reports whether to log now, and how often it was not allowed before.
func (p *peerLog) allow(host string, now time.Time) (quiet int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.find(host, now)
	if now.Before(t.next) {
		t.quiet++
		return 0, false
	}
	quiet = t.quiet
	*t = trouble{next: now.Add(time.Minute)}
	return quiet, true
}

func (p *peerLog) find(host string, now time.Time) *trouble {
	if t, ok := p.peers[host]; ok {
		return t
	}
	if len(p.peers) >= maxTroubled {
		for h, t := range p.peers {
			if now.After(t.next) {
				delete(p.peers, h)
			}
		}
	}
	if len(p.peers) >= maxTroubled {
		host = "" // all others
		if t, ok := p.peers[host]; ok {
			return t
		}
	}
	if p.peers == nil {
		p.peers = map[string]*trouble{}
	}
	t := new(trouble)
	p.peers[host] = t
	return t
}
