//go:build e2e

package e2e

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// TestGenerators compares the sources that need no client (exec, seq, stress), the UDP source, the
// channel without transactions and the logger and null sinks.
func TestGenerators(t *testing.T) {
	t.Parallel()
	var c topology
	c.source("direct", "direct", "type = exec", `command = printf a\\nb\\r\\nc\\rd\\n\\nlast`)
	c.store("direct")
	c.source("shell", "shell", "type = exec", "shell = /bin/sh -c",
		`command = for i in 1 2 3; do echo "line $i"; done | tr 1 '*'; echo lost >&2`, "logStdErr = true")
	c.store("shell")
	c.source("again", "again", "type = exec", "shell = /bin/sh -c", "restart = true", "restartThrottle = 100",
		"command = echo x >> <path again.count>; [ $(wc -l < <path again.count>) -le 3 ] && echo once more")
	c.store("again")
	c.source("slow", "slow", "type = exec", "shell = /bin/sh -c", "batchSize = 50", "batchTimeout = 500",
		"command = echo early; echo second; sleep 3; echo late; exec sleep 60")
	c.store("slow")
	c.source("latin", "latin", "type = exec", "charset = ISO-8859-1", `command = printf gr\\374n\\n`)
	c.store("latin")
	c.source("wide", "wide", "type = exec", "charset = UTF-16", `command = printf \\376\\377\\000a\\000\\n\\000b\\000\\n`)
	c.store("wide")
	c.source("ascii", "ascii", "type = exec", "charset = US-ASCII", `command = printf a\\377b\\n`)
	c.store("ascii")
	c.source("kanji", "kanji", "type = exec", "charset = Shift_JIS", `command = printf \\223\\372\\226\\173\\377\\n`)
	c.store("kanji")
	c.source("seq", "seq", "type = seq", "totalEvents = 25", "batchSize = 10")
	c.store("seq")
	c.source("stress", "stress", "type = org.apache.flume.source.StressSource", "size = 10", "maxTotalEvents = 7", "batchSize = 3")
	c.store("stress", "sink.serializer = header_and_text")
	c.source("udp", "udp", "type = netcatudp", "bind = 127.0.0.1", "port = <port udp>", "remoteAddress = from")
	c.store("udp", "sink.serializer = header_and_text")
	c.source("pseudo", "pseudo", "type = seq", "totalEvents = 5", "batchSize = 2")
	c.channel("pseudo", "type = org.apache.flume.channel.PseudoTxnMemoryChannel", "capacity = 20", "keep-alive = 1")
	c.sink("pseudo", "pseudo", "type = file_roll", "sink.directory = <dir pseudo>", "sink.rollInterval = 0")
	c.netcat("log", "log", "interceptors = s", "interceptors.s.type = static")
	c.channel("log", "type = memory")
	c.sink("log", "log", "type = logger")
	c.source("null", "null", "type = seq", "totalEvents = 60")
	// All 60 fit into this channel only if the null sink takes them out.
	c.channel("null", "type = memory", "capacity = 10", "transactionCapacity = 10")
	c.sink("null", "null", "type = null", "batchSize = 10")
	conf := c.String()

	tens := make([]string, 25)
	for i := range tens {
		tens[i] = strconv.Itoa(i) + "\n"
	}
	want := seen{
		"direct": "a\nb\nc\nd\n\nlast\n",
		"shell":  "line *\nline 2\nline 3\n",
		"again":  "once more\nonce more\nonce more\n",
		"slow":   "early\nsecond\nlate\n",
		"latin":  "gr\xfcn\n",
		"wide":   "\xfe\xff\x00a\n\xfe\xff\x00b\n",
		"ascii":  "a?b\n",
		"kanji":  "\x93\xfa\x96\x7b?\n",
		"seq":    strings.Join(tens, ""),
		"stress": strings.Repeat("{} "+strings.Repeat("\x7f", 10)+"\n", 7),
		"udp":    "{from=/<sender>} one\n{from=/<sender>} \n{from=/<sender>} three\n",
		"pseudo": "0\n1\n2\n3\n4\n",
		"null":   "60",
	}
	logged := []string{
		"Event: { headers:{key=value} body: 48 65 6C 6C 6F 0D                               Hello. }",
		"Event: { headers:{key=value} body: }",
		"Event: { headers:{key=value} body: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 0123456789abcdef }",
	}
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		agent := s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(conf), Args: []string{
			"-Dflume.monitoring.type=http", "-Dflume.monitoring.port=" + strconv.Itoa(site.Port("monitor")),
		}})
		harness.Converse(t, site.Addr("log"), "Hello\r\n\n0123456789abcdefghijKLMN\n")
		sender := sendUDP(t, site.Addr("udp"), "one\nrest is dropped", "", "three\n")
		udp := lines(t, site, "udp", 3)
		got := make(seen)
		stored(t, site, want, got, "direct", "shell", "again", "slow", "latin", "wide", "ascii", "kanji", "seq", "stress", "pseudo")
		got["udp"] = strings.ReplaceAll(udp, sender, "<sender>")
		for _, line := range logged {
			expectLog(t, agent, line)
		}
		harness.Eventually(t, deliveryLimit, "the null sink to make room for all events", func() bool {
			got["null"] = counters(t, "http://"+site.Addr("monitor")+"/metrics")["SOURCE.null EventAcceptedCount"]
			return got["null"] == want["null"]
		})
		return got
	})
}

// sendUDP sends datagrams from one socket and returns the socket's address. While nobody listens the
// kernel answers a datagram with a refusal, so each is sent until it is not refused, and arrives once.
func sendUDP(t *testing.T, addr string, datagrams ...string) string {
	t.Helper()
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, d := range datagrams {
		harness.Eventually(t, deliveryLimit, "a UDP listener on "+addr, func() bool {
			if _, err := conn.Write([]byte(d)); err != nil {
				return false
			}
			if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			_, err := conn.Read(make([]byte, 1))
			return !errors.Is(err, syscall.ECONNREFUSED)
		})
	}
	return conn.LocalAddr().String()
}

// says tells whether a log contains a line of text, as it is or quoted as a structured log does.
func says(log, line string) bool {
	quoted := strconv.Quote(line)
	return slices.ContainsFunc([]string{line, quoted[1 : len(quoted)-1]}, func(s string) bool {
		return strings.Contains(log, s)
	})
}
