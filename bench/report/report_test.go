package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/bench/stats"
	"github.com/google/go-cmp/cmp"
)

func TestQuantity(t *testing.T) {
	for _, tt := range []struct {
		value float64
		unit  string
		want  string
	}{
		{0, "ms", "0 ms"}, {1234567.4, "1/s", "1,234,567 1/s"}, {1000, "", "1,000"}, {999.6, "", "1000"},
		{123.4, "", "123"}, {12.34, "", "12.3"}, {1.234, "µs", "1.23 µs"}, {0.0123, "", "0.0123"}, {-2500, "", "-2,500"},
	} {
		if got := Quantity(tt.value, tt.unit); got != tt.want {
			t.Errorf("Quantity(%v, %q) = %q, want %q", tt.value, tt.unit, got, tt.want)
		}
	}
}

func TestParseMicro(t *testing.T) {
	const out = `goos: linux
pkg: example.org/a
BenchmarkMemoryToNull/512-2   	 9000000	       132.5 ns/op	       3 B/op	       0 allocs/op
BenchmarkBroken-2   	 many	 1 ns/op
BenchmarkOdd-2   	 10	 1 ns/op 7
some test said: BenchmarkX
pkg: example.org/b
BenchmarkRate-2   	 10	 2e+06 events/s
PASS
`
	got, err := ParseMicro(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	want := []Micro{
		{"example.org/a", "MemoryToNull/512-2", 9000000, []Amount{{132.5, "ns/op"}, {3, "B/op"}, {0, "allocs/op"}}},
		{"example.org/b", "Rate-2", 10, []Amount{{2e6, "events/s"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseMicro (-want +got):\n%s", diff)
	}
}

func FuzzParseMicro(f *testing.F) {
	f.Add("pkg: a\nBenchmarkX-2 1 2 ns/op\n")
	f.Add("BenchmarkX 1 NaN ns/op 0 B/op\n")
	f.Fuzz(func(t *testing.T, out string) {
		all, err := ParseMicro(strings.NewReader(out))
		if err != nil {
			return
		}
		for _, micro := range all {
			if len(micro.Values) == 0 || strings.Contains(micro.Name, " ") {
				t.Errorf("accepted as a benchmark: %+v", micro)
			}
		}
	})
}

func TestFilesystem(t *testing.T) {
	const mounts = `21 1 254:0 / / rw - ext4 /dev/vda rw
22 21 0:5 / /data rw,nosuid shared:1 - xfs /dev/vdb rw
23 22 0:6 / /data/fast rw - tmpfs tmpfs rw
broken line
`
	for dir, want := range map[string]string{
		"/home/x": "ext4 at /", "/data": "xfs at /data", "/data/fast/1": "tmpfs at /data/fast", "/data2": "ext4 at /",
	} {
		if got := filesystem(mounts, dir); got != want {
			t.Errorf("filesystem of %s = %q, want %q", dir, got, want)
		}
	}
	if got := filesystem("", "/"); got != "unknown" {
		t.Errorf("filesystem without mounts = %q, want unknown", got)
	}
}

func TestBusy(t *testing.T) {
	for load, want := range map[string]bool{
		"0.12 3.00 2.00 1/89 8757": false, "0.50 0.10 0.05 1/89 8757": true, "6.47 3.35 1.87 13/203 1": true, "unknown": false,
	} {
		if got := (Machine{Load: load}).Busy(); got != want {
			t.Errorf("Busy() with load %q = %t, want %t", load, got, want)
		}
	}
}

func sample() *Report {
	return &Report{
		Machine: Machine{CPU: "A CPU", Cores: 2, Go: "go1"},
		Command: "flumebench -runs 3",
		Started: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		Notes:   []string{"a note"},
		Results: []Result{
			{Scenario: "lines", Measures: []Measure{{Name: "rate", Unit: "1/s", Figures: []Figure{
				{Program: "flume", Summary: stats.Summarize([]float64{1400, 1500, 1600}), Ratio: 0.75, Goal: "ratio ≥ 0.7", Met: true},
				{Program: "bare", Summary: stats.Summarize([]float64{2000}), Ratio: 1},
				{Program: "peer", Summary: stats.Summarize([]float64{500}), Ratio: 0.25, Goal: "ratio ≥ 0.7"},
			}}}},
			{Scenario: "idle", Error: "it did not start"},
		},
		Micro: []Micro{{Package: "p", Name: "X-2", Runs: 1, Values: []Amount{{12, "ns/op"}}}},
	}
}

func TestWriteMarkdown(t *testing.T) {
	var b strings.Builder
	if err := sample().WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"22 November 2026", "A CPU, 2 cores", "`flumebench -runs 3`", "- a note",
		"| lines | rate | flume | 1,500 1/s | 13 % | 0.75 | ratio ≥ 0.7 ✓ |",
		"| lines | rate | bare | 2,000 1/s | – | 1.00 |  |",
		"| 0.25 | ratio ≥ 0.7 **missed** |",
		"**idle failed:** it did not start",
		"| p | X-2 | 12.0 ns/op |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.String())
		}
	}
}

func TestWriteJSON(t *testing.T) {
	var b strings.Builder
	want := sample()
	if err := want.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if !got.Failed() {
		t.Error("Failed() = false with a failed scenario")
	}
}
