// Package avroevent is the serializer that writes events, headers and body, to
// Avro object container files.
package avroevent

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"io"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/ocf"
)

//go:embed README.md
var readme string

// Schema is the schema text in the header of every file, byte for byte that of
// Apache Flume.
const Schema = `{"type":"record","name":"Event","fields":[{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}`

func init() {
	component.RegisterSerializer(component.Info{
		Type:    "avro_event",
		Aliases: []string{"org.apache.flume.serialization.FlumeEventAvroEventSerializer$Builder"},
		Summary: "Writes events, headers and body, to an Avro container file.",
		Readme:  readme,
	}, New)
}

// Config is the serializer's properties.
type Config struct {
	SyncInterval int    `flume:"syncIntervalBytes" default:"2048000" min:"32" max:"1073741824" unit:"bytes" doc:"Size at which a block of the container ends, before compression. A block also ends with each batch of the sink."`
	Codec        string `flume:"compressionCodec" default:"null" doc:"Compression of the blocks: null (none), deflate, bzip2, snappy, xz or zstandard. With an unknown name nothing is compressed."`
}

// Check warns of unknown codecs.
func (c Config) Check(r *component.Report) { ocf.CheckCodec(r, "compressionCodec", c.Codec) }

// New returns the encoding.
func New(cfg Config, _ component.Env) (flow.Encoding, error) {
	return encoding{interval: cfg.SyncInterval, codec: ocf.CodecOrNull(cfg.Codec)}, nil
}

type encoding struct {
	interval int
	codec    string
}

var _ flow.Encoding = encoding{}

// NewEncoder implements [flow.Encoding] and writes the container's header. A
// container cannot be continued without reading it.
func (c encoding) NewEncoder(w io.Writer, resumed bool) (flow.Encoder, error) {
	if resumed {
		return nil, errors.New("serializer avro_event cannot append to an existing file: write to a new one")
	}
	out, err := ocf.NewWriter(w, Schema, c.codec, c.interval)
	if err != nil {
		return nil, err
	}
	return &encoder{out}, nil
}

type encoder struct{ out *ocf.Writer }

var (
	_ flow.Encoder  = (*encoder)(nil)
	_ flow.Rewinder = (*encoder)(nil)
)

// Encode appends all of b and writes the blocks that become full.
func (e *encoder) Encode(b *event.Batch) error {
	for i := range b.Events() {
		if err := e.out.Added(appendEvent(e.out.Block(), b.At(i))); err != nil {
			return err
		}
	}
	return nil
}

// appendEvent appends ev as a datum of Schema.
func appendEvent(dst []byte, ev *event.Event) []byte {
	if n := len(ev.Headers); n > 0 {
		dst = binary.AppendVarint(dst, int64(n))
		for _, h := range ev.Headers {
			dst = ocf.AppendString(dst, h.Key)
			dst = ocf.AppendString(dst, h.Value)
		}
	}
	dst = append(dst, 0) // the end of the map
	return ocf.AppendString(dst, ev.Body)
}

// Flush ends the block, if it has events.
func (e *encoder) Flush() error { return e.out.Flush() }

// Rewind implements [flow.Rewinder].
func (e *encoder) Rewind() { e.out.Rewind() }

// Close writes what is left. A container has no end mark.
func (e *encoder) Close() error { return e.out.Flush() }
