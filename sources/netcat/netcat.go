// Package netcat is the source that turns each line received over TCP into an
// event.
//
// A connection is a goroutine that reads blocks straight into the arena of a
// batch, lets event bodies point into the block and hands the batch on, once per
// block (session.go). Lines are found and checked in lines.go.
package netcat

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/charset"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/metrics"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "netcat",
		Aliases: []string{"org.apache.flume.source.NetcatSource"},
		Summary: "Turns each line received over TCP into an event.",
		Readme:  readme,
	}, New)
}

// Values of two properties.
const (
	keep    = "keep"
	closing = "close"
	discard = "discard"
)

// Config is the properties of the source.
type Config struct {
	Bind             string        `flume:"bind,required" doc:"Host name or address to listen on; 0.0.0.0 for all."`
	Port             int           `flume:"port,required" min:"0" max:"65535" doc:"TCP port to listen on; 0 picks a free one, which the log tells."`
	MaxLineLength    int           `flume:"max-line-length" default:"512" min:"1" doc:"Longest line in characters, its newline included. A longer one is refused and its connection closed."`
	AckEveryEvent    bool          `flume:"ack-every-event" default:"true" doc:"Whether to answer OK to each line once it is stored. Without, a line that cannot be stored is tried again until it is."`
	Encoding         string        `flume:"encoding" default:"utf-8" doc:"Character set of the input and of the answers. Bodies are always UTF-8."`
	MalformedInput   string        `flume:"malformed-input" default:"keep" enum:"keep,close" doc:"What to do with bytes that are not valid in the encoding: keep the line, or close the connection as Flume does."`
	UnterminatedLine string        `flume:"unterminated-line" default:"discard" enum:"discard,keep" doc:"What to do with characters behind the last newline when the client closes the connection: discard them as Flume does, or keep them as an event."`
	WriteTimeout     time.Duration `flume:"write-timeout" unit:"s" default:"60" min:"0" doc:"How long a client may leave its answers unread before its connection is closed; 0 waits for ever."`
	MaxConnections   int           `flume:"max-connections" default:"0" min:"0" doc:"Most connections at one time; more are told so and closed. 0 means no limit."`
}

// Check finds a character set that nobody knows.
func (c Config) Check(r *component.Report) {
	if _, err := charset.Lookup(c.Encoding); err != nil {
		r.Error("encoding", err.Error(), "give a name that Java or IANA knows, such as UTF-8 or ISO-8859-1")
	}
}

// Claims says that no other source can have the port.
func (c Config) Claims() []component.Claim {
	if c.Port == 0 {
		return nil
	}
	return []component.Claim{{What: "TCP port", ID: strconv.Itoa(c.Port), Host: c.Bind, Key: "port"}}
}

type source struct {
	cfg     Config
	charset charset.Charset
	log     *slog.Logger

	open         *metrics.Gauge
	readFail     *metrics.Counter
	malformed    *metrics.Counter
	unterminated *metrics.Counter

	failing   atomic.Bool // the last emit of some connection failed
	badInput  netio.LogLimit
	closings  netio.LogLimit
	listening func(net.Addr)
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Claimer = Config{}
)

// New returns a source that listens once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	cs, err := charset.Lookup(cfg.Encoding)
	if err != nil {
		return nil, fmt.Errorf("property encoding: %w; give the name of one, such as utf-8 or iso-8859-1", err)
	}
	return &source{
		cfg: cfg, charset: cs, log: env.Log,
		open:     env.Metrics.Gauge("OpenConnectionCount"),
		readFail: env.Metrics.Counter("EventReadFail"),
		malformed: env.Metrics.OwnCounter("malformed_lines",
			"Lines with bytes that are not valid in the encoding."),
		unterminated: env.Metrics.OwnCounter("unterminated_lines",
			"Connections that ended behind a line without newline."),
		listening: func(net.Addr) {},
	}, nil
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
	s.log.Info("listening", "address", ln.Addr())
	s.listening(ln.Addr())
	server := netio.Server{
		Log: s.log, Max: s.cfg.MaxConnections,
		Handle: func(ctx context.Context, conn net.Conn) {
			s.open.Add(1)
			defer s.open.Add(-1)
			newSession(s, conn, out).serve(ctx)
		},
		Refuse: func(conn net.Conn) {
			text := fmt.Sprintf("FAILED: All %d connections are in use\n", s.cfg.MaxConnections)
			conn.Write(s.charset.NewEncoder().Append(nil, []byte(text))) //nolint:errcheck // a courtesy
		},
	}
	return server.Serve(ctx, ln)
}

// emitFailed and emitted log the beginning and the end of trouble downstream,
// once for all connections together.
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

// sawMalformed counts lines with malformed bytes, and logs some of them.
func (s *source) sawMalformed(lines int, client net.Addr) {
	s.malformed.Add(lines)
	s.readFail.Add(lines)
	if ok, more := s.badInput.Allow(); ok {
		s.log.Warn("input is not valid in the encoding", "encoding", s.cfg.Encoding,
			"malformed-input", s.cfg.MalformedInput, "client", client, "not-logged", more)
	}
}

// logClosing logs why a connection is closed from our side.
func (s *source) logClosing(why string, client net.Addr, property string, value any) {
	if ok, more := s.closings.Allow(); ok {
		s.log.Warn("closing a connection: "+why, "client", client, property, value, "not-logged", more)
	}
}
