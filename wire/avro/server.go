package avro

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/event"
)

// Meta is the metadata of a call: what a client says besides the events. Apache
// Flume sends none and does not look at it.
type Meta []MetaEntry

// MetaEntry is one key and its value.
type MetaEntry struct {
	Key   string
	Value []byte
}

// Get returns the value of key and whether there is one.
func (m Meta) Get(key string) ([]byte, bool) {
	for _, e := range m {
		if e.Key == key {
			return e.Value, true
		}
	}
	return nil, false
}

// Call is a request of a client.
type Call struct {
	// Batch holds the events. It is the server's: to keep it beyond Handle, retain it.
	Batch *event.Batch
	// Single says that the message is append, with one event.
	Single bool
	// Meta is what came with it.
	Meta Meta
	// Client is the address of the client.
	Client net.Addr
}

// Handler stores what clients send.
type Handler interface {
	// Handle returns the status to answer, or an error whose text is the answer.
	// It is called by many goroutines; for one connection by one at a time, in the
	// order of its requests.
	Handle(ctx context.Context, c *Call) (Status, error)
	// Refused is told of a request that is answered without Handle: with FAILED if
	// there is no memory for it (ErrBusy), with an error if it is malformed.
	Refused(client net.Addr, err error)
}

// ErrBusy says that all requests under way together have as much memory as they may.
var ErrBusy = errors.New("the requests under way have as much memory as they may (max-memory)")

// Limits bound what a server takes of its clients. A zero field is its default.
type Limits struct {
	// Request is the most bytes of one request, what its events take in memory
	// included: 128 MiB.
	Request int
	// Memory is the most bytes of all requests together: 512 MiB. A request that
	// finds none is answered with FAILED.
	Memory int64
	// Arrive is how long a request may take to arrive, once it has begun: a minute.
	Arrive time.Duration
	// Answer is how long a client may leave an answer unread: 30 seconds.
	Answer time.Duration
	// Handshake is how long a client may take for TLS: 10 seconds.
	Handshake time.Duration
}

// Defaults of Limits.
const (
	DefaultRequest   = 128 << 20
	DefaultMemory    = 512 << 20
	DefaultArrive    = time.Minute
	DefaultAnswer    = 30 * time.Second
	DefaultHandshake = 10 * time.Second
)

func (l Limits) withDefaults() Limits {
	return Limits{
		Request: orDefault(l.Request, DefaultRequest), Memory: orDefault(l.Memory, DefaultMemory),
		Arrive: orDefault(l.Arrive, DefaultArrive), Answer: orDefault(l.Answer, DefaultAnswer),
		Handshake: orDefault(l.Handshake, DefaultHandshake),
	}
}

func orDefault[T int | int64 | time.Duration](v, or T) T {
	if v > 0 {
		return v
	}
	return or
}

// Server answers the requests of clients. Safe for concurrent use.
type Server struct {
	handler Handler
	deflate bool
	secure  *tls.Config
	limits  Limits
	memory  atomic.Int64 // taken by requests under way
	peers   peers
}

// NewServer returns a server. deflate says that clients compress; secure, if not
// nil, that they speak TLS. With both, clients may do either inside the other.
func NewServer(h Handler, deflate bool, secure *tls.Config, l Limits) *Server {
	return &Server{handler: h, deflate: deflate, secure: secure, limits: l.withDefaults(), peers: peers{protocol: current, orders: true}}
}

// Serve answers the requests of one connection, until the client closes it or ctx
// ends, and then returns nil; or until something else than requests comes. Somebody
// must make reads of conn fail when ctx ends; events are handed on under work, which
// may last longer. The caller closes conn.
//
// Requests are answered in order, and one is read when the one before is answered:
// what a client sends ahead waits in the connection.
func (s *Server) Serve(ctx, work context.Context, conn net.Conn) error {
	stream, err := s.layers(ctx, conn)
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, io.EOF) {
			return nil // nothing was lost
		}
		return err
	}
	stopped := func() bool { return ctx.Err() != nil }
	c := &session{
		server: s, conn: stream, client: conn.RemoteAddr(),
		in: newInput(stream, s.limits.Request, s.limits.Arrive, stream != conn, stopped),
	}
	c.events.charge = c.take // made once, not for each request
	defer c.in.discard()
	if stream != conn {
		defer stream.Close() // TLS says goodbye; conn itself is the caller's, who closes it anyway
	}
	err = c.serve(work)
	if errors.Is(err, io.EOF) || ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// layers returns conn with what lies between the socket and the frames.
func (s *Server) layers(ctx context.Context, conn net.Conn) (net.Conn, error) {
	switch {
	case s.secure == nil && !s.deflate:
		return conn, nil
	case s.secure == nil:
		return newCompressed(conn, 0)
	case !s.deflate:
		return s.handshakeTLS(ctx, conn)
	}
	// The first byte tells which is inside which.
	first := make([]byte, 1)
	if err := conn.SetReadDeadline(time.Now().Add(s.limits.Handshake)); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if _, err := io.ReadFull(conn, first); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	whole := &replayed{conn, first}
	if first[0] == firstOfTLS {
		protected, err := s.handshakeTLS(ctx, whole)
		if err != nil {
			return nil, err
		}
		return newCompressed(protected, 0)
	}
	inner, err := newCompressed(whole, 0)
	if err != nil {
		return nil, err
	}
	return s.handshakeTLS(ctx, inner)
}

