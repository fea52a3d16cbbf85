package monitor

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/flume-go/flume/pipeline"
)

func TestFlumeRequests(t *testing.T) {
	const jsonType, htmlType = "application/json;charset=utf-8", "text/html;charset=utf-8"
	tests := []struct {
		method, path string
		code         int
		contentType  string // not checked if ""
	}{
		{"GET", "/", 200, htmlType},
		{"POST", "/", 200, htmlType},
		{"GET", "/metrics", 200, jsonType},
		{"GET", "/METRICS", 200, jsonType},
		{"POST", "/metrics", 200, jsonType},
		{"DELETE", "/Metrics", 200, jsonType},
		{"GET", "/metrics?x=1", 200, jsonType},
		{"GET", "/metrics/", 404, ""},
		{"GET", "/metric", 404, ""},
		{"GET", "//metrics", 404, ""},
		{"GET", "/favicon.ico", 404, ""},
		{"TRACE", "/metrics", 403, ""},
		{"OPTIONS", "/metrics", 403, ""},
		{"OPTIONS", "/", 403, ""},
		{"OPTIONS", "/other", 403, ""},
		{"GET", "/status", 200, jsonType},
		{"GET", "/healthz", 200, jsonType},
		{"GET", "/readyz", 200, jsonType},
		{"POST", "/readyz", 405, ""},
		{"GET", "/prometheus", 200, ""},
	}
	h := newHandler(newFake(), options(t), false)
	for _, tt := range tests {
		w := ask(t, h, tt.method, tt.path)
		if w.Code != tt.code {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, w.Code, tt.code)
		}
		if got := w.Header().Get("Content-Type"); tt.contentType != "" && got != tt.contentType {
			t.Errorf("%s %s: content type %q, want %q", tt.method, tt.path, got, tt.contentType)
		}
	}
}

func TestFlumeJSON(t *testing.T) {
	w := ask(t, newHandler(newFake(), options(t), false), "GET", "/metrics")
	body := w.Body.String()
	var got map[string]map[string]string
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("a value is not a string: %v\n%s", err, body)
	}
	golden(t, "metrics.json", strings.ReplaceAll(body, "},", "},\n"))
	if _, ok := got["SOURCE.r1"]["malformed_lines"]; ok {
		t.Error("a metric that Flume does not have is in its report")
	}
}

func TestNegotiation(t *testing.T) {
	tests := []struct {
		name, accept string
		prometheus   bool
	}{
		{"none", "", false},
		{"curl", "*/*", false},
		{"browser", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
		{"Prometheus 2", "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true},
		{"Prometheus 3", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", true},
		{"Prometheus with protobuf", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.4", true},
		{"old Prometheus", "text/plain;version=0.0.4", true},
		{"plain text", "text/plain", false},
		{"both", "application/json, text/plain;version=0.0.4", false},
		{"JSON refused", "application/json;q=0, text/plain;version=0.0.4", true},
		{"Prometheus refused", "text/plain;version=0.0.4;q=0.0, */*", false},
		{"nonsense", ";;;,,=", false},
	}
	h := newHandler(newFake(), options(t), false)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(t, h, "GET", "/metrics", "Accept", tt.accept)
			got := w.Header().Get("Content-Type")
			if prometheus := !strings.HasPrefix(got, "application/json"); prometheus != tt.prometheus {
				t.Errorf("content type %s", got)
			}
			if w.Header().Get("Vary") != "Accept" {
				t.Errorf("Vary %q", w.Header().Get("Vary"))
			}
		})
	}
}

func TestHealth(t *testing.T) {
	tests := []struct {
		name           string
		change         func(*fake)
		healthy, ready int
		says           []string // by either
	}{
		{"all run", func(*fake) {}, 200, 200, []string{`"ok"`, `"ready"`}},
		{"source is done", func(f *fake) { f.status[0].State = pipeline.StateDone }, 200, 200, nil},
		{"source starts", func(f *fake) { f.status[0].State = pipeline.StateStarting }, 200, 503, []string{"source r1 is starting"}},
		{"source is retried", func(f *fake) { f.fail(0, pipeline.StateRetrying, "port 1 is in use") }, 503, 503,
			[]string{`"name": "r1"`, `"state": "retrying"`, "source r1 is retrying: port 1 is in use"}},
		{"channel failed", func(f *fake) { f.fail(1, pipeline.StateFailed, "disk is full") }, 503, 503, []string{"channel c1 is failed: disk is full"}},
		{"sink failed", func(f *fake) { f.fail(2, pipeline.StateFailed, "refused") }, 503, 200, []string{`"name": "k1"`, "refused"}},
		{"stopping", func(f *fake) { f.stopping = true }, 200, 503, []string{"the agent is stopping"}},
		{"stopped", func(f *fake) { f.status = nil }, 200, 503, []string{"no topology is running"}},
		{"recovered", func(f *fake) { f.fail(2, pipeline.StateRunning, "was refused") }, 200, 200, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			tt.change(f)
			h := newHandler(f, options(t), false)
			healthz, readyz := ask(t, h, "GET", "/healthz"), ask(t, h, "GET", "/readyz")
			if healthz.Code != tt.healthy || readyz.Code != tt.ready {
				t.Errorf("healthz %d, readyz %d; want %d, %d", healthz.Code, readyz.Code, tt.healthy, tt.ready)
			}
			for _, s := range tt.says {
				if !strings.Contains(healthz.Body.String()+readyz.Body.String(), s) {
					t.Errorf("%q is missing in\n%s%s", s, healthz.Body, readyz.Body)
				}
			}
		})
	}
}

func TestPrometheusReporterIgnoresAccept(t *testing.T) {
	h := newHandler(newFake(), options(t), true)
	for _, accept := range []string{"", "*/*", "application/json"} {
		w := ask(t, h, http.MethodGet, "/metrics", "Accept", accept)
		if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain; version=0.0.4") {
			t.Errorf("Accept %q: content type %s", accept, got)
		}
	}
}
