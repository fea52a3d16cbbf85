//go:build !race && !invariants

// Builds that poison memory do not reuse it and allocate by design.

package interceptors_test

import (
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/interceptors/internal/interceptortest"
)

// perEvent returns the allocations that a chain makes for an event of a batch of
// 100, the making of the batch included.
func perEvent(t *testing.T, chain ...flow.Interceptor) float64 {
	source := event.NewBatch()
	defer source.Release()
	accessLog(source, 100)
	return testing.AllocsPerRun(50, func() {
		b := event.NewBatch()
		for i := range source.Events() {
			b.Append(source.At(i).Body)
		}
		run(t, chain, b)
		b.Release()
	}) / 100
}

func TestAllocations(t *testing.T) {
	if n := perEvent(t, chain(t)...); n > 0.02 {
		t.Errorf("timestamp+static+regex_filter: %.2f allocations per event", n)
	}
	for typ, s := range every {
		limit := 0.02
		switch typ { // package regexp returns the offsets of each match in a new slice
		case "regex_extractor":
			limit = 1.02
		case "search_replace":
			limit = 3.02 // and javaregex replaces through a function value
		}
		if n := perEvent(t, interceptortest.New(t, typ, s)); n > limit {
			t.Errorf("%s: %.2f allocations per event, the limit is %.2f", typ, n, limit)
		}
	}
}
