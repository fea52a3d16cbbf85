package logger

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/flume-go/flume/conform/sinktest"
	"github.com/flume-go/flume/event"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		Type: "logger",
		Destination: func(testing.TB) sinktest.Destination {
			log := &messages{Handler: slog.DiscardHandler}
			return sinktest.Destination{
				Settings: map[string]string{"maxBytesToLog": "1000000"},
				Log:      log,
				Content:  log.events,
			}
		},
		Largest: 100_000,
	})
}

// messages keeps what is logged.
type messages struct {
	slog.Handler
	all []string
}

func (m *messages) Enabled(context.Context, slog.Level) bool { return true }
func (m *messages) WithAttrs([]slog.Attr) slog.Handler       { return m }
func (m *messages) WithGroup(string) slog.Handler            { return m }
func (m *messages) Handle(_ context.Context, r slog.Record) error {
	m.all = append(m.all, strings.Clone(r.Message))
	return nil
}

// events reads the bodies back from their dumps.
func (m *messages) events() ([]event.Event, error) {
	var all []event.Event
	for _, text := range m.all {
		at := strings.LastIndex(text, "} body:")
		if at < 0 || !strings.HasSuffix(text, " }") {
			return nil, fmt.Errorf("an event is logged as %q", text)
		}
		body, err := undump(text[at+len("} body:") : len(text)-len(" }")])
		if err != nil {
			return nil, err
		}
		all = append(all, event.Event{Body: body})
	}
	return all, nil
}

// undump reads a dump back: lines of an offset (but the first), up to 16 bytes in
// hexadecimal, and the same as characters.
func undump(dump string) ([]byte, error) {
	var body []byte
	if dump == "" {
		return nil, nil
	}
	for i, line := range strings.Split(dump, "\n") {
		if i > 0 {
			line = line[8:]
		}
		for pair := range strings.FieldsSeq(line[1 : 1+3*perLine]) {
			b, err := hex.DecodeString(pair)
			if err != nil {
				return nil, fmt.Errorf("reading the dump line %q: %w", line, err)
			}
			body = append(body, b...)
		}
	}
	return body, nil
}