// TLSError says that client and server did not agree on TLS.
type TLSError struct{ Err error }

// Error implements error.
func (e *TLSError) Error() string { return "agreeing on TLS: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *TLSError) Unwrap() error { return e.Err }

func (s *Server) handshakeTLS(ctx context.Context, conn net.Conn) (net.Conn, error) {
	protected := tls.Server(conn, s.secure)
	limited, cancel := context.WithTimeout(ctx, s.limits.Handshake)
	defer cancel()
	if err := protected.HandshakeContext(limited); err != nil {
		return nil, &TLSError{err}
	}
	return protected, nil
}

// session is one connection.
type session struct {
	server *Server
	conn   net.Conn
	client net.Addr
	in     *input
	events events

	agreed  bool  // the handshake is over
	foreign error // what the client's protocol differs in, if it does
	refused bool  // the call in front was not answered with OK
	taken   int   // memory charged to the request under way
	told    int   // of it, what the server's count has
	short   [64]byte
}

func (c *session) serve(work context.Context) error {
	for {
		if err := c.in.next(); err != nil {
			return err
		}
		out, err := c.request(work)
		if err != nil {
			return err
		}
		if err := c.write(out); err != nil {
			return err
		}
	}
}

func (c *session) write(out []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.server.limits.Answer)); err != nil {
		return err
	}
	_, err := c.conn.Write(out)
	return err
}

// chargeStep is how much is charged to the server at once: its count is shared by all
// connections.
const chargeStep = 64 << 10

// take charges n bytes to the request.
func (c *session) take(n int) error {
	c.taken += n
	if c.taken > c.server.limits.Request {
		return badFrame("a request takes more than %d bytes: lower the batch size of the sender, or raise max-request-size", c.server.limits.Request)
	}
	if c.taken-c.told < chargeStep {
		return nil
	}
	memory := c.server.memory.Add(int64(c.taken - c.told))
	c.told = c.taken
	if memory > c.server.limits.Memory {
		return ErrBusy
	}
	return nil
}

// release gives back what was charged to the request.
func (c *session) release() {
	if c.told > 0 {
		c.server.memory.Add(-int64(c.told))
	}
	c.taken, c.told = 0, 0
}

// request reads the request of a frame and returns its answer, as a frame. An error
// ends the connection.
func (c *session) request(work context.Context) ([]byte, error) {
	b := event.NewBatch()
	defer b.Release()
	defer c.release()
	c.events.in = c.in
	c.events.reset(b)
	defer c.events.reset(nil)
	call := Call{Batch: b, Client: c.client}
	out, message, err := c.read(beginFrame(c.short[:0], c.in.serial), &call)
	if err != nil && !isRequestError(err) && !errors.Is(err, ErrBusy) {
		return nil, err
	}
	// A request whose end never comes must not be stored: read it to the end.
	if failed := c.in.end(); failed != nil {
		return nil, failed
	}
	switch {
	case errors.Is(err, ErrBusy):
		c.server.handler.Refused(c.client, err)
		out = c.answer(out, Failed, nil)
	case err != nil:
		c.server.handler.Refused(c.client, err)
		out = c.answer(out, Failed, err)
	case message == "": // a handshake
	case c.refused && call.Meta.isAhead():
		out = c.answer(out, Failed, nil)
	default:
		status, err := c.server.handler.Handle(work, &call)
		out = c.answer(out, status, err)
	}
	return endFrame(out), nil
}

// answer appends the answer to a call: a status, or an error.
func (c *session) answer(out []byte, s Status, err error) []byte {
	if c.refused = err != nil || s != OK; err != nil {
		return appendFailure(out, err)
	}
	return appendStatus(out, s)
}

// read reads a request into call and appends the answer to its handshake to out. The
// message is empty if there is nothing more to answer.
func (c *session) read(out []byte, call *Call) ([]byte, string, error) {
	if !c.agreed {
		var err error
		if out, c.agreed, c.foreign, err = c.server.peers.handshake(c.in, out); err != nil || !c.agreed {
			return out, "", err
		}
	}
	var err error
	if call.Meta, err = c.in.meta(); err != nil {
		return out, "", err
	}
	name, err := c.in.bytes("the name of a message", maxName)
	if err != nil || len(name) == 0 {
		return out, "", err
	}
	if c.foreign != nil {
		return out, "", malformed("%s", c.foreign)
	}
	switch string(name) {
	case messageBatch:
		return out, messageBatch, c.events.array()
	case messageAppend:
		call.Single = true
		return out, messageAppend, c.events.event()
	default:
		return out, "", malformed("there is no message %q here", name)
	}
}

// maxName is the longest name of a message that is looked at.
const maxName = 256
