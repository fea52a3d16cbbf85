package javatime

import (
	"strings"
	"testing"
	"time"
)

func TestCompileErrors(t *testing.T) {
	for _, c := range []struct {
		pattern string
		compile func(string) (*Format, error)
		column  string
	}{
		{"yyyy-b", CompileSimpleDateFormat, "column 6"},
		{"é'open", CompileSimpleDateFormat, "column 2"},
		{"XXXX", CompileSimpleDateFormat, "column 1"},
		{"yyyy L", CompileJoda, "column 6"},
		{"", CompileJoda, "column 1"},
		{strings.Repeat("y", maxCount+1), CompileJoda, "column 1"},
		{strings.Repeat("-", maxPattern+1), CompileJoda, "limit"},
	} {
		if f, err := c.compile(c.pattern); f != nil || err == nil || !strings.Contains(err.Error(), c.column) {
			t.Errorf("%.20q gives %v, %v", c.pattern, f, err)
		}
	}
}

// TestTwoDigitYears settles both years that share the last digits of the year in
// which the century of SimpleDateFormat begins.
func TestTwoDigitYears(t *testing.T) {
	f, err := CompileSimpleDateFormat("yy-MM-dd")
	if err != nil {
		t.Fatal(err)
	}
	f.now = func() time.Time { return time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC) }
	for in, year := range map[string]int{"46-06-14": 2046, "46-06-16": 1946, "45-01-01": 2045, "47-01-01": 1947} {
		if at, err := f.Parse(in, time.UTC); err != nil || at.Year() != year {
			t.Errorf("Parse(%q) gives %v, %v, want year %d", in, at, err, year)
		}
	}
}

func TestParseErrorIsBounded(t *testing.T) {
	f, err := CompileJoda("yyyy")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Parse(strings.Repeat("x", 1<<20), time.UTC)
	if err == nil || len(err.Error()) > 500 || !strings.Contains(err.Error(), "offset 0") {
		t.Errorf("Parse gives error %.200v", err)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	f, err := CompileSimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss.SSSXXX")
	if err != nil {
		t.Fatal(err)
	}
	dst, at := make([]byte, 0, 64), time.UnixMilli(1720000000123)
	if n := testing.AllocsPerRun(100, func() { dst = f.Append(dst[:0], at) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	f, err := CompileJoda("yyyy-MM-dd HH:mm:ss,SSS")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Parse("2024-02-29 12:34:56,789", time.UTC); err != nil {
			b.Fatal(err)
		}
	}
}
