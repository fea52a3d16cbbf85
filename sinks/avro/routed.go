package avro

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/rpc"
	"github.com/flume-go/flume/metrics"
	wire "github.com/flume-go/flume/wire/avro"
	"github.com/flume-go/flume/wire/thrift"
)

// mostThrift is the most bytes of events in one call to a thrift source: what one of
// Apache Flume takes. A longer batch is sent in several.
const mostThrift = 16_384_000 - thrift.CallOverhead

// routed is the sink with a client that is not the default one. The mutex is taken once
// per batch.
type routed struct {
	cfg     Config
	kind    rpc.Kind
	options rpc.Options
	hosts   []string
	log     *slog.Logger

	created, closed, failed *metrics.Counter

	mu      sync.Mutex
	running bool
	route   rpc.Route       // nil: the next batch makes one
	since   time.Time       // when it was made
	works   map[string]bool // what the log says of each host
}

var (
	_ flow.Sink      = (*routed)(nil)
	_ flow.Lifecycle = (*routed)(nil)
	_ rpc.Watcher    = (*routed)(nil)
)

func newRouted(cfg Config, kind rpc.Kind, env component.Env) (*routed, error) {
	hosts, err := cfg.addresses(kind)
	if err != nil {
		return nil, err
	}
	r := &routed{
		cfg: cfg, kind: kind, hosts: hosts, log: env.Log, works: map[string]bool{},
		created: env.Metrics.Counter("ConnectionCreatedCount"),
		closed:  env.Metrics.Counter("ConnectionClosedCount"),
		failed:  env.Metrics.Counter("ConnectionFailedCount"),
	}
	r.options = rpc.Options{
		ConnectTimeout: cfg.ConnectTimeout, RequestTimeout: cfg.RequestTimeout,
		TLS: func(name string) (*tls.Config, error) {
			if !cfg.SSL {
				return nil, nil
			}
			return cfg.Client(name, env.FS)
		},
		Dial: new(net.Dialer).DialContext, Watch: r,
		Deflate: cfg.deflate(), Level: cfg.CompressionLevel, DeflateInsideTLS: cfg.DeflateInsideTLS,
		Protocol: cfg.protocol(), MaxConnections: 1, // there is one call at a time
	}
	return r, nil
}

// Open implements flow.Lifecycle.
func (r *routed) Open(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = true
	return nil
}

// Close implements flow.Lifecycle.
func (r *routed) Close(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = false
	clear(r.works)
	r.forget()
	return nil
}

// forget ends the connections, and with them what is known of the hosts.
func (r *routed) forget() {
	if r.route == nil {
		return
	}
	_ = r.route.Close() // nothing is under way that anybody waits for
	r.route = nil
}

// Deliver implements flow.Sink.
func (r *routed) Deliver(ctx context.Context, b *event.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.running:
		return flow.ErrClosed
	case b.Len() == 0:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	if r.cfg.ResetInterval > 0 && time.Since(r.since) >= r.cfg.ResetInterval {
		r.forget()
	}
	if r.route == nil {
		r.route, r.since = r.newRoute(), time.Now()
	}
	p := parcel{batch: b}
	if r.kind == rpc.Thrift {
		p.limit = mostThrift
	} else {
		p.meta = wire.OriginMeta(b)
	}
	err := r.route.Send(ctx, func(h rpc.Host) error {
		err := p.send(ctx, h)
		if ctx.Err() == nil {
			r.tell(h.Address(), err)
		}
		return err
	})
	if err == nil {
		return nil
	}
	// As with Flume's sink, whose client ends with an error, the next try begins with
	// the first host, and none is left alone.
	r.forget()
	err = fmt.Errorf("sending with client.type = %v: %w", r.kind, err)
	if p.unknown || p.from > 0 {
		// Not the class of a cause: that the last host cannot be reached does not say
		// what became of the batch at the first one.
		return flow.Unknown(err)
	}
	return err
}

// newRoute makes what chooses between the hosts, without a connection.
func (r *routed) newRoute() rpc.Route {
	made := rpc.NewAvro
	if r.kind == rpc.Thrift {
		made = rpc.NewThrift
	}
	hosts := make([]rpc.Host, len(r.hosts))
	for i, address := range r.hosts {
		hosts[i] = made(address, &r.options)
	}
	switch r.kind {
	case rpc.DefaultFailover:
		return rpc.NewFailover(hosts, r.cfg.attempts(len(hosts)))
	case rpc.DefaultLoadBalance:
		return rpc.NewBalancer(hosts, r.cfg.random(), r.cfg.backoff())
	default:
		return rpc.Alone{Host: hosts[0]}
	}
}

// tell logs that a host does, or does not, what it should, when that changes.
func (r *routed) tell(address string, err error) {
	works, told := r.works[address]
	if told && works == (err == nil) {
		return
	}
	r.works[address] = err == nil
	if err == nil {
		r.log.Info("events are delivered", "destination", address, "client", r.kind, "tls", r.cfg.SSL)
		return
	}
	r.log.Warn("a destination does not take events", "destination", address, "error", err)
}

// Connected implements rpc.Watcher.
func (r *routed) Connected(string) { r.created.Add(1) }

// Closed implements rpc.Watcher.
func (r *routed) Closed(string) { r.closed.Add(1) }

// Failed implements rpc.Watcher. It comes from within Deliver.
func (r *routed) Failed(address string, err error) {
	r.failed.Add(1)
	r.tell(address, err)
}

// parcel is a batch on its way.
type parcel struct {
	batch   *event.Batch
	meta    wire.Meta
	limit   int  // most bytes of a call; 0: none
	from    int  // those in front of this one are delivered
	unknown bool // a host may have it all the same
}

// send gives a host what no other has taken.
func (p *parcel) send(ctx context.Context, h rpc.Host) error {
	for p.from < p.batch.Len() {
		to := p.fitting()
		sent, err := p.call(ctx, h, to)
		p.unknown = p.unknown || sent
		if err != nil {
			return err
		}
		p.from = to
	}
	return nil
}

func (p *parcel) call(ctx context.Context, h rpc.Host, to int) (sent bool, err error) {
	if p.from == 0 && to == p.batch.Len() {
		return h.Call(ctx, rpc.Call{Batch: p.batch, Meta: p.meta})
	}
	part := p.batch.View(p.from, to)
	defer part.Release()
	return h.Call(ctx, rpc.Call{Batch: part, Meta: p.meta})
}

// fitting returns the end of the events that go into one call: one at least, and be it too
// long.
func (p *parcel) fitting() int {
	if p.limit == 0 {
		return p.batch.Len()
	}
	size := 0
	for i := p.from; i < p.batch.Len(); i++ {
		if size += thrift.EventSize(p.batch.At(i)); size > p.limit {
			return max(i, p.from+1)
		}
	}
	return p.batch.Len()
}
