package netcat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/charset"
	"github.com/flume-go/flume/internal/lineio"
	"github.com/flume-go/flume/internal/netio"
)

// session is one connection, served by one goroutine.
type session struct {
	src    *source
	conn   net.Conn
	out    flow.Emitter
	reader *netio.Reader
	cutter cutter
	size   lineio.BlockSize

	batch *event.Batch // being filled; nil between blocks
	space []byte       // what was lent to reader

	// Set if the encoding is not UTF-8:
	decoder *charset.Decoder
	encoder *charset.Encoder
	scratch *[]byte // undecoded input; from scratchPool, nil between blocks
}

// lingerTime is how long a connection that we close may take to read the last
// answer; see close.
const lingerTime = time.Second

// scratchPool holds the buffers for input that has to be decoded.
var scratchPool = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// okAnswers is many answers to be sent with one call.
var okAnswers = bytes.Repeat([]byte("OK\n"), 2048)

func newSession(s *source, conn net.Conn, out flow.Emitter) *session {
	c := &session{src: s, conn: conn, out: out}
	c.reader = netio.NewReader(conn, c)
	c.cutter = cutter{limit: s.cfg.MaxLineLength, strict: s.cfg.MalformedInput == closing}
	if !s.charset.IsUTF8() {
		c.cutter.decoded = true
		c.decoder, c.encoder = s.charset.NewDecoder(), s.charset.NewEncoder()
	}
	return c
}

// Lend implements netio.Memory: the free part of a new batch, or a scratch
// buffer when the input has to be decoded into the batch.
func (c *session) Lend() []byte {
	if c.decoder != nil {
		c.scratch = scratchPool.Get().(*[]byte)
		c.space = *c.scratch
		return c.space
	}
	c.batch = event.NewBatch()
	c.space = c.cutter.rest.Reserve(c.batch, c.size.Next())
	return c.space
}

// Return implements netio.Memory.
func (c *session) Return() {
	if c.scratch != nil {
		scratchPool.Put(c.scratch)
	}
	if c.batch != nil {
		c.batch.Release()
	}
	c.batch, c.space, c.scratch = nil, nil, nil
}

// serve reads until the client closes the connection, reading is interrupted
// because the source stops, or something is wrong. Nothing waits in here for
// more input than one read brings: a flood fills the blocks by itself.
func (c *session) serve(ctx context.Context) {
	for {
		n, err := c.reader.Read()
		if n > 0 {
			if err := c.block(ctx, n); err != nil {
				c.fail(err)
				return
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			if err := c.end(ctx); err != nil {
				c.fail(err)
			}
			return
		default:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				c.src.log.Debug("connection broken", "client", c.conn.RemoteAddr(), "error", err)
			}
			return
		}
	}
}

// block hands on the lines of the n bytes that were read.
func (c *session) block(ctx context.Context, n int) error {
	data := c.take(n)
	defer c.Return()
	malformed, cutErr := c.cutter.cut(c.batch, data)
	c.size.Most = lineio.Share(int(c.src.open.Value()), n, c.batch.Len())
	if malformed > 0 {
		c.src.sawMalformed(malformed, c.conn.RemoteAddr())
	}
	if err := c.deliver(ctx); err != nil {
		return err
	}
	return cutErr
}

// take commits the n bytes that were read to the batch, decoded if need be.
func (c *session) take(n int) []byte {
	if c.decoder == nil {
		c.size.Observe(n, len(c.space))
		return c.cutter.rest.Commit(c.batch, n)
	}
	c.batch = event.NewBatch()
	text := c.reserveText(charset.MaxDecoded(n))
	return c.cutter.rest.Commit(c.batch, c.decoder.Decode(text, c.space[:n]))
}

// reserveText returns memory of the batch for n bytes, the rest kept apart.
func (c *session) reserveText(n int) []byte {
	return c.cutter.rest.Reserve(c.batch, 2*n)
}

// end deals with what follows the last newline.
func (c *session) end(ctx context.Context) error {
	c.batch = event.NewBatch()
	defer c.Return()
	var tail []byte
	if c.decoder != nil {
		text := c.reserveText(charset.MaxDecoded(0))
		tail = c.cutter.rest.Commit(c.batch, c.decoder.Finish(text))
	}
	if c.cutter.rest.Len()+len(tail) == 0 {
		return nil
	}
	c.src.unterminated.Add(1)
	if c.src.cfg.UnterminatedLine == discard {
		return nil
	}
	if err := c.cutter.keep(tail); err != nil {
		return err
	}
	body := c.batch.Copy(c.cutter.rest.Bytes())
	c.batch.Append(body)
	if !c.cutter.valid(body) {
		c.src.sawMalformed(1, c.conn.RemoteAddr())
		if c.cutter.strict {
			return errMalformed
		}
	}
	return c.deliver(ctx)
}

