//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
)

// hostname is the name of this host as programs write it into messages.
func hostname(t *testing.T) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// recent takes the timestamp off an event, which must be one of the last minutes.
func recent(t *testing.T, e event) event {
	t.Helper()
	ms, err := strconv.ParseInt(e.headers["timestamp"], 10, 64)
	if age := time.Since(time.UnixMilli(ms)); err != nil || age < -time.Minute || age > 5*time.Minute {
		t.Errorf("the timestamp %q of %.100q is not of now", e.headers["timestamp"], e.body)
	}
	headers := maps.Clone(e.headers)
	delete(headers, "timestamp")
	return event{headers, e.body}
}

// TestSyslogLogger has logger send in each of its formats and framings.
func TestSyslogLogger(t *testing.T) {
	t.Parallel()
	host := hostname(t)
	site := harness.NewSite(t)
	var c topology
	for name, typ := range map[string]string{"udp": "syslogudp", "tcp": "syslogtcp", "structured": "syslogtcp", "ports": "multiport_syslogtcp"} {
		c.syslogSource(name, typ)
		c.storeEvents(name)
	}
	c.add("sources", "structured", "structured-data = headers")
	c.add("sources", "ports", "ports = <port ports>")
	startSyslogAgent(t, site, c)
	file := filepath.Join(site.Dir("file"), "lines")
	harness.WriteFile(t, file, "id 1: line one\n\nid 2: line two\n")
	big := strings.Repeat("big ", 3000) + "end"

	stream := func(pri int, version bool, body string, more ...string) event {
		e := newMessage(0).streamEvent(time.Time{}, version, body)
		delete(e.headers, "timestamp")
		e.headers["Facility"], e.headers["Severity"], e.headers["priority"] = strconv.Itoa(pri/8), strconv.Itoa(pri%8), strconv.Itoa(pri)
		e.headers["host"] = host
		for i := 0; i < len(more); i += 2 {
			e.headers[more[i]] = more[i+1]
		}
		return e
	}
	const tag = "--tag=e2e --id=77"
	for _, run := range []struct {
		to    string
		args  string
		text  string // the last argument or, if it ends with a newline, standard input
		wants []event
	}{
		{"udp", "--udp --rfc3164 -p local3.warning " + tag, "hello ünï", []event{stream(156, false, "e2e[77]: hello ünï")}},
		{"udp", "--udp --rfc5424=notq -p kern.emerg " + tag, "hello", []event{stream(8, true, "e2e 77 - - hello")}},
		{"udp", "--udp --rfc3164 -S 20k -p user.info " + tag, big, []event{stream(14, false, "e2e[77]: "+big)}},
		{"tcp", "--tcp --rfc3164 -p local7.debug " + tag, "hello", []event{stream(191, false, "e2e[77]: hello")}},
		{"tcp", "--tcp --rfc5424=notq --msgid M1 --sd-id zoo@123 --sd-param tiger=\"hungry\" --sd-param zebra=\"running\" -p mail.err " + tag, "hello",
			[]event{stream(19, true, `e2e 77 M1 [zoo@123 tiger="hungry" zebra="running"] hello`)}},
		{"tcp", "--tcp --octet-count --rfc5424=notq -S 20k -p auth.notice " + tag, big, []event{stream(37, true, "e2e 77 - - "+big)}},
		{"tcp", "--tcp --octet-count --rfc3164 -p user.notice " + tag, "a\nb\n", []event{stream(13, false, "e2e[77]: a"), stream(13, false, "e2e[77]: b")}},
		{"tcp", "--tcp --rfc3164 --prio-prefix -p user.notice " + tag, "plain\n<27>daemon\n<3>error\n",
			[]event{stream(13, false, "e2e[77]: plain"), stream(27, false, "e2e[77]: daemon"), stream(11, false, "e2e[77]: error")}},
		{"tcp", "--tcp --rfc5424=notq -e -p user.notice " + tag + " -f " + file, "",
			[]event{stream(13, true, "e2e 77 - - id 1: line one"), stream(13, true, "e2e 77 - - id 2: line two")}},
		{"structured", "--tcp --rfc5424 --msgid M2 --sd-id zoo@123 --sd-param tiger=\"hungry\" -p user.notice " + tag, "hello",
			[]event{stream(13, true, "hello", "appname", "e2e", "procid", "77", "msgid", "M2", "zoo@123.tiger", "hungry", "timeQuality.tzKnown", "1")}},
		{"ports", "--tcp --rfc5424=notq -p user.notice " + tag, "hello", []event{lineEvent(stream(13, true, "e2e 77 - - hello"), site.Port("ports"))}},
		{"ports", "--tcp --octet-count --rfc3164 -p user.notice " + tag, "hello", []event{lineEvent(stream(13, false, "e2e[77]: hello"), site.Port("ports"))}},
	} {
		before := len(storedEvents(t, site.Dir(run.to)))
		args := append(strings.Fields("--stderr -n 127.0.0.1 -P "+strconv.Itoa(site.Port(run.to))), strings.Fields(run.args)...)
		input := ""
		if strings.HasSuffix(run.text, "\n") {
			input = run.text
		} else if run.text != "" {
			args = append(args, run.text)
		}
		// With --stderr it tells what it sends.
		printed := harness.RunLogger(t, input, args...)
		var got []event
		for _, e := range awaitEvents(t, site.Dir(run.to), before+len(run.wants))[before:] {
			e = recent(t, e)
			for name := range e.headers { // whether the clock is synchronous is not known
				if strings.HasPrefix(name, "timeQuality.") && name != "timeQuality.tzKnown" {
					delete(e.headers, name)
				}
			}
			got = append(got, e)
			if !strings.Contains(printed, e.body[strings.LastIndex(e.body, " ")+1:]) {
				t.Errorf("logger %s: what it printed, %.200q, is not what it sent", run.args, printed)
			}
		}
		if diff := cmp.Diff(run.wants, got, cmp.AllowUnexported(event{})); diff != "" {
			t.Errorf("logger %s (-want +got):\n%.2000s", run.args, diff)
		}
	}
}

