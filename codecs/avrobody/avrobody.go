// Package avrobody is the serializer for events whose bodies are Avro data
// already: it copies them to container files of their own schema.
package avrobody

import (
	_ "embed"
	"errors"
	"fmt"
	"io"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/ocf"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSerializer(component.Info{
		Type:    "avro_body",
		Aliases: []string{"org.apache.flume.sink.hdfs.AvroEventSerializer$Builder"},
		Summary: "Writes bodies that are Avro data already to container files of their schema.",
		Readme:  readme,
	}, New)
}

// Config is the serializer's properties.
type Config struct {
	SyncInterval int    `flume:"syncIntervalBytes" default:"2048000" min:"32" max:"1073741824" unit:"bytes" doc:"Size at which a block of the container ends, before compression. A block also ends with each batch of the sink."`
	Codec        string `flume:"compressionCodec" default:"null" doc:"Compression of the blocks: null (none), deflate, bzip2, snappy, xz or zstandard. With an unknown name nothing is compressed."`
	SchemaURL    string `flume:"schemaURL" doc:"Where the schema is of events that name none in a header: a file:, http: or https: URL."`
	Validate     bool   `flume:"validateBody" default:"true" doc:"Whether to check that each body is one whole datum of its schema. A body that is not would make the rest of its block unreadable."`
}

// Check warns of unknown codecs and refuses URLs that can never be read.
func (c Config) Check(r *component.Report) {
	ocf.CheckCodec(r, "compressionCodec", c.Codec)
	if c.SchemaURL == "" {
		return
	}
	if err := checkURL(c.SchemaURL); err != nil {
		r.Error("schemaURL", err.Error(), "give a file:, http: or https: URL")
	}
}

// New returns the encoding. Schemas are read when the first event needs them.
func New(cfg Config, env component.Env) (flow.Encoding, error) {
	return &encoding{cfg: cfg, codec: ocf.CodecOrNull(cfg.Codec), load: newLoader(env.FS)}, nil
}

type encoding struct {
	cfg   Config
	codec string
	load  *loader
}

var _ flow.Encoding = (*encoding)(nil)

// NewEncoder implements [flow.Encoding]. Nothing is written before the first
// event tells the schema. A container cannot be continued without reading it.
func (c *encoding) NewEncoder(w io.Writer, resumed bool) (flow.Encoder, error) {
	if resumed {
		return nil, errors.New("serializer avro_body cannot append to an existing file: write to a new one")
	}
	return &encoder{encoding: c, w: w, known: map[origin]*schema{}}, nil
}

type encoder struct {
	*encoding
	w     io.Writer
	known map[origin]*schema // as read for this file; not kept longer, since what a URL holds may change

	file    *schema // of the container; nil before its header is written
	out     *ocf.Writer
	flushed bool // the header is in the stream to stay
}

var (
	_ flow.Encoder  = (*encoder)(nil)
	_ flow.Rewinder = (*encoder)(nil)
)

// maxKnown bounds the schemas kept per file. Each event may bring its own.
const maxKnown = 128

// misfit is the error for events whose schema is not that of the file.
type misfit struct {
	runs []int
	at   int
}

var _ flow.Misfit = (*misfit)(nil)

func (m *misfit) Error() string {
	return fmt.Sprintf("event %d of the batch has another schema than the file: "+
		"give each schema a file of its own, by the sink's path or by a sink per schema", m.at)
}

// Runs implements [flow.Misfit].
func (m *misfit) Runs() []int { return m.runs }

// Encode appends all of b. Before anything is written every event is checked: one
// that can never be written is rejected, and if the schema changes within b, or is
// not that of the file, so is b, with a [flow.Misfit].
func (e *encoder) Encode(b *event.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	s, err := e.check(b)
	if err != nil {
		return err
	}
	if e.out == nil {
		out, err := ocf.NewWriter(e.w, s.text, e.codec, e.cfg.SyncInterval)
		if err != nil {
			return err
		}
		e.out, e.file = out, s
	}
	for i := range b.Events() {
		if err := e.out.Added(append(e.out.Block(), b.At(i).Body...)); err != nil {
			return err
		}
	}
	return nil
}

// check returns the one schema of all events of b and of the file.
func (e *encoder) check(b *event.Batch) (*schema, error) {
	var (
		last origin
		s    *schema
		file = e.file
		runs []int
	)
	for i := range b.Events() {
		ev := b.At(i)
		if o := e.originOf(ev); s == nil || o != last {
			var err error
			if s, err = e.schemaOf(o); err != nil {
				return nil, fmt.Errorf("finding the schema of event %d of the batch: %w", i, err)
			}
			last = o
		}
		if file == nil {
			file = s
		}
		if s.text != file.text {
			runs = append(runs, i)
			file = s
		}
		if e.cfg.Validate {
			if err := s.validate(ev.Body); err != nil {
				return nil, flow.Reject(fmt.Errorf("event %d of the batch: %w", i, err))
			}
		}
	}
	if runs != nil {
		return nil, flow.Reject(&misfit{runs: runs, at: runs[0]})
	}
	return file, nil
}

// Flush ends the block, if it has events.
func (e *encoder) Flush() error {
	if e.out == nil {
		return nil
	}
	if err := e.out.Flush(); err != nil {
		return err
	}
	e.flushed = true
	return nil
}

// Rewind implements [flow.Rewinder]. The header goes, too, if it was written since
// the last Flush.
func (e *encoder) Rewind() {
	switch {
	case e.out == nil:
	case e.flushed:
		e.out.Rewind()
	default:
		e.out, e.file = nil, nil
	}
}

// Close writes what is left. A container has no end mark.
func (e *encoder) Close() error { return e.Flush() }
