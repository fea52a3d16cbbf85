//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
)

// message is one syslog message. It is made of its number alone, so that what comes out can be compared to the last
// byte with what went in.
type message struct {
	id              int
	pri             int
	at              time.Time // in the zone that is written
	digits          int       // of the fraction of a second
	host, app       string
	proc, msgid, sd string // "-" for none
	text            string
	latin1          bool // text is not UTF-8
}

// newest is the time of message 0; the others are up to twenty days older, so that stamps without a year are clear
// to Apache Flume, too.
var newest = time.Now().Add(-time.Hour).Truncate(time.Second)

// zones are the offsets that messages are written with.
var zones = []*time.Location{time.UTC, time.FixedZone("", 2*3600), time.FixedZone("", -(3*3600 + 30*60))}

// newMessage returns the message with this number. All priorities come up, all forms of stamps, and texts of one
// to some thousand bytes.
func newMessage(id int) message {
	rng := rand.New(rand.NewPCG(1, uint64(id)))
	m := message{
		id: id, pri: id % 192, digits: rng.IntN(7),
		host: fmt.Sprintf("host-%d.Example_%d", id%13, id%7), app: "app-" + strconv.Itoa(id%5),
		proc: "-", msgid: "-", sd: "-",
	}
	unit := time.Duration(1)
	for range 9 - m.digits {
		unit *= 10
	}
	m.at = newest.Add(-time.Duration(rng.IntN(20*24*3600)) * time.Second).
		Add((time.Duration(rng.IntN(1e9)) / unit) * unit).In(zones[rng.IntN(len(zones))])
	if id%3 != 0 {
		m.proc = strconv.Itoa(rng.IntN(100_000))
	}
	if id%4 == 0 {
		m.msgid = "ID" + strconv.Itoa(id%100)
	}
	if id%2 == 0 {
		m.sd = fmt.Sprintf(`[flume@32473 n="%d" said="\"hi\" \] \\"][two@1 x="ü"]`, id)
	}
	m.text = fmt.Sprintf("id %d: ünï € 😀 %s.", id, strings.Repeat("0123456789 ", rng.IntN(20)))
	if id%100 == 0 {
		m.text += strings.Repeat("long ", 1000) + "."
	}
	if m.latin1 = id%50 == 7; m.latin1 {
		m.text = fmt.Sprintf("id %d: gr\xfcn \xa4.", id)
		m.sd = "-"
	}
	return m
}

// stamp is the stamp as RFC 5424 has it.
func (m message) stamp() string {
	layout := "2006-01-02T15:04:05"
	if m.digits > 0 {
		layout += "." + strings.Repeat("0", m.digits)
	}
	return m.at.Format(layout + "Z07:00")
}

// rfc5424 is the message as it is given to rsyslog.
func (m message) rfc5424() string {
	return fmt.Sprintf("<%d>1 %s %s %s", m.pri, m.stamp(), m.host, m.body5424())
}

func (m message) body5424() string {
	return fmt.Sprintf("%s %s %s %s %s", m.app, m.proc, m.msgid, m.sd, m.text)
}

