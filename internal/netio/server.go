package netio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/flume-go/flume/flow"
)

// Grace is how long connections have, once their source was told to stop, to
// hand on what they have read and to answer it.
const Grace = 3 * time.Second

// afterClose is how long an address in use is tried again. Linux keeps a listener that was
// closed while another thread polled it until that thread is done: some 300 µs, seen
// once in a thousand times, though nobody has its descriptor any more.
const afterClose = 100 * time.Millisecond

// Listen opens a TCP listener. A listener that was closed leaves its port to the next;
// Go sets the socket option that this needs.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	ln, err := listen(ctx, address)
	for since := time.Now(); errors.Is(err, syscall.EADDRINUSE) && time.Since(since) < afterClose && flow.Sleep(ctx, time.Millisecond); {
		ln, err = listen(ctx, address)
	}
	return ln, err
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	// Multipath TCP, Go's default, makes the common case slower and is of no
	// use to senders of events.
	lc.SetMultipathTCP(false)
	return lc.Listen(ctx, "tcp", address)
}

// Server accepts connections and serves each in a goroutine of its own.
type Server struct {
	// Handle serves a connection until its end or that of ctx, and need not
	// close it. When the server stops, or its listener fails, reads of conn
	// fail; ctx, under which events are handed on, ends Grace later.
	Handle func(ctx context.Context, conn net.Conn)
	// Max is the most connections at one time; 0 means no limit.
	Max int
	// Refuse, if not nil, says goodbye to a connection beyond Max. It must not block.
	Refuse func(conn net.Conn)
	Log    *slog.Logger

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	stopping bool
	refused  LogLimit
	wg       sync.WaitGroup
}

// Serve accepts connections from ln until ctx ends, and then returns nil when
// all are closed; or until ln fails. It closes ln. A Server serves once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	s.conns = map[net.Conn]struct{}{}
	work, end := Outlive(ctx, Grace)
	defer end()
	stop := context.AfterFunc(ctx, func() {
		ln.Close()
		s.interrupt()
	})
	err := s.accept(ctx, work, ln)
	stop()
	ln.Close()
	s.interrupt()
	last := time.AfterFunc(Grace, func() {
		end() // nobody else does while ctx is on
		s.closeAll()
	})
	s.wg.Wait()
	last.Stop()
	return err
}

func (s *Server) accept(ctx, work context.Context, ln net.Listener) error {
	var pause flow.Backoff
	failing := false
	for {
		conn, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case err == nil:
			if failing {
				failing = false
				pause.Reset()
				s.Log.Info("accepting connections again")
			}
			s.start(work, Direct(conn))
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accepting connections: %w", err)
		default:
			// Mostly "too many open files": it passes when others close theirs.
			if !failing {
				failing = true
				s.Log.Warn("accepting connections fails; trying again", "error", err)
			}
			if !pause.Wait(ctx, 0) {
				return nil
			}
		}
	}
}

func (s *Server) start(work context.Context, conn net.Conn) {
	if !s.enter(conn) {
		if s.Refuse != nil {
			s.Refuse(conn)
		}
		conn.Close()
		return
	}
	s.wg.Go(func() {
		defer s.leave(conn)
		s.Handle(work, conn)
	})
}

// enter adds conn to those that are served, unless there are too many.
func (s *Server) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.Max > 0 && len(s.conns) >= s.Max
	if full {
		if ok, more := s.refused.Allow(); ok {
			s.Log.Warn("refusing a connection: as many as allowed are open", "limit", s.Max, "client", conn.RemoteAddr(), "not-logged", more)
		}
	}
	if full || s.stopping {
		return false
	}
	s.conns[conn] = struct{}{}
	return true
}

func (s *Server) leave(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// interrupt makes the reads of all connections return.
func (s *Server) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for c := range s.conns {
		c.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // fails on closed connections only
	}
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

// Outlive returns a context that ends grace after ctx does, or when the returned
// function is called, which must be. Under it a source hands on, after it was
// told to stop, what it has already read.
func Outlive(ctx context.Context, grace time.Duration) (context.Context, func()) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if flow.Sleep(out, grace) {
			cancel()
		}
	})
	return out, func() {
		stop()
		cancel()
	}
}
