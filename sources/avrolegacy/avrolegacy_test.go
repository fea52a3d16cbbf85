package avrolegacy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
)

// outlet is an emitter that keeps copies, or fails.
type outlet struct {
	events []event.Event
	err    error
}

func (o *outlet) Emit(_ context.Context, b *event.Batch) error {
	if o.err != nil {
		return o.err
	}
	for i := range b.Events() {
		o.events = append(o.events, b.At(i).Clone())
	}
	return nil
}

// subject is a source whose requests come without a network.
type subject struct {
	*source
	out outlet
	log bytes.Buffer
	set *metrics.Set
}

func prepare(t testing.TB, limit int) *subject {
	t.Helper()
	s := &subject{set: metrics.NewSet(metrics.KindSource, "r1")}
	src, err := New(Config{Host: "127.0.0.1", MaxRequest: limit}, component.Env{
		Name: "r1", FS: vfs.NewMem(1), Log: slog.New(slog.NewTextHandler(&s.log, nil)), Metrics: s.set,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.source = src.(*source)
	return s
}

func (s *subject) post(t testing.TB, method string, content []byte) (status int, answer []byte) {
	t.Helper()
	w := httptest.NewRecorder()
	s.serve(t.Context(), w, httptest.NewRequestWithContext(t.Context(), method, "/any/path", bytes.NewReader(content)), &s.out)
	answer, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, answer
}

func TestEvent(t *testing.T) {
	s := prepare(t, 1<<20)
	payload := request("body é", "web-1", map[string]string{"pri": "mine"})
	for _, n := range []int{1, 7, 1000} {
		s.out.events = nil
		if status, answer := s.post(t, http.MethodPost, buffers(payload, n)); status != 200 || !bytes.Equal(answer, stored) {
			t.Fatalf("answered with %d, %x", status, answer)
		}
		want := []event.Event{{
			Headers: []event.Header{
				{Key: "host", Value: "web-1"}, {Key: "timestamp", Value: "1700000000123"}, {Key: "pri", Value: "mine"},
				{Key: "nanos", Value: "42"}, {Key: "FlumeOG", Value: "yes"},
			},
			Body: []byte("body é"),
		}}
		if diff := cmp.Diff(want, s.out.events); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestAnswers: what clients hear of requests that are not stored.
func TestAnswers(t *testing.T) {
	ok := request("x", "h", nil)
	const failed = "\x00\x00\x00\x00\x00\x01\x00" // the handshake, metadata, failure, a string
	for name, c := range map[string]struct {
		method  string
		content []byte
		fail    error
		status  int
		says    string // somewhere in the answer
	}{
		"stored":              {"POST", buffers(ok, 100), nil, 200, "\x00\x00\x00\x00\x00\x00"},
		"GET":                 {"GET", nil, nil, 405, "send POST"},
		"full":                {"POST", buffers(ok, 100), flow.ErrFull, 200, failed + ".the event is not stored"},
		"ping":                {"POST", buffers(unhex(agree+"0000"), 100), nil, 200, "\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00"},
		"unknown protocol":    {"POST", buffers(append(make([]byte, 16), ok[16:]...), 100), nil, 200, `"protocol":"FlumeOGEventAvroServer"`},
		"another message":     {"POST", buffers(unhex(agree+"0006666f6f"), 100), nil, 200, failed},
		"bad priority":        {"POST", buffers(unhex(agree+call+"020c"), 100), nil, 200, "a priority has the index 6"},
		"short":               {"POST", buffers(ok[:len(ok)-3], 100), nil, 200, "ends within a value"},
		"no buffers":          {"POST", nil, nil, 400, "not a request"},
		"no end":              {"POST", buffers(ok, 100)[:20], nil, 400, "not a request"},
		"too large":           {"POST", buffers(request(strings.Repeat("x", 3000), "h", nil), 100), nil, 400, "not a request"},
		"huge buffer":         {"POST", unhex("7fffffff 00"), nil, 400, "not a request"},
		"negative buffer":     {"POST", unhex("80000000 00"), nil, 400, "not a request"},
		"body larger than it": {"POST", buffers(unhex(agree+call+"0200feffffff0f00"), 100), nil, 200, "a body of 2147483647 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s := prepare(t, 2000)
			s.out.err = c.fail
			status, answer := s.post(t, c.method, c.content)
			if status != c.status || !strings.Contains(string(answer), c.says) {
				t.Errorf("answered with %d, %q", status, answer)
			}
			if n := len(s.out.events); n != 0 && name != "stored" {
				t.Errorf("%d events are stored", n)
			}
		})
	}
}

func TestCounters(t *testing.T) {
	s := prepare(t, 2000)
	s.post(t, http.MethodPost, buffers(request("x", "h", nil), 100))
	s.out.err = errors.New("no")
	s.post(t, http.MethodPost, buffers(request("x", "h", nil), 100))
	s.post(t, http.MethodPost, nil)
	s.post(t, http.MethodPost, nil)
	got := []int64{s.received.Value(), s.accepted.Value(), s.readFail.Value()}
	if diff := cmp.Diff([]int64{2, 1, 2}, got); diff != "" {
		t.Errorf("received, accepted, failed (-want +got):\n%s", diff)
	}
	if n := strings.Count(s.log.String(), "reading a request"); n != 1 {
		t.Errorf("the log tells %d times:\n%s", n, s.log.String())
	}
}

func TestClaims(t *testing.T) {
	if got := (Config{Port: 5140, Host: "h"}).Claims(); len(got) != 1 || got[0].ID != "5140" || got[0].Host != "h" {
		t.Errorf("claims are %v", got)
	}
	if got := (Config{}).Claims(); got != nil {
		t.Errorf("any port is claimed: %v", got)
	}
}
