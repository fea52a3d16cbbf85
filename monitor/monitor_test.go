package monitor

import (
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	tests := []struct {
		name     string
		settings map[string]string
		err      string // "" for none
		warning  string
	}{
		{"alias", map[string]string{"type": "http"}, "", ""},
		{"alias in capitals", map[string]string{"type": "HTTP", "port": "0"}, "", ""},
		{"class", map[string]string{"type": "org.apache.flume.instrumentation.http.HTTPMetricsServer"}, "", ""},
		{"prometheus", map[string]string{"type": "Prometheus"}, "", ""},
		{"prometheus by class", map[string]string{"type": "org.apache.flume.instrumentation.http.PrometheusHTTPMetricsServer"}, "", ""},
		{"ganglia", map[string]string{"type": "ganglia", "hosts": "a:8649"}, "", ""},
		{"ganglia by class", map[string]string{"type": "org.apache.flume.instrumentation.GangliaServer", "hosts": "a:8649"}, "", ""},
		{"mistyped", map[string]string{"type": "prometeus"}, `flume.monitoring.type: "prometeus" is unknown, did you mean prometheus?`, ""},
		{"class of another", map[string]string{"type": "com.example.Monitor"}, `flume.monitoring.type: "com.example.Monitor" is unknown; there are http, prometheus and ganglia, and monitor services in Java cannot be loaded`, ""},
		{"bad port", map[string]string{"type": "http", "port": "http"}, `flume.monitoring.port: "http" is not a whole number from 0 to 65535`, ""},
		{"port out of range", map[string]string{"type": "http", "port": "65536"}, "from 0 to 65535", ""},
		{"unknown setting", map[string]string{"type": "http", "prot": "1"}, "", "did you mean flume.monitoring.port?"},
		{"no hosts", map[string]string{"type": "ganglia"}, "names no Ganglia host", ""},
		{"no good host", map[string]string{"type": "ganglia", "hosts": "a, b:x,:1,c:0"}, "names no Ganglia host", "host=a"},
		{"one good host", map[string]string{"type": "ganglia", "hosts": "a, b:8649"}, "", "host=a"},
		{"interval", map[string]string{"type": "ganglia", "hosts": "a:1", "pollFrequency": "0"}, "pollFrequency", ""},
		{"odd flag", map[string]string{"type": "ganglia", "hosts": "a:1", "isGanglia3": "yes"}, "", "taken for false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, log := logged(t)
			r, err := New(tt.settings, newFake(), o)
			switch {
			case tt.err == "" && err != nil:
				t.Fatal(err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Fatalf("error %v, want %q", err, tt.err)
			case err != nil && strings.Count(err.Error(), "flume.monitoring.") != 1:
				t.Errorf("error %v does not name its property once", err)
			case err == nil && r.Addr() != "":
				t.Errorf("New listens on %s", r.Addr())
			}
			if !strings.Contains(log.String(), tt.warning) || tt.warning == "" && log.String() != "" {
				t.Errorf("logged %q, want %q", log, tt.warning)
			}
		})
	}
}
