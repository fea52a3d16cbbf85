// Package multiportsyslogtcp is the source that receives syslog messages over
// TCP on several ports, each with a character set of its own.
//
// The ports are here (ports.go has how one that cannot be had is tried again);
// what is done with a connection is in packages below internal/syslog.
package multiportsyslogtcp

import (
	_ "embed"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/charset"
	"github.com/flume-go/flume/internal/syslog"
	"github.com/flume-go/flume/internal/syslog/intake"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "multiport_syslogtcp",
		Aliases: []string{"org.apache.flume.source.MultiportSyslogTCPSource"},
		Summary: "Turns each syslog message received on any of several TCP ports into an event.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the source.
type Config struct {
	Host           string            `flume:"host" default:"0.0.0.0" doc:"Host name or address to listen on; 0.0.0.0 for all."`
	Ports          []string          `flume:"ports,required" doc:"TCP ports to listen on, separated by spaces; 0 picks a free one, which the log tells."`
	PortHeader     string            `flume:"portHeader" doc:"Name of the header that gets the port a message came in on. Without, there is none."`
	DefaultCharset string            `flume:"charset.default" default:"UTF-8" doc:"Character set of the messages; those that are not valid in it are marked Invalid."`
	PortCharsets   map[string]string `flume:"charset.port.*" doc:"Character set of the messages on one port, instead of charset.default."`
	BatchSize      int               `flume:"batchSize,batch" default:"100" min:"1" doc:"Most events handed to the channels at once, of those that one read brings."`
	ReadBuffer     int               `flume:"readBufferBytes" alias:"readBufferSize" unit:"bytes" default:"1024" min:"1" max:"16777216" doc:"Least memory to read into; it grows by itself while a client has more to send."`
	Processors     *int              `flume:"numProcessors" doc:"Accepted for the sake of existing files, and without effect: each connection is served by itself, on all processors."`
	intake.Shared
}

// Check finds ports and character sets that are none.
func (c Config) Check(r *component.Report) {
	c.Shared.Check(r)
	seen := map[string]bool{}
	for _, port := range c.Ports {
		if _, err := portNumber(port); err != nil {
			r.Error("ports", err.Error(), "give numbers from 0 to 65535, separated by spaces")
		}
		if seen[port] && port != "0" {
			r.Warn("ports", fmt.Sprintf("lists %s twice", port), "remove one")
		}
		seen[port] = true
	}
	if _, err := lookup(c.DefaultCharset); err != nil {
		r.Error("charset.default", err.Error(), charsetRemedy)
	}
	for _, port := range slices.Sorted(maps.Keys(c.PortCharsets)) {
		key := "charset.port." + port
		if _, err := lookup(c.PortCharsets[port]); err != nil {
			r.Error(key, err.Error(), charsetRemedy)
		}
		if !seen[port] {
			r.Warn(key, "the port is not listed in ports, so this has no effect", "add it to ports, or remove this")
		}
	}
	if c.Processors != nil {
		r.Advise("numProcessors", "has no effect here", "it can be removed")
	}
}

const charsetRemedy = "give the name of one that has ASCII as a part of it, such as UTF-8 or ISO-8859-1"

func portNumber(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is not a port", text)
	}
	return int(n), nil
}

// lookup finds a character set in which newlines and brackets are what they are
// in ASCII.
func lookup(name string) (charset.Charset, error) {
	cs, err := charset.Lookup(name)
	if err != nil {
		return cs, err
	}
	if text := "<13>\n"; string(cs.NewEncoder().AppendWhole(nil, []byte(text))) != text {
		return cs, fmt.Errorf("messages in character set %q cannot be told apart, its newline is not that of ASCII", name)
	}
	return cs, nil
}

// Claims says that no other source can have the ports.
func (c Config) Claims() []component.Claim {
	var claims []component.Claim
	for _, port := range distinct(c.Ports) {
		if port != "0" {
			claims = append(claims, component.Claim{What: "TCP port", ID: port, Host: c.Host, Key: "ports"})
		}
	}
	return claims
}

// distinct returns the ports, those listed twice once.
func distinct(ports []string) []string {
	var out []string
	for _, p := range ports {
		if p == "0" || !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

type source struct {
	host  string
	log   *slog.Logger
	ports []port
}

// port is one of the ports with what serves it.
type port struct {
	number string
	tcp    *intake.TCP
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Checker = Config{}
	_ component.Claimer = Config{}
)

// New returns a source that listens once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	s := &source{host: cfg.Host, log: env.Log}
	for _, number := range distinct(cfg.Ports) {
		if _, err := portNumber(number); err != nil {
			return nil, fmt.Errorf("property ports: %w", err)
		}
		parser, err := cfg.Options(syslog.Line, nil)
		if err != nil {
			return nil, err
		}
		key, name := "charset.default", cfg.DefaultCharset
		if own, ok := cfg.PortCharsets[number]; ok {
			key, name = "charset.port."+number, own
		}
		if parser.Charset, err = lookup(name); err != nil {
			return nil, fmt.Errorf("property %s: %w; %s", key, err, charsetRemedy)
		}
		s.ports = append(s.ports, port{number, intake.New(intake.Options{
			Shared: cfg.Shared, Parser: parser,
			BatchSize: cfg.BatchSize, ReadSize: cfg.ReadBuffer, PortHeader: cfg.PortHeader,
		}, env)})
	}
	return s, nil
}
