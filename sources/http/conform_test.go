package http

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
	"github.com/flume-go/flume/internal/netio"
)

func TestConformance(t *testing.T) {
	sourcetest.Run(t,
		harness("json", asArray),
		harness("ndjson", func(events []string) string { return strings.Join(events, "\n") }),
	)
}

func asArray(events []string) string { return "[" + strings.Join(events, ",") + "]" }

func harness(handler string, join func([]string) string) sourcetest.Harness {
	return sourcetest.Harness{
		Name:     handler,
		Type:     "http",
		Settings: func(testing.TB) map[string]string { return map[string]string{"handler": handler} },
		Client: func(_ testing.TB, s *sourcetest.Subject) sourcetest.Client {
			return &poster{subject: s, join: join, transport: &http.Transport{}}
		},
		Network: "tcp",
		Listen: func(host string, port int) map[string]string {
			return map[string]string{"bind": host, "port": strconv.Itoa(port)}
		},
		Acks:    true,
		Carries: true,
		Grace:   netio.Grace,
		Sockets: true,
	}
}

// poster sends the events of one Generate as one request, and does not wait for
// the answer.
type poster struct {
	subject   *sourcetest.Subject
	join      func([]string) string
	transport *http.Transport
	last      chan struct{} // closed when the request before is answered

	mu     sync.Mutex
	wg     sync.WaitGroup // requests under way; added to with mu held
	closed bool
}

// enter begins a request, unless the client is closed.
func (p *poster) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.wg.Add(1)
	}
	return !p.closed
}

// Generate implements sourcetest.Client.
func (p *poster) Generate(ids ...uint64) {
	events := make([]string, len(ids))
	for i, id := range ids {
		text, _ := json.Marshal(map[string]any{"headers": sourcetest.Headers(id), "body": sourcetest.Text(id)})
		events[i] = string(text)
	}
	if !p.enter() {
		for _, id := range ids {
			p.subject.Refused(id)
		}
		return
	}
	before, done := p.last, make(chan struct{})
	p.last = done
	go func() {
		defer p.wg.Done()
		defer close(done)
		if before != nil {
			<-before // the order of events is that of the requests
		}
		p.post(p.join(events), ids)
	}()
}

func (p *poster) post(text string, ids []uint64) {
	told := p.subject.Refused
	r, err := http.NewRequest(http.MethodPost, "http://"+p.subject.Address+"/", strings.NewReader(text))
	if err == nil {
		r.Header.Set("Content-Type", "application/json")
		var answer *http.Response
		if answer, err = p.transport.RoundTrip(r); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				told = p.subject.Acked
			}
		}
	}
	for _, id := range ids {
		told(id)
	}
}

// Close implements sourcetest.Client.
func (p *poster) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.wg.Wait()
	p.transport.CloseIdleConnections()
}
