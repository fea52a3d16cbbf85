//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/flume-go/flume/e2e/harness"
)

// route is one way from rsyslog to a source of ours.
type route struct {
	name   string // of the site's port, and of source, channel and sink
	format string // one of rsyslog's templates
	action string // more parameters of its omfwd action
	want   func(message) event
}

// forward returns the action of an rsyslog that sends everything on this route, and keeps it while it cannot.
func (r route) forward(port int) string {
	return fmt.Sprintf(`action(name=%q type="omfwd" target="127.0.0.1" port="%d" template=%q %s
	queue.type="LinkedList" queue.size="200000" action.resumeRetryCount="-1" action.resumeInterval="1")
`, r.name, port, r.format, r.action)
}

// rsyslog's own templates.
const (
	format3164    = "RSYSLOG_TraditionalForwardFormat"
	formatForward = "RSYSLOG_ForwardFormat"
	format5424    = "RSYSLOG_SyslogProtocol23Format"
)

const (
	overTCP     = `protocol="tcp" TCP_Framing="traditional"`
	overCounted = `protocol="tcp" TCP_Framing="octet-counted"`
	overUDP     = `protocol="udp"`
)

// overTLS returns parameters for TLS by one of rsyslog's drivers; with a client's certificate or, if the second
// argument is false, without.
func overTLS(driver string, known bool, c harness.Certificates) string {
	text := fmt.Sprintf(`protocol="tcp" TCP_Framing="octet-counted" StreamDriver=%q StreamDriverMode="1"
	StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="flume.example" StreamDriver.CAFile=%q`, driver, c.Authority)
	if known {
		text += fmt.Sprintf(` StreamDriver.CertFile=%q StreamDriver.KeyFile=%q`, c.ClientCert, c.ClientKey)
	}
	return text
}

// input is an rsyslog that takes what feed sends.
func input(port int) string {
	return fmt.Sprintf("module(load=\"imtcp\")\ninput(type=\"imtcp\" port=\"%d\" address=\"127.0.0.1\")\n", port)
}

// syslogSource adds a source that listens on the site's port of the same name. Messages are long here, and stamps
// without a zone are of UTC.
func (c *topology) syslogSource(name, typ string, settings ...string) {
	c.source(name, name, append([]string{"type = " + typ, "host = 127.0.0.1", "time-zone = UTC"}, settings...)...)
	switch typ {
	case "syslogudp":
		c.add("sources", name, "port = <port "+name+">")
	case "syslogtcp":
		c.add("sources", name, "port = <port "+name+">", "eventSize = 16384")
	default:
		c.add("sources", name, "eventSize = 16384", "portHeader = port")
	}
}

// pemStore and p12Store are the settings of a source that speaks TLS.
func pemStore(c harness.Certificates) []string {
	return []string{"ssl = true", "keystore-type = PEM", "keystore = " + c.ServerCert, "keystore-key = " + c.ServerKey}
}

func p12Store(c harness.Certificates) []string {
	return []string{"ssl = true", "keystore-type = PKCS12", "keystore = " + c.ServerStore, "keystore-password = " + c.Password}
}

// askClients are the settings that let in only whom the authority knows.
func askClients(c harness.Certificates) []string {
	return []string{"client-auth = require", "truststore-type = PEM", "truststore = " + c.Authority}
}

