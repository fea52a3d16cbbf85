package sdk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/gss"
	"github.com/flume-go/flume/internal/rpc"
	"github.com/flume-go/flume/internal/tlsconf"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/property"
)

// properties are those of Apache Flume's client library.
type properties struct {
	Type             string            `flume:"client.type" default:"default" doc:"Kind of client: default, thrift, default_failover or default_loadbalance."`
	Aliases          []string          `flume:"hosts,required" doc:"Names of the hosts, separated by white space."`
	Addresses        map[string]string `flume:"hosts.*" doc:"What each name in hosts stands for, as host:port."`
	BatchSize        int               `flume:"batch-size" default:"100" min:"1" lenient:"true" doc:"Most events of one call."`
	ConnectTimeout   time.Duration     `flume:"connect-timeout" unit:"ms" default:"20000" min:"1000" lenient:"true" doc:"How long connecting may take, and with Avro the sending of each call."`
	RequestTimeout   time.Duration     `flume:"request-timeout" unit:"ms" default:"20000" min:"1000" lenient:"true" doc:"How long to wait for the answer to a call."`
	MaxAttempts      *int              `flume:"max-attempts" min:"1" lenient:"true" doc:"How often default_failover tries before a call fails. Without, once for each host."`
	Selector         string            `flume:"host-selector" default:"ROUND_ROBIN" doc:"How default_loadbalance chooses a host: ROUND_ROBIN or RANDOM."`
	Backoff          bool              `flume:"backoff" default:"false" doc:"Whether default_loadbalance leaves a host alone for a while after it has failed."`
	MaxBackoff       time.Duration     `flume:"maxBackoff" unit:"ms" default:"30000" min:"0" lenient:"true" doc:"Longest time for which a host is left alone; 0 means 30000."`
	MaxConnections   int               `flume:"maxConnections" default:"5" min:"1" lenient:"true" doc:"Most connections of a thrift client."`
	Protocol         string            `flume:"protocol" default:"compact" doc:"What a thrift client speaks: compact or binary."`
	Compression      string            `flume:"compression-type" default:"none" doc:"deflate to compress with Avro."`
	CompressionLevel int               `flume:"compression-level" default:"6" min:"0" max:"9" lenient:"true" doc:"How hard to compress, from 1 to 9; 0 does not."`
	DeflateInsideTLS bool              `flume:"deflate-inside-tls" default:"false" doc:"With both: whether the compressed stream is inside TLS, for sources of Apache Flume up to 1.9."`
	Kerberos         bool              `flume:"kerberos" default:"false" doc:"Whether a thrift client says who it is by Kerberos (SASL mechanism GSSAPI), and wants the same of the source."`
	ClientPrincipal  string            `flume:"client-principal" doc:"Kerberos principal of the client. _HOST in it stands for this machine's canonical name."`
	ClientKeytab     string            `flume:"client-keytab" doc:"File with the keys of client-principal."`
	ServerPrincipal  string            `flume:"server-principal" doc:"Kerberos principal of the source, service/host@REALM. _HOST stands for the name of this machine, not of the source's."`
	MaxIOWorkers     string            `flume:"maxIoWorkers" doc:"No effect: a client needs no pool of threads."`
	tlsconf.ClientConfig
}

// Open returns the client that properties of Apache Flume's client library ask for. What
// is odd about them is logged by slog's default logger. As with New, only a client for one
// Avro source connects at once.
func Open(ctx context.Context, props map[string]string) (Client, error) {
	o, warnings, err := Parse(props)
	for _, w := range warnings {
		slog.WarnContext(ctx, "a property of a Flume client: "+w)
	}
	if err != nil {
		return nil, err
	}
	return New(ctx, o)
}

// OpenFile is Open with the properties of a file, in the format of Java's.
func OpenFile(ctx context.Context, path string) (Client, error) {
	props, err := ReadProperties(path)
	if err != nil {
		return nil, err
	}
	return Open(ctx, props)
}

