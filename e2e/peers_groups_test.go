//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// sinkGroup is a group of two sinks of one agent, towards two other agents.
type sinkGroup struct {
	name, sink string
	processor  []string
	want       string // what the test that uses the group tells of it
}

// groups are those of TestPeersGroups, which tells who gets the events, one after the other.
var groups = []sinkGroup{
	{
		"failover-avro", "avro", []string{"type = failover", "priority.failover-avro-1 = 10", "priority.failover-avro-2 = 5", "maxpenalty = 1000"},
		"both 111111 second 2222 back 1111",
	}, {
		"failover-thrift", "thrift", []string{"type = failover", "priority.failover-thrift-1 = 10", "priority.failover-thrift-2 = 5", "maxpenalty = 1000"},
		"both 111111 second 2222 back 1111",
	}, {
		"robin-avro", "avro", []string{"type = load_balance", "backoff = true", "selector.maxTimeOut = 1000"},
		"both 121212 second 2222 back 2121",
	}, {
		"robin-thrift", "thrift", []string{"type = load_balance", "backoff = true", "selector.maxTimeOut = 1000"},
		"both 121212 second 2222 back 2121",
	},
}

// groupsSender is an agent whose sinks take one event at a time. They wait long for it, so that the turn does not
// pass on meanwhile.
func groupsSender(groups []sinkGroup, first, second *harness.Site) string {
	var (
		c     topology
		names []string
	)
	for _, g := range groups {
		c.netcat(g.name, g.name)
		c.channel(g.name, "type = memory", "capacity = 10000", "keep-alive = 600")
		for i, to := range []*harness.Site{first, second} {
			c.sink(fmt.Sprintf("%s-%d", g.name, i+1), g.name, "type = "+g.sink, "hostname = 127.0.0.1",
				fmt.Sprintf("port = %d", to.Port(g.name)), "batch-size = 1", "request-timeout = 5000")
		}
		names = append(names, g.name)
		c.extra(fmt.Sprintf("sinkgroups.%[1]s.sinks = %[1]s-1 %[1]s-2", g.name))
		for _, line := range g.processor {
			c.extra("sinkgroups." + g.name + ".processor." + line)
		}
	}
	c.extra("sinkgroups = " + strings.Join(names, " "))
	return c.String()
}

// groupsReceiver is either of the other agents. It writes each event as soon as it arrives; in Apache Flume only a memory
// channel has its sink wait for the next one. An agent is killed when all that it has is in its files.
func groupsReceiver(groups []sinkGroup) string {
	var c topology
	for _, g := range groups {
		c.source(g.name, g.name, "type = "+g.sink, "bind = 127.0.0.1", "port = <port "+g.name+">")
		c.channel(g.name, "type = memory", "capacity = 10000", "keep-alive = 600")
		c.sink(g.name, g.name, "type = file_roll", "sink.directory = <dir "+g.name+">", "sink.rollInterval = 0", "sink.batchSize = 1")
	}
	return c.String()
}

// TestPeersGroups sends with sink groups of Apache Flume and of ours to two agents of either, one of which is killed
// (kill -9) and started again: every event arrives, and both systems choose the same sinks, event by event.
func TestPeersGroups(t *testing.T) {
	t.Parallel()
	want := make(seen)
	for _, g := range groups {
		want[g.name] = g.want
	}
	for _, to := range harness.Systems() {
		t.Run("to-"+to.Name, func(t *testing.T) {
			t.Parallel()
			differential(t, want, func(t *testing.T, s harness.System) seen { return observeGroups(t, s, to) })
		})
	}
}

// receivers are the two agents and what is known of each group's events.
type receivers struct {
	groups []sinkGroup
	sites  [2]*harness.Site
	sent   map[string]int
	in     map[string]net.Conn // to the sender's source of each group
}

func newReceivers(t *testing.T, groups []sinkGroup) receivers {
	return receivers{
		groups: groups, sites: [2]*harness.Site{harness.NewSite(t), harness.NewSite(t)},
		sent: make(map[string]int), in: make(map[string]net.Conn),
	}
}

