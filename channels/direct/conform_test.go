package direct

import (
	"strconv"
	"testing"

	"github.com/flume-go/flume/conform/channeltest"
)

func TestConformance(t *testing.T) {
	channeltest.Run(t, channeltest.Harness{
		Type: "direct",
		KeepAlive: func(seconds int) map[string]string {
			return map[string]string{"keep-alive": strconv.Itoa(seconds)}
		},
		EndToEnd: true,
		Allocs:   0.15, // a put is another goroutine that waits
	})
}
