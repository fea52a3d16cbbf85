// Package counters holds the metrics that Apache Flume has for every channel,
// under Flume's names.
package counters

import (
	"math"
	"strconv"
	"strings"

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
		return javaDouble(math.MaxFloat64)
	}
	return javaDouble(float64(c.Size.Value()) / float64(capacity) * 100)
}

// javaDouble writes v, a finite number, as Java's Double.toString does: always
// with a point, and with an exponent below 10⁻³ and from 10⁷ on.
func javaDouble(v float64) string {
	if a := math.Abs(v); a == 0 || a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'E', -1, 64), "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	sign := ""
	if exponent[0] == '-' {
		sign = "-"
	}
	return mantissa + "E" + sign + strings.TrimLeft(exponent, "+-0")
}
