//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// pausing are the groups of TestPeersPauses, which tells for how many seconds the first sink is left alone while it fails, and
// how events are spread when it works.
var pausing = []sinkGroup{
	{
		"failover-avro", "avro", []string{"type = failover", "priority.failover-avro-1 = 10", "priority.failover-avro-2 = 5", "maxpenalty = 4000"},
		"left alone for 2 4 4, then all to the first",
	}, {
		"failover-thrift", "thrift", []string{"type = failover", "priority.failover-thrift-1 = 10", "priority.failover-thrift-2 = 5", "maxpenalty = 4000"},
		"left alone for 2 4 4, then all to the first",
	}, {
		"robin-avro", "avro", []string{"type = load_balance", "backoff = true", "selector.maxTimeOut = 4000"},
		"left alone for 2 4 4, then in turn",
	}, {
		"random-avro", "avro", []string{"type = load_balance", "selector = random", "backoff = true", "selector.maxTimeOut = 4000"},
		"left alone for 2 4 4, then at random",
	}, {
		"random-thrift", "thrift", []string{"type = load_balance", "selector = random", "backoff = true", "selector.maxTimeOut = 4000"},
		"left alone for 2 4 4, then at random",
	},
}

// TestPeersPauses sends with sink groups of Apache Flume and of ours to two agents, of which the first ends every
// connection at once for some time. Both systems try it again after the same times, while everything goes to the second;
// when the first works again it has its share: everything, every other event, or half of the events, chosen without a
// pattern.
func TestPeersPauses(t *testing.T) {
	t.Parallel()
	want := make(seen)
	for _, g := range pausing {
		want[g.name] = g.want
	}
	differential(t, want, observePauses)
}

func observePauses(t *testing.T, s harness.System) seen {
	const pauses = 3
	r, front, got := newReceivers(t, pausing), harness.NewSite(t), make(seen)
	ours := harness.System{Start: harness.StartFlume}
	r.startReceiver(t, ours, 0)
	r.startReceiver(t, ours, 1)
	gates := make(map[string]*gate)
	for _, g := range pausing {
		gates[g.name] = newGate(t, front.Addr(g.name), r.sites[0].Addr(g.name))
	}
	r.startSender(t, s, front)
	used := func(group string) bool { return len(arrived(t, r.sites[0].Dir(group))) > 0 }
	r.feedUntil(t, "each first sink to be used", used)
	for _, g := range pausing {
		r.all(t, g.name)
		gates[g.name].shut()
	}
	r.feedUntil(t, "each first sink to be tried again", func(group string) bool { return len(gates[group].pauses()) >= pauses })
	before := make(map[string]int)
	for _, g := range pausing {
		got[g.name] = "left alone for " + strings.Join(gates[g.name].pauses()[:pauses], " ")
		r.all(t, g.name)
		before[g.name] = len(arrived(t, r.sites[0].Dir(g.name)))
		gates[g.name].open()
	}
	r.feedUntil(t, "each first sink to be used again", func(group string) bool {
		return len(arrived(t, r.sites[0].Dir(group))) > before[group]
	})
	for _, g := range pausing {
		got[g.name] += ", then " + r.spread(t, g.name)
	}
	return got
}

// feedUntil sends event after event to each group until done is true of all.
func (r *receivers) feedUntil(t *testing.T, what string, done func(group string) bool) {
	t.Helper()
	harness.Eventually(t, deliveryLimit, what, func() bool {
		all := true
		for _, g := range r.groups {
			r.post(t, g.name, 1)
			all = all && done(g.name)
		}
		return all
	})
}

// spread sends many events to a group at once, and says how they were spread. All that was ever sent must arrive; one event
// may come again, whose answer had not come when the gate was shut.
func (r *receivers) spread(t *testing.T, group string) string {
	t.Helper()
	const events = 400
	r.all(t, group) // what is under way was chosen a sink for before
	from := r.sent[group]
	r.post(t, group, events)
	if lines := r.all(t, group); len(lines) != r.sent[group] || again(lines) > 1 {
		t.Errorf("%s: of %d events %d arrived, %d came again", group, r.sent[group], len(lines), again(lines))
	}
	first, changes, before := 0, 0, false
	at := arrived(t, r.sites[0].Dir(group))
	for i := range events {
		now := at[strconv.Itoa(from+i)] > 0
		if now {
			first++
		}
		if i > 0 && now != before {
			changes++
		}
		before = now
	}
	// Chance has 200 of 400 at either sink and as many changes, each with a standard deviation of 10: beyond six of
	// them is one run of many millions.
	even := func(n int) bool { return n > events/2-60 && n < events/2+60 }
	switch {
	case first == events:
		return "all to the first"
	case first == events/2 && changes >= events-2:
		return "in turn"
	case even(first) && even(changes):
		return "at random"
	default:
		return fmt.Sprintf("%d to the first, with %d changes", first, changes)
	}
}

// gate is a way to a server that can be shut: then it ends every connection at once, and remembers when each came.
type gate struct {
	to string

	mu    sync.Mutex
	since time.Time // shut; zero if it is open
	at    []time.Time
	conns map[net.Conn]bool
}

// newGate opens a gate at one address that leads to another one. It ends with the test.
func newGate(t *testing.T, addr, to string) *gate {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{to: to, conns: make(map[net.Conn]bool)}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			served.Go(func() { g.serve(conn) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		g.shut()
		served.Wait()
	})
	return g
}

// serve passes on a connection, unless the gate is shut.
func (g *gate) serve(conn net.Conn) {
	defer conn.Close()
	server, err := net.Dial("tcp", g.to)
	if err != nil {
		return // the test has ended
	}
	defer server.Close()
	if !g.enter(conn, server) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(conn, server) // how a connection ends does not matter
		conn.Close()
	})
	_, _ = io.Copy(server, conn)
	server.Close()
	back.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, conn)
	delete(g.conns, server)
}

// enter takes note of a connection, and reports whether the gate is open.
func (g *gate) enter(conns ...net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.since.IsZero() {
		g.at = append(g.at, time.Now())
		return false
	}
	for _, conn := range conns {
		g.conns[conn] = true
	}
	return true
}

// shut ends all connections.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since = time.Now()
	for conn := range g.conns {
		conn.Close()
	}
}

// open lets connections through again.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since = time.Time{}
}

// pauses returns how long it took from one attempt to the next since the gate was shut, as the powers of two of seconds
// that have passed at least: a machine may be slow, and chance may choose the other sink a few times. The first attempt
// comes at once, with or without a new connection. Connections within a second belong to one attempt.
func (g *gate) pauses() (pauses []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := g.since
	for _, at := range g.at {
		if at.Sub(last) < time.Second {
			continue
		}
		seconds := 1
		for at.Sub(last) >= 2*time.Duration(seconds)*time.Second {
			seconds *= 2
		}
		pauses = append(pauses, strconv.Itoa(seconds))
		last = at
	}
	return pauses
}
