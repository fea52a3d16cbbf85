// Package thrift is the source that receives events from Thrift clients: Flume's
// own, the thrift sinks of other agents, and whatever a Thrift compiler makes of
// Flume's interface definition.
//
// The protocol is in package wire/thrift: this one has the properties, hands
// events on and counts.
package thrift

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/internal/tlsconf"
	"github.com/flume-go/flume/metrics"
	wire "github.com/flume-go/flume/wire/thrift"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "thrift",
		Aliases: []string{"org.apache.flume.source.ThriftSource"},
		Summary: "Receives events from Thrift clients and from thrift sinks.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the source.
type Config struct {
	Bind     string `flume:"bind,required" doc:"Host name or address to listen on; 0.0.0.0 for all."`
	Port     int    `flume:"port,required" min:"0" max:"65535" doc:"TCP port to listen on; 0 picks a free one, which the log tells."`
	Threads  int    `flume:"threads" default:"0" lenient:"true" doc:"Most requests whose events are stored at the same time; 0 or less means no limit."`
	Protocol string `flume:"protocol" default:"compact" enum:"compact,binary" doc:"Flume's setting of what clients speak. Clients of both protocols are understood, whatever it says."`
	tlsconf.Config
	Kerberos
	MaxFrameSize   int           `flume:"max-frame-size" unit:"bytes" default:"16384000" min:"1024" max:"1073741824" doc:"Longest request. A client that sends a longer one is disconnected."`
	MaxConnections int           `flume:"max-connections" default:"0" min:"0" doc:"Most connections at one time; more are closed. 0 means no limit."`
	RequestTimeout time.Duration `flume:"request-timeout" unit:"s" default:"60" min:"0" doc:"How long a request may take to arrive once it has begun; 0 waits for ever. A connection may be idle as long as it likes."`
	WriteTimeout   time.Duration `flume:"write-timeout" unit:"s" default:"60" min:"0" doc:"How long a client may leave its answers unread before its connection is closed; 0 waits for ever."`
}

// Check checks the parts that are shared with other components.
func (c Config) Check(r *component.Report) {
	c.Config.Check(r)
	c.Kerberos.check(r)
}

// Claims says that no other source can have the port.
func (c Config) Claims() []component.Claim {
	if c.Port == 0 {
		return nil
	}
	return []component.Claim{{What: "TCP port", ID: strconv.Itoa(c.Port), Host: c.Bind, Key: "port"}}
}

type source struct {
	cfg Config
	env component.Env

	received, accepted           *metrics.Counter // calls of append
	batchReceived, batchAccepted *metrics.Counter // calls of appendBatch

	failing atomic.Bool // the last emit of some connection failed
	service *wire.Service
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Checker = Config{}
	_ component.Claimer = Config{}
)

// New returns a source that listens once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	s := &source{
		cfg: cfg, env: env,
		received:      env.Metrics.Counter("AppendReceivedCount"),
		accepted:      env.Metrics.Counter("AppendAcceptedCount"),
		batchReceived: env.Metrics.Counter("AppendBatchReceivedCount"),
		batchAccepted: env.Metrics.Counter("AppendBatchAcceptedCount"),
		service:       wire.FlumeService(),
	}
	s.service.Status = status
	return s, nil
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	server, err := s.server(ctx)
	if err != nil {
		return err
	}
	addr := net.JoinHostPort(s.cfg.Bind, strconv.Itoa(s.cfg.Port))
	ln, err := netio.Listen(ctx, addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("listening on %s (properties bind and port): %w", addr, err)
	}
	s.env.Log.Info("listening", "address", ln.Addr())
	return server.Serve(ctx, ln, func(ctx context.Context, b *event.Batch, calls []wire.Request) error {
		return s.store(ctx, out, b, calls)
	})
}

func (s *source) server(ctx context.Context) (*wire.Server, error) {
	server := &wire.Server{
		Service: s.service, Framed: true, MaxMessage: s.cfg.MaxFrameSize,
		MaxConnections: s.cfg.MaxConnections, Workers: max(s.cfg.Threads, 0),
		ReceiveTimeout: s.cfg.RequestTimeout, SendTimeout: s.cfg.WriteTimeout,
		Log: s.env.Log, Metrics: s.env.Metrics,
	}
	var err error
	if s.cfg.SSL {
		if server.TLS, err = s.cfg.Config.Server(s.env.FS, s.env.Log); err != nil {
			return nil, err
		}
	}
	if server.SASL, err = s.sasl(ctx); err != nil {
		return nil, err
	}
	return server, nil
}

// store hands on the events of requests that have come together.
func (s *source) store(ctx context.Context, out flow.Emitter, b *event.Batch, calls []wire.Request) error {
	batches := 0
	for i := range calls {
		if calls[i].Method.Name == wire.MethodAppendBatch {
			batches++
		}
	}
	s.batchReceived.Add(batches)
	s.received.Add(len(calls) - batches)
	if b.Len() > 0 {
		if err := out.Emit(ctx, b); err != nil {
			s.failed(err)
			return err
		}
		s.emitted()
	}
	s.batchAccepted.Add(batches)
	s.accepted.Add(len(calls) - batches)
	return nil
}

// status is what clients are told after err, nil included.
func status(err error) (int32, *wire.Exception) {
	if err == nil {
		return int32(wire.StatusOK), nil
	}
	switch flow.ClassOf(err) {
	case flow.ClassReject, flow.ClassFatal:
		// Not a matter of a channel: sending again does not help.
		return 0, &wire.Exception{Kind: wire.KindInternalError, Text: "Internal error processing the call: " + err.Error()}
	default:
		return int32(wire.StatusFailed), nil
	}
}

// failed and emitted log the beginning and the end of trouble downstream, once for
// all connections together.
func (s *source) failed(err error) {
	if flow.ClassOf(err) != flow.ClassShutdown && !s.failing.Swap(true) {
		s.env.Log.Warn("handing on events fails; clients are told so", "error", err)
	}
}

func (s *source) emitted() {
	if s.failing.Load() && s.failing.Swap(false) {
		s.env.Log.Info("handing on events works again")
	}
}
