// Package rpc is what sends batches to agents by Flume's protocols, for those that may
// choose between several: the clients of package sdk and the sink avro.
//
// A Host is one agent with its connections, of an Avro or a Thrift source. A Route says
// which host is tried, and which ones after it: Alone, Failover, Balancer.
package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/flume-go/flume/event"
	avro "github.com/flume-go/flume/wire/avro"
	thrift "github.com/flume-go/flume/wire/thrift"
)

// ErrClosed is the error of calls after Close.
var ErrClosed = errors.New("the client is closed")

// Host sends to one agent. Safe for concurrent use.
type Host interface {
	// Address is the agent's, as host:port.
	Address() string
	// Connect makes sure that there is a connection.
	Connect(ctx context.Context) error
	// Call sends a batch as one call and waits for the answer. sent reports, of an
	// error, whether the agent may have the events all the same.
	Call(ctx context.Context, c Call) (sent bool, err error)
	// HangUp lets go of the connections. Calls under way go on.
	HangUp()
	// Close ends the connections and the calls under way, and waits for their end.
	// Later calls fail with ErrClosed.
	Close() error
}

// Call is what one call to an agent carries.
type Call struct {
	Batch *event.Batch // not changed, nor needed after the call
	// Meta is the metadata of the call. Avro only.
	Meta avro.Meta
	// Single says that the batch is one event, to be sent by the message for one. Avro
	// only.
	Single bool
}

// Options are how a host is connected to, and called.
type Options struct {
	// ConnectTimeout limits connecting, TLS and Kerberos included, and with Avro the
	// writing of each call.
	ConnectTimeout time.Duration
	// RequestTimeout limits a call, with Avro the wait for its answer.
	RequestTimeout time.Duration
	// TLS returns how TLS is spoken with the host of that name; nil is a plain
	// connection. It is called for each connection.
	TLS func(name string) (*tls.Config, error)
	// Dial makes connections.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Watch is told of connections; nil is nobody.
	Watch Watcher

	// Deflate, Level and DeflateInsideTLS are those of avro.Options. Avro only.
	Deflate          bool
	Level            int
	DeflateInsideTLS bool

	// Protocol is what the agent speaks. Thrift only.
	Protocol thrift.Protocol
	// MaxConnections is the most connections at a time. Thrift only: with Avro all
	// calls share one.
	MaxConnections int
	// Kerberos is who the client is, and the agent must be; nil is anybody. Thrift only.
	Kerberos *Kerberos
}

// Watcher is told of connections to hosts. It must not call the host. Closed may be called
// at any time until the host has been closed, the others only within Connect and Call.
type Watcher interface {
	Connected(address string)
	Closed(address string)
	// Failed says that no connection could be made.
	Failed(address string, err error)
}

type nobody struct{}

func (nobody) Connected(string)     {}
func (nobody) Closed(string)        {}
func (nobody) Failed(string, error) {}

// watcher returns who is told of connections.
func (o *Options) watcher() Watcher {
	if o.Watch == nil {
		return nobody{}
	}
	return o.Watch
}

// CheckAddress finds what is wrong with a host:port.
func CheckAddress(address string) error {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("the host %q: %w; write host:port", address, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || name == "" {
		return fmt.Errorf("the host %q is not of the form host:port, with a port from 1 to 65535", address)
	}
	return nil
}

// tlsTo returns how TLS is spoken with a host:port.
func (o *Options) tlsTo(address string) (*tls.Config, error) {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return o.TLS(name)
}

// Route chooses between hosts. Safe for concurrent use.
type Route interface {
	// Send calls try with a host, and if that fails with further ones, and returns nil
	// when one try has. What is to be sent, and what of it was delivered before the next
	// host is tried, is up to try. The error has all errors that matter.
	Send(ctx context.Context, try func(Host) error) error
	// Close closes the hosts.
	Close() error
}

var (
	_ Route = Alone{}
	_ Route = (*Failover)(nil)
	_ Route = (*Balancer)(nil)
)

// Alone is the route to one host.
type Alone struct{ Host Host }

// Send implements Route.
func (r Alone) Send(_ context.Context, try func(Host) error) error { return try(r.Host) }

// Close implements Route.
func (r Alone) Close() error { return r.Host.Close() }

// settles reports whether err, from a try, ends the search for a host.
func settles(ctx context.Context, err error) bool {
	return err == nil || ctx.Err() != nil || errors.Is(err, ErrClosed)
}

func closeAll(hosts []Host) error {
	var errs []error
	for _, h := range hosts {
		errs = append(errs, h.Close())
	}
	return errors.Join(errs...)
}
