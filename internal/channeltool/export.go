package channeltool

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/flume-go/flume/codecs/avroevent"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// Formats are the formats of exported events.
var Formats = []string{"json", "avro"}

// NewEncoder returns what writes events to w in a format. Close writes what is left, and does not close w.
func NewEncoder(format string, w io.Writer) (flow.Encoder, error) {
	switch format {
	case "json":
		return newJSONEncoder(w), nil
	case "avro":
		enc, err := avroevent.New(avroevent.Config{SyncInterval: 256 << 10, Codec: "null"}, component.Env{})
		if err != nil {
			return nil, err
		}
		return enc.NewEncoder(w, false)
	}
	return nil, fmt.Errorf("format %q is neither json nor avro", format)
}

var errLimit = errors.New("as many events as were asked for")

// ExportTo writes the staged events of queues to enc, at most limit if that is above 0, and returns how many. It
// does not close enc.
func ExportTo(ctx context.Context, queues []Queue, enc flow.Encoder, limit int, damaged func(Damage)) (n int, err error) {
	for _, q := range queues {
		err = q.Export(ctx, damaged, func(b *event.Batch) error {
			if limit == 0 || n+b.Len() < limit {
				n += b.Len()
				return enc.Encode(b)
			}
			part := b.View(0, limit-n)
			defer part.Release()
			n = limit
			if err := enc.Encode(part); err != nil {
				return err
			}
			return errLimit
		})
		if errors.Is(err, errLimit) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// jsonEvent is an event as a line of JSON. What is not valid UTF-8 is in Base64, under other keys.
type jsonEvent struct {
	Headers       map[string]string `json:"headers"`
	HeadersBase64 map[string]string `json:"headersBase64,omitempty"` // keys, too
	Body          *string           `json:"body,omitempty"`
	BodyBase64    *string           `json:"bodyBase64,omitempty"`
}

// jsonEncoder writes events as lines of JSON.
type jsonEncoder struct {
	out *bufio.Writer
	enc *json.Encoder
}

var _ flow.Encoder = (*jsonEncoder)(nil)

func newJSONEncoder(w io.Writer) *jsonEncoder {
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return &jsonEncoder{out: out, enc: enc}
}

// Encode implements flow.Encoder.
func (j *jsonEncoder) Encode(b *event.Batch) error {
	for i := range b.Events() {
		if err := j.event(b.At(i)); err != nil {
			return err
		}
	}
	return nil
}

func (j *jsonEncoder) event(e *event.Event) error {
	line := jsonEvent{Headers: make(map[string]string, len(e.Headers))}
	for _, h := range e.Headers {
		if utf8.ValidString(h.Key) && utf8.ValidString(h.Value) {
			line.Headers[h.Key] = h.Value
			continue
		}
		if line.HeadersBase64 == nil {
			line.HeadersBase64 = make(map[string]string)
		}
		line.HeadersBase64[base64.StdEncoding.EncodeToString([]byte(h.Key))] = base64.StdEncoding.EncodeToString([]byte(h.Value))
	}
	text := string(e.Body)
	if utf8.ValidString(text) {
		line.Body = &text
	} else {
		text = base64.StdEncoding.EncodeToString(e.Body)
		line.BodyBase64 = &text
	}
	return j.enc.Encode(line)
}

// Flush implements flow.Encoder.
func (j *jsonEncoder) Flush() error { return j.out.Flush() }

// Close implements flow.Encoder.
func (j *jsonEncoder) Close() error { return j.out.Flush() }
