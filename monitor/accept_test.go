package monitor

import "testing"

// FuzzAccept checks that whoever takes JSON gets JSON, whatever else it says.
func FuzzAccept(f *testing.F) {
	for _, s := range []string{
		"", "*/*", "text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
		`text/plain;version="0.0.4`, "application/json;q=0", ";;,,=q",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		asked := acceptsPrometheus([]string{accept})
		if acceptsPrometheus([]string{accept, "application/json"}) {
			t.Errorf("%q with JSON gets Prometheus", accept)
		}
		if asked && !acceptsPrometheus([]string{accept, "*/*"}) {
			t.Errorf("%q with anything gets JSON", accept)
		}
	})
}
