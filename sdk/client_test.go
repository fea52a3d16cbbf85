package sdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

var protocols = map[string]Protocol{"avro": Avro, "thrift": Thrift, "binary": ThriftBinary}

func TestSending(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		for _, with := range []string{"plain", "tls", "deflate", "both", "both as 1.9"} {
			if p != Avro && with != "plain" && with != "tls" {
				continue
			}
			t.Run(name+" "+with, func(t *testing.T) {
				t.Parallel()
				a := newAgent(t, p)
				o := Options{Protocol: p, BatchSize: 100, DeflateInsideTLS: with == "both as 1.9"}
				if with == "tls" || strings.HasPrefix(with, "both") {
					a.secure, o.TLS = certificates()
				}
				if with == "deflate" || strings.HasPrefix(with, "both") {
					a.deflate, o.Deflate = true, true
				}
				a.start()
				o.Hosts = []string{a.addr}
				c := open(t, o)
				if err := c.Append(t.Context(), made(0, 1)[0]); err != nil {
					t.Fatal(err)
				}
				a.has(made(0, 1), 1)
				if err := c.AppendBatch(t.Context(), made(0, 250)); err != nil {
					t.Fatal(err)
				}
				a.has(made(0, 250), 100, 100, 50)
				if err := c.AppendBatch(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				a.has(nil)
				odd := []Event{{}, {Body: []byte{}}, {Body: bytes.Repeat([]byte{0xff, 0}, 100_000), Headers: map[string]string{"": ""}}}
				if err := c.AppendBatch(context.Background(), odd); err != nil {
					t.Fatal(err)
				}
				a.has(odd, 3)
				if n := c.BatchSize(); n != 100 {
					t.Errorf("the batch size is %d", n)
				}
			})
		}
	}
}

// TestLongCalls: calls are cut by bytes, too.
func TestLongCalls(t *testing.T) {
	t.Parallel()
	events := make([]Event, 5)
	for i := range events {
		events[i].Body = bytes.Repeat([]byte{'x'}, mostBytes/2)
	}
	events[2].Body = bytes.Repeat([]byte{'y'}, mostBytes+1)
	var sizes []int
	for rest := events; len(rest) > 0; {
		n := fitting(rest, 100)
		sizes = append(sizes, n)
		rest = rest[n:]
	}
	if got := fmt.Sprint(sizes); got != "[2 1 2]" {
		t.Errorf("calls of %s events", got)
	}
}

// TestRefused: the agent says no, and the client goes on.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := started(t, p)
			a.refuse = 2
			c := open(t, Options{Hosts: []string{a.addr}, Protocol: p, BatchSize: 10})
			err := c.AppendBatch(t.Context(), made(0, 50))
			failsWith(t, err, 20, false)
			if !strings.Contains(err.Error(), "FAILED") || !strings.Contains(err.Error(), a.addr) {
				t.Errorf("the error does not say what and where: %v", err)
			}
			a.set(func() { a.refuse = -1 })
			if err := c.AppendBatch(t.Context(), made(20, 50)); err != nil {
				t.Fatal(err)
			}
			a.has(made(0, 50), 10, 10, 10, 10, 10)
			if a.opened != 1 {
				t.Errorf("%d connections were made, want 1", a.opened)
			}
		})
	}
}

// TestReconnect: a client outlives its agent.
func TestReconnect(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := started(t, p)
			c := open(t, Options{Hosts: []string{a.addr}, Protocol: p})
			if err := c.Append(t.Context(), made(0, 1)[0]); err != nil {
				t.Fatal(err)
			}
			a.stop()
			// The first call may find out; after that nothing can be sent.
			_ = c.Append(t.Context(), made(1, 2)[0])
			failsWith(t, c.Append(t.Context(), made(1, 2)[0]), 0, false)
			a.start()
			if err := c.Append(t.Context(), made(1, 2)[0]); err != nil {
				t.Fatal(err)
			}
			a.has(made(0, 2), 1, 1)
		})
	}
}

// TestUnanswered: whoever gives up waiting does not know, and others go on.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		t.Run(name+" timeout", func(t *testing.T) {
			t.Parallel()
			a := started(t, p)
			a.hold = make(chan struct{})
			c := open(t, Options{Hosts: []string{a.addr}, Protocol: p, RequestTimeout: 20 * time.Millisecond})
			failsWith(t, c.AppendBatch(t.Context(), made(0, 2)), 0, true)
		})
		t.Run(name+" cancel", func(t *testing.T) {
			t.Parallel()
			a := started(t, p)
			a.hold = make(chan struct{})
			c := open(t, Options{Hosts: []string{a.addr}, Protocol: p})
			ctx, cancel := context.WithCancelCause(t.Context())
			first, other := make(chan error, 1), make(chan error, 1)
			go func() { first <- c.AppendBatch(ctx, made(0, 2)) }()
			<-a.held
			go func() { other <- c.AppendBatch(t.Context(), made(2, 4)) }()
			cancel(errWhim)
			err := <-first
			failsWith(t, err, 0, true)
			if !errors.Is(err, errWhim) {
				t.Errorf("the error does not have its cause: %v", err)
			}
			a.set(func() {
				close(a.hold)
				a.hold = nil
			})
			if err := <-other; err != nil {
				t.Errorf("the other call: %v", err)
			}
			failsWith(t, c.Append(ctx, made(0, 1)[0]), 0, false)
		})
	}
}

