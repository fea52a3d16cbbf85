package monitor

import (
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flume-go/flume/metrics"
)

// collector turns an agent's metrics into Prometheus' at each scrape.
//
// Flume's attributes get the names that Flume's own Prometheus reporter gives
// them: Flume_<attribute>_total for counters and Flume_<attribute> for gauges, with
// the component's name as the only label. Ours are flume_<kind>_<name>.
//
// It describes nothing ahead of time, since components come and go.
type collector struct {
	subject Subject
	options Options
}

var _ prometheus.Collector = (*collector)(nil)

// Describe implements prometheus.Collector.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	var f families
	for _, s := range c.subject.Metrics().Sets() {
		for _, m := range s.Metrics() {
			f.addMetric(s, m)
		}
	}
	c.addAgent(&f)
	f.collect(out)
}

// hidden are the gauges of Flume's that its Prometheus reporter does not show:
// they follow from others, or have no setter there.
var hidden = map[string]bool{"StartTime": true, "StopTime": true, "ChannelFillPercentage": true, "Closed": true}

func (f *families) addMetric(s *metrics.Set, m *metrics.Metric) {
	name, help := "flume_"+strings.ToLower(string(s.Kind))+"_"+legal(m.Name), m.Help
	if m.Flume {
		name = "Flume_" + legal(m.Name)
		if help == "" {
			help = "Apache Flume's attribute " + m.Name + "."
		}
	}
	labels := []label{{"component", s.Name}}
	switch {
	case m.Type == metrics.TypeText || m.Flume && m.Type == metrics.TypeGauge && hidden[m.Name]:
	case m.Type == metrics.TypeCounter:
		f.add(name+"_total", help, metrics.TypeCounter, m.Number(), labels...)
	case m.Type == metrics.TypeGauge:
		f.add(name, help, metrics.TypeGauge, m.Number(), labels...)
	case m.Type == metrics.TypeHistogram:
		f.addHistogram(name, help, m.Histogram, labels...)
	}
}

// addAgent adds what is known of the components' states and of the agent.
func (c *collector) addAgent(f *families) {
	r := look(c.subject, c.options, time.Now())
	f.add("flume_build_info", "The program's version, as a label of the value 1.", metrics.TypeGauge, 1,
		label{"version", r.Version}, label{"goversion", runtime.Version()})
	f.add("flume_agent_ready", "Whether every channel is open and every source runs.", metrics.TypeGauge, number(r.Ready), label{"agent", r.Agent})
	const help = "Reloads of the configuration by their result."
	f.add("flume_agent_reloads_total", help, metrics.TypeCounter, float64(r.Reloads.Succeeded), label{"agent", r.Agent}, label{"result", "success"})
	f.add("flume_agent_reloads_total", help, metrics.TypeCounter, float64(r.Reloads.Failed), label{"agent", r.Agent}, label{"result", "failure"})
	f.add("flume_agent_last_reload_successful", "Whether the last reload succeeded; 1 before the first.", metrics.TypeGauge, number(r.Reloads.LastError == ""), label{"agent", r.Agent})
	for i := range r.Components {
		f.addUnit(&r.Components[i])
	}
}

func (f *families) addUnit(c *unit) {
	own := []label{{"component", c.Name}}
	prefix := "flume_" + c.Kind + "_"
	f.add(prefix+"up", "Whether the component works: 0 while it starts, is tried again, has failed or is stopped.", metrics.TypeGauge, number(c.working()), own...)
	if c.Store == nil {
		f.add(prefix+"consecutive_failures", "Failures since the component last worked.", metrics.TypeGauge, float64(c.Failures), own...)
		return
	}
	if c.Store.Capacity > 0 {
		f.add(prefix+"fill_ratio", "Filled part of the channel's capacity in events.", metrics.TypeGauge, c.Store.fill(), own...)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// legal replaces what Prometheus does not allow in a name.
func legal(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, name)
}

type label struct{ name, value string }

// families gathers samples by their name, so that what Prometheus does not bear
// cannot come about: two series with the same labels are added up (a source and a
// sink of one name that count the same attribute), and of two components that
// understand a name differently the first decides on its help and type.
type families struct {
	order  []*family
	byName map[string]*family
}

type family struct {
	name, help string
	kind       metrics.Type
	labels     []string
	order      []*sample
	byLabels   map[string]*sample
}

type sample struct {
	labels    []string
	value     float64
	histogram *metrics.Histogram
}

func (f *families) add(name, help string, kind metrics.Type, v float64, labels ...label) {
	if s := f.sample(name, help, kind, labels); s != nil {
		s.value += v
	}
}

func (f *families) addHistogram(name, help string, h *metrics.Histogram, labels ...label) {
	if s := f.sample(name, help, metrics.TypeHistogram, labels); s != nil {
		s.histogram = h
	}
}

// sample returns the sample of these labels, nil if the name is of another type.
func (f *families) sample(name, help string, kind metrics.Type, labels []label) *sample {
	fam := f.byName[name]
	if fam == nil {
		fam = &family{name: name, help: help, kind: kind, byLabels: map[string]*sample{}}
		for _, l := range labels {
			fam.labels = append(fam.labels, l.name)
		}
		if f.byName == nil {
			f.byName = map[string]*family{}
		}
		f.byName[name] = fam
		f.order = append(f.order, fam)
	}
	if fam.kind != kind || len(fam.labels) != len(labels) {
		return nil
	}
	var values []string
	for _, l := range labels {
		values = append(values, strings.ToValidUTF8(l.value, "�"))
	}
	key := strings.Join(values, "\xff") // no byte of a valid text
	s := fam.byLabels[key]
	if s == nil {
		s = &sample{labels: values}
		fam.byLabels[key] = s
		fam.order = append(fam.order, s)
	}
	return s
}

func (f *families) collect(out chan<- prometheus.Metric) {
	for _, fam := range f.order {
		desc := prometheus.NewDesc(fam.name, fam.help, fam.labels, nil)
		for _, s := range fam.order {
			out <- fam.metric(desc, s)
		}
	}
}

func (f *family) metric(desc *prometheus.Desc, s *sample) prometheus.Metric {
	var m prometheus.Metric
	var err error
	switch f.kind {
	case metrics.TypeHistogram:
		m, err = constHistogram(desc, s)
	case metrics.TypeCounter:
		m, err = prometheus.NewConstMetric(desc, prometheus.CounterValue, s.value, s.labels...)
	default:
		m, err = prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.value, s.labels...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

func constHistogram(desc *prometheus.Desc, s *sample) (prometheus.Metric, error) {
	bounds, cumulative, count, sum := s.histogram.Snapshot()
	buckets := make(map[float64]uint64, len(bounds))
	for i, b := range bounds {
		buckets[b] = cumulative[i]
	}
	return prometheus.NewConstHistogram(desc, count, sum, buckets, s.labels...)
}
