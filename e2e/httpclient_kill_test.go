//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// pythonClient posts with urllib as HttpSend does with Java's clients: "<number> <status>" for each request.
const pythonClient = `
import json, sys, time, urllib.error, urllib.request
url, name = sys.argv[1:3]
n = 0
while True:
    events = [{"body": "%s%d.0" % (name, n)}, {"headers": {"n": "1"}, "body": "%s%d.1" % (name, n)}]
    request = urllib.request.Request(url, json.dumps(events).encode(),
                                     {"Content-Type": "application/json", "Idempotency-Key": "%s%d" % (name, n)})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            status = response.status
    except urllib.error.HTTPError as e:
        status = e.code
    except OSError:
        status = 0
        time.sleep(0.005)
    print(n, status, flush=True)
    n += 1
`

// httpKills is how many times the agent is killed.
const httpKills = 8

// TestHTTPKill kills an agent (kill -9) between an HTTP source and a file channel while clients in Java and Python,
// and curl, post to it. Every request that was answered with 200 is delivered.
func TestHTTPKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, uint64(rand.Uint32()))
	url := "http://" + w.addr(w.source) + "/"
	senders := map[string]*harness.Process{}
	v := w.startHTTP(t)
	defer func() { v.kill() }()
	harness.Dial(t, w.addr(w.source)).Close()
	for _, kind := range []string{"http1", "http2", "url-connection", "url-connection-chunked"} {
		senders[kind] = harness.StartJavaClient(t, "HttpSend", kind, url, kind+" ")
	}
	senders["urllib"] = harness.StartProgram(t, harness.Program{Name: "urllib", Argv: []string{"python3", "-c", pythonClient, url, "urllib "}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan map[int]int)
	go func() { done <- curlLoop(ctx, t, url) }()
	for range httpKills {
		for kind, p := range senders {
			before := len(answered(p.Output()))
			harness.Eventually(t, 30*time.Second, kind+" to be answered", func() bool { return len(answered(p.Output())) > before })
		}
		pass(t.Context(), time.Duration(rand.Int64N(int64(150*time.Millisecond))))
		w.lives[len(w.lives)-1].killed = time.Now()
		if !v.kill() {
			t.Fatalf("the agent ended by itself:\n%s", v.log.String())
		}
		v = w.startHTTP(t)
	}
	results := map[string]map[int]int{}
	for kind, p := range senders {
		p.Stop(t)
		results[kind] = statuses(p.Output())
	}
	cancel()
	results["curl"] = <-done
	harness.Dial(t, w.addr(w.source)).Close()
	w.empty(t, v)
	v.stop(t)
	w.compareHTTP(t, results)
}

// startHTTP starts the next agent.
func (w *world) startHTTP(t *testing.T) *victim {
	dir := filepath.Join(w.root, "out", fmt.Sprintf("%04d", len(w.lives)))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var c topology
	c.source("h", "c", "type = http", "bind = 127.0.0.1", fmt.Sprintf("port = %d", w.source), "idempotencyKeys = 100000")
	c.channel("c", "type = file", "checkpointDir = "+filepath.Join(w.root, "checkpoint"), "dataDirs = "+filepath.Join(w.root, "data"),
		"minimumRequiredSpace = 1048576")
	c.sink("k", "c", "type = file_roll", "sink.directory = "+dir, "sink.rollInterval = 0", "sink.batchSize = 50")
	w.lives = append(w.lives, &life{conf: c.String(), sinks: []string{dir}, batch: 50})
	return startVictim(t, w.root, c.String(), w.metric)
}

// curlLoop posts with curl until ctx ends and returns the status of each request.
func curlLoop(ctx context.Context, t *testing.T, url string) map[int]int {
	all := map[int]int{}
	for n := 0; ctx.Err() == nil; n++ {
		body := fmt.Sprintf(`[{"body":"curl %d.0"},{"body":"curl %d.1"}]`, n, n)
		out, _ := harness.RunProgram(t, harness.Program{Dir: "/", Argv: []string{"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
			"-H", "Content-Type: application/json", "-d", body, url}})
		all[n], _ = strconv.Atoi(out) // 000 if there was no answer
		pass(ctx, 5*time.Millisecond)
	}
	return all
}

// statuses reads "<number> <status>" lines.
func statuses(output string) map[int]int {
	all := map[int]int{}
	for line := range strings.Lines(output) {
		var n, status int
		if _, err := fmt.Sscanf(line, "%d %d\n", &n, &status); err == nil {
			all[n] = status
		}
	}
	return all
}

// answered returns the requests that were stored.
func answered(output string) map[int]int {
	all := statuses(output)
	for n, status := range all {
		if status != 200 {
			delete(all, n)
		}
	}
	return all
}

// compareHTTP holds what was delivered against what the clients were told.
func (w *world) compareHTTP(t *testing.T, results map[string]map[int]int) {
	t.Helper()
	times, again := map[string]int{}, 0
	for _, l := range w.lives {
		for line := range strings.Lines(harness.ReadFiles(t, l.sinks[0])) {
			if body, whole := strings.CutSuffix(line, "\n"); whole {
				if times[body]++; times[body] > 1 {
					again++
				}
			} else if l.killed.IsZero() {
				t.Errorf("half a line was written by an agent that was not killed: %q", line)
			}
		}
	}
	expected, unanswered := 0, 0
	for kind, all := range results {
		stored := 0
		for n, status := range all {
			switch status {
			case 200:
				stored++
				for part := range 2 {
					if times[fmt.Sprintf("%s %d.%d", kind, n, part)] == 0 {
						t.Errorf("request %d of %s was answered with 200 and its event %d is lost", n, kind, part)
					}
				}
			case 0:
				unanswered++
			default:
				if status != 503 { // the agent is starting
					t.Errorf("request %d of %s was answered with %d", n, kind, status)
				}
			}
		}
		expected += 2 * stored
		if stored == 0 {
			t.Errorf("no request of %s was answered with 200", kind)
		}
		t.Logf("%s: %d requests, %d of them stored", kind, len(all), stored)
	}
	// The sink may write a batch again behind each kill; HttpURLConnection and Java's HttpClient may send a request
	// again by themselves when a connection breaks, which the next agent cannot know.
	if limit := httpKills * (50 + 2*len(results)); again > limit {
		t.Errorf("%d events were delivered again, at most %d may be", again, limit)
	}
	t.Logf("%d kills, %d requests not answered, %d events delivered, %d of them again", httpKills, unanswered, len(times)+again, again)
	if len(times) < expected {
		t.Errorf("%d events are delivered, at least %d must be", len(times), expected)
	}
}
