package sdk

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/metrics"
	avro "github.com/flume-go/flume/wire/avro"
	thrift "github.com/flume-go/flume/wire/thrift"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// agent is a source with a memory, on the servers of package wire.
type agent struct {
	t        testing.TB
	protocol Protocol
	deflate  bool
	secure   *tls.Config
	addr     string

	mu     sync.Mutex
	events []Event
	calls  []int // how many events each had
	opened int   // connections
	refuse int   // that many calls are taken, then all are refused; -1: none is
	hold   chan struct{}
	held   chan struct{} // has a token for each call that is held
	stop   func()
}

func newAgent(t testing.TB, p Protocol) *agent {
	return &agent{t: t, protocol: p, refuse: -1, held: make(chan struct{}, 100)}
}

// started starts an agent on a free port.
func started(t testing.TB, p Protocol) *agent {
	t.Helper()
	a := newAgent(t, p)
	a.start()
	return a
}

// start makes it listen: on the port that it had, if it had one.
func (a *agent) start() {
	a.t.Helper()
	if a.addr == "" {
		a.addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", a.addr)
	if err != nil {
		a.t.Fatal(err)
	}
	a.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if a.protocol == Avro {
			a.serveAvro(ctx, counted{ln, a})
		} else {
			a.serveThrift(ctx, counted{ln, a})
		}
	}()
	a.stop = sync.OnceFunc(func() {
		cancel()
		ln.Close()
		a.set(func() {
			if a.hold != nil {
				close(a.hold)
				a.hold = nil
			}
		})
		<-ended
	})
	a.t.Cleanup(a.stop)
}

// counted counts the connections of an agent.
type counted struct {
	net.Listener
	a *agent
}

func (l counted) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.a.mu.Lock()
		l.a.opened++
		l.a.mu.Unlock()
	}
	return conn, err
}

func (a *agent) serveAvro(ctx context.Context, ln net.Listener) {
	server := avro.NewServer(avroHandler{a}, a.deflate, a.secure, avro.Limits{})
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		conns.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
			_ = server.Serve(ctx, ctx, conn)
		})
	}
}

type avroHandler struct{ *agent }

func (h avroHandler) Handle(ctx context.Context, c *avro.Call) (avro.Status, error) {
	if err := h.take(ctx, c.Batch); err != nil {
		return avro.Failed, nil
	}
	return avro.OK, nil
}

func (h avroHandler) Refused(_ net.Addr, err error) { h.t.Error(err) }

func (a *agent) serveThrift(ctx context.Context, ln net.Listener) {
	service := thrift.FlumeService()
	service.Status = func(err error) (int32, *thrift.Exception) {
		if err != nil {
			return int32(thrift.StatusFailed), nil
		}
		return int32(thrift.StatusOK), nil
	}
	server := &thrift.Server{
		Service: service, Framed: true, MaxMessage: 64 << 20, TLS: a.secure,
		Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindSource, "test"),
	}
	_ = server.Serve(ctx, ln, func(ctx context.Context, b *event.Batch, _ []thrift.Request) error {
		return a.take(ctx, b)
	})
}

// take stores events, unless it was told otherwise.
func (a *agent) take(ctx context.Context, b *event.Batch) error {
	a.mu.Lock()
	hold := a.hold
	a.mu.Unlock()
	if hold != nil {
		a.held <- struct{}{}
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuse == 0 {
		return errors.New("refused")
	}
	a.refuse = max(a.refuse-1, -1)
	a.calls = append(a.calls, b.Len())
	for i := range b.Len() {
		e := b.At(i).Clone()
		out := Event{Body: e.Body}
		for _, h := range e.Headers {
			if out.Headers == nil {
				out.Headers = map[string]string{}
			}
			out.Headers[h.Key] = h.Value
		}
		a.events = append(a.events, out)
	}
	return nil
}

func (a *agent) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// taken returns what the agent has, and forgets it.
func (a *agent) taken() (events []Event, calls []int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	events, calls = a.events, a.calls
	a.events, a.calls = nil, nil
	return events, calls
}

// has requires what the agent took since the last look.
func (a *agent) has(want []Event, calls ...int) {
	a.t.Helper()
	events, n := a.taken()
	if len(events) != len(want) {
		a.t.Errorf("%d events were taken, want %d", len(events), len(want))
		return
	}
	for i := range want {
		if !bytes.Equal(want[i].Body, events[i].Body) || !maps.Equal(want[i].Headers, events[i].Headers) {
			a.t.Errorf("event %d is %v %.100q, want %v %.100q", i, events[i].Headers, events[i].Body, want[i].Headers, want[i].Body)
		}
	}
	if !slices.Equal(calls, n) {
		a.t.Errorf("calls of %v events, want %v", n, calls)
	}
}

// made is events with numbers from one to another.
func made(from, to int) []Event {
	var events []Event
	for i := from; i < to; i++ {
		events = append(events, Event{
			Headers: map[string]string{"n": fmt.Sprint(i), "key": "Wert €"},
			Body:    fmt.Appendf(nil, "event %d", i),
		})
	}
	return events
}

// open makes a client that is closed at the end of the test.
func open(t testing.TB, o Options) Client {
	t.Helper()
	c, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("closing the client: %v", err)
		}
	})
	return c
}

// failsWith requires a DeliveryError.
func failsWith(t testing.TB, err error, delivered int, unknown bool) {
	t.Helper()
	var d *DeliveryError
	if !errors.As(err, &d) {
		t.Fatalf("the error is %v, want a DeliveryError", err)
	}
	if d.Delivered != delivered || d.Unknown != unknown {
		t.Errorf("delivered %d, unknown %v, want %d and %v: %v", d.Delivered, d.Unknown, delivered, unknown, err)
	}
}

// certificates makes a certificate for a server on loopback.
var certificates = sync.OnceValues(func() (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool}
})
