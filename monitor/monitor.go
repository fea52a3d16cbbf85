package monitor

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/flume-go/flume/agent"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/metrics"
)

// Subject is what is looked at: an agent. Its methods are safe for concurrent use
// and quick; reporters call them for each request.
type Subject interface {
	// Metrics returns the registry of the components' metrics.
	Metrics() *metrics.Registry
	// Status returns the state of every component in the order of the flow; none
	// before the agent's start and after its stop.
	Status() []agent.Status
	// Reloads returns what became of the reloads so far.
	Reloads() agent.ReloadStatus
	// Stopping reports whether the agent's stop has begun.
	Stopping() bool
}

var _ Subject = (*agent.Agent)(nil)

// Options are what reporters need besides their settings.
type Options struct {
	Agent   string // the agent's name
	Version string // the program's version; "" if unknown
	Log     *slog.Logger
}

// Reporter is one way out. Its methods are safe for concurrent use.
type Reporter interface {
	// Start begins to report, in the background, until Close. Whatever may be
	// better later (a port in use, a host that has no address yet) is no error but
	// tried again. A reporter starts once.
	Start(ctx context.Context) error
	// Close ends the reporting. Requests under way are finished until ctx ends.
	// Closing twice, or without Start, does nothing.
	Close(ctx context.Context) error
	// Addr returns the address that the reporter listens on; "" when it does not
	// listen, or not yet.
	Addr() string
}

// reporterType is a value of flume.monitoring.type.
type reporterType struct {
	alias, class string
	make         func(*settings, Subject, Options) Reporter
}

func reporterTypes() []reporterType {
	return []reporterType{
		{"http", "org.apache.flume.instrumentation.http.HTTPMetricsServer", newHTTP},
		{"prometheus", "org.apache.flume.instrumentation.http.PrometheusHTTPMetricsServer", newPrometheus},
		{"ganglia", "org.apache.flume.instrumentation.GangliaServer", newGanglia},
	}
}

// New returns the reporter that the flume.monitoring.* properties describe;
// settings are those without that prefix. The type is an alias in any case or
// Flume's class name. Settings that mean nothing are logged. Errors name the
// property in full, as NewAdmin's do.
func New(given map[string]string, subject Subject, o Options) (Reporter, error) {
	name := strings.TrimSpace(given["type"])
	var names []string
	for _, t := range reporterTypes() {
		if strings.EqualFold(name, t.alias) || name == t.class {
			s := newSettings("flume.monitoring.", given, o.Log)
			s.known("type")
			r := t.make(s, subject, o)
			if err := s.finish(); err != nil {
				return nil, err
			}
			return r, nil
		}
		names = append(names, t.alias, t.class)
	}
	if near := component.Nearest(name, names); near != "" {
		return nil, fmt.Errorf("flume.monitoring.type: %q is unknown, did you mean %s?", name, near)
	}
	return nil, fmt.Errorf("flume.monitoring.type: %q is unknown; there are http, prometheus and ganglia, and monitor services in Java cannot be loaded", name)
}