// ReadProperties reads a file of properties in Java's format: of a client, or of headers.
func ReadProperties(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading properties: %w", err)
	}
	entries, problems := property.Read(path, data)
	if problems.HasErrors() {
		return nil, fmt.Errorf("reading properties: %w", problems)
	}
	props := make(map[string]string, len(entries))
	for _, e := range entries {
		props[e.Key] = e.Value.Text
	}
	return props, nil
}

// Parse turns properties of Apache Flume's client library into options. Warnings say what
// has no effect, or not the one that was meant: Apache Flume takes it as well.
func Parse(props map[string]string) (o Options, warnings []string, err error) {
	settings := property.Settings{}
	for k, v := range props {
		settings[k] = property.Value{Text: v, Raw: v}
	}
	p := &parser{given: props}
	_, problems := component.DecodeOnly(settings, component.Scope{}, "", &p.properties)
	problems.Sort()
	for _, problem := range problems {
		if problem.Severity == property.Error {
			p.errs = append(p.errs, errors.New(problem.String()))
			continue
		}
		p.warnings = append(p.warnings, problem.String())
	}
	p.kind()
	p.hosts()
	p.common()
	p.balancing()
	p.thrift()
	p.kerberos()
	p.compression()
	p.tls()
	if err := errors.Join(p.errs...); err != nil {
		return Options{}, p.warnings, fmt.Errorf("reading the properties of a client: %w", err)
	}
	return p.o, p.warnings, nil
}

// parser makes options of properties.
type parser struct {
	properties
	given    map[string]string
	o        Options
	warnings []string
	errs     []error
}

func (p *parser) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

func (p *parser) fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

func (p *parser) kind() {
	k, remedy, ok := rpc.LookupKind(p.Type)
	if !ok {
		p.fail("client.type: there is no client %q; %s", p.Type, remedy)
		return
	}
	switch k {
	case rpc.Thrift:
		p.o.Protocol = Thrift
	case rpc.DefaultFailover:
		p.o.Strategy = Failover
	case rpc.DefaultLoadBalance:
		p.o.Strategy = RoundRobin
	}
}

func (p *parser) hosts() {
	if p.o.Strategy == FirstHost && len(p.Aliases) > 1 {
		p.warn("hosts: a client of type %s uses the first one only, %s; the others need client.type default_failover or default_loadbalance", p.Type, p.Aliases[0])
		p.Aliases = p.Aliases[:1]
	}
	for _, alias := range p.Aliases {
		address := strings.TrimSpace(p.Addresses[alias])
		switch {
		case address != "":
			p.o.Hosts = append(p.o.Hosts, address)
		case p.o.Strategy == FirstHost:
			p.fail("hosts: the host %q has no address; set hosts.%s = host:port", alias, alias)
		default:
			p.warn("hosts: the host %q has no address and is left out; set hosts.%s = host:port", alias, alias)
		}
	}
	if len(p.o.Hosts) == 0 && len(p.Aliases) > 0 && len(p.errs) == 0 {
		p.fail("hosts: none of the hosts has an address; set hosts.%s = host:port", p.Aliases[0])
	}
	for _, address := range p.o.Hosts {
		if err := rpc.CheckAddress(address); err != nil {
			p.fail("hosts: %w", err)
		}
	}
}

func (p *parser) common() {
	p.o.BatchSize = p.BatchSize
	p.o.ConnectTimeout, p.o.RequestTimeout = p.ConnectTimeout, p.RequestTimeout
	if p.o.Strategy == Failover && p.MaxAttempts != nil {
		p.o.MaxAttempts = *p.MaxAttempts
	}
	if p.MaxIOWorkers != "" {
		p.warn("maxIoWorkers: has no effect, a client needs no pool of threads")
	}
}

