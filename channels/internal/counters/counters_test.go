package counters

import (
	"testing"

	"github.com/flume-go/flume/metrics"
)

func TestFillPercentage(t *testing.T) {
	set := metrics.NewSet(metrics.KindChannel, "c1")
	c := New(set)
	fill := func() string {
		for _, m := range set.Metrics() {
			if m.Name == "ChannelFillPercentage" {
				return m.Text()
			}
		}
		t.Fatal("there is no ChannelFillPercentage")
		return ""
	}
	if got := fill(); got != "1.7976931348623157E308" {
		t.Errorf("without a capacity: %s", got)
	}
	c.Capacity.Set(3)
	if got := fill(); got != "0.0" {
		t.Errorf("empty: %s", got)
	}
	c.Size.Set(1)
	if got := fill(); got != "33.33333333333333" {
		t.Errorf("a third: %s", got)
	}
	c.Size.Set(6)
	if got := fill(); got != "200.0" {
		t.Errorf("twice the capacity: %s", got)
	}
}
