// Package thrift is the sink that sends events to a thrift source: of another
// agent, Java or not.
//
// The protocol is in package wire/thrift: this one has the properties, keeps the
// connection and says what its failures mean.
package thrift

import (
	"context"
	_ "embed"
	"strings"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/rpc"
	"github.com/flume-go/flume/internal/tlsconf"
	"github.com/flume-go/flume/metrics"
	wire "github.com/flume-go/flume/wire/thrift"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSink(component.Info{
		Type:    "thrift",
		Aliases: []string{"org.apache.flume.sink.ThriftSink"},
		Summary: "Sends events to the thrift source of another agent.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the sink.
type Config struct {
	Hostname       string        `flume:"hostname,required" doc:"Host name or address of the agent to send to."`
	Port           int           `flume:"port,required" min:"1" max:"65535" doc:"Port of its thrift source."`
	BatchSize      int           `flume:"batch-size,batch" default:"100" min:"1" lenient:"true" doc:"Most events in one call."`
	Protocol       string        `flume:"protocol" default:"compact" enum:"compact,binary" lenient:"true" doc:"Protocol to speak, which must be that of the source if it is Apache Flume's."`
	ConnectTimeout time.Duration `flume:"connect-timeout" unit:"ms" default:"20000" min:"1000" lenient:"true" doc:"How long connecting may take, TLS and Kerberos included."`
	RequestTimeout time.Duration `flume:"request-timeout" unit:"ms" default:"20000" min:"1000" lenient:"true" doc:"How long a call may take until it is answered."`
	ResetInterval  time.Duration `flume:"reset-connection-interval" alias:"connection-reset-interval" unit:"s" default:"0" min:"0" lenient:"true" doc:"Age at which the connection is closed and made anew, so that a load balancer in between can choose another agent; 0 keeps it."`
	MaxFrameSize   int           `flume:"max-frame-size" unit:"bytes" default:"16384000" min:"1024" max:"1073741824" doc:"Longest call that the source takes. Batches are cut to it; an event that does not fit is rejected. The default is what Apache Flume takes."`
	tlsconf.ClientConfig
	Pool int `flume:"maxConnections" default:"1" lenient:"true" doc:"Setting of Flume's client library. It has no effect: a sink has one connection."`
	Kerberos
}

// Check implements component.Checker.
func (c Config) Check(r *component.Report) {
	c.ClientConfig.Check(r)
	c.Kerberos.check(r)
}

type sink struct {
	cfg      Config
	env      component.Env
	protocol wire.Protocol
	kerberos *rpc.Kerberos // nil without

	created, closed, failed *metrics.Counter // connections

	open    bool
	link    *link // nil: not connected
	plain   bool  // the source ended a connection when it was asked whether it keeps the order of calls
	pending []int // indexes of events that do not fit into a call

	under  int  // batches under way
	cut    bool // the latest of them takes more than one call, or rejects events
	broken bool // one of them, or in front of them, has failed
}

var (
	_ flow.Sender       = (*sink)(nil)
	_ flow.Lifecycle    = (*sink)(nil)
	_ component.Checker = Config{}
)

// New returns a sink that connects when it has something to send.
func New(cfg Config, env component.Env) (flow.Sink, error) {
	s := &sink{
		cfg: cfg, env: env,
		created: env.Metrics.Counter("ConnectionCreatedCount"),
		closed:  env.Metrics.Counter("ConnectionClosedCount"),
		failed:  env.Metrics.Counter("ConnectionFailedCount"),
	}
	if strings.EqualFold(cfg.Protocol, wire.Binary.String()) {
		s.protocol = wire.Binary
	}
	if cfg.Enabled {
		s.kerberos = rpc.NewKerberos(env.FS, cfg.ClientPrincipal, cfg.ClientKeytab, cfg.ServerPrincipal, env.Log)
	}
	return s, nil
}

// Open implements flow.Lifecycle. Like Flume's, the sink connects at the first
// batch.
func (s *sink) Open(context.Context) error {
	s.open = true
	return nil
}

// Close implements flow.Lifecycle.
func (s *sink) Close(context.Context) error {
	s.open = false
	s.hangUp()
	return nil
}

// Deliver implements flow.Sink: one call, or as many as the longest one allows.
func (s *sink) Deliver(ctx context.Context, b *event.Batch) error {
	switch {
	case !s.open:
		return flow.ErrClosed
	case b.Len() == 0:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	return s.deliver(ctx, b)
}

// deliver sends a batch and waits until all of it is stored.
func (s *sink) deliver(ctx context.Context, b *event.Batch) error {
	err := s.sendAll(ctx, b)
	if err != nil && flow.ClassOf(err) != flow.ClassReject {
		// As Flume's: whatever the other end has made of it, begin anew.
		s.hangUp()
	}
	return err
}

// sendAll sends the batch in calls of at most MaxFrameSize.
func (s *sink) sendAll(ctx context.Context, b *event.Batch) error {
	s.pending = s.pending[:0]
	limit := s.cfg.MaxFrameSize - wire.CallOverhead
	from, size := 0, 0
	for i := range b.Len() {
		n := wire.EventSize(b.At(i))
		if n > limit {
			s.pending = append(s.pending, i)
		}
		if n > limit || size+n > limit {
			if err := s.send(ctx, b, from, i, size); err != nil {
				return partly(err, from)
			}
			from, size = i, 0
		}
		if n > limit {
			from = i + 1
			continue
		}
		size += n
	}
	if err := s.send(ctx, b, from, b.Len(), size); err != nil {
		return partly(err, from)
	}
	return s.tooLong(b)
}

// partly says that events in front of a failure are stored.
func partly(err error, before int) error {
	if before > 0 {
		return flow.Unknown(err)
	}
	return err
}
