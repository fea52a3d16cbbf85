package http

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// front accepts connections without TLS and serves them (direct.go). It is the listener of the HTTP server, to which it hands
// those that are unusual.
type front struct {
	*listener
	service *service
	handed  chan net.Conn
	failed  chan error    // of accepting
	closed  chan struct{} // the server accepts no more
	close   sync.Once
	stopped atomic.Bool // set with mu held

	mu    sync.Mutex
	conns map[*direct]struct{}
	serve sync.WaitGroup // added to with mu held
}

func newFront(v *service, l *listener) *front {
	return &front{
		listener: l, service: v, handed: make(chan net.Conn), failed: make(chan error), closed: make(chan struct{}),
		conns: map[*direct]struct{}{},
	}
}

// accept serves connections until the listener is closed. The errors of the listener are for the server, which
// knows which pass and waits for that before it accepts again.
func (f *front) accept() {
	for {
		c, err := f.listener.accept()
		if err == nil {
			f.start(c)
			continue
		}
		select {
		case f.failed <- err:
		case <-f.closed:
			return
		}
	}
}

func (f *front) start(c *conn) {
	d := newDirect(f, c)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped.Load() {
		c.Close()
		return
	}
	f.conns[d] = struct{}{}
	f.serve.Go(func() {
		defer f.leave(d)
		d.run()
	})
}

func (f *front) leave(d *direct) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, d)
}

// hand gives c to the server, and reports whether it takes it.
func (f *front) hand(c *conn) bool {
	select {
	case f.handed <- c:
		return true
	case <-f.closed:
		return false
	}
}

// Accept implements net.Listener, for the server.
func (f *front) Accept() (net.Conn, error) {
	select {
	case c := <-f.handed:
		return c, nil
	case err := <-f.failed:
		return nil, err
	}
}

// Close implements net.Listener.
func (f *front) Close() error {
	f.close.Do(func() { close(f.closed) })
	return f.listener.Close()
}

// stop closes the connections that wait for a request. The others end with their answers.
func (f *front) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped.Store(true)
	for d := range f.conns {
		d.stop()
	}
}

// wait returns when all connections have ended, for which it closes them when ctx ends.
func (f *front) wait(ctx context.Context) {
	defer context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for d := range f.conns {
			d.Close()
		}
	})()
	f.serve.Wait()
}
