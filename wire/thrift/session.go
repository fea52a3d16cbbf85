package thrift

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/netio"
)

const (
	leastBlock = 8 << 10 // bytes to read at once
	mostBlock  = 1 << 20 // bytes reserved before any of them has come
	firstRead  = 512     // bytes to read first where waiting takes memory
)

// errSlow says that a message was not complete in time.
var errSlow = errors.New("a message was not complete in time")

// longAgo ends reads that are under way.
var longAgo = time.Unix(1, 0)

// session is one connection, served by one goroutine.
//
// What is read goes into the memory of a batch, in which the bodies and headers of
// the events then lie. All messages that have come together are one batch, and
// are answered together. What is left of a message waits in rest.
type session struct {
	server *Server
	conn   net.Conn
	store  Store
	reader *netio.Reader // nil: waiting takes memory

	batch    *event.Batch // being filled; nil between rounds
	block    []byte       // memory of batch to read into
	have     int          // bytes in block
	rest     []byte
	next     int // size of the next block
	requests []Request
	calls    []Request // those of requests that are not refused
	dec      Decoder
	enc      Encoder
	refused  bool // the call in front of those in requests was not answered with OK
	careful  bool // nor were several together: it may be that only all of them were too many

	timer *time.Timer // ends the wait for the rest of a message
	armed bool        // it runs
	late  atomic.Bool // it has
}

func newSession(s *Server, conn net.Conn, store Store) *session {
	n := &session{server: s, conn: conn, store: store, next: leastBlock}
	if _, ok := conn.(syscall.Conn); ok {
		n.reader = netio.NewReader(conn, n)
	}
	return n
}

// Lend implements netio.Memory.
func (s *session) Lend() []byte {
	s.batch = event.NewBatch()
	s.block, s.have = s.batch.Reserve(s.next-1), 0
	return s.block
}

// Return implements netio.Memory.
func (s *session) Return() {
	if s.batch != nil {
		s.batch.Release()
	}
	s.batch, s.block, s.have = nil, nil, 0
}

