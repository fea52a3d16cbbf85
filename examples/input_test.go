//go:build examples

package examples

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// input is a source that can be given lines.
type input struct {
	source string
	way    way
	to     string // address, URL or file
}

// way is how a line comes to a source.
type way struct {
	network string              // "tcp", "udp", "http", "file", "spool", or a remote call: "avro", "thrift", "avrolegacy"
	frame   func(string) string // what is sent for a line
	answers bool                // each line is answered with OK
}

func plain(line string) string { return line + "\n" }

// syslogged is a line as programs send it to a syslog daemon.
func syslogged(line string) string { return "<13>Oct 11 22:14:15 host " + line + "\n" }

// ways are the types of sources that can be given lines.
var ways = map[string]way{
	"netcat":              {"tcp", plain, true},
	"netcatudp":           {"udp", plain, false},
	"syslogtcp":           {"tcp", syslogged, false},
	"multiport_syslogtcp": {"tcp", syslogged, false},
	"syslogudp":           {"udp", syslogged, false},
	"http":                {"http", plain, false},
	"taildir":             {"file", plain, false},
	"spooldir":            {"spool", plain, false},
	"avro":                {"avro", nil, false},
	"thrift":              {"thrift", nil, false},
	"org.apache.flume.source.avroLegacy.AvroLegacySource": {"avrolegacy", nil, false},
	"thriftlegacy": {"tcp", thriftLegacy, false},
	"scribe":       {"tcp", scribed, false},
}

// fed reports whether a sink of the same agent sends to a port.
func (x *example) fed(port string) bool {
	for key, value := range x.settings {
		if strings.HasPrefix(key, "a1.sinks.") && strings.HasSuffix(key, ".port") && value == port {
			return true
		}
	}
	return false
}

// input returns how to reach a source; false if it has input of its own, or from a sink. It makes the directory that one looks into.
func (x *example) input(t *testing.T, source string) (in input, ok bool) {
	t.Helper()
	prefix := "a1.sources." + source + "."
	in = input{source: source}
	if in.way, ok = ways[x.settings[prefix+"type"]]; !ok {
		return in, false
	}
	port, _, _ := strings.Cut(x.settings[prefix+"port"]+x.settings[prefix+"ports"], " ")
	if port != "" && x.fed(port) {
		return in, false
	}
	in.to = "127.0.0.1:" + port
	switch in.way.network {
	case "http":
		in.to = "http://" + in.to
	case "spool":
		in.to = filepath.Join(x.settings[prefix+"spoolDir"], source)
		if err := os.MkdirAll(filepath.Dir(in.to), 0o755); err != nil {
			t.Fatal(err)
		}
	case "file":
		group, _, _ := strings.Cut(x.settings[prefix+"filegroups"], " ")
		pattern := x.settings[prefix+"filegroups."+group]
		// The last part is a regular expression; those of the examples are simple ones.
		name := strings.NewReplacer(`\.`, ".", ".*", "x").Replace(pattern[strings.LastIndexByte(pattern, '/')+1:])
		in.to = filepath.Join(filepath.Dir(pattern), name)
		if err := os.MkdirAll(filepath.Dir(pattern), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return in, true
}

// lines is how many lines each source is given.
const lines = 50

// send sends lines and returns them once they are acknowledged, or, where there is no acknowledgement, counted.
func (in input) send(t *testing.T, p *process) []string {
	t.Helper()
	sent := make([]string, lines)
	for i := range sent {
		// Short enough for the logger sink, which shows 16 bytes.
		sent[i] = fmt.Sprintf("%s-%03d.", in.source, i)
	}
	switch in.way.network {
	case "http":
		in.post(t, sent)
	case "file":
		in.write(t, sent)
	case "spool":
		in.drop(t, sent)
	case "avro", "thrift", "avrolegacy":
		in.call(t, sent)
	default:
		in.dial(t, p, sent)
	}
	if !in.way.answers {
		p.poll(t, deliverWithin, "to receive all lines", func(ctx context.Context) (bool, string) {
			m, err := p.counters(ctx)
			return err == nil && m["SOURCE."+in.source]["EventAcceptedCount"] == strconv.Itoa(lines), fmt.Sprint(m, err)
		})
	}
	return sent
}

// dial sends the lines over a connection.
func (in input) dial(t *testing.T, p *process, sent []string) {
	t.Helper()
	conn, err := net.DialTimeout(in.way.network, in.to, readyWithin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(deliverWithin)); err != nil {
		t.Fatal(err)
	}
	for _, line := range sent {
		if _, err := fmt.Fprint(conn, in.way.frame(line)); err != nil {
			t.Fatal(err)
		}
	}
	if !in.way.answers {
		return
	}
	answers := bufio.NewScanner(conn)
	for i := range sent {
		if !answers.Scan() || answers.Text() != "OK" {
			t.Fatalf("line %d of source %s is answered with %q, %v\n%s", i, in.source, answers.Text(), answers.Err(), &p.log)
		}
	}
}

// write appends the lines to a file.
func (in input) write(t *testing.T, sent []string) {
	t.Helper()
	if err := os.WriteFile(in.to, []byte(strings.Join(sent, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// drop puts a file with the lines into the directory: under a name that is not read, and then under its own.
func (in input) drop(t *testing.T, sent []string) {
	t.Helper()
	whole := input{to: filepath.Join(filepath.Dir(in.to), "."+filepath.Base(in.to))}
	whole.write(t, sent)
	if err := os.Rename(whole.to, in.to); err != nil {
		t.Fatal(err)
	}
}

// post sends the lines as the array of events that Flume's JSON handler takes.
func (in input) post(t *testing.T, sent []string) {
	t.Helper()
	type event struct {
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	var events []event
	for _, line := range sent {
		events = append(events, event{map[string]string{"from": "an example"}, line})
	}
	body, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(in.to, "application/json", bytes.NewReader(body)) //nolint:noctx // ends with the agent
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("source %s answers %s", in.source, resp.Status)
	}
}
