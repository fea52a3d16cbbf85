package counters

import (
	"math"
	"testing"

	"github.com/flume-go/flume/metrics"
)

func TestJavaDouble(t *testing.T) {
	for v, want := range map[float64]string{
		0:                    "0.0",
		1:                    "1.0",
		100:                  "100.0",
		33.33333333333333:    "33.33333333333333",
		0.001:                "0.001",
		1.0 / 1e6:            "1.0E-6",
		5.587935450437721e-7: "5.587935450437721E-7",
		9999999:              "9999999.0",
		1e7:                  "1.0E7",
		12345678.5:           "1.23456785E7",
		-0.5:                 "-0.5",
		math.MaxFloat64:      "1.7976931348623157E308",
	} {
		if got := javaDouble(v); got != want {
			t.Errorf("javaDouble(%g) = %s, want %s", v, got, want)
		}
	}
}

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