// serve reads and answers calls until the connection ends, in an orderly way if
// it returns nil. ctx is for storing.
func (s *session) serve(ctx context.Context) error {
	defer func() {
		if s.timer != nil {
			s.timer.Stop()
		}
	}()
	for {
		err := s.receive()
		if err == nil {
			err = s.handle(ctx)
		}
		s.Return()
		switch {
		case err == nil:
		case s.late.Load():
			return errSlow
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}

// receive reads until there is a complete message in front.
func (s *session) receive() error {
	fresh, err := s.begin()
	if err != nil {
		return err
	}
	defer s.disarm()
	switch {
	case s.server.Framed:
		err = s.completeFrame()
	case !fresh:
		err = s.completeMessage()
	}
	return err
}

// begin starts a block: with what is left from the last one, or else with what
// comes next, which it waits for. fresh says that nothing was left.
func (s *session) begin() (fresh bool, err error) {
	fresh = len(s.rest) == 0
	if fresh && s.reader != nil {
		s.have, err = s.reader.Read()
		return true, err
	}
	if fresh {
		if cap(s.rest) < firstRead {
			s.rest = make([]byte, firstRead)
		}
		n, err := s.conn.Read(s.rest[:firstRead])
		s.rest = s.rest[:n]
		if n == 0 {
			if err == nil {
				err = io.ErrNoProgress
			}
			return true, err
		}
	}
	s.next = max(s.next, min(ceiling(len(s.rest)+1), mostBlock))
	s.Lend()
	if len(s.block) < len(s.rest) {
		s.block = s.batch.Reserve(len(s.rest))
	}
	s.have = copy(s.block, s.rest)
	s.rest = s.rest[:0]
	if cap(s.rest) > leastBlock {
		s.rest = nil
	}
	return fresh, nil
}

// ceiling returns the least power of two that is at least n.
func ceiling(n int) int { return 1 << bits.Len(uint(n-1)) }

// completeFrame reads until the first frame is complete.
func (s *session) completeFrame() error {
	if err := s.fillTo(frameHead); err != nil {
		return err
	}
	size, err := s.frameSize(s.block)
	if err != nil {
		return err
	}
	return s.fillTo(frameHead + size)
}

// frameSize returns the length in the head of a frame.
func (s *session) frameSize(head []byte) (int, error) {
	n := binary.BigEndian.Uint32(head)
	if n == 0 || n > uint32(s.server.MaxMessage) {
		return 0, Malformed("a frame of %d bytes is not allowed, from 1 to %d are%s", int32(n), s.server.MaxMessage, hint(n))
	}
	return int(n), nil
}

// hint says what a client is that does not send frames, as far as its first bytes
// tell.
func hint(head uint32) string {
	switch {
	case head>>24 == compactID || head>>16 == binaryVersion1:
		return "; the client seems not to use the framed transport"
	case head>>24 == 0x16 && head>>8&0xFF <= 4:
		return "; the client seems to speak TLS"
	case head == saslStart<<24: // with the first bytes of the length of "GSSAPI"
		return "; the client seems to use Kerberos (SASL)"
	}
	switch string(binary.BigEndian.AppendUint32(nil, head)) {
	case "GET ", "POST", "HEAD", "PUT ", "OPTI":
		return "; the client seems to speak HTTP"
	}
	return ""
}

// completeMessage reads until the first message is complete, where only its own
// structure says how long it is. Nothing of it is used yet: the memory may move.
func (s *session) completeMessage() error {
	d := &s.dec
	d.Reset(s.block[:s.have])
	d.room, d.fill = s.server.MaxMessage, s.fill
	if _, err := d.Message(); err != nil {
		return err
	}
	return d.SkipStruct()
}

// fill is the fill of the decoder in completeMessage.
func (s *session) fill(n int) error {
	if n > s.dec.left() {
		return Malformed("a message is longer than %d bytes", s.server.MaxMessage)
	}
	err := s.fillTo(s.dec.pos + n)
	s.dec.buf = s.block[:s.have]
	return err
}

// fillTo reads until there are so many bytes in the block.
func (s *session) fillTo(total int) error {
	for s.have < total {
		if s.have == len(s.block) {
			s.grow(total)
		}
		s.arm()
		n, err := s.conn.Read(s.block[s.have:])
		s.have += n
		if err != nil && s.have < total {
			return err
		}
	}
	return nil
}

// grow makes the block larger. What a message claims beyond mostBlock is
// reserved as it comes.
func (s *session) grow(total int) {
	old := s.block[:s.have]
	s.block = s.batch.Reserve(min(total, max(2*s.have, mostBlock-1)))
	copy(s.block, old)
}

// arm begins to count the time for the rest of a message, if it has not begun.
func (s *session) arm() {
	switch limit := s.server.ReceiveTimeout; {
	case limit <= 0 || s.armed:
	case s.timer == nil:
		s.armed = true
		s.timer = time.AfterFunc(limit, s.expire)
	default:
		s.armed = true
		s.timer.Reset(limit)
	}
}

func (s *session) disarm() {
	if s.armed {
		s.timer.Stop()
		s.armed = false
	}
}

// expire interrupts the read that is under way. A deadline set beforehand would
// undo the one by which a server that stops interrupts all reads.
func (s *session) expire() {
	s.late.Store(true)
	s.conn.SetReadDeadline(longAgo) //nolint:errcheck // fails on closed connections only
}

// handle decodes the complete messages in the block, stores their events and
// answers them. Those in front of a malformed one count.
func (s *session) handle(ctx context.Context) error {
	s.observe()
	data := s.batch.Commit(s.have)
	s.requests, s.calls = s.requests[:0], s.calls[:0]
	used, broken := s.decode(data)
	s.rest = append(s.rest[:0], data[used:]...)
	if err := s.respond(ctx); err != nil {
		return err
	}
	return broken
}

// observe finds the size of blocks: what a round has brought fits.
func (s *session) observe() {
	switch {
	case s.have >= s.next:
		s.next = min(ceiling(s.have+1), mostBlock)
	case s.have < s.next/4:
		s.next = max(s.next/2, leastBlock)
	}
}

// decode decodes the complete messages in data and returns how long they are.
func (s *session) decode(data []byte) (used int, err error) {
	for {
		var n int
		if s.server.Framed {
			n, err = s.frame(data[used:])
		} else {
			n, err = s.message(data[used:])
		}
		if n == 0 || err != nil {
			return used, err
		}
		used += n
		if s.careful && len(s.calls) > 0 {
			return used, nil
		}
	}
}

// frame decodes the first frame in data; n is 0 if it is not complete.
func (s *session) frame(data []byte) (n int, err error) {
	if len(data) < frameHead {
		return 0, nil
	}
	size, err := s.frameSize(data)
	if err != nil || len(data) < frameHead+size {
		return 0, err
	}
	s.dec.Reset(data[frameHead : frameHead+size])
	return frameHead + size, s.request()
}

// message decodes the first message in data; n is 0 if it is not complete.
func (s *session) message(data []byte) (n int, err error) {
	if len(data) == 0 {
		return 0, nil
	}
	s.dec.Reset(data)
	s.dec.room = s.server.MaxMessage
	err = s.request()
	switch n = s.dec.Pos(); {
	case errors.Is(err, errShort) && len(data) < s.server.MaxMessage:
		return 0, nil
	case n > s.server.MaxMessage:
		return 0, Malformed("a message is longer than %d bytes", s.server.MaxMessage)
	default:
		return n, err
	}
}

// request decodes one message.
func (s *session) request() error {
	head, err := s.dec.Message()
	if err != nil {
		return err
	}
	if head.Type != Call && head.Type != Oneway {
		return s.refuse(head, &Exception{KindInvalidType, fmt.Sprintf("a message of type %d is no call", head.Type)})
	}
	m := s.server.Service.method(head.Name)
	if m == nil && s.server.Service.Orders && string(head.Name) == methodAhead {
		return s.settle(head, &refusal{status: int32(StatusOK)})
	}
	if m == nil {
		return s.refuse(head, &Exception{KindUnknownMethod, fmt.Sprintf("Invalid method name: '%.100s'", head.Name)})
	}
	before := s.batch.Len()
	if err := m.Args(&s.dec, s.batch); err != nil {
		s.cut(before)
		answer := refusalOf(err)
		if answer == nil {
			return err
		}
		s.requests = append(s.requests, Request{head: head, refusal: answer})
		if !s.server.Framed {
			return err // nobody knows where the next message begins
		}
		return nil
	}
	if s.dec.ahead && s.behindRefusal() {
		s.cut(before)
		s.requests = append(s.requests, Request{head: head, refusal: &refusal{status: int32(StatusFailed)}})
		return nil
	}
	r := Request{Method: m, Events: s.batch.Len() - before, head: head}
	s.requests, s.calls = append(s.requests, r), append(s.calls, r)
	return nil
}

// behindRefusal reports whether the call in front of the next one is not answered with OK, as far as that is known: those in
// calls have one answer.
func (s *session) behindRefusal() bool {
	n := len(s.requests)
	if n == 0 {
		return s.refused
	}
	r := s.requests[n-1].refusal
	return r != nil && !r.good()
}

// refuse answers a call without looking at its arguments.
func (s *session) refuse(head Message, x *Exception) error {
	return s.settle(head, &refusal{exception: x})
}

// settle is refuse with any answer.
func (s *session) settle(head Message, r *refusal) error {
	if !s.server.Framed {
		if err := s.dec.SkipStruct(); err != nil {
			return err
		}
	}
	s.requests = append(s.requests, Request{head: head, refusal: r})
	return nil
}

// cut removes the events behind the first n.
func (s *session) cut(n int) {
	i := 0
	s.batch.Filter(func(*event.Event) bool {
		i++
		return i <= n
	})
}

// respond stores the events and answers the requests.
func (s *session) respond(ctx context.Context) error {
	var status int32
	var failure *Exception
	if len(s.calls) > 0 {
		err := s.server.stored(ctx, s.store, s.batch, s.calls)
		switch {
		case s.server.Service.Status != nil:
			status, failure = s.server.Service.Status(err)
		case err != nil:
			return err
		}
	}
	s.note(failure == nil && status == int32(StatusOK))
	s.enc.Reset(Compact, 0)
	for i := range s.requests {
		s.answer(&s.requests[i], status, failure)
	}
	clear(s.requests) // they hold views of the batch
	clear(s.calls)
	if len(s.enc.Written()) == 0 {
		return nil
	}
	if limit := s.server.SendTimeout; limit > 0 {
		if err := s.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
	}
	if _, err := s.conn.Write(s.enc.Written()); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	return nil
}

// note remembers for the calls to come what becomes of these; stored says it of those in calls.
func (s *session) note(stored bool) {
	if len(s.calls) > 0 {
		s.careful = !stored
	}
	if n := len(s.requests); n > 0 {
		s.refused = !stored
		if r := s.requests[n-1].refusal; r != nil {
			s.refused = !r.good()
		}
	}
}

func (s *session) answer(r *Request, status int32, failure *Exception) {
	if r.silent() {
		return
	}
	r.head.Old = s.server.OldAnswers && r.head.Protocol == Binary
	if !s.server.Framed {
		s.server.Service.answer(&s.enc, r, status, failure)
		return
	}
	start := s.enc.FrameBegin()
	s.server.Service.answer(&s.enc, r, status, failure)
	s.enc.FrameEnd(start)
}
