package seq

import (
	"strconv"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
	"github.com/flume-go/flume/event"
)

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Harness{
		Type: "seq",
		Total: func(events int) map[string]string {
			return map[string]string{"totalEvents": strconv.Itoa(events), "batchSize": "4"}
		},
		ID:      func(e *event.Event) (uint64, error) { return strconv.ParseUint(string(e.Body), 10, 64) },
		Resumes: true,
	})
}
