// Package text is the serializer that writes the bodies of events, each with a
// newline behind it: Flume's default.
package text

import (
	_ "embed"
	"io"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/gather"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSerializer(component.Info{
		Type:    "text",
		Aliases: []string{"org.apache.flume.serialization.BodyTextEventSerializer$Builder"},
		Summary: "Writes the body of each event, followed by a newline.",
		Readme:  readme,
	}, New)
}

// Config is the serializer's properties.
type Config struct {
	AppendNewline bool `flume:"appendNewline" default:"true" doc:"Whether to write a newline (LF) behind each body."`
}

// New returns the encoding.
func New(cfg Config, _ component.Env) (flow.Encoding, error) {
	return encoding{newline: cfg.AppendNewline}, nil
}

type encoding struct{ newline bool }

var _ flow.Encoding = encoding{}

// NewEncoder implements [flow.Encoding]; a file may be continued.
func (c encoding) NewEncoder(w io.Writer, _ bool) (flow.Encoder, error) {
	return &encoder{out: gather.New(w), newline: c.newline}, nil
}

type encoder struct {
	out     *gather.Writer
	newline bool
}

var (
	_ flow.Encoder  = (*encoder)(nil)
	_ flow.Rewinder = (*encoder)(nil)
)

// Encode writes all of b, in one system call where the stream offers one. Lines
// that a source read one behind the other go out as the piece they are.
func (e *encoder) Encode(b *event.Batch) error {
	if err := e.add(b); err != nil {
		e.out.Reset()
		return err
	}
	return e.out.Flush()
}

func (e *encoder) add(b *event.Batch) error {
	for i := 0; i < b.Len(); {
		if e.newline {
			if span, n := b.Span(i, '\n'); n > 0 {
				if err := e.out.Add(span); err != nil {
					return err
				}
				i += n
				continue
			}
		}
		if err := e.out.Add(b.At(i).Body); err != nil {
			return err
		}
		if e.newline {
			if err := e.out.AddByte('\n'); err != nil {
				return err
			}
		}
		i++
	}
	return nil
}

// Flush has nothing to do: Encode leaves nothing behind.
func (e *encoder) Flush() error { return nil }

// Rewind implements [flow.Rewinder]: there is nothing to forget.
func (e *encoder) Rewind() {}

// Close writes nothing: a text file ends with its last event.
func (e *encoder) Close() error { return nil }
