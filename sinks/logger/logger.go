// Package logger is the sink that writes each event to the agent's log, for
// looking at what flows.
package logger

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

//go:embed README.md
var readme string

const class = "org.apache.flume.sink.LoggerSink"

func init() {
	component.RegisterSink(component.Info{
		Type:    "logger",
		Aliases: []string{class},
		Summary: "Writes each event to the agent's log at level INFO.",
		Readme:  readme,
	}, New)
}

// Config is the sink's properties.
type Config struct {
	MaxBytes int `flume:"maxBytesToLog" default:"16" min:"0" lenient:"true" unit:"bytes" doc:"How many bytes of each body are shown."`
}

// New returns the sink. It takes batches of any size.
func New(cfg Config, env component.Env) (flow.Sink, error) {
	// Flume's name for the logger, by which log configurations single it out.
	return &sink{max: cfg.MaxBytes, log: env.Log.With("logger", class)}, nil
}

type sink struct {
	max  int
	log  *slog.Logger
	text []byte // the message of one event, reused
}

var _ flow.Sink = (*sink)(nil)

// keepText is the largest message whose memory is kept for the next one.
const keepText = 64 << 10

// Deliver logs each event of b. Without level INFO it takes them all the same.
func (s *sink) Deliver(ctx context.Context, b *event.Batch) error {
	if !s.log.Enabled(ctx, slog.LevelInfo) {
		return nil
	}
	for i := range b.Events() {
		s.text = appendEvent(s.text[:0], b.At(i), s.max)
		s.log.InfoContext(ctx, string(s.text))
	}
	if cap(s.text) > keepText {
		s.text = nil
	}
	return nil
}

// appendEvent appends the message for ev: its headers as Java prints a map, and
// a hex dump of the first limit bytes of its body.
func appendEvent(dst []byte, ev *event.Event, limit int) []byte {
	dst = append(dst, "Event: { headers:{"...)
	for i, h := range ev.Headers {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, h.Key...)
		dst = append(dst, '=')
		dst = append(dst, h.Value...)
	}
	dst = append(dst, "} body:"...)
	switch {
	case len(ev.Body) == 0:
	case limit == 0:
		// What Flume's dump of no bytes comes to.
		dst = append(dst, "...Exception while dumping: illegal index: 0 into array of length 0"...)
	default:
		dst = appendDump(dst, ev.Body[:min(len(ev.Body), limit)])
	}
	return append(dst, " }"...)
}

const perLine = 16

// appendDump appends lines of 16 bytes in hexadecimal and as characters, each but
// the first with its offset before it.
func appendDump(dst, p []byte) []byte {
	for off := 0; off < len(p); off += perLine {
		if off > 0 {
			dst = fmt.Appendf(dst, "\n%08X", off)
		}
		dst = append(dst, ' ')
		dst = appendLine(dst, p[off:min(off+perLine, len(p))])
	}
	return dst
}

func appendLine(dst, p []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range p {
		dst = append(dst, digits[c>>4], digits[c&15], ' ')
	}
	for range perLine - len(p) {
		dst = append(dst, "   "...)
	}
	for _, c := range p {
		if c < ' ' || c > '~' {
			c = '.'
		}
		dst = append(dst, c)
	}
	return dst
}
