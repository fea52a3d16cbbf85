//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flume-go/flume/e2e/harness"
)

const (
	streamBatch = 5  // events that a client sends at once
	rollBatch   = 50 // events that an agent writes at once
)

// stream is a client that sends numbered events, again and again until they are acknowledged, to the sources
// of its name on one or two agents.
type stream struct {
	name    string
	body    string // of an event, before its number
	both    bool   // it goes on while either of the agents is there
	shares  bool   // it spreads what it sends over the agents
	process *harness.Process
}

// pair is two agents of ours with a source and a file channel for each stream.
type pair struct {
	sites   [2]*harness.Site
	confs   [2]string
	agents  [2]*harness.Process
	end     string // the path of a file that has the appenders stop
	streams []*stream
}

// TestPeersClients sends to two agents of ours, each of which is killed (kill -9) and started again meanwhile, with
// every kind of client that Flume's library has, and with appenders of Log4j 1 and 2 that know of two agents: all
// that was acknowledged is delivered, and no more comes again than was under way.
func TestPeersClients(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for i := range p.agents {
		p.startAgent(t, i)
	}
	for _, s := range p.streams {
		for _, site := range p.sites {
			harness.Dial(t, site.Addr(s.name)).Close()
		}
	}
	p.startStreams(t)
	p.awaitMore(t, "at the start", func(*stream) bool { return true }, nil)
	// One agent after the other: a failover client changes to the second and stays there until it is gone.
	for i := range p.agents {
		kill(t, p.agents[i])
		p.awaitMore(t, fmt.Sprintf("while agent %d is gone", i), func(s *stream) bool { return s.both }, nil)
		p.startAgent(t, i)
		p.awaitMore(t, fmt.Sprintf("after agent %d came back", i), func(s *stream) bool { return s.shares || !s.both }, p.sites[i])
	}
	harness.WriteFile(t, p.end, "")
	for _, s := range p.streams {
		if strings.HasPrefix(s.body, "steady") {
			continue // it still sends what it has kept
		}
		s.process.Stop(t)
	}
	for _, s := range p.streams {
		p.compare(t, s)
	}
}

// newPair configures the agents.
func newPair(t *testing.T) *pair {
	p := &pair{
		sites: [2]*harness.Site{harness.NewSite(t), harness.NewSite(t)},
		streams: []*stream{
			{name: "default"},
			{name: "thrift"},
			{name: "failover", both: true},
			{name: "robin", both: true, shares: true},
			{name: "random", both: true, shares: true},
			{name: "balanced", body: "steady", both: true, shares: true},
			{name: "single", body: "steady", both: true},
			{name: "persistent", body: "steady"},
		},
	}
	p.end = p.sites[0].Path("end")
	for i, site := range p.sites {
		var c topology
		for _, s := range p.streams {
			if s.body == "" {
				s.body = s.name
			}
			kind := "avro"
			if s.name == "thrift" {
				kind = "thrift"
			}
			c.source(s.name, s.name, "type = "+kind, "bind = 127.0.0.1", "port = <port "+s.name+">")
			c.keep(s.name, rollBatch)
		}
		p.confs[i] = site.Expand(c.String())
	}
	return p
}

func (p *pair) startAgent(t *testing.T, i int) {
	t.Helper()
	p.agents[i] = harness.StartFlume(t, harness.Launch{Name: "a1", Conf: p.confs[i]})
}

// startStreams starts the clients: those of Flume's library, and three appenders.
func (p *pair) startStreams(t *testing.T) {
	t.Helper()
	settings := map[string][]string{
		"default":  nil,
		"thrift":   {"client.type=thrift"},
		"failover": {"client.type=default_failover", "max-attempts=2"},
		"robin":    {"client.type=default_loadbalance", "host-selector=round_robin", "backoff=true", "maxBackoff=2000"},
		"random":   {"client.type=default_loadbalance", "host-selector=random", "backoff=true", "maxBackoff=2000"},
	}
	first, second := p.sites[0], p.sites[1]
	for _, s := range p.streams {
		if more, ok := settings[s.name]; ok {
			args := append([]string{"name=" + s.body, fmt.Sprintf("batch-size=%d", streamBatch), "hosts=h1"}, more...)
			if s.both {
				args = append(args, "hosts=h1 h2", "hosts.h2="+second.Addr(s.name))
			}
			s.process = harness.StartJavaClient(t, "RpcStream", append(args, "hosts.h1="+first.Addr(s.name))...)
			continue
		}
		var a appenders
		if s.name == "balanced" {
			a = log4j1(s.name)
			a.conf = strings.ReplaceAll(a.conf, "localhost:<port balanced>", second.Addr(s.name))
		} else {
			a = log4j2(s.name)
			agent := `<Agent host="127.0.0.1" port="%s"/>`
			one := fmt.Sprintf(agent, "<port single>")
			a.conf = strings.ReplaceAll(a.conf, one, one+fmt.Sprintf(agent, strconv.Itoa(second.Port(s.name))))
			a.conf = strings.ReplaceAll(a.conf, "%level %logger{1} %marker %msg%n", "%msg")
		}
		a.program.Args = []string{"steady", s.name, p.end}
		a.file = s.name + "-" + a.file
		s.process = harness.StartJavaProgram(t, a.prepare(t, first))
	}
}

