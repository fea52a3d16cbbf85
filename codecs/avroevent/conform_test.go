package avroevent

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
	// The codecs that the reader knows, and what they allocate per event.
	for codec, allocs := range map[string]float64{"null": 0, "deflate": 0.02, "snappy": 0, "zstandard": 0} {
		t.Run(codec, func(t *testing.T) {
			codectest.Run(t, codectest.Harness{
				Type: "avro_event",
				// Blocks end within a batch, too.
				Settings: map[string]string{"compressionCodec": codec, "syncIntervalBytes": "50000"},
				Read:     readEvents,
				Steady:   withoutMarker,
				Headers:  true,
				Rewinds:  true,
				Allocs:   allocs,
			})
		})
	}
}

func readEvents(stream []byte) ([]event.Event, error) {
	r, err := ocf.NewReader(bytes.NewReader(stream))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var events []event.Event
	for {
		var rec record
		if err := r.Decode(&rec); errors.Is(err, io.EOF) {
			return events, nil
		} else if err != nil {
			return nil, err
		}
		e := event.Event{Body: rec.Body}
		for k, v := range rec.Headers {
			e.Headers = append(e.Headers, event.Header{Key: k, Value: v})
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
