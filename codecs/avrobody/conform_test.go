package avrobody

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/twmb/avro/ocf"

	"github.com/flume-go/flume/conform/codectest"
	"github.com/flume-go/flume/event"
)

func TestConformance(t *testing.T) {
	for _, validate := range []string{"true", "false"} {
		t.Run("validateBody "+validate, func(t *testing.T) {
			h := codectest.Harness{
				Type: "avro_body",
				// Blocks end within a batch, too.
				Settings: map[string]string{"validateBody": validate, "syncIntervalBytes": "50000"},
				Read:     readBodies,
				Steady:   withoutMarker,
				Prepare: func(b *event.Batch, e *event.Event) {
					b.SetBody(e, b.Copy(str(string(e.Body))))
					b.SetHeader(e, HeaderLiteral, `"bytes"`)
				},
				Spoil: func(b *event.Batch, e *event.Event) { b.SetHeader(e, HeaderLiteral, "no schema") },
				Other: func(b *event.Batch, e *event.Event) {
					b.SetHeader(e, HeaderLiteral, `{"type": "bytes", "kind": "other"}`)
				},
				Rewinds: true,
			}
			if validate == "true" {
				h.Spoil = func(b *event.Batch, e *event.Event) { b.SetBody(e, e.Body[:len(e.Body)-1]) }
				h.Allocs = 3 // the check decodes each body
			}
			codectest.Run(t, h)
		})
	}
}

func readBodies(stream []byte) ([]event.Event, error) {
	if len(stream) == 0 {
		return nil, nil // the first event is yet to come
	}
	r, err := ocf.NewReader(bytes.NewReader(stream))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var events []event.Event
	for {
		var e event.Event
		if err := r.Decode(&e.Body); errors.Is(err, io.EOF) {
			return events, nil
		} else if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
}

// withoutMarker removes the marker between blocks, which is random in each file
// and with which each file ends.
func withoutMarker(stream []byte) []byte {
	const size = 16
	return bytes.ReplaceAll(stream, stream[max(0, len(stream)-size):], nil)
}
