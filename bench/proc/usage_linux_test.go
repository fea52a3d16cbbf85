package proc

import (
	"bytes"
	"os"
	"path/filepath"
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

func TestParseIO(t *testing.T) {
	got, err := parseIO("rchar: 7\nread_bytes: 4096\nwrite_bytes: 0\n")
	if got != 4096 || err != nil {
		t.Errorf("parseIO = %d, %v, want 4096", got, err)
	}
	if _, err := parseIO("rchar: 7\n"); err == nil {
		t.Error("found read_bytes where there is none")
	}
}

// TestChill reads a file that was just written: from the disk, unless that is memory.
func TestChill(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	want := bytes.Repeat([]byte("chilled"), 1<<17)
	if err := os.WriteFile(path, want, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Chill(dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("reading back = %d bytes, %v, want what was written", len(got), err)
	}
	if _, err := DeviceReads(os.Getpid()); err != nil {
		t.Error(err)
	}
	if err := Chill(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("clearing the cache of a folder that is not there did not fail")
	}
}
