package avro

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
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// store is a handler that keeps copies, and answers as it is told.
type store struct {
	mu      sync.Mutex
	calls   []stored
	refused []error
	status  Status
	err     error
}

type stored struct {
	Single bool
	Meta   Meta
	Events []event.Event
}

func (s *store) Handle(_ context.Context, c *Call) (Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := stored{Single: c.Single, Meta: c.Meta}
	for i := range c.Batch.Events() {
		k.Events = append(k.Events, c.Batch.At(i).Clone())
	}
	s.calls = append(s.calls, k)
	return s.status, s.err
}

func (s *store) Refused(_ net.Addr, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, err)
}

func (s *store) events() (all []event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		all = append(all, c.Events...)
	}
	return all
}

// serve serves connections on loopback until the end of the test; the errors that
// ended them come on the channel.
func serve(t testing.TB, s *Server) (addr string, ended chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	ended = make(chan error, 1000)
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
				ended <- s.Serve(ctx, ctx, conn)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String(), ended
}

// connect connects a client until the end of the test.
func connect(t testing.TB, o Options) *Client {
	t.Helper()
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// batchOf makes a batch of so many events with bodies of a size and some headers,
// released at the end of the test.
func batchOf(t testing.TB, n, size, headers int) *event.Batch {
	b := event.NewBatch()
	t.Cleanup(b.Release)
	for i := range n {
		body := bytes.Repeat([]byte{byte('a' + i%26)}, size)
		e := b.AppendCopy(body)
		for h := range headers {
			b.SetHeader(e, fmt.Sprintf("header-%d", h), fmt.Sprintf("value %d of %d", h, i))
		}
	}
	return b
}

func equal(t testing.TB, want *event.Batch, got []event.Event) {
	t.Helper()
	var list []event.Event
	for i := range want.Events() {
		list = append(list, want.At(i).Clone())
	}
	same := cmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) })
	if diff := cmp.Diff(list, got, same); diff != "" {
		t.Errorf("events differ (-sent +stored):\n%.2000s", diff)
	}
}

// certificates makes a certificate for a server on loopback.
var certificates = sync.OnceValues(func() (*tls.Config, *tls.Config) {
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
		&tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
})

func isAnswer(err error) (*AnswerError, bool) {
	var a *AnswerError
	return a, errors.As(err, &a)
}

// encoded appends an event.
func encoded(p []byte, e *event.Event) []byte { return appendString(appendHeaders(p, e), e.Body) }