var errWhim = errors.New("on a whim")

// TestCloseConnecting: Close ends connecting, too.
func TestCloseConnecting(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dialing := make(chan struct{})
			c, err := New(t.Context(), Options{
				Hosts: []string{"a:1", "b:1"}, Protocol: p, Strategy: Failover,
				Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
					close(dialing)
					<-ctx.Done()
					return nil, ctx.Err()
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			failed := make(chan error, 1)
			go func() { failed <- c.Append(context.Background(), Event{}) }()
			<-dialing
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := <-failed; !errors.Is(err, ErrClosed) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestClose ends calls under way.
func TestClose(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := started(t, p)
			a.hold = make(chan struct{})
			c, err := New(t.Context(), Options{Hosts: []string{a.addr}, Protocol: p})
			if err != nil {
				t.Fatal(err)
			}
			failed := make(chan error, 1)
			go func() { failed <- c.AppendBatch(t.Context(), made(0, 1)) }()
			<-a.held
			for range 2 {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
			failsWith(t, <-failed, 0, true)
			if err := c.Append(t.Context(), Event{}); !errors.Is(err, ErrClosed) {
				t.Errorf("after Close the error is %v", err)
			}
		})
	}
}

// TestNew: what is told at once, and what only when something is sent.
func TestNew(t *testing.T) {
	t.Parallel()
	nobody := started(t, Avro)
	nobody.stop()
	two := []string{nobody.addr, nobody.addr}
	if c, err := New(t.Context(), Options{Hosts: two}); err == nil {
		t.Errorf("a client of nobody: %v", c)
	}
	for name, o := range map[string]Options{
		"thrift":      {Hosts: two, Protocol: Thrift},
		"failover":    {Hosts: two, Strategy: Failover},
		"round robin": {Hosts: two, Strategy: RoundRobin},
		"random":      {Hosts: two, Strategy: Random, Protocol: ThriftBinary},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, o)
			failsWith(t, c.Append(t.Context(), Event{}), 0, false)
		})
	}
	for name, tt := range map[string]struct {
		o    Options
		want string
	}{
		"no hosts":      {Options{}, "no hosts are given"},
		"one to choose": {Options{Hosts: []string{"h:1"}, Strategy: Random}, "at least two hosts"},
		"no port":       {Options{Hosts: []string{"h"}}, "missing port"},
		"bad port":      {Options{Hosts: []string{"h:0"}}, "from 1 to 65535"},
		"negative":      {Options{Hosts: []string{"h:1"}, BatchSize: -1}, "BatchSize is negative"},
		"no protocol":   {Options{Hosts: []string{"h:1"}, Protocol: 7}, "no protocol 7"},
		"no strategy":   {Options{Hosts: []string{"h:1"}, Strategy: 7}, "no strategy 7"},
		"no level":      {Options{Hosts: []string{"h:1"}, Deflate: true, CompressionLevel: 10}, "no compression level 10"},
		"thrift":        {Options{Hosts: []string{"h:1"}, Deflate: true, Protocol: Thrift}, "nothing compressed"},
	} {
		if c, err := New(t.Context(), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v; want an error with %q", name, c, err, tt.want)
		}
	}
}

// TestConcurrent: many callers, and an agent that comes and goes. What was acknowledged is
// there.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := started(t, p)
			c := open(t, Options{Hosts: []string{a.addr}, Protocol: p, BatchSize: 7})
			const callers, each = 8, 40
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() {
					for n := range each {
						rest := made(1000*i+10*n, 1000*i+10*n+10)
						for len(rest) > 0 {
							err := c.AppendBatch(t.Context(), rest)
							if err == nil {
								break
							}
							var d *DeliveryError
							if !errors.As(err, &d) {
								t.Errorf("the error is %v", err)
								return
							}
							rest = rest[d.Delivered:]
						}
					}
				})
			}
			for range 5 {
				a.stop()
				a.start()
			}
			wg.Wait()
			events, _ := a.taken()
			got := map[string]bool{}
			for _, e := range events {
				got[string(e.Body)] = true
			}
			if len(got) != callers*each*10 {
				t.Errorf("%d different events arrived, want %d", len(got), callers*each*10)
			}
		})
	}
}