// TestSyslogNginx has nginx send its access log and its error log.
func TestSyslogNginx(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	var c topology
	c.syslogSource("udp", "syslogudp")
	c.storeEvents("udp")
	startSyslogAgent(t, site, c)
	harness.StartNginx(t, fmt.Sprintf(`
log_format e2e '$remote_addr "$request" $status $body_bytes_sent "$http_user_agent"';
access_log syslog:server=127.0.0.1:%[1]d,facility=local7,tag=web,severity=info e2e;
error_log syslog:server=127.0.0.1:%[1]d,facility=local2,tag=weberr error;
server { listen 127.0.0.1:%[2]d; root /nonexistent; location /ok { return 200 "fine\n"; } }`, site.Port("udp"), site.Port("web")))
	harness.Dial(t, site.Addr("web")).Close()
	const n = 300
	want := map[string]int{}
	for i := range n {
		path, status, size := "/ok/"+strconv.Itoa(i), http.StatusOK, 5
		if i%10 == 0 {
			path, status, size = "/missing/"+strconv.Itoa(i), http.StatusNotFound, 153
			want["18 3 weberr: open() \"/nonexistent"+path+"\" failed"]++
		}
		want[fmt.Sprintf("23 6 web: 127.0.0.1 \"GET %s HTTP/1.1\" %d %d \"Go-http-client/1.1\"", path, status, size)]++
		resp, err := client.Get("http://" + site.Addr("web") + path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	got := map[string]int{}
	failure := regexp.MustCompile(`weberr: \S+ \S+ \[error\] \S+ \*\d+ (open\(\) "[^"]+" failed) .*`)
	for _, e := range awaitEvents(t, site.Dir("udp"), n+n/10) {
		e = recent(t, e)
		if e.headers["host"] != hostname(t) {
			t.Errorf("the host is %q", e.headers["host"])
		}
		got[fmt.Sprintf("%s %s %s", e.headers["Facility"], e.headers["Severity"], failure.ReplaceAllString(e.body, "weberr: $1"))]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-requests +events):\n%s", diff)
	}
}

// TestSyslogJournald logs to the journal in each of the ways there are; it forwards to rsyslog, as on most hosts, which forwards to ours.
func TestSyslogJournald(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	var c topology
	c.syslogSource("tcp", "syslogtcp")
	c.add("sources", "tcp", "structured-data = headers")
	c.storeEvents("tcp")
	startSyslogAgent(t, site, c)
	const lines = 50
	r := route{name: "tcp", format: format5424, action: overCounted}
	// The journal does not wait for who reads its socket, so lines must not come too quickly.
	harness.StartJournald(t, r.forward(site.Port("tcp")), fmt.Sprintf(`
logger -u /run/systemd/journal/dev-log -t syslog -p local1.warning "through /dev/log: ünï"
echo "through standard output" | systemd-cat -t cat -p err
printf 'MESSAGE=through the native socket\nPRIORITY=2\nSYSLOG_IDENTIFIER=native\nSYSLOG_FACILITY=4\n' | logger --journald
for i in $(seq %d); do echo "line $i"; sleep 0.01; done | systemd-cat -t many -p notice
`, lines))
	want := map[string]int{
		"syslog 17 4 through /dev/log: ünï":    1,
		"cat 1 3 through standard output":      1,
		"native 4 2 through the native socket": 1,
	}
	for i := range lines {
		want[fmt.Sprintf("many 1 5 line %d", i+1)]++
	}
	var got map[string]int
	harness.Poll(deliveryLimit, func() bool {
		got = map[string]int{}
		for _, e := range storedEvents(t, site.Dir("tcp")) {
			e = recent(t, e)
			if e.headers["host"] != hostname(t) {
				t.Errorf("the host is %q", e.headers["host"])
			}
			if app := e.headers["appname"]; app != "systemd-journald" { // which tells that it runs
				got[fmt.Sprintf("%s %s %s %s", app, e.headers["Facility"], e.headers["Severity"], strings.TrimPrefix(e.body, " "))]++
			}
		}
		return maps.Equal(want, got)
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-logged +events):\n%s", diff)
	}
}