// startReceiver starts one of the two agents and waits until it listens.
func (r *receivers) startReceiver(t *testing.T, s harness.System, i int) *harness.Process {
	t.Helper()
	p := cutShort(t, s.Start(t, harness.Launch{Name: "a1", Conf: r.sites[i].Expand(groupsReceiver(r.groups))}))
	for _, g := range r.groups {
		harness.Dial(t, r.sites[i].Addr(g.name)).Close()
	}
	return p
}

// startSender starts the agent with the groups, and connects to its sources. The ports of first lead to the first of
// the two agents.
func (r *receivers) startSender(t *testing.T, s harness.System, first *harness.Site) {
	t.Helper()
	site := harness.NewSite(t)
	cutShort(t, s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(groupsSender(r.groups, first, r.sites[1]))}))
	for _, g := range r.groups {
		conn := harness.Dial(t, site.Addr(g.name))
		t.Cleanup(func() { conn.Close() })
		r.in[g.name] = conn
	}
}

func observeGroups(t *testing.T, s, to harness.System) seen {
	r, got := newReceivers(t, groups), make(seen)
	first := r.startReceiver(t, to, 0)
	r.startReceiver(t, to, 1)
	r.startSender(t, s, r.sites[0])
	r.each(t, got, "both ", 6)
	kill(t, first)
	r.each(t, got, " second ", 4)
	r.startReceiver(t, to, 0)
	pass(t.Context(), 2*time.Second) // the penalty of the sink that failed
	for _, g := range groups {
		// The sink that waits for an event in Apache Flume was chosen before the first agent came back.
		harness.Eventually(t, deliveryLimit, "the first agent to be used again by "+g.name, func() bool { return r.send(t, g.name) == "1" })
	}
	r.each(t, got, " back ", 4)
	r.flood(t)
	return got
}

// each sends n events to each group, one after the other, and adds to got who had them.
func (r *receivers) each(t *testing.T, got seen, phase string, n int) {
	t.Helper()
	for _, g := range r.groups {
		got[g.name] += phase
		for range n {
			got[g.name] += r.send(t, g.name)
		}
	}
}

// post gives the next n events of a group to the sender, which must acknowledge them.
func (r *receivers) post(t *testing.T, group string, n int) {
	t.Helper()
	var text strings.Builder
	for range n {
		fmt.Fprintln(&text, r.sent[group])
		r.sent[group]++
	}
	conn := r.in[group]
	if err := conn.SetDeadline(time.Now().Add(deliveryLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text.String()); err != nil {
		t.Fatal(err)
	}
	answers := make([]byte, 3*n)
	if _, err := io.ReadFull(conn, answers); err != nil || string(answers) != strings.Repeat("OK\n", n) {
		t.Fatalf("the sender's source answers %q, %v", answers, err)
	}
}

// send posts one event and returns the number of the agent that gets it.
func (r *receivers) send(t *testing.T, group string) (who string) {
	t.Helper()
	line := fmt.Sprint(r.sent[group])
	r.post(t, group, 1)
	harness.Eventually(t, deliveryLimit, "event "+line+" of "+group, func() bool {
		for i, site := range r.sites {
			if arrived(t, site.Dir(group))[line] > 0 {
				who = fmt.Sprint(i + 1)
			}
		}
		return who != ""
	})
	return who
}

// flood posts many events to each group at once and requires all there ever were, none more often than the kill may
// have caused.
func (r *receivers) flood(t *testing.T) {
	t.Helper()
	for _, g := range r.groups {
		r.post(t, g.name, 200)
	}
	for _, g := range r.groups {
		lines := r.all(t, g.name)
		if n := again(lines); len(lines) != r.sent[g.name] || n > 1 {
			t.Errorf("%s: of %d events %d arrived, %d came again", g.name, r.sent[g.name], len(lines), n)
		}
	}
}

// all waits for everything that was sent to a group, and returns how often each event arrived.
func (r *receivers) all(t *testing.T, group string) (lines map[string]int) {
	t.Helper()
	harness.Poll(deliveryLimit, func() bool {
		lines = arrived(t, r.sites[0].Dir(group))
		for line, n := range arrived(t, r.sites[1].Dir(group)) {
			lines[line] += n
		}
		return len(lines) == r.sent[group]
	})
	return lines
}
