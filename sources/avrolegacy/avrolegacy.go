// Package avrolegacy is the source that receives events from agents of Flume 0.9 by
// their Avro protocol, over HTTP.
//
// The protocol is in package wire/avro; this one serves HTTP and says what becomes of
// an event.
package avrolegacy

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/metrics"
	wire "github.com/flume-go/flume/wire/avro"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "avrolegacy",
		Aliases: []string{"org.apache.flume.source.avroLegacy.AvroLegacySource"},
		Summary: "Receives events from agents of Flume 0.9 by their Avro protocol.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the source.
type Config struct {
	Host       string `flume:"host" default:"0.0.0.0" doc:"Host name or address to listen on; 0.0.0.0 for all."`
	Port       int    `flume:"port,required" min:"0" max:"65535" doc:"TCP port to listen on; 0 picks a free one, which the log tells."`
	MaxRequest int    `flume:"max-request-size" unit:"bytes" default:"16777216" min:"1024" max:"2147483647" doc:"Most bytes of one request, which has one event."`
}

// Claims says that no other source can have the port.
func (c Config) Claims() []component.Claim {
	if c.Port == 0 {
		return nil
	}
	return []component.Claim{{What: "TCP port", ID: strconv.Itoa(c.Port), Host: c.Host, Key: "port"}}
}

const (
	contentType = "avro/binary"
	idleTimeout = 10 * time.Second // Flume's
	readTimeout = 60 * time.Second // for a whole request
	sendTimeout = 30 * time.Second
)

type source struct {
	cfg    Config
	log    *slog.Logger
	legacy *wire.Legacy

	received, accepted *metrics.Counter
	readFail           *metrics.Counter

	failing  atomic.Bool // the last emit of some request failed
	refusals netio.LogLimit
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Claimer = Config{}
)

// New returns a source that listens once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	return &source{
		cfg: cfg, log: env.Log, legacy: wire.NewLegacy(cfg.MaxRequest),
		received: env.Metrics.Counter("AppendReceivedCount"),
		accepted: env.Metrics.Counter("AppendAcceptedCount"),
		readFail: env.Metrics.Counter("EventReadFail"),
	}, nil
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	address := net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.Port))
	ln, err := netio.Listen(ctx, address)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("listening on %s (properties host and port): %w", address, err)
	}
	s.log.Info("listening", "address", ln.Addr())
	work, end := netio.Outlive(ctx, netio.Grace)
	defer end()
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(work, w, r, out) }),
		// A connection that has not sent a whole request is cut off at the end.
		ReadHeaderTimeout: idleTimeout, ReadTimeout: readTimeout, WriteTimeout: readTimeout + sendTimeout + netio.Grace, IdleTimeout: idleTimeout,
		ErrorLog: log.New(quiet{s}, "", 0),
	}
	return s.serveUntil(ctx, server, ln)
}

// serveUntil serves until ctx ends and requests under way are answered, or ln fails.
func (s *source) serveUntil(ctx context.Context, server *http.Server, ln net.Listener) error {
	done := make(chan struct{})
	var failure error
	go func() {
		defer close(done)
		failure = server.Serve(ln)
	}()
	select {
	case <-done:
		server.Close()
		return fmt.Errorf("accepting connections: %w", failure)
	case <-ctx.Done():
	}
	// The context of Emit ends with the grace; what is left then is to answer.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), netio.Grace+time.Second)
	defer cancel()
	if server.Shutdown(last) != nil {
		server.Close()
	}
	<-done
	return nil
}

// quiet takes what the HTTP library has to say of single connections.
type quiet struct{ source *source }

// Write implements io.Writer.
func (q quiet) Write(p []byte) (int, error) {
	q.source.warn("serving a connection", errors.New(string(p)), "")
	return len(p), nil
}

// serve answers one request, on any path.
func (s *source) serve(work context.Context, w http.ResponseWriter, r *http.Request, out flow.Emitter) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "This is a source of Flume events; send POST.", http.StatusMethodNotAllowed)
		return
	}
	answer, refused, err := s.legacy.Answer(r.Body, func(b *event.Batch) error { return s.store(work, b, out) })
	if err != nil {
		s.readFail.Add(1)
		s.warn("reading a request", err, r.RemoteAddr)
		http.Error(w, "The content is not a request of Avro's.", http.StatusBadRequest)
		return
	}
	if refused != nil {
		s.readFail.Add(1)
		s.warn("refusing a request", refused, r.RemoteAddr)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer) // a client that has left sends again
}

// store hands on an event. An error goes to the client.
func (s *source) store(work context.Context, b *event.Batch, out flow.Emitter) error {
	s.received.Add(1)
	if err := out.Emit(work, b); err != nil {
		if flow.ClassOf(err) != flow.ClassShutdown && !s.failing.Swap(true) {
			s.log.Warn("handing on events fails; clients are told", "error", err)
		}
		return errors.New("the event is not stored")
	}
	if s.failing.Load() && s.failing.Swap(false) {
		s.log.Info("handing on events works again")
	}
	s.accepted.Add(1)
	return nil
}

// warn logs what clients do, once a minute.
func (s *source) warn(what string, err error, client string) {
	if ok, more := s.refusals.Allow(); ok {
		s.log.Warn(what, "client", client, "error", err, "not-logged", more)
	}
}
