package rpc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	wire "github.com/flume-go/flume/wire/avro"
)

// avroHost is an agent with an avro source. All calls share one connection: answers find
// their calls by numbers.
type avroHost struct {
	address string
	o       *Options
	watch   Watcher
	closed  chan struct{}

	dialing gate // held while connecting

	mu   sync.Mutex
	conn *avroConn              // nil: not connected
	open map[*avroConn]struct{} // it, and retired ones with calls under way
	done bool                   // closed is closed

	work sync.WaitGroup // calls, also those whose callers have gone, and closing of connections
}

// avroConn is a connection with the number of its calls. One that nobody will call any
// more is closed by the last of them.
type avroConn struct {
	client  *wire.Client
	calls   int
	retired bool
}

// NewAvro returns the agent with an avro source at host:port.
func NewAvro(address string, o *Options) Host {
	return &avroHost{
		address: address, o: o, watch: o.watcher(),
		closed: make(chan struct{}), dialing: newGate(), open: map[*avroConn]struct{}{},
	}
}

// Address implements Host.
func (h *avroHost) Address() string { return h.address }

// Connect implements Host.
func (h *avroHost) Connect(ctx context.Context) error {
	c, err := h.acquire(ctx)
	if err != nil {
		return err
	}
	h.release(c)
	return nil
}

// acquire returns a connection, which is released when the call has ended.
func (h *avroHost) acquire(ctx context.Context) (*avroConn, error) {
	if c, err := h.present(); c != nil || err != nil {
		return c, err
	}
	if err := h.dialing.enter(ctx); err != nil {
		return nil, err
	}
	defer h.dialing.leave()
	// Somebody else may have connected meanwhile.
	if c, err := h.present(); c != nil || err != nil {
		return c, err
	}
	client, err := h.dial(ctx)
	if err != nil {
		h.watch.Failed(h.address, err)
		return nil, err
	}
	h.watch.Connected(h.address)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		_ = client.Close() // nothing is under way
		h.watch.Closed(h.address)
		return nil, ErrClosed
	}
	h.conn = &avroConn{client: client}
	h.open[h.conn] = struct{}{}
	return h.use(h.conn), nil
}

// use counts a call. mu is held.
func (h *avroHost) use(c *avroConn) *avroConn {
	c.calls++
	h.work.Add(1)
	return c
}

// present returns the connection there is, nil if there is none that works.
func (h *avroHost) present() (*avroConn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		return nil, ErrClosed
	}
	if h.conn == nil {
		return nil, nil
	}
	if !h.conn.client.Active() {
		h.retire()
		return nil, nil
	}
	return h.use(h.conn), nil
}

func (h *avroHost) dial(ctx context.Context) (*wire.Client, error) {
	secure, err := h.o.tlsTo(h.address)
	if err != nil {
		return nil, err
	}
	ctx, end := endWith(ctx, h.closed)
	defer end()
	return wire.Dial(ctx, wire.Options{
		Address: h.address, TLS: secure,
		Deflate: h.o.Deflate, Level: h.o.Level, DeflateInsideTLS: h.o.DeflateInsideTLS,
		ConnectTimeout: h.o.ConnectTimeout, RequestTimeout: h.o.RequestTimeout, Dial: h.o.Dial,
	})
}

// retire lets go of the connection. mu is held.
func (h *avroHost) retire() {
	c := h.conn
	h.conn = nil
	if c == nil {
		return
	}
	c.retired = true
	if c.calls == 0 {
		h.end(c)
	}
}

// end closes a connection, beside the caller: TLS may take its time to say goodbye. mu
// is held.
func (h *avroHost) end(c *avroConn) {
	delete(h.open, c)
	h.watch.Closed(h.address)
	h.work.Go(func() { _ = c.client.Close() }) // nothing is under way
}

func (h *avroHost) release(c *avroConn) {
	defer h.work.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	c.calls--
	if c.retired && c.calls == 0 && !h.done {
		h.end(c)
	}
}

// HangUp implements Host.
func (h *avroHost) HangUp() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.done {
		h.retire()
	}
}

// Call implements Host.
func (h *avroHost) Call(ctx context.Context, call Call) (sent bool, err error) {
	c, err := h.acquire(ctx)
	if err != nil {
		return false, err
	}
	var p *wire.Pending
	if call.Single {
		p, err = c.client.StartOne(ctx, call.Batch.At(0), call.Meta)
	} else {
		p, err = c.client.Start(ctx, call.Batch, call.Meta)
	}
	if err != nil {
		h.release(c)
		return false, fmt.Errorf("%s: %w", h.address, err)
	}
	if err = h.wait(ctx, c, p); err == nil {
		return false, nil
	}
	var unanswered *wire.SentError
	return errors.As(err, &unanswered), fmt.Errorf("%s: %w", h.address, err)
}

// wait waits for the answer, or for the end of ctx. A caller that gives up must not end
// the connection, which others use: the answer is waited for without it.
func (h *avroHost) wait(ctx context.Context, c *avroConn, p *wire.Pending) error {
	if ctx.Done() == nil {
		defer h.release(c)
		return p.Wait(ctx)
	}
	answer := make(chan error, 1)
	go func() {
		err := p.Wait(context.WithoutCancel(ctx))
		h.release(c)
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return &wire.SentError{Err: context.Cause(ctx)}
	}
}

// Close implements Host.
func (h *avroHost) Close() error {
	for _, c := range h.shut() {
		_ = c.client.Close() // calls under way fail
		h.watch.Closed(h.address)
	}
	h.dialing.wait() // for the end of what was told to end
	h.dialing.leave()
	h.work.Wait()
	return nil
}

// shut lets nobody in any more and returns the connections there are.
func (h *avroHost) shut() []*avroConn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		return nil
	}
	h.done = true
	close(h.closed)
	h.conn = nil
	return slices.Collect(maps.Keys(h.open))
}
