package codectest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// The format of the sound encoding: a line that begins the stream, one line of
// JSON per event, and a line that ends the stream and may be followed by more.
const (
	head = "[begin]\n"
	tail = "[end]\n"
)

type line struct {
	Headers []event.Header
	Body    []byte
}

type soundConfig struct {
	Whole bool `flume:"whole" doc:"Whether streams cannot be continued."`
}

func init() {
	component.RegisterSerializer(component.Info{Type: "sound", Summary: "Writes events as lines of JSON."},
		func(c soundConfig, _ component.Env) (flow.Encoding, error) { return soundEncoding(c), nil })
}

type soundEncoding struct{ Whole bool }

func (c soundEncoding) NewEncoder(w io.Writer, resumed bool) (flow.Encoder, error) {
	if resumed {
		if c.Whole {
			return nil, errors.New("streams are whole")
		}
		return &sound{w: w}, nil
	}
	_, err := io.WriteString(w, head)
	return &sound{w: w}, err
}

// sound is an encoder that is right in every way until a test wrecks it. The
// streams have a kind, that of their first event.
type sound struct {
	w          io.Writer
	kind       string // "" if nothing was flushed yet
	kindOfOpen string
	open       []byte
}

var (
	errSpoilt = errors.New("the event is spoilt")
)

type misfit struct{ runs []int }

func (m *misfit) Error() string { return "another kind" }
func (m *misfit) Runs() []int   { return m.runs }

func kindOf(e *event.Event) string {
	if k, ok := e.Header("kind"); ok {
		return k
	}
	return "usual"
}

func (s *sound) Encode(b *event.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	kind := s.kind
	if s.kindOfOpen != "" {
		kind = s.kindOfOpen
	}
	var runs []int
	for i := range b.Len() {
		e := b.At(i)
		if string(e.Body) == "spoilt" {
			return flow.Reject(errSpoilt)
		}
		k := kindOf(e)
		if kind != "" && k != kind {
			runs = append(runs, i)
		}
		kind = k
	}
	if runs != nil {
		return flow.Reject(&misfit{runs})
	}
	s.kindOfOpen = kind
	for i := range b.Len() {
		text, err := json.Marshal(line{b.At(i).Headers, b.At(i).Body})
		if err != nil {
			return err
		}
		s.open = append(append(s.open, text...), '\n')
	}
	if len(s.open) > 1<<10 {
		return s.write()
	}
	return nil
}

func (s *sound) write() error {
	open := s.open
	s.open = s.open[:0]
	if len(open) == 0 {
		return nil
	}
	_, err := s.w.Write(open)
	return err
}

func (s *sound) Flush() error {
	if err := s.write(); err != nil {
		return err
	}
	if s.kindOfOpen != "" {
		s.kind = s.kindOfOpen
	}
	return nil
}

func (s *sound) Rewind() { s.open, s.kindOfOpen = s.open[:0], "" }

func (s *sound) Close() error {
	if err := s.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(s.w, tail)
	return err
}

func readSound(stream []byte) ([]event.Event, error) {
	rest, ok := bytes.CutPrefix(stream, []byte(head))
	if !ok {
		return nil, fmt.Errorf("the stream begins with %.20q", stream)
	}
	var events []event.Event
	for text := range bytes.Lines(rest) {
		if string(text) == tail {
			continue
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, fmt.Errorf("line %.100q: %w", text, err)
		}
		events = append(events, event.Event{Headers: l.Headers, Body: l.Body})
	}
	return events, nil
}

func soundHarness() Harness {
	return Harness{
		Type:    "sound",
		Read:    readSound,
		Spoil:   func(b *event.Batch, e *event.Event) { b.SetBody(e, []byte("spoilt")) },
		Other:   func(b *event.Batch, e *event.Event) { b.SetHeader(e, "kind", "other") },
		Prepare: func(b *event.Batch, e *event.Event) { b.SetHeader(e, "prepared", "yes") },
		Headers: true,
		Resumes: true,
		Rewinds: true,
		Largest: 100_000,
		Allocs:  2.5,
	}
}

// broken is a sound encoder with some of its methods replaced.
type broken struct {
	*sound
	encode       func(b *event.Batch) error
	flush, close func() error
	rewind       func()
}

func (b *broken) Encode(batch *event.Batch) error {
	if b.encode != nil {
		return b.encode(batch)
	}
	return b.sound.Encode(batch)
}

func (b *broken) Flush() error {
	if b.flush != nil {
		return b.flush()
	}
	return b.sound.Flush()
}

func (b *broken) Close() error {
	if b.close != nil {
		return b.close()
	}
	return b.sound.Close()
}

func (b *broken) Rewind() {
	if b.rewind != nil {
		b.rewind()
		return
	}
	b.sound.Rewind()
}
