// Package avro is the sink that sends events to the avro source of another agent.
//
// The protocol is in package wire/avro: this one has the properties, keeps a
// connection, and says what an error means for a batch. With a client.type that is not
// the default the connections are those of internal/rpc.
package avro

import (
	"context"
	"crypto/tls"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/rpc"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	wire "github.com/flume-go/flume/wire/avro"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSink(component.Info{
		Type:    "avro",
		Aliases: []string{"org.apache.flume.sink.AvroSink"},
		Summary: "Sends events to the avro source of another agent.",
		Readme:  readme,
	}, New)
}

// mostAhead is how many calls are under way at most to a source that keeps their order.
const mostAhead = 32

// sink has one connection at a time, and makes another only when no call is under way: so
// the order of events is that of one connection. The mutex is taken a few times per batch,
// and not held while one is under way.
type sink struct {
	cfg     Config
	address string // host:port
	host    string
	log     *slog.Logger
	fs      vfs.FS

	created, closed, failed *metrics.Counter

	mu      sync.Mutex
	running bool
	client  *wire.Client // nil: the next batch connects
	since   time.Time    // when it connected
	calls   int          // under way
	told    bool         // the log says that the destination is there
}

var (
	_ flow.Sender    = (*sink)(nil)
	_ flow.Lifecycle = (*sink)(nil)
)

// New returns a sink that connects when there is something to send.
func New(cfg Config, env component.Env) (flow.Sink, error) {
	kind, remedy, ok := cfg.kind()
	if !ok {
		return nil, fmt.Errorf("client.type: there is no client %q; %s", cfg.ClientType, remedy)
	}
	if kind != rpc.Default {
		return newRouted(cfg, kind, env)
	}
	addresses, err := cfg.addresses(kind)
	if err != nil {
		return nil, err
	}
	address := addresses[0]
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("the destination %q: %w", address, err)
	}
	return &sink{
		cfg: cfg, address: address, host: host, log: env.Log, fs: env.FS,
		created: env.Metrics.Counter("ConnectionCreatedCount"),
		closed:  env.Metrics.Counter("ConnectionClosedCount"),
		failed:  env.Metrics.Counter("ConnectionFailedCount"),
	}, nil
}

// Open implements flow.Lifecycle.
func (s *sink) Open(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = true
	return nil
}

// Close implements flow.Lifecycle.
func (s *sink) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.told = false, false
	s.hangUp()
	return nil
}

// hangUp ends the connection, if there is one. Calls under way fail.
func (s *sink) hangUp() {
	if s.client == nil {
		return
	}
	_ = s.client.Close() // what is of interest the calls return
	s.client = nil
	s.closed.Add(1)
}

// Deliver implements flow.Sink.
func (s *sink) Deliver(ctx context.Context, b *event.Batch) error {
	sending, err := s.Send(ctx, b)
	if err != nil {
		return err
	}
	return sending.Wait(ctx)
}

// Window implements flow.Sender. A source of Apache Flume stores what is behind a call
// that it did not take.
func (s *sink) Window() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil || s.worn() || !s.client.Orders() {
		return 1
	}
	return mostAhead
}

// worn reports whether the connection is so old that it is to be made anew.
func (s *sink) worn() bool {
	return s.cfg.ResetInterval > 0 && time.Since(s.since) >= s.cfg.ResetInterval
}

var errEnded = errors.New("the connection has ended")

// Send implements flow.Sender.
func (s *sink) Send(ctx context.Context, b *event.Batch) (flow.Sending, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil, flow.ErrClosed
	}
	if b.Len() == 0 {
		return nothing{}, nil
	}
	meta := wire.OriginMeta(b)
	switch {
	case s.calls == 0:
		if err := s.connect(ctx); err != nil {
			return nil, err
		}
	case s.client == nil:
		return nil, s.failedWith(errEnded)
	default:
		meta = meta.Ahead()
	}
	p, err := s.client.Queue(ctx, b, meta)
	if err != nil {
		return nil, s.failedWith(err)
	}
	s.calls++
	return &call{s, p}, nil
}

// call is a batch under way.
type call struct {
	sink    *sink
	pending *wire.Pending
}

// Wait implements flow.Sending.
func (c *call) Wait(ctx context.Context) error {
	err := c.pending.Wait(ctx)
	c.sink.mu.Lock()
	defer c.sink.mu.Unlock()
	c.sink.calls--
	if err != nil {
		return c.sink.failedWith(err)
	}
	return nil
}

// nothing is an empty batch under way.
type nothing struct{}

// Wait implements flow.Sending.
func (nothing) Wait(context.Context) error { return nil }

// failedWith says what an error means for a batch. mu is held.
func (s *sink) failedWith(err error) error {
	var sent *wire.SentError
	if errors.As(err, &sent) {
		// Not the class of its cause: that a request was interrupted does not say
		// what became of it.
		err = flow.Unknown(fmt.Errorf("sending to %s: %w", s.address, err))
	} else {
		err = fmt.Errorf("sending to %s: %w", s.address, err)
	}
	if s.client != nil && !s.client.Active() {
		s.told = false
		s.hangUp()
	}
	return err
}

// connect makes a connection unless there is a good one.
func (s *sink) connect(ctx context.Context) error {
	if s.client != nil {
		if !s.worn() && s.client.Active() {
			return nil
		}
		s.hangUp()
	}
	o := wire.Options{
		Address: s.address,
		Deflate: s.cfg.deflate(), Level: s.cfg.CompressionLevel, DeflateInsideTLS: s.cfg.DeflateInsideTLS,
		ConnectTimeout: s.cfg.ConnectTimeout, RequestTimeout: s.cfg.RequestTimeout,
	}
	var err error
	if o.TLS, err = s.tls(); err == nil {
		s.client, err = wire.Dial(ctx, o)
	}
	if err != nil {
		s.client, s.told = nil, false
		s.failed.Add(1)
		return err
	}
	s.created.Add(1)
	s.since = time.Now()
	if !s.told {
		s.told = true
		s.log.Info("connected", "destination", s.address, "tls", s.cfg.SSL, "compression", s.cfg.deflate())
	}
	return nil
}

// tls reads the stores anew: they may have changed. nil is a plain connection.
func (s *sink) tls() (*tls.Config, error) {
	if !s.cfg.SSL {
		return nil, nil
	}
	return s.cfg.Client(s.host, s.fs)
}
