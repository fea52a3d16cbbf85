// Package intake is what the sources of syslog messages share besides the
// parser: serving connections (tcp.go, session.go), the names of clients
// (peer.go), and what is counted (counters.go).
//
// Nobody acknowledges syslog messages. A sender takes those for delivered that
// its kernel has taken, so whoever closes a connection loses what is in the
// buffers: drain.go has how a source stops without that.
package intake

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/internal/syslog"
	"github.com/flume-go/flume/internal/tlsconf"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
)

// Shared is the properties that sources which listen on TCP share.
type Shared struct {
	EventSize int `flume:"eventSize" unit:"bytes" default:"2500" min:"1" doc:"Longest message. The first part of a longer one is marked Incomplete, and each further part is a message by itself. Less than 10 counts as 10."`
	syslog.Settings
	MaxConnections int `flume:"max-connections" default:"0" min:"0" doc:"Most connections at one time, for each port; more are closed. 0 means no limit."`
	tlsconf.Config
}

// Check checks all parts.
func (s Shared) Check(r *component.Report) {
	s.Settings.Check(r)
	s.Config.Check(r)
}

// Options say how a TCP serves its connections.
type Options struct {
	Shared
	Parser     syslog.Options
	BatchSize  int    // most events emitted at once; 0: no limit
	ReadSize   int    // least bytes to read at once; 0: no matter
	PortHeader string // header for the port of this end; "" for none
}

// handshakeTime is how long a client may take to agree on TLS.
const handshakeTime = 10 * time.Second

// TCP serves the connections of one source. Safe for concurrent use.
type TCP struct {
	opt      Options
	log      *slog.Logger
	fs       vfs.FS
	watch    *Watch
	open     *metrics.Gauge
	refused  *metrics.Counter
	closings netio.LogLimit
	resolver netio.Resolver
}

// New returns a TCP that serves nothing yet.
func New(o Options, env component.Env) *TCP {
	o.EventSize = max(o.EventSize, syslog.MinLimit)
	t := &TCP{
		opt: o, log: env.Log, fs: env.FS,
		watch:    NewWatch(o.Parser.Dialect, env.Log, env.Metrics),
		open:     env.Metrics.Gauge("OpenConnectionCount"),
		resolver: net.DefaultResolver,
	}
	if o.SSL {
		t.refused = env.Metrics.OwnCounter("failed_handshakes", "Connections on which client and source did not agree on TLS.")
	}
	return t
}

// TLS reads the key stores, and returns nil if connections are plain. The result
// is for Serve.
func (t *TCP) TLS() (*tls.Config, error) {
	if !t.opt.SSL {
		return nil, nil
	}
	return t.opt.Config.Server(t.fs, t.log)
}

// Listen opens a listener on host and port and logs it. key is the property that
// has the port.
func (t *TCP) Listen(ctx context.Context, host, port, key string) (net.Listener, error) {
	address := net.JoinHostPort(host, port)
	ln, err := netio.Listen(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s (properties host and %s): %w", address, key, err)
	}
	t.log.Info("listening", "address", ln.Addr())
	return ln, nil
}

// Serve serves the connections of ln until ctx ends, and then those that clients
// have made by then, and returns nil; or until ln fails. It closes ln.
func (t *TCP) Serve(ctx context.Context, ln net.Listener, secure *tls.Config, out flow.Emitter) error {
	if l, ok := ln.(listener); ok {
		queue, late, end := newBacklog(ctx, l)
		defer end()
		ctx, ln = late, queue
	}
	server := netio.Server{
		Log: t.log, Max: t.opt.MaxConnections,
		Handle: func(work context.Context, conn net.Conn) {
			t.open.Add(1)
			defer t.open.Add(-1)
			t.handle(ctx, work, conn, secure, out)
		},
	}
	return server.Serve(ctx, ln)
}

// handle serves one connection. What was read is handed on under work, which
// outlives ctx.
func (t *TCP) handle(ctx, work context.Context, conn net.Conn, secure *tls.Config, out flow.Emitter) {
	if secure == nil {
		newSession(ctx, t, conn, out).serve(work)
		return
	}
	protected := tls.Server(conn, secure)
	defer protected.Close() //nolint:errcheck // says goodbye; conn is closed in any case
	limited, cancel := context.WithTimeout(ctx, handshakeTime)
	err := protected.HandshakeContext(limited)
	cancel()
	if err != nil {
		if ctx.Err() == nil {
			t.refused.Add(1)
			t.logClosing("no agreement on TLS", conn.RemoteAddr(), err)
		}
		return
	}
	newSession(ctx, t, protected, out).serve(work)
}

// logClosing logs why a connection is closed from our side.
func (t *TCP) logClosing(why string, client net.Addr, err error) {
	if ok, more := t.closings.Allow(); ok {
		t.log.Warn("closing a connection: "+why, "client", client, "error", err, "not-logged", more)
	}
}