func (p *parser) balancing() {
	if p.o.Strategy != RoundRobin {
		return
	}
	switch {
	case strings.EqualFold(p.Selector, "ROUND_ROBIN"):
	case strings.EqualFold(p.Selector, "RANDOM"):
		p.o.Strategy = Random
	default:
		p.fail("host-selector: there is no selector %q; use ROUND_ROBIN or RANDOM", p.Selector)
	}
	p.mustBeNumber("maxBackoff")
	p.o.Backoff, p.o.MaxBackoff = p.Backoff, p.MaxBackoff
	if len(p.o.Hosts) < 2 {
		p.fail("hosts: a client that balances the load needs at least two with an address; %d are given", len(p.o.Hosts))
	}
}

// mustBeNumber refuses a value where Apache Flume has no default in its place.
func (p *parser) mustBeNumber(key string) {
	if text, ok := p.given[key]; ok {
		if _, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err != nil {
			p.fail("%s: %q is not a number", key, text)
		}
	}
}

func (p *parser) thrift() {
	if p.o.Protocol == Avro {
		return
	}
	p.mustBeNumber("request-timeout")
	p.mustBeNumber("maxConnections")
	p.o.MaxConnections = p.MaxConnections
	switch {
	case p.Protocol == "binary":
		p.o.Protocol = ThriftBinary
	case strings.EqualFold(p.Protocol, "binary"):
		p.warn("protocol: %q counts as compact, as with Apache Flume; write it in lower case", p.Protocol)
	case !strings.EqualFold(p.Protocol, "compact"):
		p.warn("protocol: there is no protocol %q, compact is used; write compact or binary", p.Protocol)
	}
}

// kerberos takes the properties of Apache Flume's secure client, which New checks with
// the keytab.
func (p *parser) kerberos() {
	given := []struct{ key, value string }{
		{"client-principal", p.ClientPrincipal}, {"client-keytab", p.ClientKeytab}, {"server-principal", p.ServerPrincipal},
	}
	if p.Kerberos && p.o.Protocol == Avro {
		p.warn("kerberos: has no effect with client.type %s, nobody says who they are; use client.type thrift, or TLS with a key store", p.Type)
		return
	}
	for _, g := range given {
		switch {
		case !p.Kerberos && g.value != "":
			p.warn("%s: has no effect without kerberos = true", g.key)
		case p.Kerberos && g.value == "":
			p.fail("%s: is needed with kerberos = true", g.key)
		}
	}
	if !p.Kerberos {
		return
	}
	if server, err := gss.ParsePrincipal(p.ServerPrincipal); err == nil && server.Host() == "" {
		p.fail("server-principal: %q has no host; write service/host@REALM", p.ServerPrincipal)
	}
	p.o.Kerberos = &Kerberos{Principal: p.ClientPrincipal, Keytab: p.ClientKeytab, Server: p.ServerPrincipal}
}

func (p *parser) compression() {
	wanted := strings.EqualFold(p.Compression, "deflate")
	switch {
	case wanted && p.o.Protocol != Avro:
		p.warn("compression-type: has no effect with client.type %s", p.Type)
	case wanted:
		p.o.Deflate, p.o.DeflateInsideTLS = true, p.DeflateInsideTLS
		p.o.CompressionLevel, p.o.stored = p.CompressionLevel, p.CompressionLevel == 0
	case !strings.EqualFold(p.Compression, "none"):
		p.warn("compression-type: there is no %q, nothing is compressed; write deflate or none", p.Compression)
	}
}

func (p *parser) tls() {
	if !p.SSL {
		return
	}
	c := p.ClientConfig
	if c.TrustAll && p.o.Protocol != Avro {
		p.warn("trust-all-certs: has no effect with client.type %s", p.Type)
		c.TrustAll = false
	}
	p.o.secure = func(host string) (*tls.Config, error) { return c.Client(host, vfs.OS{}) }
	if _, err := p.o.secure("localhost"); err != nil {
		p.errs = append(p.errs, err)
	}
}
