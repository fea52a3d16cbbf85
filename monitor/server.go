package monitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/netio"
)

// Limits of the servers. Whoever connects may be slow or hostile; together they
// can hold maxConns small buffers for as long as the timeouts say.
const (
	maxConns      = 64
	maxHeader     = 16 << 10
	maxBody       = 16 << 10
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 60 * time.Second
	closeLimit    = 5 * time.Second
)

// server is an HTTP server that keeps trying until it can listen.
type server struct {
	name    string // of the way out, for messages
	address string
	remedy  string // what to do when the address cannot be had
	http    *http.Server
	log     *slog.Logger
	pause   flow.Backoff // between tries to listen
	told    string       // the failure to listen that was logged last

	mu     sync.Mutex
	ln     net.Listener       // nil while there is none
	stop   context.CancelFunc // nil before Start
	done   chan struct{}      // closed when nothing runs any more
	closed bool
}

var _ Reporter = (*server)(nil)

func newServer(name, address, remedy string, handler http.Handler, log *slog.Logger) *server {
	return &server{
		name: name, address: address, remedy: remedy, log: log,
		pause: flow.Backoff{Min: time.Second, Max: 30 * time.Second},
		http: &http.Server{
			Handler:           http.MaxBytesHandler(handler, maxBody),
			ReadHeaderTimeout: headerTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeader,
			// What the handler answers to OPTIONS holds for "OPTIONS *", too.
			DisableGeneralOptionsHandler: true,
			// Lines that any client can cause are for those who look for them.
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}
}

// Start implements Reporter. When the address is free, the server listens on
// return.
func (s *server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil || s.closed {
		return fmt.Errorf("%s was started before", s.name)
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop, s.done = stop, make(chan struct{})
	ln := s.tryListen(ctx)
	s.ln = ln
	go func() {
		defer close(s.done)
		s.run(run, ln)
	}()
	return nil
}

// run serves until ctx ends. ln may be nil.
func (s *server) run(ctx context.Context, ln net.Listener) {
	for {
		if ln == nil {
			ln = s.listen(ctx)
		}
		if ln == nil {
			return
		}
		s.log.Info(s.name+" listens", "address", ln.Addr().String())
		err := s.http.Serve(newLimited(ln, maxConns))
		s.setListener(nil)
		if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) {
			return
		}
		s.log.Error(s.name+" no longer listens; it is tried again", "address", s.address, "error", err)
		ln = nil
	}
}

// listen tries until it can; nil means that ctx ended.
func (s *server) listen(ctx context.Context) net.Listener {
	s.pause.Reset()
	for s.pause.Wait(ctx, 0) {
		if ln := s.tryListen(ctx); ln != nil {
			if s.setListener(ln) {
				return ln
			}
			ln.Close()
			return nil
		}
	}
	return nil
}

// tryListen logs a failure unless the one before was the same.
func (s *server) tryListen(ctx context.Context) net.Listener {
	ln, err := netio.Listen(ctx, s.address)
	if err == nil {
		s.told = ""
		return ln
	}
	if s.told != err.Error() && ctx.Err() == nil {
		s.told = err.Error()
		s.log.Error(s.name+" cannot listen; the agent runs on and it is tried again", "address", s.address, "error", err, "remedy", s.remedy)
	}
	return nil
}

// setListener reports whether the server is still open.
func (s *server) setListener(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ln = ln
	return !s.closed
}

// Addr implements Reporter.
func (s *server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln == nil {
		return ""
	}
	return s.ln.Addr().String()
}

// Close implements Reporter.
func (s *server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	stop, done := s.stop, s.done
	s.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	ctx, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("closing %s: requests were cut off: %w", s.name, err), s.http.Close())
	}
	<-done
	return err
}

// limited is a listener with at most so many connections at a time; more wait in
// the kernel's queue.
type limited struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newLimited(ln net.Listener, n int) *limited {
	return &limited{Listener: ln, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

// Accept waits for a slot and then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: conn, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close ends Accept.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	free func()
}

// Close frees the slot.
func (c *limitedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
