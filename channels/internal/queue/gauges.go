package queue

import (
	"time"

	"github.com/flume-go/flume/metrics"
)

// OwnGauges adds to set the gauges that Flume does not have.
func (q *Queue) OwnGauges(set *metrics.Set) {
	set.OwnGauge("bytes", "Bytes of the bodies of the events in the channel.", func() float64 {
		return float64(q.Stats().Bytes)
	})
	set.OwnGauge("oldest_age_seconds", "Time since the oldest event in the channel was put; 0 when it is empty.", func() float64 {
		oldest := q.Stats().Oldest
		if oldest.IsZero() {
			return 0
		}
		return max(0, time.Since(oldest).Seconds())
	})
}
