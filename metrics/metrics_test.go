package metrics

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFormatDouble(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.0", 25: "25.0", 0.2: "0.2", 100.0 / 3: "33.333333333333336", -1.5: "-1.5",
		0.001: "0.001", 0.00099: "9.9E-4", 1e-5: "1.0E-5", 1.25e-10: "1.25E-10",
		9999999: "9999999.0", 1e7: "1.0E7", 12345678: "1.2345678E7", -1e21: "-1.0E21",
		math.MaxFloat64: "1.7976931348623157E308", math.SmallestNonzeroFloat64: "4.9E-324",
		math.Inf(1): "Infinity", math.Inf(-1): "-Infinity",
	} {
		if got := FormatDouble(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
	if got := FormatDouble(math.NaN()); got != "NaN" {
		t.Errorf("NaN: %q", got)
	}
	if got := FormatDouble(math.Copysign(0, -1)); got != "-0.0" {
		t.Errorf("negative zero: %q", got)
	}
}

func TestFormatNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", -7: "-7", 1795349391111: "1795349391111", 1 << 52: "4503599627370496", 0.5: "0.5", 1e300: "1.0E300",
	} {
		if got := FormatNumber(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
	if got := FormatNumber(math.Inf(1)); got != "Infinity" {
		t.Errorf("infinity: %q", got)
	}
}

// flumeValues returns the Flume attributes of s as reports show them.
func flumeValues(s *Set) map[string]string {
	out := map[string]string{}
	for _, m := range s.Metrics() {
		if m.Flume {
			out[m.Name] = m.String()
		}
	}
	return out
}

// TestStandardAttributes has new sets publish what Flume's components of that kind
// publish before they count.
func TestStandardAttributes(t *testing.T) {
	want := map[Kind]map[string]string{
		KindSource: {
			"Type": "SOURCE", "StartTime": "0", "StopTime": "0", "OpenConnectionCount": "0",
			"EventReceivedCount": "0", "EventAcceptedCount": "0", "AppendReceivedCount": "0", "AppendAcceptedCount": "0",
			"AppendBatchReceivedCount": "0", "AppendBatchAcceptedCount": "0",
			"EventReadFail": "0", "ChannelWriteFail": "0", "GenericProcessingFail": "0",
		},
		KindChannel: {
			"Type": "CHANNEL", "StartTime": "0", "StopTime": "0", "ChannelSize": "0", "ChannelCapacity": "0",
			"EventPutAttemptCount": "0", "EventPutSuccessCount": "0", "EventTakeAttemptCount": "0", "EventTakeSuccessCount": "0",
		},
		KindSink: {
			"Type": "SINK", "StartTime": "0", "StopTime": "0",
			"ConnectionCreatedCount": "0", "ConnectionClosedCount": "0", "ConnectionFailedCount": "0",
			"BatchEmptyCount": "0", "BatchUnderflowCount": "0", "BatchCompleteCount": "0",
			"EventDrainAttemptCount": "0", "EventDrainSuccessCount": "0", "EventWriteFail": "0", "ChannelReadFail": "0",
		},
	}
	for kind, attributes := range want {
		if diff := cmp.Diff(attributes, flumeValues(NewSet(kind, "x"))); diff != "" {
			t.Errorf("%s differs (-want +got):\n%s", kind, diff)
		}
	}
}

func TestSet(t *testing.T) {
	s := NewSet(KindSource, "r1")
	c := s.Counter("EventReceivedCount")
	c.Add(2)
	if s.Counter("EventReceivedCount") != c {
		t.Error("a second call makes another counter")
	}
	s.GaugeFunc("OpenConnectionCount", func() float64 { return 7 })
	s.Text("Open", func() string { return "true" })
	s.OwnCounter("lines", "Lines.").Add(1)
	before := time.Now().UnixMilli()
	s.Started()
	got := flumeValues(s)
	if s.Gauge("StartTime").Value() < before || got["StopTime"] != "0" {
		t.Errorf("started: %v", got)
	}
	if got["EventReceivedCount"] != "2" || got["OpenConnectionCount"] != "7" || got["Open"] != "true" || got["lines"] != "" {
		t.Errorf("values: %v", got)
	}
	s.Stopped()
	if s.Gauge("StopTime").Value() < before {
		t.Errorf("stopped: %v", flumeValues(s))
	}
}

func TestRegistry(t *testing.T) {
	r := NewRegistry()
	old, next, other := NewSet(KindSink, "k1"), NewSet(KindSink, "k1"), NewSet(KindChannel, "k1")
	r.Register(old)
	r.Register(other)
	r.Register(next)
	r.Unregister(old) // another has its place
	got := r.Sets()
	if len(got) != 2 || got[0] != other || got[1] != next {
		t.Errorf("sets: %v", got)
	}
	r.Unregister(next)
	if got := r.Sets(); len(got) != 1 || got[0].Key() != "CHANNEL.k1" {
		t.Errorf("sets: %v", got)
	}
}

func TestHistogram(t *testing.T) {
	h := NewSet(KindSink, "k1").OwnHistogram("x_seconds", "X.", []float64{1, 2, 5})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, v := range []float64{0.5, 1, 1.5, 5, 6} {
				h.Observe(v)
			}
		})
	}
	wg.Wait()
	bounds, cumulative, count, sum := h.Snapshot()
	if diff := cmp.Diff([]float64{1, 2, 5}, bounds); diff != "" {
		t.Error(diff)
	}
	// A bound belongs to its bucket, as Prometheus has it.
	if diff := cmp.Diff([]uint64{8, 12, 16}, cumulative); diff != "" {
		t.Error(diff)
	}
	if count != 20 || sum != 56 {
		t.Errorf("count %d, sum %v", count, sum)
	}
}
