package headerandtext

import (
	"strings"
	"testing"

	"github.com/flume-go/flume/conform/codectest"
	"github.com/flume-go/flume/event"
)

func TestConformance(t *testing.T) {
	for newline, end := range map[string]string{"true": "\n", "false": ""} {
		t.Run("appendNewline "+newline, func(t *testing.T) {
			codectest.Run(t, codectest.Harness{
				Type:     "header_and_text",
				Settings: map[string]string{"appendNewline": newline},
				Bytes: func(e event.Event) []byte {
					var pairs []string
					for _, h := range e.Headers {
						pairs = append(pairs, h.Key+"="+h.Value)
					}
					return []byte("{" + strings.Join(pairs, ", ") + "} " + string(e.Body) + end)
				},
				Resumes: true,
				Rewinds: true,
			})
		})
	}
}
