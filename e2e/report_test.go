//go:build e2e

package e2e

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// reported is the topology whose counters the tests below read: seq counts what it stores, exec what it
// receives, file_roll what it drains, and the memory channel everything.
func reported() string {
	var c topology
	c.source("r1", "c1", "type = seq", "totalEvents = 25", "batchSize = 10")
	c.channel("c1", "type = memory", "keep-alive = 1")
	c.sink("k1", "c1", "type = file_roll", "sink.directory = <dir k1>", "sink.rollInterval = 0")
	c.source("r2", "c2", "type = exec", "shell = /bin/sh -c", "command = echo a; echo b; exec sleep 60")
	c.channel("c2", "type = memory", "keep-alive = 1", "capacity = 1000", "byteCapacity = 1000000")
	c.source("r3", "c3", "type = seq", "totalEvents = 4")
	c.channel("c3", "type = memory")
	c.sink("k3", "c3", "type = logger")
	return c.String()
}

// steady are the counters that do not depend on how often a component polled or on the time. All that events
// change are among them: when these have their values, the others keep theirs.
var steady = seen{
	"SOURCE.r1 EventAcceptedCount":       "25",
	"SOURCE.r1 AppendBatchReceivedCount": "0",
	"SOURCE.r1 AppendBatchAcceptedCount": "3",
	"SOURCE.r1 AppendReceivedCount":      "0",
	"SOURCE.r1 AppendAcceptedCount":      "0",
	"SOURCE.r1 OpenConnectionCount":      "0",
	"SOURCE.r1 EventReadFail":            "0",
	"SOURCE.r1 ChannelWriteFail":         "0",
	"SOURCE.r1 GenericProcessingFail":    "0",
	"SOURCE.r1 StartTime":                "<ms>",
	"SOURCE.r1 StopTime":                 "0",
	"SOURCE.r1 Type":                     "SOURCE",
	"SOURCE.r2 EventReceivedCount":       "2",
	"SOURCE.r2 EventAcceptedCount":       "2",
	"SOURCE.r3 EventAcceptedCount":       "4",
	"SOURCE.r3 AppendBatchAcceptedCount": "0",
	"CHANNEL.c1 ChannelCapacity":         "100",
	"CHANNEL.c1 ChannelSize":             "0",
	"CHANNEL.c1 ChannelFillPercentage":   "0.0",
	"CHANNEL.c1 EventPutAttemptCount":    "25",
	"CHANNEL.c1 EventPutSuccessCount":    "25",
	"CHANNEL.c1 EventTakeSuccessCount":   "25",
	"CHANNEL.c1 StopTime":                "0",
	"CHANNEL.c1 StartTime":               "<ms>",
	"CHANNEL.c1 Type":                    "CHANNEL",
	"CHANNEL.c2 ChannelCapacity":         "1000",
	"CHANNEL.c2 ChannelSize":             "2",
	"CHANNEL.c2 ChannelFillPercentage":   "0.2",
	"CHANNEL.c2 EventPutAttemptCount":    "2",
	"CHANNEL.c2 EventPutSuccessCount":    "2",
	"CHANNEL.c2 EventTakeAttemptCount":   "0",
	"CHANNEL.c3 ChannelSize":             "0",
	"CHANNEL.c3 ChannelFillPercentage":   "0.0",
	"CHANNEL.c3 EventPutAttemptCount":    "4",
	"CHANNEL.c3 EventPutSuccessCount":    "4",
	"CHANNEL.c3 EventTakeSuccessCount":   "4",
	"SINK.k1 EventDrainAttemptCount":     "25",
	"SINK.k1 EventDrainSuccessCount":     "25",
	"SINK.k1 ConnectionCreatedCount":     "1",
	"SINK.k1 ConnectionClosedCount":      "0",
	"SINK.k1 ConnectionFailedCount":      "0",
	"SINK.k1 EventWriteFail":             "0",
	"SINK.k1 ChannelReadFail":            "0",
	"SINK.k1 Type":                       "SINK",
}

// settled says whether all counters have reached what steady expects.
func settled(got seen) bool { return len(unsettled(got)) == 0 }