// acknowledged returns the numbers that a client was told to be stored, and how often a send has failed.
func (s *stream) acknowledged() (ids []int, failures int) {
	for line := range strings.Lines(s.process.Output()) {
		var first, last, status int
		if n, _ := fmt.Sscanf(line, "%d %d %d\n", &first, &last, &status); n < 3 {
			continue // what a logging library says
		}
		if status != 200 {
			failures++
			continue
		}
		for id := first; id <= last; id++ {
			ids = append(ids, id)
		}
	}
	return ids, failures
}

// awaitMore waits until some of the streams have sent events from now on that were acknowledged, and, if a site is
// given, that arrived there.
func (p *pair) awaitMore(t *testing.T, when string, some func(*stream) bool, at *harness.Site) {
	t.Helper()
	for _, s := range p.streams {
		if !some(s) {
			continue
		}
		ids, _ := s.acknowledged()
		before := len(ids)
		harness.Eventually(t, drainLimit, s.name+" to send more "+when, func() bool {
			ids, _ := s.acknowledged()
			if at == nil || len(ids) <= before+streamBatch {
				return len(ids) > before+streamBatch
			}
			lines := arrived(t, at.Dir(s.name))
			return slices.ContainsFunc(ids[before:], func(id int) bool { return lines[s.line(id)] > 0 }) || !s.both && at == p.sites[1]
		})
	}
}

func (s *stream) line(id int) string { return fmt.Sprintf("%s %d", s.body, id) }

// compare waits until everything that a client was told to be stored has been delivered, and compares.
func (p *pair) compare(t *testing.T, s *stream) {
	t.Helper()
	var (
		lines, second map[string]int
		missing       []int
	)
	ids, failures := s.acknowledged()
	harness.Poll(drainLimit, func() bool {
		ids, failures = s.acknowledged()
		lines, second = arrived(t, p.sites[0].Dir(s.name)), arrived(t, p.sites[1].Dir(s.name))
		for line, n := range second {
			lines[line] += n
		}
		missing = slices.DeleteFunc(slices.Clone(ids), func(id int) bool { return lines[s.line(id)] > 0 })
		return len(missing) == 0
	})
	if len(missing) > 0 || len(ids) == 0 {
		t.Errorf("%s: of %d acknowledged events %d are lost: %.200v", s.name, len(ids), len(missing), missing)
	}
	for line := range lines {
		var id int
		if _, err := fmt.Sscanf(line, s.body+" %d", &id); err != nil || line != s.line(id) || id < 0 || id > ids[len(ids)-1]+streamBatch {
			t.Errorf("%s: %q was never sent", s.name, line)
		}
	}
	// A failure of a client, or one that it hides by trying another agent, leaves one batch in doubt; so does a kill
	// for the sink of the agent.
	if n, limit := again(lines), (failures+2)*streamBatch+2*rollBatch; n > limit {
		t.Errorf("%s: %d events came again, at most %d may", s.name, n, limit)
	}
	if s.both {
		s.compareTurns(t, ids, second)
	}
	t.Logf("%s: %d events acknowledged, %d failures, %d came again, %d on the second agent", s.name, len(ids), failures, again(lines), len(second))
}

// compareTurns requires a client of two agents to have used both. One that does not share what it sends changes only
// when an agent is gone: twice, or once if it was late to connect to the first agent and began with the second.
func (s *stream) compareTurns(t *testing.T, ids []int, second map[string]int) {
	t.Helper()
	turns := 0
	for i := range ids[1:] {
		if (second[s.line(ids[i])] > 0) != (second[s.line(ids[i+1])] > 0) {
			turns++
		}
	}
	if turns == 0 || !s.shares && turns > 2 {
		t.Errorf("%s: the second agent has %d of %d events, in %d turns", s.name, len(second), len(ids), turns)
	}
}
