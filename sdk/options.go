package sdk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/flume-go/flume/internal/rpc"
	thrift "github.com/flume-go/flume/wire/thrift"
)

// Protocol is what the source of the agents speaks.
type Protocol int

const (
	// Avro is for the source avro.
	Avro Protocol = iota
	// Thrift is for the source thrift, with the compact protocol, its default.
	Thrift
	// ThriftBinary is for the source thrift with protocol = binary.
	ThriftBinary
)

// Strategy says which of several agents gets events.
type Strategy int

const (
	// FirstHost sends to the first one. With Avro, New connects to it, and fails if it
	// cannot.
	FirstHost Strategy = iota
	// Failover sends to one agent as long as that works, and then to the next of the
	// list. There is no way back but around the list.
	Failover
	// RoundRobin sends to each in turn. If one fails, those behind it get the events.
	RoundRobin
	// Random sends to any. If one fails, any other gets the events.
	Random
)

// balances reports whether s shares out the load.
func (s Strategy) balances() bool { return s == RoundRobin || s == Random }

// Options say how a client connects and sends. The zero value of each field but Hosts is
// its default.
type Options struct {
	// Hosts are the agents, each as host:port. Strategies that balance the load need
	// two.
	Hosts    []string
	Protocol Protocol
	Strategy Strategy

	// BatchSize is the most events of one call: 100.
	BatchSize int
	// ConnectTimeout limits connecting, TLS and Kerberos included, and with Avro the
	// writing of each call: 20 seconds.
	ConnectTimeout time.Duration
	// RequestTimeout limits a call, with Avro the wait for its answer: 20 seconds.
	RequestTimeout time.Duration

	// MaxAttempts is, for Failover, how many times an event is sent before the call
	// fails: as many as there are hosts.
	MaxAttempts int
	// Backoff leaves an agent alone for a while after it has failed, for strategies that
	// balance the load: 2 seconds, after each further failure twice as long, and
	// MaxBackoff at most. A success in between does not count, as with Apache Flume; an
	// hour without failure does.
	Backoff bool
	// MaxBackoff is 30 seconds.
	MaxBackoff time.Duration

	// Deflate compresses what is sent, at a level of zlib's from 1 to 9: 6. The source
	// must be set to it. Avro only.
	Deflate          bool
	CompressionLevel int
	// DeflateInsideTLS is for sources of Apache Flume up to 1.9 with both, which have
	// the compressed stream inside TLS. Later ones have TLS inside it.
	DeflateInsideTLS bool

	// TLS, if not nil, is how TLS is spoken. An empty ServerName is the host's.
	TLS *tls.Config

	// MaxConnections is the most connections to one agent at a time: 5. Thrift only:
	// with Avro all calls share one.
	MaxConnections int

	// Kerberos, if not nil, is who the client says it is, and who the sources must be.
	// Thrift only.
	Kerberos *Kerberos

	// Dial makes connections; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	secure func(host string) (*tls.Config, error) // from properties, instead of TLS
	stored bool                                   // compressed at level 0
}

// Defaults of Options.
const (
	DefaultBatchSize      = 100
	DefaultTimeout        = 20 * time.Second
	DefaultMaxBackoff     = 30 * time.Second
	DefaultMaxConnections = 5
	defaultLevel          = 6
)

// New returns a client. It connects when there is something to send; with the strategy
// FirstHost and Avro it connects now, within ctx, so that a wrong address is told early.
func New(ctx context.Context, o Options) (Client, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	o.fill()
	hosts := o.hosts()
	if o.Strategy == FirstHost && o.Protocol == Avro {
		if err := hosts[0].Connect(ctx); err != nil {
			return nil, errors.Join(err, hosts[0].Close())
		}
	}
	return &client{route: o.route(hosts), size: o.BatchSize}, nil
}

