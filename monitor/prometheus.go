package monitor

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/flume-go/flume/internal/netio"
)

// Limits of one exposition.
const (
	maxScrapes    = 8
	scrapeTimeout = 10 * time.Second
)

// exposition returns the handler that writes all metrics in Prometheus' format.
func exposition(subject Subject, o Options) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		&collector{subject: subject, options: o},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		// A metric that cannot be shown does not hide the others.
		ErrorHandling:       promhttp.ContinueOnError,
		ErrorLog:            &scrapeLog{log: o.Log},
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTimeout,
		EnableOpenMetrics:   true,
	})
}

// scrapeLog takes the errors of expositions, which each scrape would repeat.
type scrapeLog struct {
	log   *slog.Logger
	limit netio.LogLimit
}

// Println implements promhttp.Logger.
func (l *scrapeLog) Println(v ...any) {
	if ok, suppressed := l.limit.Allow(); ok {
		l.log.Warn("some metrics cannot be shown to Prometheus", "error", fmt.Sprint(v...), "suppressed", suppressed)
	}
}
