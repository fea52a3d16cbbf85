// Package netcatudp is the source that turns each UDP datagram into an event.
//
// Package udp receives the datagrams and hands the events on; this package says
// what of a datagram is the event.
package netcatudp

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/internal/udp"
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
	cfg     Config
	log     *slog.Logger
	lost    *metrics.Counter
	failing bool // handing on events fails; used by Run alone
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Claimer = Config{}
)

// New returns a source that listens once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	return &source{
		cfg: cfg, log: env.Log,
		lost: env.Metrics.OwnCounter("dropped_datagrams", "Datagrams that could not be handed on by the time the source stopped."),
	}, nil
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	server := udp.Server{
		Host: s.cfg.Bind, Port: s.cfg.Port, Properties: "bind and port",
		What: "datagrams", Log: s.log,
		Senders: s.cfg.RemoteAddress != "",
		Prepare: s.setBuffer,
		Convert: s.convert,
		Failed:  s.failed,
		Stored:  s.stored,
		Lost:    s.lost.Add,
	}
	return server.Run(ctx, out)
}

func (s *source) setBuffer(conn *net.UDPConn) error {
	if n := s.cfg.ReceiveBuffer; n > 0 {
		if err := conn.SetReadBuffer(n); err != nil {
			return fmt.Errorf("setting the receive buffer to %d bytes (property receiveBuffer): %w", n, err)
		}
	}
	return nil
}

// failed logs the beginning of trouble downstream, once.
func (s *source) failed(err error) {
	if !s.failing {
		s.failing = true
		s.log.Warn("handing on datagrams fails; what the receive buffer cannot hold is lost", "error", err)
	}
}

// stored logs its end.
func (s *source) stored() {
	if s.failing {
		s.failing = false
		s.log.Info("handing on datagrams works again")
	}
}

func (s *source) convert(_ context.Context, b *event.Batch, packets []udp.Packet) {
	for _, p := range packets {
		add(b, p.Data, s.cfg.RemoteAddress, p.From)
	}
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
	if a.Addr().Unmap().Is6() {
		dst = append(netio.AppendAddress(append(dst, '['), a.Addr()), ']')
	} else {
		dst = netio.AppendAddress(dst, a.Addr())
	}
	return strconv.AppendUint(append(dst, ':'), uint64(a.Port()), 10)
}
