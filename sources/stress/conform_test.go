package stress

import (
	"strconv"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
)

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Harness{
		Type: "stress",
		Total: func(events int) map[string]string {
			return map[string]string{"maxTotalEvents": strconv.Itoa(events), "batchSize": "4"}
		},
		Anonymous: true,
		Drops:     true,
	})
}
