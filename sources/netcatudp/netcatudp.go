// Package netcatudp is the source that turns each UDP datagram into an event.
//
// Datagrams that are waiting are read one behind the other into the arena of one
// batch, which is handed on when no more are waiting or the block is full.
package netcatudp

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/metrics"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "netcatudp",
		Aliases: []string{"org.apache.flume.source.NetcatUdpSource"},
		Summary: "Turns each UDP datagram into an event.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the source.
type Config struct {
	Bind          string `flume:"bind" default:"0.0.0.0" doc:"Host name or address to listen on; 0.0.0.0 for all."`
	Port          int    `flume:"port,required" min:"0" max:"65535" doc:"UDP port to listen on; 0 picks a free one, which the log tells."`
	RemoteAddress string `flume:"remoteAddress" alias:"remoteAddressHeader" doc:"Name of the header that gets the sender's address, such as /192.0.2.7:40312. Without, there is no such header."`
	ReceiveBuffer int    `flume:"receiveBuffer" unit:"bytes" default:"0" min:"0" doc:"Size of the kernel's buffer for datagrams that have not been read, which bridges bursts; 0 leaves what the system gives."`
}

// Claims says that no other source can have the port.
func (c Config) Claims() []component.Claim {
	if c.Port == 0 {
		return nil
	}
	return []component.Claim{{What: "UDP port", ID: strconv.Itoa(c.Port), Host: c.Bind, Key: "port"}}
}

type source struct {
	cfg       Config
	log       *slog.Logger
	lost      *metrics.Counter
	failing   bool // handing on events fails; used by Run alone
	listening func(net.Addr)
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Claimer = Config{}
)

// New returns a source that listens once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	return &source{
		cfg: cfg, log: env.Log,
		lost:      env.Metrics.OwnCounter("dropped_datagrams", "Datagrams that could not be handed on by the time the source stopped."),
		listening: func(net.Addr) {},
	}, nil
}

const (
	maxDatagram = 65535     // no datagram is larger
	blockSize   = 256 << 10 // of the arena of a batch
	maxBatch    = 4096      // datagrams, in case they are tiny
)

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	addr := net.JoinHostPort(s.cfg.Bind, strconv.Itoa(s.cfg.Port))
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp", addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("listening on %s (properties bind and port): %w", addr, err)
	}
	defer pc.Close()
	conn := pc.(*net.UDPConn)
	if n := s.cfg.ReceiveBuffer; n > 0 {
		if err := conn.SetReadBuffer(n); err != nil {
			return fmt.Errorf("setting the receive buffer to %d bytes (property receiveBuffer): %w", n, err)
		}
	}
	s.log.Info("listening", "address", conn.LocalAddr())
	s.listening(conn.LocalAddr())

	work, end := netio.Outlive(ctx, netio.Grace)
	defer end()
	stop := context.AfterFunc(ctx, func() {
		conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // fails on a closed connection only
	})
	defer stop()
	return s.receive(ctx, work, conn, out)
}

// receive hands on what comes until ctx ends.
func (s *source) receive(ctx, work context.Context, conn *net.UDPConn, out flow.Emitter) error {
	reader, err := newReader(conn, s.cfg.RemoteAddress)
	if err != nil {
		return fmt.Errorf("reading datagrams: %w", err)
	}
	for {
		b, err := reader.read()
		if b != nil {
			emitErr := s.emit(work, out, b)
			b.Release()
			if emitErr != nil && ctx.Err() == nil {
				return fmt.Errorf("handing on datagrams: %w", emitErr)
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("reading datagrams: %w", err)
		}
	}
}

// emit waits until b is stored: nobody sends a datagram again. Meanwhile the
// kernel keeps what its buffer holds.
func (s *source) emit(ctx context.Context, out flow.Emitter, b *event.Batch) error {
	err := flow.EmitUntilStored(ctx, out, b, func(err error) {
		if !s.failing {
			s.failing = true
			s.log.Warn("handing on datagrams fails; what the receive buffer cannot hold is lost", "error", err)
		}
	})
	switch {
	case err != nil:
		s.lost.Add(b.Len())
	case s.failing:
		s.failing = false
		s.log.Info("handing on datagrams works again")
	}
	return err
}

// add appends a datagram, whose bytes are memory of b, as an event.
func add(b *event.Batch, datagram []byte, header string, sender netip.AddrPort) {
	var e *event.Event
	if i := bytes.IndexByte(datagram, '\n'); i >= 0 {
		// The newline stays behind the body: sinks that end lines so like that.
		e = b.AppendLine(datagram[:i+1])
	} else {
		e = b.Append(datagram)
	}
	if header != "" {
		var text [64]byte
		b.SetHeader(e, header, b.String(appendAddress(text[:0], sender)))
	}
}

// appendAddress writes an address as Java does: /192.0.2.7:514, and
// /[2001:db8:0:0:0:0:0:1]:514 with all groups of an IPv6 address.
func appendAddress(dst []byte, a netip.AddrPort) []byte {
	dst = append(dst, '/')
	addr := a.Addr().Unmap()
	if addr.Is4() {
		dst = addr.AppendTo(dst)
	} else {
		dst = append(dst, '[')
		groups := addr.As16()
		for i := 0; i < len(groups); i += 2 {
			if i > 0 {
				dst = append(dst, ':')
			}
			dst = strconv.AppendUint(dst, uint64(groups[i])<<8|uint64(groups[i+1]), 16)
		}
		if zone := addr.Zone(); zone != "" {
			dst = append(append(dst, '%'), zone...)
		}
		dst = append(dst, ']')
	}
	return strconv.AppendUint(append(dst, ':'), uint64(a.Port()), 10)
}
