package avro

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/netio"
)

// Options say how a client connects. A zero time is its default.
type Options struct {
	// Address is host:port of the server.
	Address string
	// TLS, if not nil, is how TLS is spoken.
	TLS *tls.Config
	// Deflate says that the connection is compressed, at this level of zlib's: 1 to
	// 9, or 0 for none; -1 is the library's choice.
	Deflate bool
	Level   int
	// DeflateInsideTLS says that the compressed stream travels inside TLS, as Apache
	// Flume up to 1.9 has it. Later versions have TLS inside the compressed stream.
	DeflateInsideTLS bool
	// ConnectTimeout limits connecting, and the writing of each request: 20 seconds.
	ConnectTimeout time.Duration
	// RequestTimeout limits the wait for each answer: 20 seconds.
	RequestTimeout time.Duration
	// Dial makes connections; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// DefaultTimeout is that of Options.
const DefaultTimeout = 20 * time.Second

// maxAnswer is the longest answer that is read: one with the text of a protocol.
const maxAnswer = 1 << 20

// Client is a connection to a server. Any number of goroutines may use it at once;
// the answers find them by their numbers. After an error it is of no more use than
// to be closed, but for answers that say no.
//
// Answers are read by those who wait for them, in turns: handing each one over from a
// goroutine that reads costs a fifth of the processor time of a batch of 100 events.
// When nobody has waited for a while a goroutine of the client reads, which finds out
// that the server has closed the connection before something is sent.
type Client struct {
	opt  Options
	conn net.Conn  // the socket
	tls  *tls.Conn // nil without TLS

	orders bool // see Orders

	turn chan struct{} // holds one token: who has it reads
	in   *input        // for who has the turn
	used atomic.Bool   // an answer has come since watch last looked

	ended chan struct{} // closed when err is set

	mu     sync.Mutex // held while writing
	stream net.Conn   // what w writes to, in the end
	w      frameWriter
	queued *Pending // the latest request in w's memory, nil if there is none
	serial uint32
	calls  map[uint32]*Pending
	err    error // why no more requests can be sent
}

// AnswerError is a server's answer that events are not stored. The client can go on.
type AnswerError struct {
	Status Status // if Text is empty
	Text   string // of an error that the server met
}

// Error implements error.
func (e *AnswerError) Error() string {
	if e.Text != "" {
		return "the server answers with an error: " + e.Text
	}
	return "the server answers " + e.Status.String()
}

// SentError says that a request was sent, and that it is not known what became of it.
type SentError struct{ Err error }

// Error implements error.
func (e *SentError) Error() string { return "the server does not answer: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *SentError) Unwrap() error { return e.Err }

var (
	errClosed = errors.New("the connection was closed")
	errLate   = errors.New("timed out")
)

// Dial connects to a server and agrees with it on the protocol.
func Dial(ctx context.Context, o Options) (*Client, error) {
	o.ConnectTimeout = orDefault(o.ConnectTimeout, DefaultTimeout)
	o.RequestTimeout = orDefault(o.RequestTimeout, DefaultTimeout)
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	limited, cancel := context.WithTimeoutCause(ctx, o.ConnectTimeout, errLate)
	defer cancel()
	conn, err := o.Dial(limited, "tcp", o.Address)
	if err != nil {
		return nil, because(limited, fmt.Errorf("connecting to %s: %w", o.Address, err))
	}
	conn = netio.Direct(conn)
	c := &Client{opt: o, conn: conn, calls: map[uint32]*Pending{}, turn: make(chan struct{}, 1), ended: make(chan struct{})}
	if err := c.open(limited); err != nil {
		conn.Close()
		return nil, because(limited, fmt.Errorf("talking to %s: %w", o.Address, err))
	}
	c.turn <- struct{}{}
	go c.watch()
	return c, nil
}

// because adds the cause of ctx's end, if it has ended, to an error that came of it.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}

// open makes the layers and the handshake, within ctx.
func (c *Client) open(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })()
	stream, err := c.layers(ctx)
	if err != nil {
		return err
	}
	c.stream = stream
	c.in = newInput(stream, maxAnswer, 0, stream != c.conn, func() bool { return false })
	return c.handshake()
}

func (c *Client) layers(ctx context.Context) (stream net.Conn, err error) {
	stream = c.conn
	if c.opt.Deflate && !(c.opt.TLS != nil && c.opt.DeflateInsideTLS) {
		if stream, err = newCompressed(stream, c.opt.Level); err != nil {
			return nil, err
		}
	}
	if c.opt.TLS != nil {
		protected := tls.Client(stream, c.opt.TLS)
		if err := protected.HandshakeContext(ctx); err != nil {
			return nil, &TLSError{err}
		}
		c.tls, stream = protected, protected
		if c.opt.Deflate && c.opt.DeflateInsideTLS {
			return newCompressed(stream, c.opt.Level)
		}
	}
	return stream, nil
}

