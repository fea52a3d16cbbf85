//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
)

// TestSyslogMalformed sends each kind of nonsense on a connection of its own to both parsers, and then a good message.
func TestSyslogMalformed(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	var c topology
	for name, typ := range map[string]string{"tcp": "syslogtcp", "ports": "multiport_syslogtcp"} {
		c.source(name, name, "type = "+typ, "host = 127.0.0.1", "eventSize = 100", "time-zone = UTC")
		c.store(name, "sink.serializer = avro_event")
	}
	c.add("sources", "tcp", "port = <port tcp>")
	c.add("sources", "ports", "ports = <port ports>")
	agent := startSyslogAgent(t, site, c)
	const good = "<13>1 2026-11-02T03:04:05Z h "
	seenBefore := map[string]int{}
	a := func(n int) string { return strings.Repeat("a", n) }
	for _, bad := range []struct {
		name, text string
		tcp, ports []string // nil: the same as tcp
	}{
		{"priority out of range", "<192>1 - h x\n<999>1 - h y\n<1234>1 - h z\n",
			[]string{"x", "y", "<1234>1 - h z (Invalid)"}, []string{"x", "y", "z"}},
		{"no priority", "hello\n" + good + "x\n", []string{"hello (Invalid)", "x"}, nil},
		{"signs and letters", "<-1>1 - h x\n<1a>1 - h y\n<>1 - h z\n",
			[]string{"<-1>1 - h x (Invalid)", "<1a>1 - h y (Invalid)", "<>1 - h z (Invalid)"}, nil},
		{"NULs", "\x00\x00\n" + good + "x\x00y\n", []string{"\x00\x00 (Invalid)", "x\x00y"}, nil},
		{"mark", "\ufeff<13>1 - h x\n" + good + "\ufeffy\n", []string{"\ufeff<13>1 - h x (Invalid)", "\ufeffy"}, nil},
		{"impossible dates", "<13>1 2026-13-45T25:61:61Z h x\n<13>Foo 99 99:99:99 h y\n<13>1 2026-02-29T00:00:00Z h z\n",
			[]string{"x", "y", "z"},
			[]string{"<13>1 2026-13-45T25:61:61Z h x (Invalid)", "y", "<13>1 2026-02-29T00:00:00Z h z (Invalid)"}},
		{"29 February", "<13>Feb 29 00:00:00 h x\n<13>Feb 30 00:00:00 h y\n", []string{"x", "y"}, nil},
		{"half a message", good + "x\n" + good + "y", []string{"x", "y (Incomplete)"}, nil},
		{"half a head", good + "x\n<13", []string{"x", "<13 (Invalid)"}, nil},
		{"over the limit", good + a(150) + "\n" + good + "x\n",
			[]string{a(71) + " (Incomplete)", a(79) + " (Invalid)", "x"}, nil},
		{"count too large", "40 " + good + "x\n" + good + "y\n", []string{"x\n<13>1 202", "6-11-02T03:04:05Z h y (Invalid)"}, nil},
		{"count beyond the end", "999 " + good + "x", []string{"x (Incomplete)"}, nil},
		{"count too small", "29 " + good + "x\n" + good + "y\n", []string{good, "x (Invalid)", "y"}, nil},
		{"huge count", "99999999999999999999 " + good + "x\n" + good + "y\n", []string{"99999999999999999999 " + good + "x (Invalid)", "y"}, nil},
		{"count of nine digits", "999999999 " + good + a(250), []string{a(71) + " (Incomplete)", a(100) + " (Invalid)", a(79) + " (Invalid)"}, nil},
		{"count of zero", "0 " + good + "x\n" + good + "y\n", []string{"0 " + good + "x (Invalid)", "y"}, nil},
		{"negative count", "-5 " + good + "x\n" + good + "y\n", []string{"-5 " + good + "x (Invalid)", "y"}, nil},
		{"count that is a word", "5x " + good + "x\n" + good + "y\n", []string{"5x " + good + "x (Invalid)", "y"}, nil},
		{"mixed framings", "30 " + good + "x" + good + "y\n31 " + good + "z\n" + good + "w\n30 " + good + "v",
			[]string{"x", "y", "z", "w", "v"}, nil},
		{"TLS where there is none", "\x16\x03\x01\x00\x05hello\n", []string{"\x16\x03\x01\x00\x05hello (Invalid)"}, nil},
		{"a web browser", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", []string{"GET / HTTP/1.1\r (Invalid)", "Host: x\r (Invalid)", "\r (Invalid)"}, nil},
	} {
		if bad.ports == nil {
			bad.ports = bad.tcp
		}
		for _, to := range []struct {
			source string
			want   []string
		}{{"tcp", bad.tcp}, {"ports", bad.ports}} {
			if answer := harness.Converse(t, site.Addr(to.source), bad.text); answer != "" {
				t.Errorf("%s: the source answered %q", bad.name, answer)
			}
			harness.Converse(t, site.Addr(to.source), good+"END\n")
			var got []string
			harness.Poll(deliveryLimit, func() bool {
				got = bodies(site.Dir(to.source), seenBefore[to.source])
				return len(got) > 0 && got[len(got)-1] == "END"
			})
			seenBefore[to.source] += len(got)
			want := append(slices.Clone(to.want), "END")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s to %s (-want +got):\n%s", bad.name, to.source, diff)
			}
		}
	}
	agent.Stop(t)
}

