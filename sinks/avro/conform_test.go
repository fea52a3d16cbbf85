package avro

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flume-go/flume/conform/sinktest"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	wire "github.com/flume-go/flume/wire/avro"
)

// TestConformance checks the sink with a server that misbehaves: plain, compressed, and
// with another client.
func TestConformance(t *testing.T) {
	for name, settings := range map[string]map[string]string{
		"none":     {},
		"deflate":  {"compression-type": "deflate"},
		"failover": {"client.type": "default_failover"},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Harness{
				Type: "avro",
				Destination: func(t testing.TB) sinktest.Destination {
					d := newDestination(t, name == "deflate")
					host, port, err := net.SplitHostPort(d.addr)
					if err != nil {
						t.Fatal(err)
					}
					all := map[string]string{"hostname": host, "port": port}
					maps.Copy(all, settings)
					return sinktest.Destination{
						Settings: all,
						Content:  d.content,
						Behave:   d.behave,
					}
				},
				Errors: map[sinktest.Behaviour]flow.Class{
					sinktest.Refuse: flow.ClassRetry,
					sinktest.Break:  flow.ClassUnknown,
					sinktest.Silent: flow.ClassUnknown,
					sinktest.Hang:   flow.ClassUnknown,
				},
				Headers:    true,
				Duplicates: true, // after silence
				Ahead:      name != "failover",
				Sockets:    true,
			})
		})
	}
}

// destination is a server that does as it is told.
type destination struct {
	addr string

	mu      sync.Mutex
	how     sinktest.Behaviour
	changed chan struct{} // closed when how changes
	events  []event.Event
	origins int                 // calls that said where their events come from
	conns   map[string]net.Conn // by the client's address
}

func newDestination(t testing.TB, deflate bool) *destination {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &destination{addr: ln.Addr().String(), changed: make(chan struct{}), conns: map[string]net.Conn{}}
	server := wire.NewServer(d, deflate, nil, wire.Limits{})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			d.mu.Lock()
			d.conns[conn.RemoteAddr().String()] = conn
			d.mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
				_ = server.Serve(ctx, ctx, conn)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		ln.Close()
		wg.Wait()
	})
	return d
}

// Handle implements wire.Handler.
func (d *destination) Handle(ctx context.Context, c *wire.Call) (wire.Status, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	how := d.how
	if c.Meta.SetOrigin(c.Batch) {
		d.origins++
	}
	if how == sinktest.Take || how == sinktest.Silent {
		for i := range c.Batch.Events() {
			d.events = append(d.events, c.Batch.At(i).Clone())
		}
	}
	switch how {
	case sinktest.Take:
		return wire.OK, nil
	case sinktest.RefuseOnce:
		d.how = sinktest.Take
	case sinktest.Break, sinktest.Silent:
		d.conns[c.Client.String()].Close()
	case sinktest.Hang:
		changed := d.changed
		d.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		d.mu.Lock()
	}
	return wire.Failed, nil
}

// Refused implements wire.Handler.
func (d *destination) Refused(net.Addr, error) {}

func (d *destination) behave(how sinktest.Behaviour) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.how = how
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *destination) content() ([]event.Event, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.events), nil
}
