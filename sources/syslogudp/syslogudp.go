// Package syslogudp is the source that receives syslog messages over UDP.
//
// Package udp receives the datagrams and hands the events on; this package parses
// the messages, in the memory of their batch, and counts.
package syslogudp

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/internal/syslog"
	"github.com/flume-go/flume/internal/syslog/intake"
	"github.com/flume-go/flume/internal/udp"
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
	resolver netio.Resolver

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

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	parser := syslog.NewParser(s.parsing)
	names := newPeers(s.resolver, s.cfg.Settings)
	server := udp.Server{
		Host: s.cfg.Host, Port: s.cfg.Port, Properties: "host and port",
		What: "messages", Log: s.log,
		Senders: s.cfg.ClientIP != "" || s.cfg.ClientHostname != "",
		Prepare: s.setBuffer,
		Convert: func(ctx context.Context, b *event.Batch, packets []udp.Packet) {
			s.parse(ctx, b, packets, parser, names)
		},
		Failed:  s.watch.Failed,
		Stored:  s.watch.Emitted,
		Lost:    s.lost.Add,
		Dropped: s.countDrops,
	}
	return server.Run(ctx, out)
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
		if _, err := udp.AskBuffer(conn, defaultBuffer); err != nil {
			s.log.Debug("the receive buffer is what the system gives", "error", err)
		}
		return nil
	}
	got, err := udp.AskBuffer(conn, want)
	if err != nil {
		return fmt.Errorf("setting the receive buffer to %d bytes (property receiveBuffer): %w", want, err)
	}
	if got < want {
		s.log.Warn("the system gives a smaller receive buffer than receiveBuffer asks for; its limit is net.core.rmem_max",
			"bytes", got, "receiveBuffer", want)
	}
	return nil
}

// parse appends an event for each packet, which are memory of b.
func (s *source) parse(ctx context.Context, b *event.Batch, packets []udp.Packet, parser *syslog.Parser, names *peers) {
	now := time.Now()
	parser.Begin(now)
	var tally intake.Tally
	empty := 0
	for _, p := range packets {
		m, ok := syslog.Datagram(p.Data, s.parsing.Flume)
		if !ok {
			empty++
			continue
		}
		e, status := parser.Append(b, m)
		tally.Add(status)
		names.headers(ctx, b, e, p.From.Addr(), now)
	}
	s.readFail.Add(empty)
	s.watch.Saw(tally, nil)
}

// countDrops counts what the kernel has dropped since it was asked last.
func (s *source) countDrops(n int) {
	s.dropped.Add(n)
	if ok, more := s.drops.Allow(); ok {
		s.log.Warn("the kernel has dropped datagrams: its receive buffer was full", "datagrams", n,
			"receiveBuffer", s.cfg.ReceiveBuffer, "not-logged", more)
	}
}
