// Package metrics counts what components do. Counters carry Apache Flume's
// attribute names and are kept per component, as its MBeans are; the ways out
// (JSON over HTTP, Prometheus, Ganglia) read a Registry and never touch the path
// of the events.
//
// Counters, gauges and histograms are safe for concurrent use and cost one
// atomic operation; callers count per batch.
package metrics

import (
	"math"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is the kind of a component, spelled as in Flume's metric names.
type Kind string

// The kinds that Flume knows.
const (
	KindSource  Kind = "SOURCE"
	KindChannel Kind = "CHANNEL"
	KindSink    Kind = "SINK"
)

// Counter only grows.
type Counter struct{ v atomic.Int64 }

// Add adds n, which is not negative.
func (c *Counter) Add(n int) { c.v.Add(int64(n)) }

// Value returns the count.
func (c *Counter) Value() int64 { return c.v.Load() }

// Gauge goes up and down.
type Gauge struct{ v atomic.Int64 }

// Add adds n, which may be negative.
func (g *Gauge) Add(n int) { g.v.Add(int64(n)) }

// Set sets the value.
func (g *Gauge) Set(n int64) { g.v.Store(n) }

// Value returns the value.
func (g *Gauge) Value() int64 { return g.v.Load() }

// Type is the type of a metric, for those ways out that tell them apart.
type Type int

// The types of metrics.
const (
	TypeCounter Type = iota
	TypeGauge
	TypeText // shown in JSON and Ganglia only
	TypeHistogram
)

// Metric is one named value of a component. Exactly one of Text, Number and
// Histogram is set.
type Metric struct {
	Name string
	Help string
	Type Type
	// Flume says that the name is an attribute of Apache Flume's (or one of the
	// same kind): it appears in the JSON report and in Ganglia. Others appear
	// in Prometheus alone.
	Flume     bool
	Text      func() string
	Number    func() float64
	Histogram *Histogram
}

// Set is the metrics of one component.
type Set struct {
	Kind Kind
	Name string

	mu      sync.Mutex
	metrics []*Metric
	byName  map[string]any
}

// NewSet returns a set that is not yet in any registry. It has the attributes
// that Flume has for every component of this kind: Type, StartTime, StopTime and
// the kind's own, all 0.
func NewSet(kind Kind, name string) *Set {
	s := &Set{Kind: kind, Name: name, byName: map[string]any{}}
	s.Text("Type", func() string { return string(kind) })
	s.standard()
	return s
}

// Counter returns the counter of this Flume attribute, made at the first call.
func (s *Set) Counter(name string) *Counter {
	return metric(s, name, func(c *Counter) *Metric {
		return &Metric{Name: name, Type: TypeCounter, Flume: true, Number: func() float64 { return float64(c.Value()) }}
	})
}

// Gauge returns the gauge of this Flume attribute, made at the first call.
func (s *Set) Gauge(name string) *Gauge {
	return metric(s, name, func(g *Gauge) *Metric {
		return &Metric{Name: name, Type: TypeGauge, Flume: true, Number: func() float64 { return float64(g.Value()) }}
	})
}

// GaugeFunc sets a Flume attribute whose value is asked for when it is read.
func (s *Set) GaugeFunc(name string, value func() float64) {
	s.add(&Metric{Name: name, Type: TypeGauge, Flume: true, Number: value})
}

// Text sets a Flume attribute that is not a number.
func (s *Set) Text(name string, value func() string) {
	s.add(&Metric{Name: name, Type: TypeText, Flume: true, Text: value})
}

// OwnCounter returns a counter that Flume does not have; Prometheus shows it as
// flume_<kind>_<name>_total. Names are in snake case.
func (s *Set) OwnCounter(name, help string) *Counter {
	return metric(s, name, func(c *Counter) *Metric {
		return &Metric{Name: name, Help: help, Type: TypeCounter, Number: func() float64 { return float64(c.Value()) }}
	})
}

// OwnGauge sets a gauge that Flume does not have; Prometheus shows it as
// flume_<kind>_<name>. Names are in snake case and end in their unit.
func (s *Set) OwnGauge(name, help string, value func() float64) {
	s.add(&Metric{Name: name, Help: help, Type: TypeGauge, Number: value})
}

// OwnHistogram returns a histogram, made at the first call; Prometheus shows it
// as flume_<kind>_<name>. Names are in snake case and end in their unit.
func (s *Set) OwnHistogram(name, help string, bounds []float64) *Histogram {
	return metric(s, name, func(h *Histogram) *Metric {
		h.init(bounds)
		return &Metric{Name: name, Help: help, Type: TypeHistogram, Histogram: h}
	})
}

// metric returns the T registered under name, registering a new one if none is.
func metric[T any](s *Set, name string, make func(*T) *Metric) *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.byName[name].(*T); ok {
		return v
	}
	v := new(T)
	s.byName[name] = v
	s.replace(make(v))
	return v
}

