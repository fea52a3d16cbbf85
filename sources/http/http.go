// Package http is the source that takes events from HTTP requests.
//
// Connections without TLS are accepted by front.go. While their requests are usual (head.go) they are served by a loop
// (direct.go), and from the first one that is not by net/http, as those with TLS are (server.go).
//
// A request goes through gates (service.go): those who may not send (auth.go) or
// send too much (clients.go, memory.go) are turned away before their content is
// read. The content is read from the connection and decompressed (content.go), and
// a handler (handlers.go, blob.go) makes one batch of it, which is emitted once.
// Then the client hears whether it is stored (refusal.go).
//
// Text is turned into UTF-8 (text.go), cut into the words of JSON (scan.go) and
// these into events (events.go). Events that look like the one before are cut out in
// larger pieces (shape.go). Where a request has a known size and is UTF-8 as it is,
// it is read into the memory of the batch and its texts stay there; else they are
// copied once, into that memory.
package http

import (
	"context"
	"crypto/tls"
	_ "embed"
	"fmt"
	"log/slog"
	"net"
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
		Type:    "http",
		Aliases: []string{"org.apache.flume.source.http.HTTPSource"},
		Summary: "Takes events from HTTP requests, as JSON or as they are.",
		Readme:  readme,
	}, New)
}

type source struct {
	cfg         Config
	tls         tlsconf.Config
	idleTimeout time.Duration
	headerSize  int
	latin1      bool // what the text of requests is that do not say
	kind        *handlerType
	handler     handler
	fs          vfs.FS
	log         *slog.Logger

	memory  *budget
	clients *clients
	keys    *memory // nil if they are not remembered

	count        counters
	failing      atomic.Bool // the last emit of some request failed
	refusalLog   netio.LogLimit
	malformedLog netio.LogLimit
	foreignLog   netio.LogLimit
	truncatedLog netio.LogLimit
	serverLog    netio.LogLimit
	listening    func(net.Addr)
}

type counters struct {
	open          *metrics.Gauge
	batchReceived *metrics.Counter
	batchAccepted *metrics.Counter
	readFail      *metrics.Counter
	otherFail     *metrics.Counter
	unauthorized  *metrics.Counter
	limited       *metrics.Counter
	repeated      *metrics.Counter
	malformed     *metrics.Counter
	assumed       *metrics.Counter
	truncated     *metrics.Counter
}

var _ flow.Source = (*source)(nil)

// New returns a source that listens once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	kind, ok := handlerOf(cfg.Handler)
	if !ok {
		return nil, fmt.Errorf("property handler: unknown handler %q; give json, ndjson or blob", cfg.Handler)
	}
	j, problems := cfg.jetty()
	for _, p := range problems {
		if p.fatal {
			return nil, fmt.Errorf("property %s: %s; %s", p.key, p.what, p.remedy)
		}
	}
	s := &source{
		cfg: cfg, tls: cfg.tls(j), idleTimeout: j.idle, headerSize: j.headerSize, kind: kind,
		latin1:  cfg.AssumedCharset == "ISO-8859-1" || cfg.AssumedCharset == "" && kind.names[0] == "json",
		fs:      env.FS,
		log:     env.Log,
		memory:  &budget{limit: cfg.MaxMemory},
		clients: newClients(cfg.MaxClientRate, cfg.ClientBurst),
		count:   newCounters(env.Metrics),
		listening: func(net.Addr) {
		},
	}
	if cfg.IdempotencyKeys > 0 {
		s.keys = newMemory(cfg.IdempotencyKeys)
	}
	s.handler = kind.make(s)
	return s, nil
}

func newCounters(set *metrics.Set) counters {
	return counters{
		open:          set.Gauge("OpenConnectionCount"),
		batchReceived: set.Counter("AppendBatchReceivedCount"),
		batchAccepted: set.Counter("AppendBatchAcceptedCount"),
		readFail:      set.Counter("EventReadFail"),
		otherFail:     set.Counter("GenericProcessingFail"),
		unauthorized:  set.OwnCounter("requests_unauthorized", "Requests without valid credentials."),
		limited:       set.OwnCounter("requests_limited", "Requests and connections that were turned away because of a limit of number, rate or memory."),
		repeated:      set.OwnCounter("requests_repeated", "Requests that were not stored again because of their Idempotency-Key."),
		malformed:     set.OwnCounter("requests_malformed_text", "Requests with bytes that are not valid in their character set."),
		assumed:       set.OwnCounter("requests_assumed_charset", "Requests with more than ASCII that name no character set and were read as ISO-8859-1."),
		truncated:     set.OwnCounter("requests_truncated", "Requests that were longer than handler.maxBlobLength."),
	}
}

// decompresses reports whether the handler gets what compressed content stands for.
func (s *source) decompresses() bool {
	return s.cfg.Decompress == "always" || s.cfg.Decompress == "text" && s.kind.text
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	guard, err := newGuard(s.cfg.AuthConfig, s.fs)
	if err != nil {
		return err
	}
	var secure *tls.Config
	if s.tls.SSL {
		if secure, err = s.tls.Server(s.fs, s.log); err != nil {
			return fmt.Errorf("setting up TLS: %w", err)
		}
	}
	addr := s.cfg.hostPort()
	ln, err := netio.Listen(ctx, addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("listening on %s (properties bind and port): %w", addr, err)
	}
	v := newService(s, guard, out)
	s.log.Info("listening", "address", ln.Addr(), "tls", secure != nil, "handler", s.kind.names[0])
	s.listening(ln.Addr())
	return v.serve(ctx, ln, secure)
}

// emitFailed and emitted log the beginning and the end of trouble downstream,
// once for all requests together.
func (s *source) emitFailed(err error) {
	if !s.failing.Swap(true) {
		s.log.Warn("handing on events fails", "error", err)
	}
}

func (s *source) emitted() {
	if s.failing.Load() && s.failing.Swap(false) {
		s.log.Info("handing on events works again")
	}
}
