// Package avro is the source that receives events from other Flume agents and from
// clients of Flume's RPC library.
//
// The protocol is in package wire/avro: this one has the properties, the filter of
// addresses (filter.go), and what becomes of a call (service.go).
package avro

import (
	"context"
	"crypto/tls"
	_ "embed"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/internal/tlsconf"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "avro",
		Aliases: []string{"org.apache.flume.source.AvroSource"},
		Summary: "Receives events from other agents and from clients of Flume's RPC library.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the source.
type Config struct {
	Bind        string `flume:"bind,required" doc:"Host name or address to listen on; 0.0.0.0 for all."`
	Port        int    `flume:"port,required" min:"0" max:"65535" doc:"TCP port to listen on; 0 picks a free one, which the log tells."`
	Threads     int    `flume:"threads" default:"0" lenient:"true" doc:"No effect: each connection is served by itself. Flume ignores it, too, from 1.10 on."`
	Compression string `flume:"compression-type" default:"none" doc:"Set to deflate if clients compress. Both ends must agree."`
	tlsconf.Config
	IPFilter      bool          `flume:"ipFilter" default:"false" doc:"Whether ipFilterRules say who may connect."`
	IPFilterRules string        `flume:"ipFilterRules" doc:"Rules separated by commas, each allow or deny, ip or name, and a pattern with * and ?, such as allow:ip:127.*,allow:name:localhost,deny:ip:*. The first rule that matches decides; if none does, the client may connect."`
	MaxConns      int           `flume:"max-connections" default:"0" min:"0" doc:"Most connections at one time; more are closed. 0 means no limit."`
	MaxRequest    int           `flume:"max-request-size" unit:"bytes" default:"134217728" min:"1024" max:"2147483647" doc:"Most bytes of one request, decompressed, with what its events take in memory. A connection with a larger one is closed."`
	MaxMemory     int64         `flume:"max-memory" unit:"bytes" default:"536870912" min:"1048576" doc:"Most memory for the requests under way together. A request that finds none is answered with FAILED, so that its client sends it again."`
	RequestArrive time.Duration `flume:"request-timeout" unit:"s" default:"60" min:"1" doc:"How long a request may take to arrive once it has begun."`
}

// Check checks the parts that belong together.
func (c Config) Check(r *component.Report) {
	c.Config.Check(r)
	if r.Given("threads") {
		r.Advise("threads", "has no effect: there are as many as connections need", "remove it; max-connections limits connections")
	}
	if r.Given("compression-type") && !c.deflate() && !strings.EqualFold(c.Compression, "none") {
		r.Warn("compression-type", fmt.Sprintf("there is no %q: nothing is decompressed", c.Compression), "give deflate or none")
	}
	if !c.IPFilter {
		if r.Given("ipFilterRules") {
			r.Warn("ipFilterRules", "has no effect without ipFilter = true", "set it, or remove the rules")
		}
		return
	}
	if _, err := parseFilter(c.IPFilterRules); err != nil {
		r.Error("ipFilterRules", err.Error(), "write rules such as allow:ip:10.*,deny:ip:*")
	}
}

func (c Config) deflate() bool { return strings.EqualFold(c.Compression, "deflate") }

// Claims says that no other source can have the port.
func (c Config) Claims() []component.Claim {
	if c.Port == 0 {
		return nil
	}
	return []component.Claim{{What: "TCP port", ID: strconv.Itoa(c.Port), Host: c.Bind, Key: "port"}}
}

type source struct {
	cfg    Config
	filter *filter // nil: everybody may connect
	fs     vfs.FS
	log    *slog.Logger

	open  *metrics.Gauge
	count counters

	failing  atomic.Bool // the last emit of some request failed
	refusals peerLog
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Checker = Config{}
	_ component.Claimer = Config{}
)

// New returns a source that listens once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	s := &source{
		cfg: cfg, fs: env.FS, log: env.Log,
		open:     env.Metrics.Gauge("OpenConnectionCount"),
		count:    newCounters(env.Metrics),
		refusals: peerLog{log: env.Log},
	}
	if cfg.IPFilter {
		var err error
		if s.filter, err = parseFilter(cfg.IPFilterRules); err != nil {
			return nil, fmt.Errorf("property ipFilterRules: %w", err)
		}
	}
	return s, nil
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	var secure *tls.Config
	if s.cfg.SSL {
		var err error
		if secure, err = s.cfg.Config.Server(s.fs, s.log); err != nil {
			return err
		}
	}
	address := net.JoinHostPort(s.cfg.Bind, strconv.Itoa(s.cfg.Port))
	ln, err := netio.Listen(ctx, address)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("listening on %s (properties bind and port): %w", address, err)
	}
	s.log.Info("listening", "address", ln.Addr(), "tls", s.cfg.SSL, "compression", s.cfg.deflate())
	v := newService(s, secure, out)
	server := netio.Server{
		Log: s.log, Max: s.cfg.MaxConns,
		Handle: func(work context.Context, conn net.Conn) { v.connection(ctx, work, conn) },
	}
	return server.Serve(ctx, ln)
}
