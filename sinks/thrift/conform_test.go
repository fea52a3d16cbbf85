package thrift

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/flume-go/flume/conform/sinktest"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/tlsconf"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	wire "github.com/flume-go/flume/wire/thrift"
)

// stores has key stores and trust stores that belong together.
const stores = "../../internal/tlsconf/testdata/"

func TestConformance(t *testing.T) {
	for name, settings := range map[string]map[string]string{
		"compact":     nil,
		"binary":      {"protocol": "binary"},
		"small calls": {"max-frame-size": "1200000"},
		"tls":         {"ssl": "true", "truststore": stores + "server-cert.pem", "verify-hostname": "true"},
	} {
		secure := settings["ssl"] != ""
		t.Run(name, func(t *testing.T) {
			errs := map[sinktest.Behaviour]flow.Class{
				sinktest.Refuse: flow.ClassRetry, sinktest.Break: flow.ClassUnknown,
				sinktest.Silent: flow.ClassUnknown, sinktest.Hang: flow.ClassUnknown,
			}
			if secure { // the others keep client and server from agreeing at all
				errs = map[sinktest.Behaviour]flow.Class{sinktest.Refuse: flow.ClassRetry}
			}
			sinktest.Run(t, sinktest.Harness{
				Type: "thrift",
				Destination: func(t testing.TB) sinktest.Destination {
					d := newDestination(t, secure)
					host, port, _ := net.SplitHostPort(d.addr)
					all := map[string]string{"hostname": host, "port": port}
					for k, v := range settings {
						all[k] = v
					}
					return sinktest.Destination{Settings: all, FS: vfs.OS{}, Content: d.content, Behave: d.behave}
				},
				Errors:     errs,
				Largest:    1 << 20,
				Headers:    true,
				Duplicates: true, // after silence
				Ahead:      true,
				Sockets:    true,
			})
		})
	}
}

// destination is a server that keeps what it gets, and misbehaves as it is told.
type destination struct {
	net.Listener
	addr string

	mu     sync.Mutex
	how    sinktest.Behaviour
	events []event.Event
	sizes  []int // events of each call
	conns  int   // accepted so far
	quits  bool  // it ends connections that ask whether it keeps the order of calls
}

func newDestination(t testing.TB, secure bool) *destination {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &destination{Listener: ln, addr: ln.Addr().String()}
	service := wire.FlumeService()
	service.Status = func(err error) (int32, *wire.Exception) {
		var x *wire.Exception
		switch {
		case errors.As(err, &x):
			return 0, x
		case err != nil:
			return int32(wire.StatusFailed), nil
		}
		return int32(wire.StatusOK), nil
	}
	server := &wire.Server{
		Service: service, Framed: true, MaxMessage: 16_384_000,
		Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindSource, "r1"),
	}
	if secure {
		cfg := tlsconf.Config{SSL: true, Keystore: stores + "server.jks", KeystorePassword: "changeit"}
		if server.TLS, err = cfg.Server(vfs.OS{}, server.Log); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(ctx, d, d.store); err != nil {
			t.Errorf("the destination: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return d
}

func (d *destination) store(_ context.Context, b *event.Batch, calls []wire.Request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.how {
	case sinktest.RefuseOnce:
		d.how = sinktest.Take
		fallthrough
	case sinktest.Refuse:
		return errors.New("refused")
	}
	for i := range b.Len() {
		d.events = append(d.events, b.At(i).Clone())
	}
	for _, c := range calls {
		d.sizes = append(d.sizes, c.Events)
	}
	return nil
}

func (d *destination) behave(how sinktest.Behaviour) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.how = how
}

func (d *destination) is(how sinktest.Behaviour) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.how == how
}

func (d *destination) content() ([]event.Event, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.events), nil
}

// Accept implements net.Listener.
func (d *destination) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns++
	return &moody{Conn: conn, d: d}, nil
}

// moody is a connection that does as its destination is told.
type moody struct {
	net.Conn
	d *destination
}

func (m *moody) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	if n > 0 && m.d.is(sinktest.Break) {
		m.Close()
		return 0, io.EOF
	}
	return n, err
}

func (m *moody) Write(p []byte) (int, error) {
	switch {
	case bytes.Contains(p, []byte("flume-go.ahead")): // no answer to a batch
		if m.d.quits {
			m.Close()
			return 0, io.ErrClosedPipe
		}
	case m.d.is(sinktest.Silent):
		m.Close()
		return 0, io.ErrClosedPipe
	case m.d.is(sinktest.Hang):
		io.Copy(io.Discard, m.Conn) //nolint:errcheck // ends when the sink hangs up
		return 0, io.ErrClosedPipe
	}
	return m.Conn.Write(p)
}

// settingsFor returns the properties that make a sink send to d.
func settingsFor(d *destination) []string {
	host, port, _ := net.SplitHostPort(d.addr)
	return []string{"hostname = " + host, "port = " + port, "batch-size = " + strconv.Itoa(1000)}
}
