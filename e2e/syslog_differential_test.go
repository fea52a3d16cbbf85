//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/e2e/harness"
)

// TestSyslogDifferential sends the same from a real rsyslog, and from logger, to the sources of Apache Flume and to ours: headers and
// bodies must be the same. It keeps to what Apache Flume reads rightly: no octet counts, no fraction of less than three
// digits or with a zone other than that of the host, and no more datagrams than its socket's buffer holds by itself.
func TestSyslogDifferential(t *testing.T) {
	t.Parallel()
	var sent []message
	for _, m := range messages(0, 2000) {
		if len(sent) < 100 && !m.latin1 && len(m.text) < 250 && (m.digits == 0 || m.digits >= 3 && m.at.Location() == zones[0]) {
			sent = append(sent, m)
		}
	}
	routes := []route{
		{"tcp-3164", format3164, overTCP, nil},
		{"tcp-forward", formatForward, overTCP, nil},
		{"tcp-5424", format5424, overTCP, nil},
		{"udp-3164", format3164, overUDP, nil},
		{"udp-5424", format5424, overUDP, nil},
		{"ports-3164", format3164, overTCP, nil},
		{"ports-5424", format5424, overTCP, nil},
	}
	var c topology
	want := seen{}
	for _, r := range routes {
		name := r.name
		kind, _, _ := strings.Cut(name, "-")
		typ := map[string]string{"tcp": "syslogtcp", "udp": "syslogudp", "ports": "multiport_syslogtcp"}[kind]
		c.source(name, name, "type = "+typ, "host = 127.0.0.1")
		if typ == "multiport_syslogtcp" {
			c.add("sources", name, "ports = <port "+name+">", "portHeader = port")
		} else {
			c.add("sources", name, "port = <port "+name+">")
		}
		c.store(name, "sink.serializer = header_and_text")
	}
	commands := map[string][]string{
		"udp-3164":   {"--udp --rfc3164 -p local3.warning", "--udp --rfc5424=notq -p user.info"},
		"tcp-3164":   {"--tcp --rfc3164 -p kern.emerg", "--tcp --rfc5424=notq --msgid M1 --sd-id a@1 --sd-param k=\"v\" -p local7.debug"},
		"ports-5424": {"--tcp --rfc3164 -p mail.err", "--tcp --rfc5424=notq -p auth.notice"},
	}
	for _, r := range routes {
		want["count "+r.name] = fmt.Sprint(len(sent) + len(commands[r.name]))
	}
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		s.Start(t, harness.Launch{
			Name: "a1", Conf: site.Expand(c.String()), Args: []string{"-Dfile.encoding=UTF-8"}, Env: []string{"TZ=UTC"},
		})
		conf := input(site.Port("rsyslog"))
		for _, r := range routes {
			conf += r.forward(site.Port(r.name))
			if kind, _, _ := strings.Cut(r.name, "-"); kind == "udp" {
				harness.Eventually(t, deliveryLimit, "the source "+r.name, func() bool { return bound(t, site.Port(r.name)) })
				continue
			}
			harness.Dial(t, site.Addr(r.name)).Close()
		}
		harness.StartRsyslog(t, conf)
		feed(t, site.Addr("rsyslog"), sent)
		for name, runs := range commands {
			for _, args := range runs {
				harness.RunLogger(t, "", append(strings.Fields(args), "-n", "127.0.0.1", "-P", fmt.Sprint(site.Port(name)), "-t", "e2e", "--id=77", "hello ünï")...)
			}
		}
		got := seen{}
		for _, r := range routes {
			n := len(sent) + len(commands[r.name])
			text := strings.ReplaceAll(lines(t, site, r.name, n), fmt.Sprintf("port=%d", site.Port(r.name)), "port=<port>")
			all := strings.Split(strings.TrimSuffix(sortHeaders(text), "\n"), "\n")
			got["count "+r.name] = fmt.Sprint(len(all))
			// Those of logger are of this moment.
			for i, line := range all {
				if strings.Contains(line, "hello ünï") {
					all[i] = mask(line)
				}
			}
			slices.Sort(all)
			got[r.name] = strings.Join(all, "\n")
		}
		return got
	})
}

// bound says whether somebody has the UDP port of the loopback address or of all.
func bound(t *testing.T, port int) bool {
	t.Helper()
	conn, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return true
	}
	conn.Close()
	return false
}
