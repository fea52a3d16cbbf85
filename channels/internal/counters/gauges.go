package counters

import (
	"time"

	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

// OwnGauges adds to set the gauges that Flume does not have. stats is called
// whenever they are read.
func OwnGauges(set *metrics.Set, stats func() flow.Stats) {
	set.OwnGauge("bytes", "Bytes of the bodies of the events in the channel.", func() float64 {
		return float64(stats().Bytes)
	})
	set.OwnGauge("oldest_age_seconds", "Time since the oldest event in the channel was put; 0 when it is empty.", func() float64 {
		oldest := stats().Oldest
		if oldest.IsZero() {
			return 0
		}
		return max(0, time.Since(oldest).Seconds())
	})
}
