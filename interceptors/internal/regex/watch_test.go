package regex

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/metrics"
)

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		count := new(metrics.Counter)
		w := NewWatch(slog.New(slog.NewTextHandler(&log, nil)), count, "bad", "good again")
		lines := func() (bad, good int) {
			return strings.Count(log.String(), "msg=bad error=why"), strings.Count(log.String(), `msg="good again"`)
		}
		for step, c := range []struct {
			pause     time.Duration
			events    int
			bad, good int
		}{
			{0, 0, 0, 0},
			{0, 3, 1, 0},
			{time.Second, 0, 1, 0},
			{time.Second, 2, 1, 0},
			{quiet - 1, 0, 1, 0},
			{1, 0, 1, 1}, // a whole minute after the last
			{time.Hour, 0, 1, 1},
			{0, 1, 2, 1}, // begins anew
		} {
			time.Sleep(c.pause) //nolint:forbidigo // of the bubble's clock
			w.Batch(c.events, errors.New("why"))
			if bad, good := lines(); bad != c.bad || good != c.good {
				t.Errorf("step %d: %d, %d lines; log:\n%s", step, bad, good, log.String())
			}
		}
		if count.Value() != 6 {
			t.Errorf("counted %d", count.Value())
		}
		if !strings.Contains(log.String(), `"good again" events=5`) {
			t.Errorf("the number of events is missing: %s", log.String())
		}
	})
}
