//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// requests are GET requests to a web server, each with a path of its own, which the server logs.
type requests struct {
	url    string
	client *http.Client
	status int // what the server answers

	mu      sync.Mutex
	next    int
	failure error
	done    chan struct{}
	all     sync.WaitGroup
}

// sendRequests lets a few clients send until they are stopped.
func sendRequests(t testing.TB, addr string, status int, keepAlive bool) *requests {
	t.Helper()
	harness.Dial(t, addr).Close()
	r := &requests{url: "http://" + addr + "/", status: status, done: make(chan struct{})}
	r.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: !keepAlive, MaxIdleConnsPerHost: 8}}
	for range 4 {
		r.all.Go(r.send)
	}
	return r
}

func (r *requests) send() {
	for {
		select {
		case <-r.done:
			return
		case <-time.After(time.Millisecond):
		}
		r.mu.Lock()
		id := r.next
		r.next++
		r.mu.Unlock()
		if err := r.get(id); err != nil {
			r.mu.Lock()
			r.failure = err
			r.mu.Unlock()
			return
		}
	}
}

func (r *requests) get(id int) error {
	resp, err := r.client.Get(r.url + strconv.Itoa(id))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != r.status {
		return fmt.Errorf("request %d was answered with %s", id, resp.Status)
	}
	return nil
}

// stop ends the load and returns how many requests were answered: all that were sent.
func (r *requests) stop(t testing.TB) int {
	t.Helper()
	close(r.done)
	r.all.Wait()
	r.client.CloseIdleConnections()
	if r.failure != nil {
		t.Fatal(r.failure)
	}
	return r.next
}

// logged requires that a store gets each of n requests once, as lines that say "GET /<number>".
func logged(t *testing.T, site *harness.Site, name string, n int) {
	t.Helper()
	lines(t, site, name, n)
	// Should something come twice, it has come by then: what comes again comes at once.
	pass(t.Context(), 300*time.Millisecond)
	text := harness.ReadFiles(t, site.Dir(name))
	times := map[int]int{}
	for line := range strings.Lines(text) {
		id, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(line, "GET /"), "\n"))
		if err != nil || id < 0 || id >= n {
			t.Errorf("nobody has sent the request that is logged as %q", line)
			continue
		}
		if times[id]++; times[id] == 2 {
			t.Errorf("request %d was delivered more than once", id)
		}
	}
	if len(times) != n {
		t.Errorf("%d requests were answered, and %d are delivered", n, len(times))
	}
	t.Logf("%d requests", n)
}
