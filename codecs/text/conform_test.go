package text

import (
	"testing"

	"github.com/flume-go/flume/conform/codectest"
	"github.com/flume-go/flume/event"
)

func TestConformance(t *testing.T) {
	for newline, end := range map[string]string{"true": "\n", "false": ""} {
		t.Run("appendNewline "+newline, func(t *testing.T) {
			codectest.Run(t, codectest.Harness{
				Type:     "text",
				Settings: map[string]string{"appendNewline": newline},
				Bytes:    func(e event.Event) []byte { return append(e.Body[:len(e.Body):len(e.Body)], end...) },
				Resumes:  true,
				Rewinds:  true,
			})
		})
	}
}
