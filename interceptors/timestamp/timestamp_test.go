package timestamp

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/interceptors/internal/interceptortest"
)

func TestIntercept(t *testing.T) {
	for name, c := range map[string]struct {
		settings interceptortest.Settings
		in, want []string
	}{
		"defaults overwrite": {
			nil,
			[]string{"a", "b|timestamp=1", "c|x=y"},
			[]string{"a|timestamp=NOW", "b|timestamp=NOW", "c|x=y|timestamp=NOW"},
		},
		"preserve": {
			interceptortest.Settings{"preserveExisting": "true"},
			[]string{"a", "b|timestamp=1", "c|timestamp="},
			[]string{"a|timestamp=NOW", "b|timestamp=1", "c|timestamp="},
		},
		"other name": {
			interceptortest.Settings{"headerName": "at"},
			[]string{"a|timestamp=1"},
			[]string{"a|timestamp=1|at=NOW"},
		},
		"empty batch": {nil, nil, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(1234567 * time.Millisecond) //nolint:forbidigo // of the bubble's clock, which starts in 2000
				now := strconv.Itoa(946684800000 + 1234567)
				b := interceptortest.Batch(c.in...)
				defer b.Release()
				got := interceptortest.New(t, "timestamp", c.settings).Run(t, b)
				for i := range c.want {
					c.want[i] = replaceNow(c.want[i], now)
				}
				if d := cmp.Diff(c.want, got); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

func replaceNow(s, now string) string {
	if i := len(s) - len("NOW"); i >= 0 && s[i:] == "NOW" {
		return s[:i] + now
	}
	return s
}

func TestClockGoesOnBetweenBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := interceptortest.New(t, "org.apache.flume.interceptor.TimestampInterceptor$Builder", nil)
		for _, want := range []string{"a|timestamp=946684800000", "a|timestamp=946684800250"} {
			b := interceptortest.Batch("a")
			if got := i.Run(t, b); got[0] != want {
				t.Errorf("got %s, want %s", got[0], want)
			}
			b.Release()
			time.Sleep(250 * time.Millisecond) //nolint:forbidigo // of the bubble's clock
		}
	})
}
