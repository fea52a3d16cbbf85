// Package syslogtcp is the source that receives syslog messages over TCP.
//
// What it does is in packages below internal/syslog: this one has the
// properties.
package syslogtcp

import (
	"context"
	_ "embed"
	"strconv"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/syslog"
	"github.com/flume-go/flume/internal/syslog/intake"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "syslogtcp",
		Aliases: []string{"org.apache.flume.source.SyslogTcpSource"},
		Summary: "Turns each syslog message received over TCP into an event.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the source.
type Config struct {
	Host string `flume:"host" default:"0.0.0.0" doc:"Host name or address to listen on; 0.0.0.0 for all."`
	Port int    `flume:"port,required" min:"0" max:"65535" doc:"TCP port to listen on; 0 picks a free one, which the log tells."`
	intake.Shared
	syslog.Format
}

// Check checks the parts that are shared with other sources.
func (c Config) Check(r *component.Report) {
	c.Shared.Check(r)
	c.Format.Check(r)
}

// Claims says that no other source can have the port.
func (c Config) Claims() []component.Claim {
	if c.Port == 0 {
		return nil
	}
	return []component.Claim{{What: "TCP port", ID: strconv.Itoa(c.Port), Host: c.Host, Key: "port"}}
}

type source struct {
	cfg Config
	tcp *intake.TCP
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Checker = Config{}
	_ component.Claimer = Config{}
)

// New returns a source that listens once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	custom, err := cfg.Compile()
	if err != nil {
		return nil, err
	}
	parser, err := cfg.Options(syslog.Stream, custom)
	if err != nil {
		return nil, err
	}
	return &source{cfg: cfg, tcp: intake.New(intake.Options{Shared: cfg.Shared, Parser: parser}, env)}, nil
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	secure, err := s.tcp.TLS()
	if err != nil {
		return err
	}
	ln, err := s.tcp.Listen(ctx, s.cfg.Host, strconv.Itoa(s.cfg.Port), "port")
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	return s.tcp.Serve(ctx, ln, secure, out)
}
