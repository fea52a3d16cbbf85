// Package headerandtext is the serializer that writes the headers of events, as
// Java prints a map, and their bodies.
package headerandtext

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
		Type:    "header_and_text",
		Aliases: []string{"org.apache.flume.serialization.HeaderAndBodyTextEventSerializer$Builder"},
		Summary: "Writes the headers of each event as text, a space, the body and a newline.",
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
	head    []byte // the headers of one event, reused
}

var (
	_ flow.Encoder  = (*encoder)(nil)
	_ flow.Rewinder = (*encoder)(nil)
)

// keepHead is the largest head whose memory is kept for the next one.
const keepHead = 64 << 10

// Encode writes all of b.
func (e *encoder) Encode(b *event.Batch) error {
	for i := range b.Events() {
		if err := e.add(b.At(i)); err != nil {
			e.out.Reset()
			return err
		}
	}
	return e.out.Flush()
}

func (e *encoder) add(ev *event.Event) error {
	e.head = append(appendHeaders(e.head[:0], ev.Headers), ' ')
	if err := e.out.AddCopy(e.head); err != nil {
		return err
	}
	if cap(e.head) > keepHead {
		e.head = nil
	}
	if err := e.out.Add(ev.Body); err != nil {
		return err
	}
	if e.newline {
		return e.out.AddByte('\n')
	}
	return nil
}

// appendHeaders appends hs as Java prints a map: {k1=v1, k2=v2}. Nothing is quoted.
func appendHeaders(dst []byte, hs []event.Header) []byte {
	dst = append(dst, '{')
	for i, h := range hs {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, h.Key...)
		dst = append(dst, '=')
		dst = append(dst, h.Value...)
	}
	return append(dst, '}')
}

// Flush has nothing to do: Encode leaves nothing behind.
func (e *encoder) Flush() error { return nil }

// Rewind implements [flow.Rewinder]: there is nothing to forget.
func (e *encoder) Rewind() {}

// Close writes nothing: a text file ends with its last event.
func (e *encoder) Close() error { return nil }
