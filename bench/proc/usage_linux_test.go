package proc

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const tail = " S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0"
	for _, tt := range []struct {
		stat string
		want time.Duration
		bad  bool
	}{
		{stat: "77 (flume)" + tail, want: 3 * time.Second},
		{stat: "77 (a) b) (c)" + tail, want: 3 * time.Second},
		{stat: "77 (flume) S 1 2", bad: true},
		{stat: "77 flume" + tail, bad: true},
		{stat: "", bad: true},
		{stat: "77 (flume) S 1 2 3 4 5 6 7 8 9 10 x 50 0", bad: true},
	} {
		got, err := parseStat([]byte(tt.stat))
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("parseStat(%q) = %v, %v, want %v, error: %t", tt.stat, got, err, tt.want, tt.bad)
		}
	}
}

func TestParseStatus(t *testing.T) {
	for _, tt := range []struct {
		status    string
		rss, peak int64
		bad       bool
	}{
		{status: "Name:\tflume\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t7\n", rss: 1 << 20, peak: 2 << 20},
		{status: "Name:\tflume\nState:\tZ (zombie)\n", bad: true},
		{status: "VmHWM:\tmuch\nVmRSS:\t1 kB\n", bad: true},
	} {
		rss, peak, err := parseStatus(tt.status)
		if rss != tt.rss || peak != tt.peak || (err != nil) != tt.bad {
			t.Errorf("parseStatus(%q) = %d, %d, %v, want %d, %d, error: %t", tt.status, rss, peak, err, tt.rss, tt.peak, tt.bad)
		}
	}
}

func TestAllowFilesKeepsMore(t *testing.T) {
	if err := AllowFiles(16); err != nil {
		t.Errorf("asking for fewer files than allowed: %v", err)
	}
}
