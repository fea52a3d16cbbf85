// Package scribe is the source that receives log entries from Scribe clients.
//
// The protocol is in package wire/thrift: this one knows Scribe's service.
package scribe

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
	"github.com/flume-go/flume/metrics"
	wire "github.com/flume-go/flume/wire/thrift"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "scribe",
		Aliases: []string{"org.apache.flume.source.scribe.ScribeSource"},
		Summary: "Receives log entries from Scribe clients.",
		Readme:  readme,
	}, New)
}

const (
	defaultWorkers = 5
	defaultBuffer  = 16_384_000
)

// Config is the properties of the source.
type Config struct {
	Bind           string        `flume:"bind" default:"0.0.0.0" doc:"Host name or address to listen on; 0.0.0.0 for all, as Flume always does."`
	Port           int           `flume:"port" default:"1499" min:"0" max:"65535" doc:"TCP port to listen on; 0 picks a free one, which the log tells."`
	Workers        int           `flume:"workerThreads" default:"5" doc:"Most requests whose events are stored at the same time; 0 or less counts as 5."`
	MaxReadBuffer  int           `flume:"maxReadBufferBytes" unit:"bytes" default:"16384000" max:"1073741824" doc:"Longest request. A client that sends a longer one is disconnected. 0 or less counts as 16384000."`
	MaxConnections int           `flume:"max-connections" default:"0" min:"0" doc:"Most connections at one time; more are closed. 0 means no limit."`
	RequestTimeout time.Duration `flume:"request-timeout" unit:"s" default:"60" min:"0" doc:"How long a request may take to arrive once it has begun; 0 waits for ever."`
	WriteTimeout   time.Duration `flume:"write-timeout" unit:"s" default:"60" min:"0" doc:"How long a client may leave its answers unread before its connection is closed; 0 waits for ever."`
}

// Claims says that no other source can have the port.
func (c Config) Claims() []component.Claim {
	if c.Port == 0 {
		return nil
	}
	return []component.Claim{{What: "TCP port", ID: strconv.Itoa(c.Port), Host: c.Bind, Key: "port"}}
}

// Values of Scribe's ResultCode.
const (
	resultOK       = 0
	resultTryLater = 1
)

type source struct {
	cfg      Config
	env      component.Env
	readFail *metrics.Counter
	failing  atomic.Bool // the last emit of some connection failed
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Claimer = Config{}
)

// New returns a source that listens once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	if cfg.Workers <= 0 {
		cfg.Workers = defaultWorkers
	}
	if cfg.MaxReadBuffer <= 0 {
		cfg.MaxReadBuffer = defaultBuffer
	}
	return &source{cfg: cfg, env: env, readFail: env.Metrics.Counter("EventReadFail")}, nil
}

// service is Scribe's.
func (s *source) service() *wire.Service {
	return &wire.Service{
		Methods: []wire.Method{{Name: "Log", Args: s.logArgs, Result: true}},
		Status: func(err error) (int32, *wire.Exception) {
			if err != nil {
				return resultTryLater, nil
			}
			return resultOK, nil
		},
	}
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	addr := net.JoinHostPort(s.cfg.Bind, strconv.Itoa(s.cfg.Port))
	ln, err := netio.Listen(ctx, addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("listening on %s (properties bind and port): %w", addr, err)
	}
	s.env.Log.Info("listening", "address", ln.Addr())
	server := &wire.Server{
		Service: s.service(), Framed: true, OldAnswers: true,
		MaxMessage: s.cfg.MaxReadBuffer, MaxConnections: s.cfg.MaxConnections, Workers: s.cfg.Workers,
		ReceiveTimeout: s.cfg.RequestTimeout, SendTimeout: s.cfg.WriteTimeout,
		Log: s.env.Log, Metrics: s.env.Metrics,
	}
	return server.Serve(ctx, ln, func(ctx context.Context, b *event.Batch, _ []wire.Request) error {
		return s.store(ctx, out, b)
	})
}

// store hands on the events of requests that have come together.
func (s *source) store(ctx context.Context, out flow.Emitter, b *event.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	err := out.Emit(ctx, b)
	switch {
	case err == nil:
		if s.failing.Load() && s.failing.Swap(false) {
			s.env.Log.Info("handing on events works again")
		}
	case flow.ClassOf(err) != flow.ClassShutdown && !s.failing.Swap(true):
		s.env.Log.Warn("handing on events fails; clients are told to try later", "error", err)
	}
	return err
}