// handshake agrees with the server on the protocol, by requests without a message.
func (c *Client) handshake() error {
	a, err := c.propose(hash1, "", hash1)
	if err == nil && a.match == matchNone {
		a, err = c.propose(hashText, text, a.hash)
	}
	switch {
	case err != nil:
		return fmt.Errorf("agreeing on the protocol: %w", err)
	case a.match == matchNone:
		return errors.New("agreeing on the protocol: the server does not take that of Flume")
	case a.match == matchClient:
		if err := current.check(a.text); err != nil {
			return fmt.Errorf("the server has another protocol: %w", err)
		}
	}
	c.orders = a.ahead
	return nil
}

func (c *Client) propose(client hash, text string, server hash) (agreement, error) {
	c.serial++
	out := appendHandshake(beginFrame(nil, c.serial), client, text, server)
	out = append(out, 0, 0) // no metadata, no message
	if _, err := c.stream.Write(endFrame(out)); err != nil {
		return agreement{}, err
	}
	if err := c.in.next(); err != nil {
		return agreement{}, noEOF(err)
	}
	if c.in.serial != c.serial {
		return agreement{}, fmt.Errorf("an answer to request %d", c.in.serial)
	}
	a, err := c.in.agreement()
	if err != nil {
		return a, err
	}
	return a, c.in.end()
}

// noEOF says what the end of a connection means to one who waits for an answer.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the server has closed the connection")
	}
	return err
}

// Active reports whether requests can be sent, as far as can be told.
func (c *Client) Active() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil
}

// Close ends the connection. Calls under way return an error.
func (c *Client) Close() error {
	c.goodbye()
	c.kill(errClosed)
	<-c.turn // whoever had it has noticed
	c.settle()
	c.turn <- struct{}{}
	return nil
}

// goodbye tells the server that the end is meant, where TLS has a word for it.
func (c *Client) goodbye() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tls != nil && c.err == nil && c.conn.SetWriteDeadline(time.Now().Add(time.Second)) == nil {
		_ = c.tls.CloseWrite() // a courtesy
	}
}

// kill makes err the end of the connection, unless it has ended before.
func (c *Client) kill(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(err)
}

// end is kill, with mu held.
func (c *Client) end(err error) {
	if c.err == nil {
		c.err = err
		close(c.ended)
		c.conn.Close() // whoever reads has an error, and tells the calls
	}
}

// Pending is a request whose answer has not been waited for.
type Pending struct {
	client *Client
	serial uint32
	done   chan struct{} // closed when err is set
	err    error
}

// AppendBatch sends the events of b as one request and waits for its answer. nil
// means that the server has all of them. Otherwise an AnswerError says that it does
// not want them, a SentError that it may have them, and any other error that it has
// none. b is not changed, nor needed afterwards.
func (c *Client) AppendBatch(ctx context.Context, b *event.Batch, m Meta) error {
	p, err := c.Start(ctx, b, m)
	if err != nil {
		return err
	}
	return p.Wait(ctx)
}

// Append is AppendBatch for one event, by the message of that name.
func (c *Client) Append(ctx context.Context, e *event.Event, m Meta) error {
	p, err := c.StartOne(ctx, e, m)
	if err != nil {
		return err
	}
	return p.Wait(ctx)
}

// StartOne is Start for one event, by the message append.
func (c *Client) StartOne(ctx context.Context, e *event.Event, m Meta) (*Pending, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.start(ctx, messageAppend, len(e.Body), m, true, func(serial uint32, head []byte) error {
		return c.w.one(serial, head, e)
	})
}

// Start sends the events of b without waiting for the answer: more may be sent
// before it comes. An error means that the server has none of them.
func (c *Client) Start(ctx context.Context, b *event.Batch, m Meta) (*Pending, error) {
	return c.startBatch(ctx, b, m, true)
}

// Queue is Start, but the request may stay in memory until a further one is sent or somebody
// waits for an answer: so several are one write, and wake the server once.
func (c *Client) Queue(ctx context.Context, b *event.Batch, m Meta) (*Pending, error) {
	return c.startBatch(ctx, b, m, false)
}

func (c *Client) startBatch(ctx context.Context, b *event.Batch, m Meta, now bool) (*Pending, error) {
	size := b.Bytes()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.start(ctx, messageBatch, size, m, now || len(c.w.buf)+size >= writeNow, func(serial uint32, head []byte) error {
		return c.w.batch(serial, head, b.Events())
	})
}