// check finds what cannot work.
func (o *Options) check() error {
	if len(o.Hosts) == 0 {
		return errors.New("no hosts are given; name at least one agent as host:port")
	}
	if o.Strategy.balances() && len(o.Hosts) < 2 {
		return errors.New("balancing the load needs at least two hosts, and one is given; name more, or choose another strategy")
	}
	for _, h := range o.Hosts {
		if err := rpc.CheckAddress(h); err != nil {
			return err
		}
	}
	for name, n := range map[string]int64{
		"BatchSize": int64(o.BatchSize), "MaxAttempts": int64(o.MaxAttempts), "MaxConnections": int64(o.MaxConnections),
		"ConnectTimeout": int64(o.ConnectTimeout), "RequestTimeout": int64(o.RequestTimeout), "MaxBackoff": int64(o.MaxBackoff),
	} {
		if n < 0 {
			return fmt.Errorf("%s is negative; give 0 for the default", name)
		}
	}
	switch {
	case o.Protocol < Avro || o.Protocol > ThriftBinary:
		return fmt.Errorf("there is no protocol %d", o.Protocol)
	case o.Strategy < FirstHost || o.Strategy > Random:
		return fmt.Errorf("there is no strategy %d", o.Strategy)
	case o.CompressionLevel < 0 || o.CompressionLevel > 9:
		return fmt.Errorf("there is no compression level %d; give 1 to 9", o.CompressionLevel)
	case o.Deflate && o.Protocol != Avro:
		return errors.New("thrift sources take nothing compressed; use Avro, or leave out Deflate")
	}
	// Stores and keytabs that cannot be read are better told now than with the first event.
	if _, err := o.tlsFor("localhost"); err != nil {
		return err
	}
	if o.Kerberos == nil {
		return nil
	}
	if o.Protocol == Avro {
		return errors.New("avro sources know no Kerberos; use Thrift, or leave out Kerberos")
	}
	return o.Kerberos.check()
}

// fill puts defaults where nothing is given.
func (o *Options) fill() {
	fill(&o.BatchSize, DefaultBatchSize)
	fill(&o.ConnectTimeout, DefaultTimeout)
	fill(&o.RequestTimeout, DefaultTimeout)
	fill(&o.MaxAttempts, len(o.Hosts))
	fill(&o.MaxBackoff, DefaultMaxBackoff)
	fill(&o.MaxConnections, DefaultMaxConnections)
	if !o.stored {
		fill(&o.CompressionLevel, defaultLevel)
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
}

func fill[T comparable](v *T, or T) {
	var zero T
	if *v == zero {
		*v = or
	}
}

// hosts are those that are sent to.
func (o *Options) hosts() []rpc.Host {
	addresses, made := o.Hosts, rpc.NewAvro
	if o.Strategy == FirstHost {
		addresses = addresses[:1]
	}
	if o.Protocol != Avro {
		made = rpc.NewThrift
	}
	options := o.calls()
	hosts := make([]rpc.Host, len(addresses))
	for i, address := range addresses {
		hosts[i] = made(address, options)
	}
	return hosts
}

// calls are the options for any host.
func (o *Options) calls() *rpc.Options {
	r := &rpc.Options{
		ConnectTimeout: o.ConnectTimeout, RequestTimeout: o.RequestTimeout, TLS: o.tlsFor, Dial: o.Dial,
		Deflate: o.Deflate, Level: o.CompressionLevel, DeflateInsideTLS: o.DeflateInsideTLS,
		MaxConnections: o.MaxConnections,
	}
	if o.Protocol == ThriftBinary {
		r.Protocol = thrift.Binary
	}
	if o.Kerberos != nil {
		r.Kerberos = o.Kerberos.identity()
	}
	return r
}

// route makes what chooses between hosts.
func (o *Options) route(hosts []rpc.Host) rpc.Route {
	switch o.Strategy {
	case FirstHost:
		return rpc.Alone{Host: hosts[0]}
	case Failover:
		return rpc.NewFailover(hosts, o.MaxAttempts)
	}
	var backoff time.Duration
	if o.Backoff {
		backoff = o.MaxBackoff
	}
	return rpc.NewBalancer(hosts, o.Strategy == Random, backoff)
}

// tlsFor returns the configuration for connections to a host, nil for plain ones.
func (o *Options) tlsFor(host string) (*tls.Config, error) {
	if o.secure != nil {
		return o.secure(host)
	}
	if o.TLS == nil {
		return nil, nil
	}
	c := o.TLS.Clone()
	if c.ServerName == "" {
		c.ServerName = host
	}
	return c, nil
}
