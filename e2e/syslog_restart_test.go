//go:build e2e

package e2e

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// stoppable is an agent with a file channel behind each route, that ends and is started again while rsyslog sends.
type stoppable struct {
	t      *testing.T
	site   *harness.Site
	conf   string
	routes []route
	agent  *victim
}

func newStoppable(t *testing.T, routes []route, more map[string][]string) *stoppable {
	t.Helper()
	site := harness.NewSite(t)
	var c topology
	conf := input(site.Port("rsyslog"))
	for _, r := range routes {
		c.syslogSource(r.name, "syslogtcp", more[r.name]...)
		c.channel(r.name, "type = file", "checkpointDir = <dir checkpoint-"+r.name+">", "dataDirs = <dir data-"+r.name+">")
		c.eventSink(r.name)
		conf += r.forward(site.Port(r.name))
	}
	s := &stoppable{t: t, site: site, conf: site.Expand(c.String()), routes: routes}
	s.start()
	harness.StartRsyslog(t, conf)
	t.Cleanup(func() { s.agent.kill() })
	return s
}

// start starts the agent and waits until all sources listen.
func (s *stoppable) start() {
	s.t.Helper()
	s.agent = startVictim(s.t, s.site.Dir("home"), s.conf, s.site.Port("monitor"))
	harness.Eventually(s.t, deliveryLimit, "all sources to run", func() bool {
		for _, r := range s.routes {
			if !s.agent.log.contains("[source " + r.name + "] source is running") {
				return false
			}
		}
		return true
	})
}

// accepted is how many events of a route are stored, as far as the running agent has counted.
func (s *stoppable) accepted(r route) int {
	n, _ := metric(s.site.Addr("monitor"), "SOURCE."+r.name, "EventAcceptedCount")
	return n
}

// pump gives messages to rsyslog, which takes a moment, and calls interrupt after each of the given numbers while
// they go on coming.
func (s *stoppable) pump(sent []message, interrupt func(), at ...int) {
	s.t.Helper()
	var steps []chan struct{}
	for range at {
		steps = append(steps, make(chan struct{}))
	}
	fed := make(chan struct{})
	f := newFeeder(s.t, s.site.Addr("rsyslog"))
	go func() {
		defer close(fed)
		const some = 50
		for from := 0; from < len(sent); from += some {
			f.send(sent[from:min(from+some, len(sent))])
			for i, n := range at {
				if from <= n && n < from+some {
					close(steps[i])
				}
			}
			pass(s.t.Context(), 5*time.Millisecond)
		}
	}()
	for _, step := range steps {
		<-step
		interrupt()
	}
	<-fed
	f.end()
}

// TestSyslogRestart stops the agent in the middle and starts it again, twice, while rsyslog sends over plain TCP in both framings and
// over TLS by both drivers. Nothing is lost: the source reads what rsyslog has sent before it knows.
func TestSyslogRestart(t *testing.T) {
	t.Parallel()
	certs := harness.MakeCertificates(t)
	s := newStoppable(t, []route{
		{"lines", format5424, overTCP, message.event5424},
		{"counted", format5424, overCounted, message.event5424},
		{"gtls", format5424, overTLS("gtls", true, certs), message.event5424},
		{"ossl", format5424, overTLS("ossl", true, certs), message.event5424},
	}, map[string][]string{
		"gtls": append(p12Store(certs), askClients(certs)...),
		"ossl": append(pemStore(certs), askClients(certs)...),
	})
	sent := messages(0, 15_000)
	s.pump(sent, func() {
		s.agent.stop(t)
		s.start()
	}, 3000, 9000)
	for _, r := range s.routes {
		s.await(r, sent)
		found := compare(t, sent, storedEvents(t, s.site.Dir(r.name)), r.want)
		if len(found.lost) > 0 {
			t.Errorf("%s: %d messages are lost over two restarts: %s", r.name, len(found.lost), ranges(found.lost))
		}
		t.Logf("%s: %d messages, %d lost, %d came again", r.name, len(sent), len(found.lost), found.again)
	}
}

// await waits until all but so many messages of a route are stored in files, as far as rsyslog still has them: until the last one
// is there and the channel is empty.
func (s *stoppable) await(r route, sent []message) {
	s.t.Helper()
	last := "id " + strconv.Itoa(sent[len(sent)-1].id) + ": "
	harness.Eventually(s.t, deliveryLimit, "the last message on route "+r.name, func() bool {
		return strings.Contains(harness.ReadFiles(s.t, s.site.Dir(r.name)), last)
	})
	harness.Eventually(s.t, deliveryLimit, "channel "+r.name+" to be empty", func() bool {
		n, known := metric(s.site.Addr("monitor"), "CHANNEL."+r.name, "ChannelSize")
		return known && n == 0
	})
}

// TestSyslogKill kills the agent as kill -9 does while rsyslog sends over plain TCP. Syslog has no acknowledgement: what is in the
// buffers of the two kernels is lost, as rsyslog's documentation says. What is promised is that no more is: all that the agent has
// counted as accepted before is there, what is lost is one piece, no larger than the buffers can be, and all that
// came later is there.
func TestSyslogKill(t *testing.T) {
	t.Parallel()
	s := newStoppable(t, []route{
		{"lines", format5424, overTCP, message.event5424},
		{"counted", format3164, overCounted, message.event3164},
	}, nil)
	sent := messages(0, 15_000)
	accepted := map[string]int{}
	s.pump(sent, func() {
		for _, r := range s.routes {
			accepted[r.name] = s.accepted(r)
		}
		if !s.agent.kill() {
			t.Fatal("the agent ended before it was killed")
		}
		s.start()
	}, 6000)
	limit := bufferLimit(t)
	for _, r := range s.routes {
		s.await(r, sent)
		found := compare(t, sent, storedEvents(t, s.site.Dir(r.name)), r.want)
		bytes := 0
		for i, id := range found.lost {
			bytes += len(sent[id].rfc5424()) + 1
			if id != found.lost[0]+i {
				t.Errorf("%s: the lost messages are not one piece: %s", r.name, ranges(found.lost))
				break
			}
		}
		if len(found.lost) > 0 && found.lost[0] < accepted[r.name] {
			t.Errorf("%s: message %d is lost, though %d had been accepted before the kill", r.name, found.lost[0], accepted[r.name])
		}
		if accepted[r.name] == 0 {
			t.Errorf("%s: the kill came before any message", r.name)
		}
		if bytes > limit {
			t.Errorf("%s: %d bytes of messages are lost, and the kernel's buffers hold at most %d", r.name, bytes, limit)
		}
		t.Logf("%s: %d messages, %d accepted before the kill, %d (%d bytes) lost: %s; %d came again",
			r.name, len(sent), accepted[r.name], len(found.lost), bytes, ranges(found.lost), found.again)
	}
}

// bufferLimit is how many bytes the kernel may hold of a TCP connection on loopback: what one end may send without the other reading
// and what the other may receive without reading it.
func bufferLimit(t *testing.T) int {
	t.Helper()
	limit := 0
	for _, name := range []string{"tcp_wmem", "tcp_rmem"} {
		text, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(text)) // least, default, most
		n, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil {
			t.Fatalf("%s is %q", name, text)
		}
		limit += n
	}
	return limit
}

// ranges shows ascending numbers.
func ranges(ids []int) string {
	var out []string
	for i := 0; i < len(ids); {
		j := i
		for j+1 < len(ids) && ids[j+1] == ids[j]+1 {
			j++
		}
		out = append(out, strconv.Itoa(ids[i])+"–"+strconv.Itoa(ids[j]))
		i = j + 1
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, " ")
}
