package javatime

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "time/tzdata"
)

// TestOracle compares with what Java does; see testdata/Oracle.java.
func TestOracle(t *testing.T) {
	data, err := os.ReadFile("testdata/oracle.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var now time.Time
	seen := map[string]int{}
	for line := range strings.Lines(string(data)) {
		c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		seen[c[0]]++
		switch c[0] {
		case "now":
			now = time.UnixMilli(mustInt(t, c[1])).UTC()
		case "Z":
			if _, got := time.UnixMilli(1720000000000).In(Location(c[1])).Zone(); int64(got) != mustInt(t, c[2]) {
				t.Errorf("Location(%q) is %d s east, in Java %s", c[1], got, c[2])
			}
		default:
			compare(t, c, now)
		}
	}
	if seen["S"] < 400 || seen["J"] < 400 || seen["Z"] < 20 {
		t.Errorf("too few cases: %v", seen)
	}
}

func mustInt(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// compare checks a line: kind, f or p, pattern, zone, input, output.
func compare(t *testing.T, c []string, now time.Time) {
	t.Helper()
	compile := CompileSimpleDateFormat
	if c[0] == "J" {
		compile = CompileJoda
	}
	f, err := compile(c[2])
	if err != nil {
		t.Error(err)
		return
	}
	f.now = func() time.Time { return now }
	loc := Location(c[3])
	if c[1] == "f" {
		if got := f.Format(time.UnixMilli(mustInt(t, c[4])).In(loc)); got != c[5] {
			t.Errorf("%s %q: Format(%s in %s) gives %q, in Java %q", c[0], c[2], c[4], c[3], got, c[5])
		}
		return
	}
	got := "!"
	at, err := f.Parse(c[4], loc)
	if err == nil {
		got = strconv.FormatInt(at.UnixMilli(), 10)
	}
	if got != c[5] {
		t.Errorf("%s %q: Parse(%q) in %s gives %s (%v), in Java %s", c[0], c[2], c[4], c[3], got, err, c[5])
	}
}
