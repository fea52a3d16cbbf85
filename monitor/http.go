package monitor

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/flume-go/flume/metrics"
)

// defaultPort is Flume's.
const defaultPort = 41414

// newHTTP returns the reporter "http".
func newHTTP(s *settings, subject Subject, o Options) Reporter {
	return listening(s, "http monitoring", newHandler(subject, o, false), o.Log)
}

// newPrometheus returns the reporter "prometheus": the same server, with
// Prometheus on /metrics for every client.
func newPrometheus(s *settings, subject Subject, o Options) Reporter {
	return listening(s, "prometheus monitoring", newHandler(subject, o, true), o.Log)
}

func listening(s *settings, name string, h http.Handler, log *slog.Logger) Reporter {
	host := strings.Trim(s.text("bind", ""), "[]")
	port := s.number("port", defaultPort, 0, 65535)
	return newServer(name, net.JoinHostPort(host, strconv.Itoa(port)), "free the port, or choose another with flume.monitoring.port", h, log)
}

// handler answers the requests of the reporters "http" and "prometheus".
type handler struct {
	subject    Subject
	options    Options
	prometheus http.Handler
	always     bool // Prometheus on /metrics, whatever the client accepts
	ours       map[string]http.HandlerFunc
}

func newHandler(subject Subject, o Options, always bool) *handler {
	h := &handler{subject: subject, options: o, prometheus: exposition(subject, o), always: always}
	h.ours = map[string]http.HandlerFunc{
		"/prometheus": h.prometheus.ServeHTTP,
		"/status":     h.status,
		"/healthz":    h.healthz,
		"/readyz":     h.readyz,
	}
	return h
}

func (h *handler) look() *report { return look(h.subject, h.options, time.Now()) }

// ServeHTTP answers as Flume does on Flume's two paths: TRACE and OPTIONS are
// forbidden, every other method reads.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodTrace || r.Method == http.MethodOptions {
		http.Error(w, "403 forbidden", http.StatusForbidden)
		return
	}
	switch path := r.URL.Path; {
	case path == "/":
		h.page(w, r)
	case strings.EqualFold(path, "/metrics"):
		h.metrics(w, r)
	case h.ours[path] == nil:
		http.NotFound(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
	default:
		h.ours[path](w, r)
	}
}

// metrics answers with Flume's JSON, or in Prometheus' format to those who ask
// for it.
func (h *handler) metrics(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if h.always || acceptsPrometheus(r.Header.Values("Accept")) {
		h.prometheus.ServeHTTP(w, r)
		return
	}
	body, err := json.Marshal(flumeJSON(h.subject.Metrics()))
	if err != nil { // strings alone: cannot happen
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_, _ = w.Write(body) // a client that left needs no answer
}

// flumeJSON returns the metrics that Flume knows by component and attribute.
// Every value is text, as Flume's are.
func flumeJSON(registry *metrics.Registry) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, s := range registry.Sets() {
		attributes := map[string]string{}
		for _, m := range s.Metrics() {
			if m.Flume {
				attributes[m.Name] = m.String()
			}
		}
		out[s.Key()] = attributes
	}
	return out
}

func (h *handler) status(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, h.look()) }

// answer writes v as JSON.
func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // a client that left needs no answer
}