// TestSyslogRsyslog sends messages through rsyslog in each of its formats, framings and transports to each of the
// sources, and compares every header and every body.
func TestSyslogRsyslog(t *testing.T) {
	t.Parallel()
	site, certs := harness.NewSite(t), harness.MakeCertificates(t)
	routes := []route{
		{"tcp-3164", format3164, overTCP, message.event3164},
		{"tcp-3164-counted", format3164, overCounted, message.event3164},
		{"tcp-forward", formatForward, overTCP, message.eventForward},
		{"tcp-5424", format5424, overTCP, message.event5424},
		{"tcp-5424-counted", format5424, overCounted, message.event5424},
		{"tcp-structured", format5424, overCounted, message.eventStructured},
		{"udp-3164", format3164, overUDP, message.event3164},
		{"udp-5424", format5424, overUDP, message.event5424},
		{"gtls", format5424, overTLS("gtls", false, certs), message.event5424},
		{"ossl", format3164, overTLS("ossl", false, certs), message.event3164},
		{"gtls-mutual", format3164, overTLS("gtls", true, certs), message.event3164},
		{"ossl-mutual", format5424, overTLS("ossl", true, certs), message.event5424},
	}
	ports := []route{ // of multiport_syslogtcp
		{"ports-utf8", format3164, overTCP, message.event3164},
		{"ports-latin1", format5424, overCounted, message.event5424},
		{"ports-tls", format5424, overTLS("gtls", true, certs), message.event5424},
	}
	var c topology
	more := map[string][]string{
		"tcp-structured": {"structured-data = headers"},
		"gtls":           pemStore(certs),
		"ossl":           p12Store(certs),
		"gtls-mutual":    append(p12Store(certs), askClients(certs)...),
		"ossl-mutual":    append(pemStore(certs), askClients(certs)...),
	}
	for _, r := range routes {
		typ := "syslogtcp"
		if strings.HasPrefix(r.name, "udp") {
			typ = "syslogudp"
		}
		c.syslogSource(r.name, typ, more[r.name]...)
		c.storeEvents(r.name)
	}
	c.syslogSource("ports", "multiport_syslogtcp", "ports = <port ports-utf8> <port ports-latin1>",
		"charset.port.<port ports-latin1> = ISO-8859-1")
	c.syslogSource("ports-tls", "multiport_syslogtcp", append(pemStore(certs), askClients(certs)...)...)
	c.add("sources", "ports-tls", "ports = <port ports-tls>", "charset.default = ISO-8859-1")
	c.storeEvents("ports")
	c.storeEvents("ports-tls")
	startSyslogAgent(t, site, c)
	conf := input(site.Port("rsyslog"))
	for _, r := range append(routes, ports...) {
		conf += r.forward(site.Port(r.name))
	}
	harness.StartRsyslog(t, conf)
	sent := messages(0, 2000)
	feed(t, site.Addr("rsyslog"), sent)
	for _, r := range routes {
		if strings.HasPrefix(r.name, "udp") {
			awaitDatagrams(t, site, r, sent)
			continue
		}
		exactly(t, sent, awaitEvents(t, site.Dir(r.name), len(sent)), r.want)
	}
	byPort := map[string][]event{}
	for _, e := range append(awaitEvents(t, site.Dir("ports"), 2*len(sent)), awaitEvents(t, site.Dir("ports-tls"), len(sent))...) {
		byPort[e.headers["port"]] = append(byPort[e.headers["port"]], e)
	}
	for _, r := range ports {
		port := site.Port(r.name)
		exactly(t, sent, byPort[fmt.Sprint(port)], func(m message) event {
			if m.latin1 && r.name == "ports-utf8" {
				// Not valid in the character set of the port: kept as it came.
				return event{
					headers: map[string]string{"flume.syslog.status": "Invalid", "port": fmt.Sprint(port)},
					body:    fmt.Sprintf("<%d>%s %s %s", m.pri, m.at.Format("Jan _2 15:04:05"), m.host, m.body3164()),
				}
			}
			return lineEvent(r.want(m), port)
		})
	}
}

// startSyslogAgent starts our agent, with its counters on the site's port monitor, and waits until all sources listen.
func startSyslogAgent(t *testing.T, site *harness.Site, c topology) *harness.Process {
	t.Helper()
	p := harness.StartFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(c.String()), Args: []string{
		"-Dflume.monitoring.type=http", "-Dflume.monitoring.bind=127.0.0.1", fmt.Sprintf("-Dflume.monitoring.port=%d", site.Port("monitor")),
	}})
	harness.Eventually(t, deliveryLimit, "all sources to listen", func() bool {
		for _, name := range c.sources {
			if !strings.Contains(p.Output(), "[source "+name+"] source is running") {
				return false
			}
		}
		return true
	})
	return p
}

