package monitor

import (
	"math"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/pipeline"
)

// scrape returns the exposition of f without what Go and the process add.
func scrape(t *testing.T, f *fake) string {
	t.Helper()
	w := ask(t, newHandler(f, options(t), true), "GET", "/metrics")
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	var out strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
		if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			out.WriteString(line)
		}
	}
	return out.String()
}

func parse(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.LegacyValidation)
	got, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestExposition(t *testing.T) {
	f := newFake()
	f.fail(2, pipeline.StateRetrying, "connection refused")
	text := scrape(t, f)
	at := strings.Index(text, `goversion="`) + len(`goversion="`)
	end := at + strings.IndexByte(text[at:], '"')
	golden(t, "prometheus.txt", text[:at]+"go"+text[end:])
}

// TestExpositionNames checks the names that Flume's own reporter gives, and that
// those it leaves out are left out.
func TestExpositionNames(t *testing.T) {
	f := newFake()
	c := f.add(metrics.KindChannel, "c2", "file")
	c.Gauge("Unhealthy").Set(1)
	c.Gauge("Closed").Set(1)
	c.Text("Open", func() string { return "false" })
	c.Counter("CheckpointWriteErrorCount").Add(4)
	got := parse(t, scrape(t, f))
	for _, name := range []string{
		"Flume_EventReceivedCount_total", "Flume_ChannelWriteFail_total", "Flume_ChannelSize", "Flume_ChannelCapacity",
		"Flume_OpenConnectionCount", "Flume_Unhealthy", "Flume_CheckpointWriteErrorCount_total", "Flume_EventDrainSuccessCount_total",
		"flume_source_emit_seconds", "flume_source_malformed_lines_total", "flume_channel_bytes",
	} {
		if got[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"Flume_StartTime", "Flume_StopTime", "Flume_ChannelFillPercentage", "Flume_Type", "Flume_Open", "Flume_Closed"} {
		if got[name] != nil {
			t.Errorf("%s is shown", name)
		}
	}
}

func TestExpositionIsLintClean(t *testing.T) {
	var own strings.Builder
	for line := range strings.Lines(scrape(t, newFake())) {
		if !strings.Contains(line, "Flume_") {
			own.WriteString(line)
		}
	}
	problems, err := promlint.New(strings.NewReader(own.String())).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestExpositionOfConflicts has components that disagree on a name: every scrape
// must succeed and show what can be shown.
func TestExpositionOfConflicts(t *testing.T) {
	f := newFake()
	// A source and a sink of one name count the same attribute.
	f.add(metrics.KindSource, "x", "kafka").Counter("KafkaCommitTimer").Add(2)
	f.add(metrics.KindChannel, "x", "kafka").Counter("KafkaCommitTimer").Add(3)
	// Two channels help differently, or mean different things.
	f.add(metrics.KindChannel, "y", "direct").OwnGauge("bytes", "Something else.", func() float64 { return math.Inf(1) })
	f.add(metrics.KindChannel, "z", "odd").OwnHistogram("bytes", "A histogram.", []float64{1}).Observe(1)
	// Names that Prometheus does not allow.
	f.add(metrics.KindSink, "quote\"\\\n\xff", "odd").OwnCounter("wrong-näme.x", "Bad.").Add(1)
	got := parse(t, scrape(t, f))

	sum := 0.0
	for _, m := range got["Flume_KafkaCommitTimer_total"].GetMetric() {
		sum += m.GetCounter().GetValue()
	}
	if n := len(got["Flume_KafkaCommitTimer_total"].GetMetric()); n != 1 || sum != 5 {
		t.Errorf("KafkaCommitTimer: %d series, sum %v", n, sum)
	}
	if n := len(got["flume_channel_bytes"].GetMetric()); n != 2 {
		t.Errorf("bytes: %d series, want those of c1 and y", n)
	}
	if got["flume_sink_wrong_n_me_x_total"] == nil {
		t.Error("a name with other characters is missing")
	}
}

func TestOpenMetrics(t *testing.T) {
	w := ask(t, newHandler(newFake(), options(t), false), "GET", "/metrics", "Accept", "application/openmetrics-text;version=1.0.0")
	if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, "application/openmetrics-text") {
		t.Errorf("content type %s", got)
	}
	if !strings.HasSuffix(w.Body.String(), "# EOF\n") {
		t.Error("no end mark")
	}
}