func (s *Set) add(m *Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byName, m.Name)
	s.replace(m)
}

func (s *Set) replace(m *Metric) {
	for i, old := range s.metrics {
		if old.Name == m.Name {
			s.metrics[i] = m
			return
		}
	}
	s.metrics = append(s.metrics, m)
}

// Metrics returns the metrics in the order they were made.
func (s *Set) Metrics() []*Metric {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Metric(nil), s.metrics...)
}

// Started sets StartTime to now and StopTime to 0, as Flume does at each start.
func (s *Set) Started() {
	s.Gauge("StartTime").Set(time.Now().UnixMilli())
	s.Gauge("StopTime").Set(0)
}

// Stopped sets StopTime to now.
func (s *Set) Stopped() { s.Gauge("StopTime").Set(time.Now().UnixMilli()) }

// Registry is the metrics of an agent.
type Registry struct {
	mu   sync.Mutex
	sets map[string]*Set
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry { return &Registry{sets: map[string]*Set{}} }

// Register enters s, in place of a set of the same kind and name.
func (r *Registry) Register(s *Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sets[s.Key()] = s
}

// Unregister removes s, unless another set took its place.
func (r *Registry) Unregister(s *Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sets[s.Key()] == s {
		delete(r.sets, s.Key())
	}
}

// Key returns "<KIND>.<name>", as the JSON report names a component.
func (s *Set) Key() string { return string(s.Kind) + "." + s.Name }

// Sets returns the registered sets, sorted by key.
func (r *Registry) Sets() []*Set {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*Set, 0, len(r.sets))
	for _, s := range r.sets {
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key() < out[j].Key() })
	return out
}

// Histogram counts observations in buckets of fixed upper bounds.
type Histogram struct {
	bounds []float64
	counts []atomic.Int64 // one more than bounds: the last is everything above
	sum    atomic.Uint64  // bits of a float64
}

func (h *Histogram) init(bounds []float64) {
	h.bounds, h.counts = bounds, make([]atomic.Int64, len(bounds)+1)
}

// Observe counts v.
func (h *Histogram) Observe(v float64) {
	h.counts[sort.SearchFloat64s(h.bounds, v)].Add(1)
	for {
		old := h.sum.Load()
		if h.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

// ObserveSince counts the seconds since start.
func (h *Histogram) ObserveSince(start time.Time) { h.Observe(time.Since(start).Seconds()) }

// Snapshot returns the upper bounds, the cumulative count at each bound, the
// total count and the sum of all observations.
func (h *Histogram) Snapshot() (bounds []float64, cumulative []uint64, count uint64, sum float64) {
	cumulative = make([]uint64, len(h.bounds))
	for i := range h.counts {
		count += uint64(h.counts[i].Load())
		if i < len(cumulative) {
			cumulative[i] = count
		}
	}
	return h.bounds, cumulative, count, math.Float64frombits(h.sum.Load())
}

// Bounds of the histograms that every component has.
var (
	// LatencyBounds: 10 µs to 100 s, three a decade.
	LatencyBounds = []float64{1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, .1, .2, .5, 1, 2, 5, 10, 20, 50, 100}
	// SizeBounds: 1 to 100,000 events, three a decade.
	SizeBounds = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5}
)
