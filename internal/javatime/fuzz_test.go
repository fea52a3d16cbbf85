package javatime

import (
	"testing"
	"time"
)

func fuzz(f *testing.F, compile func(string) (*Format, error)) {
	f.Add("yyyy-MM-dd HH:mm:ss.SSSZ", "2024-02-29 12:00:00.123+0100", int64(1720000000000))
	f.Add("yyMMddHHmm", "4502290000", int64(0))
	f.Add("EEE, d MMM yyyy 'at' K:mm a z", "Thu, 29 Feb 2024 at 0:00 PM PST", int64(-1))
	f.Add("G D w u", "BC -1 53 9", int64(253402300800000))
	loc := Location("Europe/Berlin")
	f.Fuzz(func(t *testing.T, pattern, text string, ms int64) {
		format, err := compile(pattern)
		if err != nil {
			if format != nil {
				t.Errorf("%q: a format beside the error %v", pattern, err)
			}
			return
		}
		if at, err := format.Parse(text, loc); err != nil && !at.IsZero() {
			t.Errorf("%q: Parse(%q) gives a time beside the error %v", pattern, text, err)
		}
		at := time.UnixMilli(ms % 253402300800000).In(loc)
		printed := format.Format(at)
		if again := string(format.Append([]byte("x"), at)); again != "x"+printed {
			t.Errorf("%q: Append gives %q, Format %q", pattern, again, printed)
		}
	})
}

func FuzzSimpleDateFormat(f *testing.F) { fuzz(f, CompileSimpleDateFormat) }

func FuzzJoda(f *testing.F) { fuzz(f, CompileJoda) }