// body3164 is what rsyslog makes of tag and text in the old format.
func (m message) body3164() string {
	if m.proc == "-" {
		return m.app + " " + m.text
	}
	return fmt.Sprintf("%s[%s] %s", m.app, m.proc, m.text)
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// wall is the time that a stamp without year and zone tells where the zone is UTC: the digits on the clock.
func (m message) wall() time.Time {
	year, month, day := m.at.Date()
	hour, minute, second := m.at.Clock()
	return time.Date(year, month, day, hour, minute, second, 0, time.UTC)
}

// streamEvent is the event of a source syslogtcp or syslogudp: with a version (RFC 5424) or without.
func (m message) streamEvent(at time.Time, version bool, body string) event {
	e := event{body: body, headers: map[string]string{
		"Facility": strconv.Itoa(m.pri / 8), "Severity": strconv.Itoa(m.pri % 8), "priority": strconv.Itoa(m.pri),
		"timestamp": millis(at), "host": m.host,
	}}
	if version {
		e.headers["version"] = "1"
	}
	return e
}

// event5424 is the event of a message that rsyslog has forwarded as RSYSLOG_SyslogProtocol23Format.
func (m message) event5424() event { return m.streamEvent(m.at, true, m.body5424()) }

// event3164 is the event of a message that rsyslog has forwarded as RSYSLOG_TraditionalForwardFormat.
func (m message) event3164() event { return m.streamEvent(m.wall(), false, m.body3164()) }

// eventForward is the event of a message that rsyslog has forwarded as RSYSLOG_ForwardFormat, its default: the
// old format with the stamps of the new.
func (m message) eventForward() event { return m.streamEvent(m.at, false, m.body3164()) }

// eventStructured is event5424 with structured-data = headers.
func (m message) eventStructured() event {
	e := m.streamEvent(m.at, true, m.text)
	e.headers["appname"] = m.app
	if m.proc != "-" {
		e.headers["procid"] = m.proc
	}
	if m.msgid != "-" {
		e.headers["msgid"] = m.msgid
	}
	if m.sd != "-" {
		e.headers["flume@32473.n"], e.headers["flume@32473.said"], e.headers["two@1.x"] = strconv.Itoa(m.id), `"hi" ] \`, "ü"
	}
	return e
}

// lineEvent is the event of a source multiport_syslogtcp for what a stream source would make e of.
func lineEvent(e event, port int) event {
	headers := maps.Clone(e.headers)
	for from, to := range map[string]string{"priority": "Priority", "version": "Version"} {
		if value, ok := headers[from]; ok {
			headers[to] = value
			delete(headers, from)
		}
	}
	headers["port"] = strconv.Itoa(port)
	return event{headers: headers, body: e.body}
}

// feeder gives messages to the imtcp input of an rsyslog, counted in octets.
type feeder struct {
	t    *testing.T
	conn *net.TCPConn
}

func newFeeder(t *testing.T, addr string) feeder {
	t.Helper()
	return feeder{t, harness.Dial(t, addr)}
}

func (f feeder) send(messages []message) {
	f.t.Helper()
	var out bytes.Buffer
	for _, m := range messages {
		text := m.rfc5424()
		fmt.Fprintf(&out, "%d %s", len(text), text)
	}
	if _, err := f.conn.Write(out.Bytes()); err != nil {
		f.t.Errorf("giving messages to rsyslog: %v", err) // not Fatalf: others than the test call this
	}
}

// end returns when rsyslog has read everything: it closes the connection no sooner.
func (f feeder) end() {
	f.t.Helper()
	defer f.conn.Close()
	if err := f.conn.CloseWrite(); err != nil {
		f.t.Fatal(err)
	}
	if err := f.conn.SetReadDeadline(time.Now().Add(deliveryLimit)); err != nil {
		f.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, f.conn); err != nil {
		f.t.Fatalf("waiting for rsyslog to have read the messages: %v", err)
	}
}

// feed gives messages to an rsyslog and waits until it has read them.
func feed(t *testing.T, addr string, messages []message) {
	t.Helper()
	f := newFeeder(t, addr)
	f.send(messages)
	f.end()
}

// messages returns the messages from one number up to another.
func messages(from, to int) []message {
	var out []message
	for id := from; id < to; id++ {
		out = append(out, newMessage(id))
	}
	return out
}

// storeEvents adds a channel and a file_roll sink that writes headers and bodies; storedEvents reads them.
func (c *topology) storeEvents(name string, settings ...string) {
	c.channel(name, append([]string{"type = memory", "capacity = 100000", "transactionCapacity = 10000"}, settings...)...)
	c.eventSink(name)
}

func (c *topology) eventSink(name string) {
	c.sink(name, name, "type = file_roll", "sink.directory = <dir "+name+">", "sink.rollInterval = 0", "sink.batchSize = 1000",
		"sink.serializer = header_and_text")
}

// storedEvents returns the events in a folder, in the order of the files' names and in each of writing. Bodies must
// not contain newlines, nor headers ", " or "} ". The last line may be still on its way.
func storedEvents(t *testing.T, dir string) []event {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var out []event
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			text, whole := strings.CutSuffix(string(line), "\n")
			if !whole {
				break
			}
			e, err := parseEvent(text)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out = append(out, e)
		}
	}
	return out
}

// parseEvent reads a line that the serializer header_and_text has written.
func parseEvent(line string) (event, error) {
	head, body, ok := strings.Cut(line, "} ")
	head, begins := strings.CutPrefix(head, "{")
	if !ok || !begins {
		return event{}, fmt.Errorf("the line %.200q is no event", line)
	}
	e := event{headers: map[string]string{}, body: body}
	for field := range strings.SplitSeq(head, ", ") {
		if name, value, ok := strings.Cut(field, "="); ok {
			e.headers[name] = value
		}
	}
	return e, nil
}

// awaitEvents waits until a folder holds n events and returns them.
func awaitEvents(t *testing.T, dir string, n int) []event {
	t.Helper()
	var got []event
	if !harness.Poll(deliveryLimit, func() bool {
		// Counting newlines is much less work than reading events.
		if strings.Count(harness.ReadFiles(t, dir), "\n") < n {
			return false
		}
		got = storedEvents(t, dir)
		return len(got) >= n
	}) {
		got = storedEvents(t, dir)
		t.Fatalf("waited %v in vain for %d events in %s: there are %d", deliveryLimit, n, filepath.Base(dir), len(got))
	}
	return got
}

// result is what a comparison of events with messages has found.
type result struct {
	lost  []int // numbers of messages that did not come, in order
	again int   // events that came more than once
}

var idShape = regexp.MustCompile(`\bid (\d+): `)

// compare compares events with the messages they were made of. What is not as want makes it fails the test.
func compare(t *testing.T, sent []message, got []event, want func(message) event) result {
	t.Helper()
	byID := make(map[string]message, len(sent))
	for _, m := range sent {
		byID[strconv.Itoa(m.id)] = m
	}
	var r result
	times := make(map[int]int, len(sent))
	wrong := 0
	for _, e := range got {
		var m message
		known := false
		if found := idShape.FindStringSubmatch(e.body); found != nil {
			m, known = byID[found[1]]
		}
		if !known {
			t.Errorf("an event that nobody sent: %.300q %v", e.body, e.headers)
			return r
		}
		if times[m.id]++; times[m.id] > 1 {
			r.again++
		}
		w := want(m)
		if w.body == e.body && maps.Equal(w.headers, e.headers) {
			continue
		}
		if wrong++; wrong <= 3 {
			t.Errorf("message %d (-want +got):\n%s%s", m.id, cmp.Diff(w.headers, e.headers), cmp.Diff(w.body, e.body))
		}
	}
	if wrong > 3 {
		t.Errorf("%d more events are wrong", wrong-3)
	}
	for _, m := range sent {
		if times[m.id] == 0 {
			r.lost = append(r.lost, m.id)
		}
	}
	slices.Sort(r.lost)
	return r
}

// exactly is compare for a way on which each message comes just once.
func exactly(t *testing.T, sent []message, got []event, want func(message) event) {
	t.Helper()
	if r := compare(t, sent, got, want); len(r.lost) > 0 || r.again > 0 {
		t.Errorf("of %d messages %d are lost, the first of them %v; %d came again", len(sent), len(r.lost), r.lost[:min(len(r.lost), 10)], r.again)
	}
}
