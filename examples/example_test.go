//go:build examples

package examples

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/flume-go/flume/property"
)

// example is a configuration, with what has to be different so that several can
// run on one machine: ports and directories.
type example struct {
	file     string
	override string // a second file, which wins
	dir      string // all output is below it
	settings map[string]string
	inputs   []input
}

var portKey = regexp.MustCompile(`^a1\.(sources|sinks)\.[^.]+\.ports?$`)

func prepare(t *testing.T, file string) *example {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	entries, problems := property.Read(file, text)
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	x := &example{file: file, dir: t.TempDir(), settings: map[string]string{}}
	var changed strings.Builder
	ports := map[string]int{} // both ends of a connection within the agent go on to match
	for _, e := range entries {
		key, value := e.Key, e.Value.Text
		switch {
		case portKey.MatchString(key):
			var free []string
			for port := range strings.FieldsSeq(value) {
				if ports[port] == 0 {
					ports[port] = freePort(t)
				}
				free = append(free, strconv.Itoa(ports[port]))
			}
			value = strings.Join(free, " ")
			fmt.Fprintf(&changed, "%s = %s\n", key, value)
		case strings.HasPrefix(value, "/tmp/"):
			value = x.dir + strings.TrimPrefix(value, "/tmp")
			fmt.Fprintf(&changed, "%s = %s\n", key, strings.ReplaceAll(value, `\`, `\\`))
		}
		x.settings[key] = value
	}
	x.override = filepath.Join(t.TempDir(), "override.conf")
	if err := os.WriteFile(x.override, []byte(changed.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(x.settings["a1.sources"]) {
		if in, ok := x.input(t, name); ok {
			x.inputs = append(x.inputs, in)
		}
	}
	return x
}

// freePort returns a port that nobody listened on a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// generates reports whether the agent has input of its own.
func (x *example) generates() bool {
	for _, name := range strings.Fields(x.settings["a1.sources"]) {
		switch x.settings["a1.sources."+name+".type"] {
		case "exec", "seq", "stress":
			return true
		}
	}
	return false
}

// readable reports whether everything that is delivered can be found as text, in
// files or in the log.
func (x *example) readable() bool {
	for _, name := range strings.Fields(x.settings["a1.sinks"]) {
		prefix := "a1.sinks." + name + "."
		switch x.settings[prefix+"type"] {
		case "logger":
		case "file_roll":
			for key, value := range x.settings {
				if strings.HasPrefix(key, prefix) && strings.HasSuffix(key, "compressionCodec") && value != "null" {
					return false
				}
			}
		default:
			return false
		}
	}
	return true
}

func (x *example) output(t *testing.T) string { return readFiles(t, x.dir) }

func (p *process) waitReady(t *testing.T) {
	t.Helper()
	p.poll(t, readyWithin, "to be ready", func(ctx context.Context) (bool, string) {
		status, body, err := p.get(ctx, "/readyz")
		return err == nil && status == http.StatusOK, fmt.Sprint(body, err)
	})
}

// waitDelivered waits until the sinks have delivered what was sent, or anything
// at all when the agent has input of its own.
func (p *process) waitDelivered(t *testing.T, x *example, sent int) {
	t.Helper()
	want := sent
	if sent == 0 && x.generates() {
		want = 1
	}
	p.poll(t, deliverWithin, "to deliver", func(ctx context.Context) (bool, string) {
		m, err := p.counters(ctx)
		if err != nil {
			return false, err.Error()
		}
		delivered := 0
		for name, attributes := range m {
			if strings.HasPrefix(name, "SINK.") {
				n, err := strconv.Atoi(attributes["EventDrainSuccessCount"])
				if err != nil {
					return false, err.Error()
				}
				delivered += n
			}
		}
		return delivered >= want, fmt.Sprintf("%d of %d events", delivered, want)
	})
}

// counters returns Flume's report: attributes by component.
func (p *process) counters(ctx context.Context) (map[string]map[string]string, error) {
	status, body, err := p.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	var m map[string]map[string]string
	if err := json.Unmarshal([]byte(body), &m); err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("/metrics answers %d %q: %w", status, body, err)
	}
	return m, nil
}

func (p *process) get(ctx context.Context, path string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.metrics+path, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}
