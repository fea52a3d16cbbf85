package memory

import (
	"strconv"
	"testing"

	"github.com/flume-go/flume/conform/channeltest"
)

func TestConformance(t *testing.T) {
	channeltest.Run(t, channeltest.Harness{
		Type: "memory",
		Capacity: func(events int) map[string]string {
			n := strconv.Itoa(events)
			return map[string]string{"capacity": n, "transactionCapacity": n}
		},
		KeepAlive: func(seconds int) map[string]string {
			return map[string]string{"keep-alive": strconv.Itoa(seconds)}
		},
		Reserves: true,
		Inherits: true,
		Volatile: true,
		Allocs:   0.02,
	})
}
