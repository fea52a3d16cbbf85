//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// versions are two configurations of one agent that listen on different ports and write to one folder.
func versions(site *harness.Site) (first, second string) {
	for i, port := range []string{"first", "second"} {
		var c topology
		c.store("out", "sink.serializer = header_and_text")
		c.source("in", "out", "type = netcat", "bind = 127.0.0.1", "port = <port "+port+">",
			"interceptors = s", "interceptors.s.type = static", "interceptors.s.key = word", "interceptors.s.value = ${env:E2E_WORD}")
		if i == 0 {
			first = site.Expand(c.String())
		} else {
			second = site.Expand(c.String())
		}
	}
	return first, second
}

// confServer serves one configuration to one user and remembers the requests.
type confServer struct {
	*httptest.Server
	mu       sync.Mutex
	text     string
	modified time.Time
	requests []string // headers that matter, in the order of arrival
}

func newConfServer(t *testing.T, text string) *confServer {
	t.Helper()
	// A day of two digits: Java writes others with one digit, which HTTP does not allow.
	s := &confServer{text: text, modified: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// replace puts a newer text in the place of the old.
func (s *confServer) replace(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text, s.modified = text, s.modified.Add(time.Hour)
}

// seen returns the requests so far.
func (s *confServer) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

func (s *confServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, fmt.Sprintf("%s %s, since %q", r.Method, r.URL.Path, r.Header.Get("If-Modified-Since")))
	if user, password, _ := r.BasicAuth(); user != "ann" || password != "s3cret:x" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	last := s.modified.Format(http.TimeFormat)
	w.Header().Set("Last-Modified", last)
	if r.Header.Get("If-Modified-Since") == last {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	fmt.Fprint(w, s.text)
}

// TestHTTPConfiguration reads the configuration from a web server with basic authentication and changes
// it there while the agent runs.
func TestHTTPConfiguration(t *testing.T) {
	t.Parallel()
	want := seen{
		"first request": `GET /conf/flume.properties, since ""`,
		"unchanged":     `GET /conf/flume.properties, since "Sat, 14 Mar 2026 12:00:00 GMT"`,
		"changed":       `GET /conf/flume.properties, since "Sat, 14 Mar 2026 13:00:00 GMT"`,
		"out":           "{word=hello} before\n{word=hello} after\n",
	}
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		first, second := versions(site)
		server := newConfServer(t, first)
		s.Start(t, harness.Launch{Name: "a1", Env: []string{"E2E_WORD=hello"}, Args: []string{
			"-u", server.URL + "/conf/flume.properties", "-i", "1", "-user", "ann", "-pwd", "s3cret:x",
		}})
		got := make(seen)
		reload(t, site, func() {
			requests := server.seen()
			got["first request"], got["unchanged"] = requests[0], last(t, server, len(requests)+2)
			server.replace(second)
		})
		got["changed"] = last(t, server, len(server.seen())+2)
		stored(t, site, want, got, "out")
		return got
	})
}

// reload sends an event to the first configuration, changes it and sends another to the second.
func reload(t *testing.T, site *harness.Site, change func()) {
	t.Helper()
	harness.Converse(t, site.Addr("first"), "before\n")
	lines(t, site, "out", 1)
	change()
	harness.Converse(t, site.Addr("second"), "after\n")
}

// last waits for the n-th request and returns it.
func last(t *testing.T, server *confServer, n int) string {
	t.Helper()
	harness.Eventually(t, deliveryLimit, fmt.Sprintf("%d requests for the configuration", n), func() bool {
		return len(server.seen()) >= n
	})
	return server.seen()[n-1]
}

// TestFileReload changes the configuration file while the agent runs.
func TestFileReload(t *testing.T) {
	t.Parallel()
	want := seen{"out": "{word=hello} before\n{word=hello} after\n"}
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		first, second := versions(site)
		conf := site.Path("flume.conf")
		harness.WriteFile(t, conf, first)
		s.Start(t, harness.Launch{
			Name: "a1", Env: []string{"E2E_WORD=hello"}, Args: []string{"--conf-file", conf, "--poll-interval", "1"},
		})
		reload(t, site, func() { harness.WriteFile(t, conf, second) })
		got := make(seen)
		stored(t, site, want, got, "out")
		return got
	})
}

// TestWrongPassword requires that an agent whose configuration is denied to it ends and says why.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	differential(t, nil, func(t *testing.T, s harness.System) seen {
		server := newConfServer(t, "")
		agent := s.Start(t, harness.Launch{Name: "a1", Args: []string{
			"-u", server.URL + "/flume.properties", "-user", "ann", "-pwd", "guess",
		}})
		status := agent.Wait(t, deliveryLimit)
		// Java ends with success whatever happens; ours says that it is no use as it is configured.
		if wantStatus := map[string]int{"java": 0, "flume": 2}[s.Name]; status != wantStatus {
			t.Errorf("exit status %d, want %d", status, wantStatus)
		}
		if agent.Output() == "" {
			t.Error("the agent ended without a word")
		}
		return seen{"request": server.seen()[0]}
	})
}

// TestZooKeeperConfiguration reads the configuration from a ZooKeeper node and changes it there while the
// agent runs. Flume substitutes nothing in it.
func TestZooKeeperConfiguration(t *testing.T) {
	t.Parallel()
	want := seen{"out": "{word=${env:E2E_WORD}} before\n{word=${env:E2E_WORD}} after\n"}
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		first, second := versions(site)
		keeper := harness.StartZooKeeper(t)
		keeper.Put(t, "/flume", "")
		keeper.Put(t, "/flume/a1", first)
		s.Start(t, harness.Launch{
			Name: "a1", Env: []string{"E2E_WORD=hello"}, Args: []string{"-z", keeper.Addr, "-p", "/flume"},
		})
		reload(t, site, func() { keeper.Put(t, "/flume/a1", second) })
		got := make(seen)
		stored(t, site, want, got, "out")
		return got
	})
}