// deliver emits the batch, if it has events, and answers.
func (c *session) deliver(ctx context.Context) error {
	n := c.batch.Len()
	if n == 0 {
		return nil
	}
	if !c.src.cfg.AckEveryEvent {
		// Nobody is told, so nobody could send again: wait instead of dropping.
		err := flow.EmitUntilStored(ctx, c.out, c.batch, c.src.emitFailed)
		if err == nil {
			c.src.emitted()
			return nil
		}
		return c.refuse(ctx, n, err)
	}
	stored, err := c.emitPart(ctx, n)
	if stored > 0 {
		if err := c.answerOK(stored); err != nil {
			return err
		}
	}
	if err != nil {
		return c.refuse(ctx, n-stored, err)
	}
	c.src.emitted()
	return nil
}

// emitPart emits the batch and returns how many of its n lines are stored.
func (c *session) emitPart(ctx context.Context, n int) (stored int, err error) {
	part, ok := c.out.(flow.PartEmitter)
	if !ok {
		if err := c.out.Emit(ctx, c.batch); err != nil {
			return 0, err
		}
		return n, nil
	}
	stored, err = part.EmitPart(ctx, c.batch)
	switch {
	case err == nil:
		return n, nil
	case c.batch.Len() != n:
		// Interceptors dropped events: which lines are stored is not known.
		return 0, err
	default:
		return stored, err
	}
}

// refuse tells the client of n lines that are not stored.
func (c *session) refuse(ctx context.Context, n int, err error) error {
	if ctx.Err() != nil || flow.ClassOf(err) == flow.ClassShutdown {
		// The connection is closed without an answer: the client must take
		// its lines for not stored.
		return err
	}
	c.src.emitFailed(err)
	message := "FAILED: " + oneLine(err.Error()) + "\n"
	return c.answer([]byte(strings.Repeat(message, n)))
}

// oneLine keeps a message from looking like several answers.
func oneLine(s string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(s) }

func (c *session) answerOK(n int) error {
	for n > 0 {
		some := min(n, len(okAnswers)/3)
		if err := c.answer(okAnswers[:3*some]); err != nil {
			return err
		}
		n -= some
	}
	return nil
}

// answer writes text to the client and waits until the kernel has it: a client
// that does not read its answers is not read from either.
func (c *session) answer(text []byte) error {
	if c.encoder != nil {
		text = c.encoder.Append(nil, text)
	}
	if t := c.src.cfg.WriteTimeout; t > 0 {
		if err := c.conn.SetWriteDeadline(time.Now().Add(t)); err != nil {
			return &answerError{err}
		}
	}
	if _, err := c.conn.Write(text); err != nil {
		return &answerError{err}
	}
	return nil
}

// answerError is the failure to send an answer.
type answerError struct{ err error }

func (e *answerError) Error() string { return "answering: " + e.err.Error() }
func (e *answerError) Unwrap() error { return e.err }

// fail ends the session because of err.
func (c *session) fail(err error) {
	client := c.conn.RemoteAddr()
	var answering *answerError
	switch {
	case errors.Is(err, errTooLong):
		c.src.readFail.Add(1)
		c.src.logClosing("a line is too long", client, "max-line-length", c.cutter.limit)
		text := fmt.Sprintf("FAILED: Event exceeds the maximum length (%d chars, including newline)\n", c.cutter.limit)
		if c.answer([]byte(text)) == nil {
			c.linger()
		}
	case errors.Is(err, errMalformed):
		c.linger()
	case errors.As(err, &answering) && errors.Is(err, os.ErrDeadlineExceeded):
		c.src.logClosing("the client does not read its answers", client, "write-timeout", c.src.cfg.WriteTimeout)
	default:
		c.src.log.Debug("closing a connection", "client", client, "error", err)
	}
}

// linger lets the client read what we sent last. Closing a connection that has
// unread input resets it, and a reset may overtake our answer.
func (c *session) linger() {
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if c.conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	io.Copy(io.Discard, io.LimitReader(c.conn, 1<<20)) //nolint:errcheck // what comes is not wanted
}
