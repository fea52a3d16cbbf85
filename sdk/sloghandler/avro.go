package sloghandler

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"

	"github.com/twmb/avro"
)

// Headers of events with Avro bodies, one of the two. Sinks with the serializer avro_body read them.
const (
	HeaderSchemaLiteral = "flume.avro.schema.literal"
	HeaderSchemaURL     = "flume.avro.schema.url"
)

// Avro is an Avro schema that bodies follow: each is the bare datum of one record, as Apache Flume's appender for Log4j
// sends Avro records, and a header says where its schema is. Safe for concurrent use.
//
// The schema is that of a record. Its fields are filled by name: those called time, level, msg and source with what slog
// knows under these keys, the level as its text, and all others with the attributes of these keys; a group is a record or
// a map in its turn. What the schema has no field for is left out. A field for which there is no value has its default;
// without one the record cannot be sent, so defaults, and unions with null, are wise.
//
// Apache Flume's appender can also derive a schema from the class of a message (AvroReflectionEnabled). A record of slog
// is attributes, whose types differ from call to call: derived from them, the schema would, too, and sinks begin a new
// file with each. So it is given once.
type Avro struct {
	schema        *avro.Schema
	header, value string
}

// NewAvro returns the schema that is written in JSON. Without a url each event has all of it as a header. With one, such
// as hdfs://… or file:///…, events have the url, and who reads them finds the schema there: it must be this one.
func NewAvro(schema, url string) (*Avro, error) {
	parsed, err := avro.Parse(schema)
	if err != nil {
		return nil, fmt.Errorf("reading the schema of log records: %w", err)
	}
	if kind := parsed.Root().Type; kind != "record" {
		return nil, fmt.Errorf("reading the schema of log records: it is one of type %s; give that of a record", kind)
	}
	if url != "" {
		return &Avro{parsed, HeaderSchemaURL, url}, nil
	}
	return &Avro{parsed, HeaderSchemaLiteral, parsed.String()}, nil
}

// layout is Avro's Layout.
func (a *Avro) layout(w io.Writer, o *slog.HandlerOptions) slog.Handler {
	return &avroHandler{w: w, schema: a.schema, o: o}
}

// avroHandler writes the datum of each record.
type avroHandler struct {
	w      io.Writer
	schema *avro.Schema
	o      *slog.HandlerOptions
	groups []string // that are open
	attrs  []placed // of all records
}

// placed is an attribute in groups.
type placed struct {
	groups []string
	attr   slog.Attr
}

// Enabled implements slog.Handler.
func (h *avroHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.o.Level.Level() }

// WithAttrs implements slog.Handler.
func (h *avroHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	derived := *h
	derived.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		derived.attrs = append(derived.attrs, placed{h.groups, a})
	}
	return &derived
}

// WithGroup implements slog.Handler.
func (h *avroHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	derived := *h
	derived.groups = append(slices.Clip(h.groups), name)
	return &derived
}

// Handle implements slog.Handler.
func (h *avroHandler) Handle(_ context.Context, r slog.Record) error {
	fields := map[string]any{}
	if !r.Time.IsZero() {
		h.add(fields, nil, slog.Time(slog.TimeKey, r.Time))
	}
	h.add(fields, nil, slog.String(slog.LevelKey, r.Level.String()))
	h.add(fields, nil, slog.String(slog.MessageKey, r.Message))
	if h.o.AddSource && r.PC != 0 {
		h.add(fields, nil, source(r.PC))
	}
	for _, p := range h.attrs {
		h.add(fields, p.groups, p.attr)
	}
	r.Attrs(func(a slog.Attr) bool {
		h.add(fields, h.groups, a)
		return true
	})
	datum, err := h.schema.Encode(fields)
	if err != nil {
		return fmt.Errorf("making Avro of a record: %w", err)
	}
	_, err = h.w.Write(datum)
	return err
}

// source is the place of a call, in the form of slog's.
func source(pc uintptr) slog.Attr {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return slog.Group(slog.SourceKey,
		slog.String("function", frame.Function), slog.String("file", frame.File), slog.Int("line", frame.Line))
}

// add puts an attribute that is in groups where it belongs. Groups without attributes leave no trace.
func (h *avroHandler) add(fields map[string]any, groups []string, a slog.Attr) {
	a.Value = a.Value.Resolve()
	if h.o.ReplaceAttr != nil && a.Value.Kind() != slog.KindGroup {
		a = h.o.ReplaceAttr(groups, a)
		a.Value = a.Value.Resolve()
	}
	if a.Value.Kind() == slog.KindGroup {
		if a.Key != "" {
			groups = append(slices.Clip(groups), a.Key)
		}
		for _, inner := range a.Value.Group() {
			h.add(fields, groups, inner)
		}
		return
	}
	if a.Equal(slog.Attr{}) {
		return
	}
	for _, g := range groups {
		inner, ok := fields[g].(map[string]any)
		if !ok {
			inner = map[string]any{}
			fields[g] = inner
		}
		fields = inner
	}
	fields[a.Key] = plain(a.Value)
}

// plain returns a value in the form that is encoded: that of an error is its text.
func plain(v slog.Value) any {
	if err, ok := v.Any().(error); ok {
		return err.Error()
	}
	return v.Any()
}
