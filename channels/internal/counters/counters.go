// Package counters holds the metrics that Apache Flume has for every channel,
// under Flume's names.
package counters

import (
	"math"

	"github.com/flume-go/flume/metrics"
)

// Channel is the metrics of one channel. Safe for concurrent use; count per batch.
type Channel struct {
	PutAttempt  *metrics.Counter // events offered to a put
	PutSuccess  *metrics.Counter // events stored
	TakeAttempt *metrics.Counter // events asked for: those given, and one for each time there were too few
	TakeSuccess *metrics.Counter // events acknowledged
	Size        *metrics.Gauge   // events stored; what it includes differs between channels, as in Flume
	Capacity    *metrics.Gauge   // most events; stays 0 where Flume's stays 0
}

// New makes the metrics in set.
func New(set *metrics.Set) *Channel {
	c := &Channel{
		PutAttempt:  set.Counter("EventPutAttemptCount"),
		PutSuccess:  set.Counter("EventPutSuccessCount"),
		TakeAttempt: set.Counter("EventTakeAttemptCount"),
		TakeSuccess: set.Counter("EventTakeSuccessCount"),
		Size:        set.Gauge("ChannelSize"),
		Capacity:    set.Gauge("ChannelCapacity"),
	}
	set.Text("ChannelFillPercentage", c.fillPercentage)
	return c
}

// fillPercentage is the size in percent of the capacity, or the largest double
// when there is no capacity: monitors know Flume's channels by that value.
func (c *Channel) fillPercentage() string {
	capacity := c.Capacity.Value()
	if capacity == 0 {
		return metrics.FormatDouble(math.MaxFloat64)
	}
	return metrics.FormatDouble(float64(c.Size.Value()) / float64(capacity) * 100)
}