// unsettled tells what steady expects and is not so, or not yet.
func unsettled(got seen) []string {
	var wrong []string
	for name, value := range steady {
		if got[name] != value {
			wrong = append(wrong, fmt.Sprintf("%s is %q, not %q", name, got[name], value))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// polled are the counters that grow with every idle poll of a sink.
func polled(name string) bool { return strings.HasSuffix(name, "EventTakeAttemptCount") }

// beyond says whether an attribute is one that ours counts and Flume does not: seq leaves the received
// side at 0, file_roll never looks at the size of its batches, and logger has no counters.
func beyond(component, attribute string) bool {
	switch component {
	case "SOURCE.r1", "SOURCE.r3":
		return attribute == "EventReceivedCount"
	case "SINK.k1":
		return strings.HasPrefix(attribute, "Batch")
	default:
		return component == "SINK.k3"
	}
}

// TestJSONReporter compares the http reporter's JSON: component and attribute names, text values, and
// every counter that is determined by the events.
func TestJSONReporter(t *testing.T) {
	t.Parallel()
	want := maps.Clone(steady)
	want["GET /"] = "200 html"
	want["GET /metrics"] = "200 application/json;charset=utf-8"
	want["GET /METRICS"] = "200 application/json;charset=utf-8"
	want["GET /metrics/"] = "404"
	want["GET /other"] = "404"
	want["POST /metrics"] = "200 application/json;charset=utf-8"
	want["OPTIONS /metrics"] = "403"
	want["TRACE /metrics"] = "403"
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(reported()), Args: []string{
			"-Dflume.monitoring.type=http", fmt.Sprintf("-Dflume.monitoring.port=%d", site.Port("monitor")),
		}})
		base := "http://" + site.Addr("monitor")
		harness.Dial(t, site.Addr("monitor")).Close()
		got := make(seen)
		harness.Poll(deliveryLimit, func() bool { // those that are wrong are told below
			got = counters(t, base+"/metrics")
			return settled(got)
		})
		maps.DeleteFunc(got, func(key, _ string) bool {
			component, attribute, _ := strings.Cut(key, " ")
			return beyond(component, attribute)
		})
		for request := range want {
			if method, path, ok := strings.Cut(request, " /"); ok {
				got[request] = answer(t, method, base+"/"+path)
			}
		}
		return got
	})
}

// client gives a reporter that hangs a limited time.
var client = &http.Client{Timeout: 10 * time.Second}

// counters reads the JSON of a reporter as "component attribute" to text. A value that is not a string
// fails the test. Times are masked, and so is what depends on polling.
func counters(t *testing.T, url string) seen {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var report map[string]map[string]string
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
		t.Fatalf("reading %s: %v", url, err)
	}
	got := make(seen)
	for component, attributes := range report {
		for name, value := range attributes {
			key := component + " " + name
			if polled(key) && value != "0" {
				value = "<polls>"
			}
			got[key] = mask(value)
		}
	}
	return got
}

// answer returns the status of a request and its content type, "html" for any HTML page.
func answer(t *testing.T, method, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return strconv.Itoa(resp.StatusCode)
	}
	kind := strings.ToLower(resp.Header.Get("Content-Type"))
	if strings.HasPrefix(kind, "text/html") {
		kind = "html"
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, strings.ReplaceAll(kind, "; ", ";"))
}

// TestGanglia31 compares the packets that the Ganglia reporter sends by default.
func TestGanglia31(t *testing.T) {
	t.Parallel()
	compareGanglia(t, false)
}

// TestGanglia30 compares the packets for servers before Ganglia 3.1.
func TestGanglia30(t *testing.T) {
	t.Parallel()
	compareGanglia(t, true)
}

// compareGanglia compares the packets of one format.
func compareGanglia(t *testing.T, old bool) {
	t.Helper()
	want := ganglia(old)
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		gmond := harness.ListenUDP(t)
		s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(reported()), Args: []string{
			"-Dflume.monitoring.type=ganglia", "-Dflume.monitoring.hosts=" + gmond.Addr,
			"-Dflume.monitoring.pollFrequency=1", "-Dflume.monitoring.isGanglia3=" + strconv.FormatBool(old),
		}})
		settledAt := -1                           // so many datagrams had come when the counters had their last values
		harness.Poll(deliveryLimit, func() bool { // those that are wrong are told below
			datagrams := gmond.Datagrams()
			if settledAt < 0 && settled(reportedValues(t, datagrams)) {
				settledAt = len(datagrams)
			}
			return settledAt >= 0 && roundPassed(t, datagrams, settledAt)
		})
		if settledAt < 0 {
			t.Errorf("in the packets:\n%s", strings.Join(unsettled(reportedValues(t, gmond.Datagrams())), "\n"))
		}
		return packets(t, gmond.Datagrams())
	})
}

// reportedValues reads the newest packets of all metrics as "component attribute" to text.
func reportedValues(t *testing.T, datagrams [][]byte) seen {
	t.Helper()
	got := make(seen)
	for _, d := range datagrams {
		p := parsePacket(t, d)
		if p.meta {
			continue
		}
		value := p.fields[len(p.fields)-1]
		if p.fields[0] == "0" {
			value = p.fields[3]
		}
		if i := strings.LastIndexByte(p.metric, '.'); i >= 0 {
			got[p.metric[:i]+" "+p.metric[i+1:]] = mask(strings.Trim(value, `"`))
		}
	}
	return got
}

