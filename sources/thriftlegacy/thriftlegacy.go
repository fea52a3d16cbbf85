// Package thriftlegacy is the source that receives events from Flume 0.9.x agents
// over Thrift.
//
// The protocol is in package wire/thrift: this one knows the old events.
package thriftlegacy

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
	wire "github.com/flume-go/flume/wire/thrift"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "thriftlegacy",
		Aliases: []string{"org.apache.flume.source.thriftLegacy.ThriftLegacySource"},
		Summary: "Receives events from Flume 0.9.x agents over Thrift.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the source.
type Config struct {
	Host           string        `flume:"host,required" doc:"Host name or address to listen on; 0.0.0.0 for all."`
	Port           int           `flume:"port,required" min:"0" max:"65535" doc:"TCP port to listen on; 0 picks a free one, which the log tells."`
	MaxMessageSize int           `flume:"max-message-size" unit:"bytes" default:"104857600" min:"1024" max:"1073741824" doc:"Longest message. A client that sends a longer one is disconnected."`
	MaxConnections int           `flume:"max-connections" default:"0" min:"0" doc:"Most connections at one time; more are closed. 0 means no limit."`
	RequestTimeout time.Duration `flume:"request-timeout" unit:"s" default:"60" min:"0" doc:"How long a message may take to arrive once it has begun; 0 waits for ever."`
	WriteTimeout   time.Duration `flume:"write-timeout" unit:"s" default:"60" min:"0" doc:"How long a client may leave its answers unread before its connection is closed; 0 waits for ever."`
}

// Claims says that no other source can have the port.
func (c Config) Claims() []component.Claim {
	if c.Port == 0 {
		return nil
	}
	return []component.Claim{{What: "TCP port", ID: strconv.Itoa(c.Port), Host: c.Host, Key: "port"}}
}

type source struct {
	cfg     Config
	env     component.Env
	failing atomic.Bool // the last emit of some connection failed
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Claimer = Config{}
)

// New returns a source that listens once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	return &source{cfg: cfg, env: env}, nil
}

// service is ThriftFlumeEventServer. append is one-way: clients are not told
// anything.
func service() *wire.Service {
	return &wire.Service{Methods: []wire.Method{
		{Name: "append", Args: appendArgs, Oneway: true},
		{Name: "close", Args: func(d *wire.Decoder, _ *event.Batch) error { return d.SkipStruct() }},
	}}
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	addr := net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.Port))
	ln, err := netio.Listen(ctx, addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("listening on %s (properties host and port): %w", addr, err)
	}
	s.env.Log.Info("listening", "address", ln.Addr())
	server := &wire.Server{
		Service: service(), MaxMessage: s.cfg.MaxMessageSize, MaxConnections: s.cfg.MaxConnections,
		ReceiveTimeout: s.cfg.RequestTimeout, SendTimeout: s.cfg.WriteTimeout,
		Log: s.env.Log, Metrics: s.env.Metrics,
	}
	return server.Serve(ctx, ln, func(ctx context.Context, b *event.Batch, _ []wire.Request) error {
		return s.store(ctx, out, b)
	})
}

// store hands the events on until they are stored: nobody is told, so nobody would
// send them again. Meanwhile the connection is not read, and the client waits.
func (s *source) store(ctx context.Context, out flow.Emitter, b *event.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	err := flow.EmitUntilStored(ctx, out, b, s.failed)
	if err == nil && s.failing.Load() && s.failing.Swap(false) {
		s.env.Log.Info("handing on events works again")
	}
	return err
}

// failed logs the beginning of trouble downstream, once.
func (s *source) failed(err error) {
	if !s.failing.Swap(true) {
		s.env.Log.Warn("handing on events fails; trying again", "error", err)
	}
}
