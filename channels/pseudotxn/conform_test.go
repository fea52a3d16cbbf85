package pseudotxn

import (
	"strconv"
	"testing"

	"github.com/flume-go/flume/conform/channeltest"
)

func TestConformance(t *testing.T) {
	channeltest.Run(t, channeltest.Harness{
		Type: "pseudotxn",
		Capacity: func(events int) map[string]string {
			return map[string]string{"capacity": strconv.Itoa(events)}
		},
		Reserves: true,
		Inherits: true,
		Volatile: true,
		Allocs:   0.02,
	})
}
