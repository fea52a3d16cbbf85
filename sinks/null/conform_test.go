package null

import (
	"testing"

	"github.com/flume-go/flume/conform/sinktest"
)

// TestConformance cannot look at what was discarded.
func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		Type:        "null",
		Destination: func(testing.TB) sinktest.Destination { return sinktest.Destination{} },
	})
}