// bodies returns the bodies in the Avro file of a folder from one event on, with what is wrong behind each; nothing if the file is being
// written.
func bodies(dir string, from int) []string {
	c, err := readContainer(dir)
	if err != nil || len(c.events) < from {
		return nil
	}
	var out []string
	for _, e := range c.events[from:] {
		text := e.body
		if status := e.headers["flume.syslog.status"]; status != "" {
			text += " (" + status + ")"
		}
		out = append(out, text)
	}
	return out
}

// TestSyslogIdleConnections opens ten thousand connections, or as many as the system allows this process, that say nothing, and has the source
// serve one more besides, and then each of some that were idle. The memory that they cost is bounded.
func TestSyslogIdleConnections(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	n := int(min(10_000, limit.Cur-500))
	site := harness.NewSite(t)
	var c topology
	c.syslogSource("tcp", "syslogtcp")
	c.storeEvents("tcp")
	agent := startSyslogAgent(t, site, c)
	before := residentBytes(t, agent.Pid())
	conns := make([]net.Conn, n)
	for i := range conns {
		conn, err := net.Dial("tcp", site.Addr("tcp"))
		if err != nil {
			t.Fatalf("opening connection %d: %v", i, err)
		}
		defer conn.Close()
		conns[i] = conn
	}
	open := func() int {
		n, _ := metric(site.Addr("monitor"), "SOURCE.tcp", "OpenConnectionCount")
		return n
	}
	harness.Eventually(t, deliveryLimit, "all connections to be served", func() bool { return open() == n })
	sent := messages(0, 20)
	for _, m := range sent {
		if _, err := io.WriteString(conns[m.id*(n/len(sent))], m.rfc5424()+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	exactly(t, sent, awaitEvents(t, site.Dir("tcp"), len(sent)), message.event5424)
	each := (residentBytes(t, agent.Pid()) - before) / n
	t.Logf("%d connections cost %d bytes each", n, each)
	if each > 16<<10 {
		t.Errorf("each of %d idle connections costs %d bytes", n, each)
	}
	for _, conn := range conns {
		conn.Close()
	}
	harness.Eventually(t, deliveryLimit, "all connections to be closed", func() bool { return open() == 0 })
	agent.Stop(t)
}

// residentBytes is the memory of a process.
func residentBytes(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatalf("statm is %q", text)
	}
	return pages * os.Getpagesize()
}

// TestSyslogEndlessMessage sends 200 MB without any end of a message, as a line and as a counted message: neither takes memory.
func TestSyslogEndlessMessage(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	var c topology
	c.source("tcp", "tcp", "type = syslogtcp", "host = 127.0.0.1", "port = <port tcp>", "eventSize = 65536")
	c.channel("tcp", "type = memory", "capacity = 1000")
	c.sink("tcp", "tcp", "type = null")
	agent := startSyslogAgent(t, site, c)
	before := residentBytes(t, agent.Pid())
	block := []byte(strings.Repeat("x", 1<<20))
	const blocks = 200
	for _, begin := range []string{"<13>", "999999999 <13>"} {
		conn := harness.Dial(t, site.Addr("tcp"))
		if _, err := io.WriteString(conn, begin); err != nil {
			t.Fatal(err)
		}
		for range blocks / 2 {
			if _, err := conn.Write(block); err != nil {
				t.Fatalf("sending a message without end: %v", err)
			}
		}
		conn.Close()
	}
	const pieces = blocks << 20 >> 16
	harness.Eventually(t, deliveryLimit, "all pieces", func() bool {
		n, _ := metric(site.Addr("monitor"), "SINK.tcp", "EventDrainSuccessCount")
		return n >= pieces
	})
	if more := residentBytes(t, agent.Pid()) - before; more > 128<<20 {
		t.Errorf("%d MB in messages without end took %d bytes of memory", blocks, more)
	}
	agent.Stop(t)
}

// TestSyslogBurst sends more datagrams than the socket's buffer holds to an agent that is stopped (as by SIGSTOP) meanwhile: each is either
// an event or counted among those that the kernel has dropped.
func TestSyslogBurst(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	var c topology
	c.syslogSource("udp", "syslogudp", "receiveBuffer = 100000")
	c.storeEvents("udp")
	agent := startSyslogAgent(t, site, c)
	if err := syscall.Kill(agent.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp", site.Addr("udp"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := messages(0, 3000)
	for _, m := range sent {
		if _, err := io.WriteString(conn, m.rfc5424()); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(agent.Pid(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	awaitDatagrams(t, site, route{name: "udp", want: message.event5424}, sent)
	dropped := ownCounter(site, "udp", "kernel_dropped_datagrams")
	t.Logf("%d of %d datagrams were dropped", dropped, len(sent))
	if dropped == 0 || dropped == len(sent) {
		t.Errorf("%d of %d datagrams were dropped: the test needs some of both", dropped, len(sent))
	}
	if !strings.Contains(agent.Output(), "the kernel has dropped datagrams") {
		t.Error("the log does not tell that datagrams were dropped")
	}
}
