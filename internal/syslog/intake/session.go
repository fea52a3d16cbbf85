package intake

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/lineio"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/internal/syslog"
)

// session is one connection, served by one goroutine.
type session struct {
	tcp    *TCP
	conn   net.Conn
	out    flow.Emitter
	reader *netio.Reader
	framer syslog.Framer
	parser *syslog.Parser
	rest   lineio.Rest
	size   lineio.BlockSize
	adds   []event.Header // of every event

	batch *event.Batch // being filled; nil between blocks
	space []byte       // what was lent to reader
	tally Tally
}

// newSession looks up what the client's headers need, until ctx ends.
func newSession(ctx context.Context, t *TCP, conn net.Conn, out flow.Emitter) *session {
	s := &session{
		tcp: t, conn: conn, out: out,
		framer: syslog.Framer{Limit: t.opt.EventSize, Dialect: t.opt.Parser.Dialect, Flume: t.opt.Parser.Flume},
		parser: syslog.NewParser(t.opt.Parser),
	}
	s.reader = netio.NewReader(conn, s)
	if local, ok := conn.LocalAddr().(*net.TCPAddr); ok && t.opt.PortHeader != "" {
		s.adds = append(s.adds, event.Header{Key: t.opt.PortHeader, Value: strconv.Itoa(local.Port)})
	}
	client := addrOf(conn.RemoteAddr())
	if name := t.opt.ClientIP; name != "" {
		s.adds = append(s.adds, event.Header{Key: name, Value: netio.AddressText(client)})
	}
	if name := t.opt.ClientHostname; name != "" {
		s.adds = append(s.adds, event.Header{Key: name, Value: netio.Hostname(ctx, t.resolver, client)})
	}
	return s
}

// Lend implements netio.Memory.
func (s *session) Lend() []byte {
	s.batch = event.NewBatch()
	s.space = s.rest.Reserve(s.batch, max(s.size.Next(), s.tcp.opt.ReadSize))
	return s.space
}

// Return implements netio.Memory.
func (s *session) Return() {
	if s.batch != nil {
		s.batch.Release()
	}
	s.batch, s.space = nil, nil
}

// state is how a session goes on.
type state int

const (
	reading     state = iota
	hungUp            // by the client, or the network
	interrupted       // the source stops
	failed            // messages cannot be handed on
)

// serve reads until the client closes the connection, the source stops and the
// client has taken note, or messages cannot be handed on. ctx is for handing on.
func (s *session) serve(ctx context.Context) {
	how := reading
	for how == reading {
		how = s.step(ctx)
	}
	if how == interrupted {
		how = s.drain(ctx)
	}
	// When the source stops, half a message is left to its sender, who has the
	// other half.
	if how != hungUp {
		return
	}
	if err := s.end(ctx); err != nil {
		s.fail(ctx, err)
	}
}

// step reads once and hands on what came.
func (s *session) step(ctx context.Context) state {
	n, err := s.reader.Read()
	if n > 0 {
		if err := s.block(ctx, n); err != nil {
			s.fail(ctx, err)
			return failed
		}
	}
	switch {
	case err == nil:
		return reading
	case errors.Is(err, os.ErrDeadlineExceeded):
		return interrupted
	default:
		return hungUp
	}
}

// mostPulled is the length from which on bodies stay where they were read. Nobody copies longer ones
// together: they are written from where they are.
const mostPulled = 2 << 10

// block hands on the messages of the n bytes that were read.
func (s *session) block(ctx context.Context, n int) error {
	defer s.Return()
	s.size.Observe(n, len(s.space))
	data := s.rest.Commit(s.batch, n)
	if rest := s.rest.Len(); rest > 0 {
		if s.framer.Waiting(rest, data) {
			s.rest.Append(data)
			return nil
		}
		data = s.rest.Join(s.batch, data)
	}
	s.parser.Begin(time.Now())
	free := data // what the bodies that were cut out of it have left
	for {
		m, size, ok := s.framer.Next(data)
		data = data[size:]
		if !ok {
			break
		}
		if e := s.add(m); len(e.Body) < mostPulled {
			free = s.batch.Pull(e, free, '\n')
		} else {
			free = data
		}
	}
	s.parser.End()
	s.size.Most = lineio.Share(int(s.tcp.open.Value()), n, s.batch.Len())
	s.rest.Append(data)
	return s.deliver(ctx)
}

// end hands on what the end of the connection leaves.
func (s *session) end(ctx context.Context) error {
	m, ok := s.framer.End(s.rest.Bytes())
	if !ok {
		return nil
	}
	s.batch = event.NewBatch()
	defer s.Return()
	m.Text = s.batch.Copy(m.Text)
	s.parser.Begin(time.Now())
	s.add(m)
	s.parser.End()
	return s.deliver(ctx)
}

// add appends the event of a message.
func (s *session) add(m syslog.Message) *event.Event {
	e, status := s.parser.Append(s.batch, m)
	s.tally.Add(status)
	for i := range s.adds {
		s.batch.SetHeader(e, s.adds[i].Key, s.adds[i].Value)
	}
	return e
}

// deliver emits the batch, if it has events, until it is stored: nobody is told,
// so nobody could send again. Meanwhile the connection is not read, and the
// client has to wait.
func (s *session) deliver(ctx context.Context) error {
	s.tcp.watch.Saw(s.tally, s.conn.RemoteAddr())
	s.tally = Tally{}
	n, limit := s.batch.Len(), s.tcp.opt.BatchSize
	if n == 0 {
		return nil
	}
	if limit == 0 || n <= limit {
		return s.emit(ctx, s.batch)
	}
	for from := 0; from < n; from += limit {
		if err := s.emitPart(ctx, from, min(from+limit, n)); err != nil {
			return err
		}
	}
	return nil
}

// emitPart emits some events of the batch, which nobody else has: interceptors
// may change them.
func (s *session) emitPart(ctx context.Context, from, to int) error {
	part := event.NewBatch()
	defer part.Release()
	part.AppendShared(s.batch, from, to)
	return s.emit(ctx, part)
}

func (s *session) emit(ctx context.Context, b *event.Batch) error {
	err := flow.EmitUntilStored(ctx, s.out, b, s.tcp.watch.Failed)
	if err == nil {
		s.tcp.watch.Emitted()
	}
	return err
}

// fail ends the session: what was read and not stored is lost, and a client that
// keeps what it could not send has it still.
func (s *session) fail(ctx context.Context, err error) {
	if ctx.Err() == nil && flow.ClassOf(err) != flow.ClassShutdown {
		s.tcp.logClosing("its messages cannot be handed on", s.conn.RemoteAddr(), err)
	}
}
