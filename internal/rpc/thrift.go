package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/flume-go/flume/event"
	wire "github.com/flume-go/flume/wire/thrift"
)

// thriftHost is an agent with a thrift source. A connection has one call at a time, so
// there are several.
type thriftHost struct {
	address string
	o       *Options
	watch   Watcher
	slots   chan struct{} // one for each connection that may be in use
	closed  chan struct{}

	mu    sync.Mutex
	idle  []*thriftConn // used last at the end
	busy  map[*thriftConn]struct{}
	epoch int // counts hangUp: connections of an earlier one are not used again
	done  bool
}

type thriftConn struct {
	net.Conn
	client *wire.Client
	epoch  int
}

// NewThrift returns the agent with a thrift source at host:port.
func NewThrift(address string, o *Options) Host {
	return &thriftHost{
		address: address, o: o, watch: o.watcher(),
		slots: make(chan struct{}, o.MaxConnections), closed: make(chan struct{}), busy: map[*thriftConn]struct{}{},
	}
}

// Address implements Host.
func (h *thriftHost) Address() string { return h.address }

// Connect implements Host.
func (h *thriftHost) Connect(ctx context.Context) error {
	c, err := h.acquire(ctx)
	if err != nil {
		return err
	}
	h.release(c, true)
	return nil
}

// acquire returns a connection that is the caller's until it is released.
func (h *thriftHost) acquire(ctx context.Context) (*thriftConn, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-h.closed:
		return nil, ErrClosed
	}
	c, epoch, err := h.take()
	if c != nil || err != nil {
		if err != nil {
			<-h.slots
		}
		return c, err
	}
	conn, err := h.dial(ctx)
	if err != nil {
		<-h.slots
		err = fmt.Errorf("connecting to %s: %w", h.address, err)
		h.watch.Failed(h.address, err)
		return nil, err
	}
	h.watch.Connected(h.address)
	c = &thriftConn{Conn: conn, client: wire.NewClient(conn, h.o.Protocol), epoch: epoch}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		h.end(c)
		<-h.slots
		return nil, ErrClosed
	}
	h.busy[c] = struct{}{}
	return c, nil
}

// take returns the connection that was used last, nil if there is none.
func (h *thriftHost) take() (*thriftConn, int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		return nil, 0, ErrClosed
	}
	n := len(h.idle)
	if n == 0 {
		return nil, h.epoch, nil
	}
	c := h.idle[n-1]
	h.idle = h.idle[:n-1]
	h.busy[c] = struct{}{}
	return c, h.epoch, nil
}

func (h *thriftHost) dial(ctx context.Context) (net.Conn, error) {
	secure, err := h.o.tlsTo(h.address)
	if err != nil {
		return nil, err
	}
	ctx, end := endWith(ctx, h.closed)
	defer end()
	limited, cancel := context.WithTimeout(ctx, h.o.ConnectTimeout)
	defer cancel()
	conn, err := h.o.Dial(limited, "tcp", h.address)
	if err != nil {
		return nil, because(ctx, err)
	}
	protected, err := h.protect(limited, conn, secure)
	if err != nil {
		conn.Close()
		return nil, because(ctx, err)
	}
	return protected, nil
}

// protect agrees with the agent on TLS and on Kerberos, as far as they are wanted.
func (h *thriftHost) protect(ctx context.Context, conn net.Conn, secure *tls.Config) (net.Conn, error) {
	if secure != nil {
		protected := tls.Client(conn, secure)
		if err := protected.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("agreeing on TLS: %w", err)
		}
		conn = protected
	}
	if h.o.Kerberos == nil {
		return conn, nil
	}
	name, _, err := net.SplitHostPort(h.address)
	if err != nil {
		return nil, err
	}
	return conn, h.o.Kerberos.Identify(ctx, conn, name)
}

// because adds why ctx has ended to an error, if it has.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}

// release gives a connection back. One that is not good is closed, and with it those
// that were idle meanwhile, which most likely have the same fate.
func (h *thriftHost) release(c *thriftConn, good bool) {
	defer func() { <-h.slots }()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.busy, c)
	if good && !h.done && c.epoch == h.epoch {
		h.idle = append(h.idle, c)
		return
	}
	h.end(c)
	if !good && c.epoch == h.epoch {
		h.endIdle()
	}
}

// endIdle closes the connections that are not in use. mu is held.
func (h *thriftHost) endIdle() {
	for _, c := range h.idle {
		h.end(c)
	}
	h.idle = nil
	h.epoch++
}

func (h *thriftHost) end(c *thriftConn) {
	c.Close()
	h.watch.Closed(h.address)
}

// HangUp implements Host.
func (h *thriftHost) HangUp() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.endIdle()
}

// Call implements Host.
func (h *thriftHost) Call(ctx context.Context, call Call) (sent bool, err error) {
	c, err := h.acquire(ctx)
	if err != nil {
		return false, err
	}
	status, err := h.exchange(ctx, c, call.Batch)
	var refusal *wire.Exception
	refused := errors.As(err, &refusal)
	h.release(c, err == nil || refused)
	switch {
	case err == nil && status == wire.StatusOK:
		return false, nil
	case err == nil:
		return false, fmt.Errorf("%s: the agent answers %v", h.address, status)
	default:
		return !refused, fmt.Errorf("%s: %w", h.address, h.reason(ctx, err))
	}
}

// exchange sends a batch and waits for the answer, within the time for it.
func (h *thriftHost) exchange(ctx context.Context, c *thriftConn, b *event.Batch) (wire.Status, error) {
	if err := c.SetDeadline(time.Now().Add(h.o.RequestTimeout)); err != nil {
		return 0, err
	}
	// In this order nothing is left that could end a later call.
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = c.SetDeadline(longAgo) // fails on closed connections only
	})
	defer func() {
		if !stop() {
			<-ended
		}
	}()
	size := 0
	for i := range b.Len() {
		size += wire.EventSize(b.At(i))
	}
	return c.client.AppendBatch(b, 0, b.Len(), size)
}

// longAgo ends what a connection is doing.
var longAgo = time.Unix(1, 0)

// reason makes plain what an error comes of.
func (h *thriftHost) reason(ctx context.Context, err error) error {
	select {
	case <-h.closed:
		return ErrClosed
	default:
		return because(ctx, err)
	}
}

// Close implements Host.
func (h *thriftHost) Close() error {
	h.mu.Lock()
	if !h.done {
		h.done = true
		close(h.closed)
	}
	h.endIdle()
	for c := range h.busy {
		c.Close() // the call fails
	}
	h.mu.Unlock()
	for range cap(h.slots) { // until all calls have ended
		h.slots <- struct{}{}
	}
	for range cap(h.slots) {
		<-h.slots
	}
	return nil
}
