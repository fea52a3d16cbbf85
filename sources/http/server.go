package http

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/internal/netio"
)

// maxStreams is how many requests of one HTTP/2 connection may be under way.
const maxStreams = 100

// refusalTimeout bounds the goodbye to a connection too many.
const refusalTimeout = 100 * time.Millisecond

// serve answers requests until ctx ends, and then returns nil when all that were
// read are answered; or until ln fails. It closes ln. A service serves once.
func (v *service) serve(ctx context.Context, ln net.Listener, secure *tls.Config) error {
	work, end := netio.Outlive(ctx, netio.Grace)
	defer end()
	v.work = work
	l := &listener{Listener: ln, service: v, secure: secure != nil, fresh: map[net.Conn]struct{}{}}
	f := newFront(v, l)
	server := v.server(l, secure)
	done := make(chan error, 1)
	var accepting sync.WaitGroup
	if secure != nil {
		go func() { done <- server.ServeTLS(l, "", "") }()
	} else {
		accepting.Go(f.accept)
		go func() { done <- server.Serve(f) }()
	}
	var failure error
	select {
	case <-ctx.Done():
		ln.Close()
		failure = <-done
	case failure = <-done:
	}
	v.stop(server, l, f)
	accepting.Wait()
	if failure != nil && ctx.Err() == nil {
		return fmt.Errorf("accepting connections: %w", failure)
	}
	return nil
}

func (v *service) server(l *listener, secure *tls.Config) *http.Server {
	s := v.source
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(secure != nil && s.cfg.HTTP2)
	if secure != nil {
		secure = withProtocols(secure, s.cfg.HTTP2)
	}
	return &http.Server{
		Handler:                      v,
		TLSConfig:                    secure,
		Protocols:                    protocols,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ReadHeaderTimeout:            s.cfg.HeaderTimeout,
		IdleTimeout:                  s.idleTimeout,
		MaxHeaderBytes:               s.headerSize,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(lineLogger{s}, "", 0),
		ConnState:                    l.state,
	}
}

// withProtocols has the configurations that secure makes for clients offer what
// the server speaks.
func withProtocols(secure *tls.Config, h2 bool) *tls.Config {
	offer := []string{"http/1.1"}
	if h2 {
		offer = []string{"h2", "http/1.1"}
	}
	secure = secure.Clone()
	secure.NextProtos = offer
	inner := secure.GetConfigForClient
	if inner == nil {
		return secure
	}
	// One copy for each original: a copy has keys for session tickets of its own.
	type pair struct{ original, offering *tls.Config }
	var last atomic.Pointer[pair]
	secure.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c, err := inner(hello)
		if c == nil || err != nil {
			return nil, err
		}
		if p := last.Load(); p != nil && p.original == c {
			return p.offering, nil
		}
		offering := c.Clone()
		offering.NextProtos = offer
		last.Store(&pair{c, offering})
		return offering, nil
	}
	return secure
}

// stop ends all connections: those without a request at once, those whose request
// is still being read with an answer, and those whose events are being stored when
// that is over, at the latest when the grace is.
func (v *service) stop(server *http.Server, l *listener, f *front) {
	l.closeFresh()
	v.interrupt()
	f.stop()
	// The context of Emit ends with the grace; what is left then is to answer.
	ctx, cancel := context.WithTimeout(context.Background(), netio.Grace+time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		server.Close()
	}
	f.wait(ctx)
	v.handlers.Wait()
}

// interrupt keeps requests from beginning and makes the reads of all contents
// return.
func (v *service) interrupt() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stopping.Store(true)
	for c := range v.reading {
		_ = c.control.SetReadDeadline(interrupted) // fails on closed connections only
	}
}

// listener counts connections, refuses those too many, and knows those that have
// not sent a request yet.
type listener struct {
	net.Listener
	service *service
	secure  bool
	open    atomic.Int64

	mu      sync.Mutex
	fresh   map[net.Conn]struct{}
	stopped bool
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.accept()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// accept accepts a connection that is not too many.
func (l *listener) accept() (*conn, error) {
	limit := int64(l.service.source.cfg.MaxConnections)
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if n := l.open.Add(1); limit > 0 && n > limit {
			l.open.Add(-1)
			l.refuse(c)
			continue
		}
		l.service.source.count.open.Add(1)
		return &conn{Conn: netio.Direct(c), listener: l}, nil
	}
}

// refuse says goodbye to a connection too many. With TLS there is nothing to say:
// it would take a handshake.
func (l *listener) refuse(c net.Conn) {
	s := l.service.source
	s.count.limited.Add(1)
	if ok, more := s.serverLog.Allow(); ok {
		s.log.Warn("refusing a connection: as many as allowed are open", "maxConnections", s.cfg.MaxConnections,
			"client", c.RemoteAddr(), "not-logged", more)
	}
	if !l.secure && c.SetWriteDeadline(time.Now().Add(refusalTimeout)) == nil {
		const text = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
		_, _ = c.Write([]byte(text)) // a courtesy
	}
	c.Close()
}

// state is told of the changes of each connection's state. Shutdown waits seconds
// for connections that have sent nothing.
func (l *listener) state(c net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if state != http.StateNew {
		delete(l.fresh, c)
		return
	}
	if l.stopped {
		c.Close()
		return
	}
	l.fresh[c] = struct{}{}
}

func (l *listener) closeFresh() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	for c := range l.fresh {
		c.Close()
	}
}

// conn gives up a client that does not read its answers.
type conn struct {
	net.Conn
	listener *listener
	closed   atomic.Bool
	replay   []byte // was read already and is to be read again, first
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.replay) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.replay)
	if c.replay = c.replay[n:]; len(c.replay) == 0 {
		c.replay = nil // its memory, too
	}
	return n, nil
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	timeout := c.listener.service.source.cfg.WriteTimeout
	if err := c.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if !c.closed.Swap(true) {
		c.listener.open.Add(-1)
		c.listener.service.source.count.open.Add(-1)
	}
	return c.Conn.Close()
}