// ownCounter returns a counter of a source that Apache Flume does not have, which are in the report for Prometheus
// alone; 0 while it cannot be had.
func ownCounter(site *harness.Site, source, name string) int {
	resp, err := client.Get("http://" + site.Addr("monitor") + "/prometheus")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), fmt.Sprintf("flume_source_%s_total{component=%q} ", name, source)); ok {
			if n, err := strconv.ParseFloat(value, 64); err == nil {
				return int(n)
			}
		}
	}
	return 0
}

// TestSyslogTLSRefused connects rsyslog, by both of its drivers, without a certificate, with one of an unknown authority,
// and to a source whose name is not the one it wants. Nothing of theirs must arrive, and all of who is known.
func TestSyslogTLSRefused(t *testing.T) {
	t.Parallel()
	site, certs, foreign := harness.NewSite(t), harness.MakeCertificates(t), harness.MakeCertificates(t)
	stranger := certs
	stranger.ClientCert, stranger.ClientKey = foreign.ClientCert, foreign.ClientKey
	routes := []route{{"known", format5424, overTLS("gtls", true, certs), message.event5424}}
	for _, driver := range []string{"gtls", "ossl"} {
		routes = append(routes,
			route{driver + "-anonymous", format5424, overTLS(driver, false, certs), nil},
			route{driver + "-stranger", format5424, overTLS(driver, true, stranger), nil},
			route{driver + "-other-name", format5424, strings.ReplaceAll(overTLS(driver, true, certs), "flume.example", "other.example"), nil},
			route{driver + "-plain", format5424, overCounted, nil})
	}
	var c topology
	for _, r := range routes {
		c.syslogSource(r.name, "syslogtcp", append(p12Store(certs), askClients(certs)...)...)
		c.storeEvents(r.name)
	}
	startSyslogAgent(t, site, c)
	conf := input(site.Port("rsyslog"))
	for _, r := range routes {
		conf += r.forward(site.Port(r.name))
	}
	client := harness.StartRsyslog(t, conf)
	sent := messages(0, 20)
	feed(t, site.Addr("rsyslog"), sent)
	exactly(t, sent, awaitEvents(t, site.Dir("known"), len(sent)), message.event5424)
	for _, r := range routes[1:] {
		refused := func() bool { return ownCounter(site, r.name, "failed_handshakes") > 0 }
		if !strings.HasSuffix(r.name, "other-name") && !harness.Poll(deliveryLimit, refused) {
			t.Errorf("%s: no failed handshake is counted", r.name)
		}
		received, _ := metric(site.Addr("monitor"), "SOURCE."+r.name, "EventReceivedCount")
		if got := storedEvents(t, site.Dir(r.name)); len(got) > 0 || received > 0 {
			t.Errorf("%s: %d events were let in: %.300v", r.name, len(got), got)
		}
	}
	// Of another name it is rsyslog who refuses, once the handshake is over for the source. Some of its complaints it
	// writes when it ends.
	client.Stop(t)
	for _, complaint := range []string{
		"not permitted to talk to it. Names: DNSname: flume.example", // gtls
		"not permitted to talk to name: /CN=flume.example",           // ossl
	} {
		if !strings.Contains(client.Output(), complaint) {
			t.Errorf("rsyslog does not say %q", complaint)
		}
	}
}

// awaitDatagrams compares what came over UDP, of which the kernel may have dropped some: each message has
// either come or been counted.
func awaitDatagrams(t *testing.T, site *harness.Site, r route, sent []message) {
	t.Helper()
	var received, dropped int
	harness.Eventually(t, deliveryLimit, "each datagram to be received or counted as dropped", func() bool {
		received, _ = metric(site.Addr("monitor"), "SOURCE."+r.name, "EventAcceptedCount")
		dropped = ownCounter(site, r.name, "kernel_dropped_datagrams")
		return received+dropped >= len(sent)
	})
	found := compare(t, sent, awaitEvents(t, site.Dir(r.name), received), r.want)
	if len(found.lost) != dropped || found.again > 0 {
		t.Errorf("%s: %d of %d messages are lost and %d came again; the source has counted %d as dropped by the kernel",
			r.name, len(found.lost), len(sent), found.again, dropped)
	}
}
