// Package udp is what sources that receive datagrams share: a server that listens,
// reads datagrams that are waiting one behind the other into the arena of one batch
// (reader_unix.go), has its owner make events of them there, and hands these on
// together.
//
// Nobody sends a datagram again. So a server hands a batch on until it is stored;
// meanwhile the kernel keeps what its receive buffer holds. Where the kernel tells
// how many datagrams it had to drop (drops_linux.go), the server passes that on.
package udp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/netio"
)

// MaxDatagram is the size of the largest datagram in bytes.
const MaxDatagram = 65535

// Packet is one datagram.
type Packet struct {
	Data []byte         // memory of the batch that the packet came with
	From netip.AddrPort // the sender; may be zero unless Server.Senders is set
}

// Server receives datagrams on one socket. Its functions are called by the
// goroutine of Run, one at a time; those that are said to be optional may be nil.
type Server struct {
	Host string // name or address to listen on
	Port int    // 0: any that is free
	// Properties names those of Host and Port to users, in errors: "host and port".
	Properties string
	// What is what datagrams are to users, in errors: "messages".
	What string
	Log  *slog.Logger

	// Senders says that Convert wants to know who sent a datagram. It costs an
	// allocation for each.
	Senders bool
	// Prepare, optional, sets the options of the socket before it is read from.
	Prepare func(conn *net.UDPConn) error
	// Convert appends the events of packets to b, which has none, and whose memory
	// their data is. The packets, unlike their data, are valid during the call
	// only. ctx ends when the source is told to stop, or soon after: what takes
	// long has to look at it.
	Convert func(ctx context.Context, b *event.Batch, packets []Packet)

	// Failed is told why a batch could not be handed on and is tried again.
	Failed func(err error)
	// Stored is told of each batch that was stored.
	Stored func()
	// Lost is told of events that could not be stored by the time of the stop, or
	// never can be.
	Lost func(events int)
	// Dropped, optional, is told how many datagrams the kernel has dropped since
	// the last call, if any, where it tells.
	Dropped func(datagrams int)
}

const (
	// drainTime is how long a server that was told to stop goes on reading what is
	// waiting. It is less than netio.Grace, so that the last of it can be stored.
	drainTime = time.Second
	// drainMost is how many datagrams that may be, more than buffers have room for:
	// senders that never pause do not hold up the stop for all of drainTime.
	drainMost = 1 << 20
)

// Run listens and hands on what comes until ctx ends, and then returns nil within
// netio.Grace, in which what had arrived can still be stored. It returns an error if
// it cannot listen or read, or when out fails in a way that trying again does not
// cure.
func (s *Server) Run(ctx context.Context, out flow.Emitter) error {
	addr := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp", addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("listening on %s (properties %s): %w", addr, s.Properties, err)
	}
	defer pc.Close()
	conn := pc.(*net.UDPConn)
	if s.Prepare != nil {
		if err := s.Prepare(conn); err != nil {
			return err
		}
	}
	s.Log.Info("listening", "address", conn.LocalAddr())

	work, end := netio.Outlive(ctx, netio.Grace)
	defer end()
	in, err := newReader(conn, s.Senders)
	if err != nil {
		return fmt.Errorf("reading datagrams: %w", err)
	}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // fails on a closed connection only
		close(woken)
	})
	defer stop()
	drops := newDropCounter(conn)
	if err := s.receive(ctx, work, in, drops, out); err != nil || ctx.Err() == nil {
		return err
	}
	<-woken // from here on nobody else sets the deadline
	s.drain(work, in, drops, out)
	return nil
}

// receive hands on what comes until ctx ends. Under work, which lasts longer,
// what was read is handed on.
func (s *Server) receive(ctx, work context.Context, in *reader, drops *dropCounter, out flow.Emitter) error {
	for ctx.Err() == nil {
		b, packets, err := in.read()
		emitErr := s.handOn(ctx, work, out, b, packets)
		s.countDrops(drops)
		switch {
		case ctx.Err() != nil:
			return nil
		case emitErr != nil:
			return fmt.Errorf("handing on %s: %w", s.What, emitErr)
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("reading datagrams: %w", err)
		}
	}
	return nil
}

// drain hands on what had arrived when the server was told to stop: it left its
// sender for good, and the kernel throws it away with the socket.
func (s *Server) drain(work context.Context, in *reader, drops *dropCounter, out flow.Emitter) {
	ctx, cancel := context.WithTimeout(work, drainTime)
	defer cancel()
	for n := 0; n < drainMost && ctx.Err() == nil; {
		b, packets := in.readWaiting()
		if b == nil {
			break
		}
		n += len(packets)
		if s.handOn(ctx, work, out, b, packets) != nil {
			break // and so would what follows; it was told to Lost
		}
	}
	s.countDrops(drops)
}

// handOn makes events of packets, which are memory of b, and waits until they are
// stored. It releases b, which may be nil: there is nothing then.
func (s *Server) handOn(ctx, work context.Context, out flow.Emitter, b *event.Batch, packets []Packet) error {
	if b == nil {
		return nil
	}
	defer b.Release()
	s.Convert(ctx, b, packets)
	return s.emit(work, out, b)
}

// emit waits until b is stored.
func (s *Server) emit(ctx context.Context, out flow.Emitter, b *event.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	if err := flow.EmitUntilStored(ctx, out, b, s.Failed); err != nil {
		s.Lost(b.Len())
		return err
	}
	s.Stored()
	return nil
}

func (s *Server) countDrops(drops *dropCounter) {
	if s.Dropped == nil {
		return
	}
	if n := drops.take(); n > 0 {
		s.Dropped(n)
	}
}
