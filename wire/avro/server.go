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

// Call is a request of a client, or several that have come together: then each but the first was
// sent ahead, see Client.Orders, and all get the same answer.
type Call struct {
	// Batch holds the events. It is the server's: to keep it beyond Handle, retain it.
	Batch *event.Batch
	// Count is the number of requests.
	Count int
	// Single says that the message is append, with one event.
	Single bool
	// Meta is what came with it; with several it is that of the first, with the origin of all events.
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
// Requests are answered in order. Those that have come as a whole when one was read are handled with
// it if they may share its answer; what else a client sends ahead waits in the connection.
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
	careful bool  // nor was the round in front: the next one is of one call
	round   round
	short   [64]byte // what an answer begins with
	rest    [64]byte
	out     []byte // answers that are not written yet

	taken int // memory charged to the request under way
	told  int // memory of it and the round that the server's count has
	owed  int // and what it does not have yet
}

// round is calls that have come together: they are handled as one. Each but the first was
// sent ahead of the answer to the one in front, so it may share its fate.
type round struct {
	call    Call     // the first, with the events of all; without a batch there is none
	head    []byte   // what the answer to the first begins with
	serials []uint32 // of the calls
	taken   int      // memory
}

const (
	// mostTogether is the most calls of a round.
	mostTogether = 64
	// enoughTogether is how many bytes end a round.
	enoughTogether = 512 << 10
)

func (c *session) serve(work context.Context) error {
	defer c.release()
	for {
		err := c.in.next()
		for err == nil {
			if err = c.request(work); err != nil || !c.in.whole() {
				break
			}
			err = c.in.next()
		}
		c.handle(work)
		if failed := c.write(); err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
	}
}

// write writes the answers.
func (c *session) write() error {
	if len(c.out) == 0 {
		return nil
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.server.limits.Answer)); err != nil {
		return err
	}
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
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
	if c.owed += n; c.owed < chargeStep {
		return nil
	}
	memory := c.server.memory.Add(int64(c.owed))
	c.told += c.owed
	c.owed = 0
	if memory > c.server.limits.Memory {
		return ErrBusy
	}
	return nil
}

// release gives back what was charged.
func (c *session) release() {
	if c.told > 0 {
		c.server.memory.Add(-int64(c.told))
	}
	c.owed, c.told = 0, 0
}

// request reads the request of a frame. It becomes a part of the round, or is answered;
// those in front of it are answered before. An error ends the connection.
func (c *session) request(work context.Context) error {
	c.taken = 0
	out, meta, message, err := c.read(beginFrame(c.short[:0], c.in.serial))
	if err != nil || !c.joins(message, meta) {
		c.handle(work)
	}
	before := c.begin()
	if err == nil && message != "" {
		err = c.arguments(message)
	}
	fatal := err != nil && !isRequestError(err) && !errors.Is(err, ErrBusy)
	if !fatal {
		// A request whose end never comes must not be stored: read it to the end.
		if failed := c.in.end(); failed != nil {
			fatal, err = true, failed
		}
	}
	switch {
	case fatal:
		c.cut(before)
		return err
	case err != nil:
		c.cut(before)
		c.handle(work)
		c.server.handler.Refused(c.client, err)
		if errors.Is(err, ErrBusy) {
			err = nil
		}
		c.answer(out, Failed, err)
	case message == "": // a handshake
		c.out = append(c.out, endFrame(out)...)
	case c.refused && meta.isAhead():
		c.cut(before)
		c.answer(out, Failed, nil)
	default:
		c.accept(work, out, message, meta)
	}
	return nil
}

// joins reports whether a call can be one of the round.
func (c *session) joins(message string, m Meta) bool {
	r := &c.round
	return len(r.serials) > 0 && !c.careful && message == messageBatch && !r.call.Single && m.isAhead() && r.call.Meta.sameOrigin(m)
}

// begin makes sure that there is a batch to decode into, and returns how many events it has.
func (c *session) begin() int {
	r := &c.round
	if r.call.Batch == nil {
		r.call.Batch = event.NewBatch()
		c.events.in = c.in
		c.events.reset(r.call.Batch)
	}
	return r.call.Batch.Len()
}

// cut removes the events behind the first n.
func (c *session) cut(n int) {
	b, i := c.round.call.Batch, 0
	b.Filter(func(*event.Event) bool {
		i++
		return i <= n
	})
	c.events.reset(b)
}

// accept makes a call, whose events are in the batch, one of the round.
func (c *session) accept(work context.Context, out []byte, message string, m Meta) {
	r := &c.round
	if len(r.serials) == 0 {
		r.head = append(r.head[:0], out...)
		r.call.Client, r.call.Single, r.call.Meta = c.client, message == messageAppend, m
	} else {
		r.call.Meta.addOrigin(m)
	}
	r.serials = append(r.serials, c.in.serial)
	r.call.Count = len(r.serials)
	if r.taken += c.taken; r.taken >= enoughTogether || len(r.serials) >= mostTogether {
		c.handle(work)
	}
}

// handle hands on the round, if there is one, and appends the answers. After one that is not OK
// the next call is handled by itself, as it may be that only all together were too many.
func (c *session) handle(work context.Context) {
	r := &c.round
	if len(r.serials) > 0 {
		status, err := c.server.handler.Handle(work, &r.call)
		c.answer(r.head, status, err)
		for _, serial := range r.serials[1:] {
			c.answer(beginFrame(c.rest[:0], serial), status, err)
		}
		c.careful = c.refused
	}
	if r.call.Batch != nil {
		r.call.Batch.Release()
		c.events.reset(nil)
	}
	r.call, r.serials, r.taken = Call{}, r.serials[:0], 0
	c.release()
}

// answer appends the answer to a call, a status or an error, to what it begins with.
func (c *session) answer(head []byte, s Status, err error) {
	start := len(c.out)
	c.out = append(c.out, head...)
	if c.refused = err != nil || s != OK; err != nil {
		c.out = appendFailure(c.out, err)
	} else {
		c.out = appendStatus(c.out, s)
	}
	endFrame(c.out[start:])
}

// read reads a request up to its parameters, and appends the answer to its handshake to out.
// The message is empty if there is nothing more to answer.
func (c *session) read(out []byte) (_ []byte, m Meta, message string, err error) {
	if !c.agreed {
		if out, c.agreed, c.foreign, err = c.server.peers.handshake(c.in, out); err != nil || !c.agreed {
			return out, nil, "", err
		}
	}
	if m, err = c.in.meta(); err != nil {
		return out, nil, "", err
	}
	name, err := c.in.bytes("the name of a message", maxName)
	if err != nil || len(name) == 0 {
		return out, nil, "", err
	}
	if c.foreign != nil {
		return out, nil, "", malformed("%s", c.foreign)
	}
	switch string(name) {
	case messageBatch:
		return out, m, messageBatch, nil
	case messageAppend:
		return out, m, messageAppend, nil
	default:
		return out, nil, "", malformed("there is no message %q here", name)
	}
}

// arguments decodes the parameters of a message into the batch.
func (c *session) arguments(message string) error {
	if message == messageAppend {
		return c.events.event()
	}
	return c.events.array()
}

// maxName is the longest name of a message that is looked at.
const maxName = 256
