// Package syslogudp is the source that receives syslog messages over UDP.
//
// Datagrams that are waiting are read one behind the other into the arena of one
// batch (reader_unix.go), parsed there, and handed on together. Where the kernel
// tells how many it had to drop (drops_linux.go), that is counted.
package syslogudp

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/internal/syslog"
	"github.com/flume-go/flume/internal/syslog/intake"
	"github.com/flume-go/flume/metrics"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "syslogudp",
		Aliases: []string{"org.apache.flume.source.SyslogUDPSource"},
		Summary: "Turns each syslog message received over UDP into an event.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the source.
type Config struct {
	Host          string `flume:"host" default:"0.0.0.0" doc:"Host name or address to listen on; 0.0.0.0 for all."`
	Port          int    `flume:"port,required" min:"0" max:"65535" doc:"UDP port to listen on; 0 picks a free one, which the log tells."`
	ReceiveBuffer int    `flume:"receiveBuffer" unit:"bytes" default:"0" min:"0" doc:"Size of the kernel's buffer for datagrams that have not been read, which bridges bursts. With 0 it is 4 MiB, or as much of that as the system allows."`
	syslog.Settings
	syslog.Format
}

// Check checks the parts that are shared with other sources.
func (c Config) Check(r *component.Report) {
	c.Settings.Check(r)
	c.Format.Check(r)
}

// Claims says that no other source can have the port.
func (c Config) Claims() []component.Claim {
	if c.Port == 0 {
		return nil
	}
	return []component.Claim{{What: "UDP port", ID: strconv.Itoa(c.Port), Host: c.Host, Key: "port"}}
}

type source struct {
	cfg      Config
	log      *slog.Logger
	parsing  syslog.Options
	watch    *intake.Watch
	resolver intake.Resolver

	readFail *metrics.Counter
	lost     *metrics.Counter
	dropped  *metrics.Counter
	drops    netio.LogLimit
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Checker = Config{}
	_ component.Claimer = Config{}
)

// New returns a source that listens once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	custom, err := cfg.Compile()
	if err != nil {
		return nil, err
	}
	parsing, err := cfg.Options(syslog.Stream, custom)
	if err != nil {
		return nil, err
	}
	return &source{
		cfg: cfg, log: env.Log, parsing: parsing,
		watch:    intake.NewWatch(syslog.Stream, env.Log, env.Metrics),
		resolver: net.DefaultResolver,
		readFail: env.Metrics.Counter("EventReadFail"),
		lost:     env.Metrics.OwnCounter("dropped_messages", "Messages that could not be handed on by the time the source stopped."),
		dropped:  env.Metrics.OwnCounter("kernel_dropped_datagrams", "Datagrams that the kernel dropped because its receive buffer was full, on Linux."),
	}, nil
}

const (
	maxDatagram = 65535     // no datagram is larger
	blockSize   = 256 << 10 // of the arena of a batch
	maxBatch    = 4096      // datagrams, in case they are tiny
)

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	addr := net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.Port))
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp", addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("listening on %s (properties host and port): %w", addr, err)
	}
	defer pc.Close()
	conn := pc.(*net.UDPConn)
	if err := s.setBuffer(conn); err != nil {
		return err
	}
	s.log.Info("listening", "address", conn.LocalAddr())

	work, end := netio.Outlive(ctx, netio.Grace)
	defer end()
	stop := context.AfterFunc(ctx, func() {
		conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // fails on a closed connection only
	})
	defer stop()
	return s.receive(ctx, work, conn, out)
}

// defaultBuffer is the receive buffer that is asked for if nobody else does. The
// kernel takes memory for it only while datagrams wait; what systems give unasked
// holds a few hundred small ones.
const defaultBuffer = 4 << 20

// setBuffer asks for the receive buffer and says so if the system gives less than
// was configured.
func (s *source) setBuffer(conn *net.UDPConn) error {
	want := s.cfg.ReceiveBuffer
	if want == 0 {
		if err := askBuffer(conn, defaultBuffer); err != nil {
			s.log.Debug("the receive buffer is what the system gives", "error", err)
		}
		return nil
	}
	if err := askBuffer(conn, want); err != nil {
		return fmt.Errorf("setting the receive buffer to %d bytes (property receiveBuffer): %w", want, err)
	}
	if got, ok := bufferSize(conn); ok && got < want {
		s.log.Warn("the system gives a smaller receive buffer than receiveBuffer asks for; its limit is net.core.rmem_max",
			"bytes", got, "receiveBuffer", want)
	}
	return nil
}

// receive hands on what comes until ctx ends. Under work, which lasts longer,
// what was read is handed on.
func (s *source) receive(ctx, work context.Context, conn *net.UDPConn, out flow.Emitter) error {
	in, err := newReader(conn, s.cfg.ClientIP != "" || s.cfg.ClientHostname != "")
	if err != nil {
		return fmt.Errorf("reading datagrams: %w", err)
	}
	parser := syslog.NewParser(s.parsing)
	names := newPeers(s.resolver, s.cfg.Settings)
	drops := newDropCounter(conn)
	for {
		b, packets, err := in.read()
		if b != nil {
			s.parse(ctx, b, packets, parser, names)
			emitErr := s.emit(work, out, b)
			b.Release()
			if emitErr != nil && ctx.Err() == nil {
				return fmt.Errorf("handing on messages: %w", emitErr)
			}
			s.countDrops(drops.take())
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("reading datagrams: %w", err)
		}
	}
}

// parse appends an event for each packet, which are memory of b.
func (s *source) parse(ctx context.Context, b *event.Batch, packets []packet, parser *syslog.Parser, names *peers) {
	now := time.Now()
	parser.Begin(now)
	var tally intake.Tally
	empty := 0
	for _, p := range packets {
		m, ok := syslog.Datagram(p.data, s.parsing.Flume)
		if !ok {
			empty++
			continue
		}
		e, status := parser.Append(b, m)
		tally.Add(status)
		names.headers(ctx, b, e, p.from, now)
	}
	s.readFail.Add(empty)
	s.watch.Saw(tally, nil)
}

// emit waits until b is stored: nobody sends a datagram again. Meanwhile the
// kernel keeps what its buffer holds.
func (s *source) emit(ctx context.Context, out flow.Emitter, b *event.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	if err := flow.EmitUntilStored(ctx, out, b, s.watch.Failed); err != nil {
		s.lost.Add(b.Len())
		return err
	}
	s.watch.Emitted()
	return nil
}

// countDrops counts what the kernel has dropped since it was asked last.
func (s *source) countDrops(n int) {
	if n == 0 {
		return
	}
	s.dropped.Add(n)
	if ok, more := s.drops.Allow(); ok {
		s.log.Warn("the kernel has dropped datagrams: its receive buffer was full", "datagrams", n,
			"receiveBuffer", s.cfg.ReceiveBuffer, "not-logged", more)
	}
}