// roundPassed says whether a whole round of the reporter lies behind the first n datagrams: whatever came twice
// since then was preceded by everything that the reporter has.
func roundPassed(t *testing.T, datagrams [][]byte, n int) bool {
	t.Helper()
	since := make(map[string]int)
	for i, d := range datagrams {
		p := parsePacket(t, d)
		key := fmt.Sprint(p.meta, p.metric)
		since[key] += 0
		if i >= n {
			since[key]++
		}
	}
	for _, times := range since {
		if times < 2 {
			return false
		}
	}
	return true
}

// ganglia is what some of the packets must say: fields in their order, strings quoted.
func ganglia(old bool) seen {
	if old {
		return seen{
			"value flume.SINK.k1.EventDrainSuccessCount": `0 "float" "<host>.flume.SINK.k1.EventDrainSuccessCount" "25" "" 3 60 0`,
			"value flume.CHANNEL.c1.Type":                `0 "string" "<host>.flume.CHANNEL.c1.Type" "CHANNEL" "" 3 60 0`,
		}
	}
	return seen{
		"meta flume.SINK.k1.EventDrainSuccessCount":  `128 "<host>" "flume.SINK.k1.EventDrainSuccessCount" 0 "float" "flume.SINK.k1.EventDrainSuccessCount" "" 3 60 0 1 "GROUP" "flume"`,
		"value flume.SINK.k1.EventDrainSuccessCount": `133 "<host>" "flume.SINK.k1.EventDrainSuccessCount" 0 "%s" "25"`,
		"meta flume.CHANNEL.c1.Type":                 `128 "<host>" "flume.CHANNEL.c1.Type" 0 "string" "flume.CHANNEL.c1.Type" "" 3 60 0 1 "GROUP" "flume"`,
		"value flume.CHANNEL.c1.Type":                `133 "<host>" "flume.CHANNEL.c1.Type" 0 "%s" "CHANNEL"`,
	}
}

// packets shows the newest datagram of each kind and metric as text. The sender's name, the times and what
// depends on polling are masked.
func packets(t *testing.T, datagrams [][]byte) seen {
	t.Helper()
	got := make(seen)
	for _, d := range datagrams {
		p := parsePacket(t, d)
		if dot := strings.LastIndexByte(p.metric, '.'); dot >= 0 && beyond(p.metric[:dot], p.metric[dot+1:]) {
			continue
		}
		kind := "value "
		if p.meta {
			kind = "meta "
		}
		text := strings.Replace(strings.Join(p.fields, " "), `"`+p.host, `"<host>`, 1)
		if polled(p.metric) && !p.meta {
			text = "<polls>"
		}
		got[kind+"flume."+p.metric] = mask(text)
	}
	return got
}

// packet is a datagram of the Ganglia reporter.
type packet struct {
	fields []string // as xdr returns them
	meta   bool     // it describes the metric and does not have its value
	metric string   // component and attribute with a dot in between
	host   string   // the sender's
}

// parsePacket takes a datagram apart, which must be one of Flume's.
func parsePacket(t *testing.T, datagram []byte) packet {
	t.Helper()
	fields, err := xdr(datagram)
	if err != nil {
		t.Fatalf("packet %x: %v", datagram, err)
	}
	p := packet{fields: fields, meta: fields[0] == "128"}
	// In the old format the metric's name follows the host's in one field.
	var ok bool
	if p.host, p.metric, ok = strings.Cut(strings.Trim(fields[2], `"`), "flume."); !ok {
		t.Fatalf("packet without a metric of Flume's: %v", fields)
	}
	if p.host == "" {
		p.host = strings.Trim(fields[1], `"`)
	}
	p.host = strings.TrimSuffix(p.host, ".")
	return p
}

// xdr splits a packet into its integers and strings. Every Flume packet can be told apart by its first
// two fields; what is an integer and what a string follows from the format.
func xdr(packet []byte) ([]string, error) {
	layouts := map[uint32]string{128: "ississsiiiiss", 133: "ississ", 0: "issssiii"}
	if len(packet) < 4 {
		return nil, fmt.Errorf("%d bytes are too few", len(packet))
	}
	layout, ok := layouts[binary.BigEndian.Uint32(packet)]
	if !ok {
		return nil, fmt.Errorf("unknown kind %d", binary.BigEndian.Uint32(packet))
	}
	var fields []string
	for i, kind := range layout {
		if len(packet) < 4 {
			return nil, fmt.Errorf("field %d is missing", i)
		}
		n := binary.BigEndian.Uint32(packet)
		packet = packet[4:]
		if kind == 'i' {
			fields = append(fields, strconv.FormatUint(uint64(n), 10))
			continue
		}
		padded := (int(n) + 3) / 4 * 4
		if padded > len(packet) {
			return nil, fmt.Errorf("field %d has %d bytes of %d", i, len(packet), padded)
		}
		fields = append(fields, strconv.Quote(string(packet[:n])))
		packet = packet[padded:]
	}
	if len(packet) > 0 {
		return nil, fmt.Errorf("%d bytes are left over", len(packet))
	}
	return fields, nil
}