// start makes a request whose bodies have that size by add, which is given what stands
// before the events, and sends it now or lets it wait. mu is held.
func (c *Client) start(ctx context.Context, message string, size int, m Meta, now bool, add func(serial uint32, head []byte) error) (*Pending, error) {
	if size > math.MaxInt32 {
		return nil, fmt.Errorf("a request of %d bytes is more than the protocol can carry", size)
	}
	head := appendMeta(make([]byte, 0, 64), m)
	head = appendString(head, message)
	if c.err != nil {
		return nil, c.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.serial++
	p := &Pending{client: c, serial: c.serial, done: make(chan struct{})}
	c.calls[c.serial] = p
	c.w.to = &limited{c, ctx}
	c.queued = p
	err := add(c.serial, head)
	if err == nil && now {
		err = c.w.flush()
		c.queued = nil
	}
	if err != nil {
		delete(c.calls, c.serial)
		err = because(ctx, fmt.Errorf("sending: %w", err))
		c.end(err)
		return nil, err
	}
	return p, nil
}

// flush sends what waits in memory. If that fails the connection ends; of the latest
// request the server has nothing, as its end was not sent.
func (c *Client) flush(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.queued
	if p == nil || c.err != nil {
		return
	}
	c.queued = nil
	c.w.to = &limited{c, ctx}
	if err := c.w.flush(); err != nil {
		err = because(ctx, fmt.Errorf("sending: %w", err))
		c.end(err)
		delete(c.calls, p.serial)
		p.err = err
		close(p.done)
	}
}

// limited writes to a client's connection within the time there is.
type limited struct {
	client *Client
	ctx    context.Context //nolint:containedctx // of the one call that writes
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	c := l.client
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.opt.ConnectTimeout)); err != nil {
		return 0, err
	}
	defer context.AfterFunc(l.ctx, func() { _ = c.conn.SetWriteDeadline(time.Unix(1, 0)) })()
	return c.stream.Write(p)
}

func appendMeta(p []byte, m Meta) []byte {
	if len(m) > 0 {
		p = appendLong(p, int64(len(m)))
		for _, e := range m {
			p = appendString(appendString(p, e.Key), e.Value)
		}
	}
	return append(p, 0)
}

// Wait waits for the answer. Once it gives up, so does the client. It may be called
// once.
func (p *Pending) Wait(ctx context.Context) error {
	p.client.flush(ctx)
	if !p.answered() {
		p.wait(ctx)
	}
	return p.err
}

func (p *Pending) wait(ctx context.Context) {
	c := p.client
	late := time.AfterFunc(c.opt.RequestTimeout, func() {
		c.kill(fmt.Errorf("waiting for an answer for %v: %w", c.opt.RequestTimeout, os.ErrDeadlineExceeded))
	})
	defer late.Stop()
	defer context.AfterFunc(ctx, func() {
		c.kill(fmt.Errorf("waiting for an answer: %w", context.Cause(ctx)))
	})()
	select {
	case <-p.done:
	case <-c.turn:
		for !p.answered() || c.in.whole() { // those that have come with it, too
			c.readOne() // or tells all calls that there will be none
		}
		c.turn <- struct{}{}
	}
}

func (p *Pending) answered() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// watchEvery is how long nobody has waited for an answer, at least, when watch reads.
const watchEvery = 50 * time.Millisecond

// watch reads at first, and then whenever nobody waits for answers, until the connection
// ends.
func (c *Client) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.turn:
			c.readOne()
			c.turn <- struct{}{}
		case <-c.ended:
			return
		}
		for quiet := false; !quiet; quiet = !c.used.Swap(false) {
			select {
			case <-tick.C:
			case <-c.ended:
				return
			}
		}
	}
}

// readOne takes one answer and tells its call. If none can come any more it ends the
// connection and tells all calls. The caller has the turn.
func (c *Client) readOne() {
	if err := c.answer(); err != nil {
		c.kill(noEOF(err))
		c.settle()
		return
	}
	c.used.Store(true)
}

// settle tells the calls under way that there will be no answers. The connection has
// ended, and the caller has the turn.
func (c *Client) settle() {
	c.in.discard()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.calls {
		p.err = &SentError{c.err}
		close(p.done)
	}
	c.calls = nil
}

// answer takes one answer and tells its call.
func (c *Client) answer() error {
	if err := c.in.next(); err != nil {
		return err
	}
	serial := c.in.serial
	no, err := c.in.answer()
	if err != nil {
		return err
	}
	if err := c.in.end(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.calls[serial]
	if !ok {
		return fmt.Errorf("the server answers request %d, which is not under way", serial)
	}
	delete(c.calls, serial)
	if no != nil {
		p.err = no
	}
	close(p.done)
	return nil
}

// answer reads what a server says to a request; nil is OK.
func (in *input) answer() (no *AnswerError, err error) {
	if _, err := in.meta(); err != nil {
		return nil, err
	}
	var failed [1]byte // a boolean
	if err := in.full(failed[:]); err != nil {
		return nil, err
	}
	if failed[0] == 0 {
		status, err := in.index("a status", 3)
		if err != nil || Status(status) == OK {
			return nil, err
		}
		return &AnswerError{Status: Status(status)}, nil
	}
	if _, err := in.index("an error", 1); err != nil {
		return nil, err
	}
	text, err := in.bytes("the text of an error", maxText)
	if err != nil {
		return nil, err
	}
	return &AnswerError{Status: Failed, Text: orText(string(text), "without a text")}, nil
}

func orText(s, or string) string {
	if s == "" {
		return or
	}
	return s
}
