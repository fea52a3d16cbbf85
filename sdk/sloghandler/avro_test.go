package sloghandler

import (
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"
)

// everything is a schema with what a record may have.
const everything = `{"type":"record","name":"Log","fields":[
	{"name":"time","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"level","type":{"type":"enum","name":"Level","symbols":["DEBUG","INFO","WARN","ERROR"]}},
	{"name":"msg","type":"string"},
	{"name":"n","type":"int","default":-1},
	{"name":"big","type":["null","long"],"default":null},
	{"name":"ratio","type":"double","default":0},
	{"name":"raw","type":"bytes","default":""},
	{"name":"took","type":"long","default":0},
	{"name":"error","type":["null","string"],"default":null},
	{"name":"tags","type":{"type":"array","items":"string"},"default":[]},
	{"name":"order","type":["null",{"type":"record","name":"Order","fields":[
		{"name":"id","type":"long"},
		{"name":"of","type":{"type":"map","values":"string"},"default":{}}]}],"default":null}]}`

func TestAvro(t *testing.T) {
	t.Parallel()
	a, err := NewAvro(everything, "")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	h := New(f, Options{Avro: a, Layout: Text, Address: "10.1.2.3"})
	r := slog.NewRecord(time.UnixMilli(1700000000123), slog.LevelWarn, "it is\n", 0)
	r.AddAttrs(slog.Int("n", 10), slog.Uint64("big", math.MaxInt64), slog.Float64("ratio", 0.5), slog.Any("raw", []byte{0xff, '\n'}),
		slog.Duration("took", time.Second), slog.Any("error", errors.New("no")), slog.Any("tags", []string{"a", "b"}),
		slog.Group("order", slog.Int("id", 7), slog.Group("of", slog.String("x", "y"))), slog.String("unknown", "left out"))
	if err := h.Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	// The least there may be, in a group that was opened before. The last byte of its datum is one that ends lines.
	if err := h.WithGroup("order").WithAttrs([]slog.Attr{slog.Int("id", 5)}).Handle(t.Context(), slog.NewRecord(time.UnixMilli(1), slog.LevelInfo, "", 0)); err != nil {
		t.Fatal(err)
	}
	schema := avro.MustParse(everything)
	var got []map[string]any
	for _, e := range f.events {
		var m map[string]any
		if rest, err := schema.Decode(e.Body, &m); err != nil || len(rest) > 0 {
			t.Fatalf("%x: %d bytes are left (%v)", e.Body, len(rest), err)
		}
		got = append(got, m)
		if diff := cmp.Diff(map[string]string{
			HeaderLogger: "root", HeaderLevel: e.Headers[HeaderLevel], HeaderTimestamp: e.Headers[HeaderTimestamp],
			HeaderAddress: "10.1.2.3", HeaderSchemaLiteral: schema.String(),
		}, e.Headers); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
	}
	want := []map[string]any{
		{
			"time": time.UnixMilli(1700000000123).UTC(), "level": "WARN", "msg": "it is\n", "n": int32(10), "big": int64(math.MaxInt64), "ratio": 0.5,
			"raw": []byte{0xff, '\n'}, "took": int64(time.Second), "error": "no", "tags": []any{"a", "b"},
			"order": map[string]any{"id": int64(7), "of": map[string]any{"x": "y"}},
		},
		{
			"time": time.UnixMilli(1).UTC(), "level": "INFO", "msg": "", "n": int32(-1), "big": nil, "ratio": 0.0, "raw": []byte{}, "took": int64(0),
			"error": nil, "tags": []any{}, "order": map[string]any{"id": int64(5), "of": map[string]any{}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A datum is not a line: its last byte stays, whatever it is.
func TestAvroEndsAsItEnds(t *testing.T) {
	t.Parallel()
	a, err := NewAvro(`{"type":"record","name":"R","fields":[{"name":"n","type":"long"}]}`, "http://schemas.example/r")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	slog.New(New(f, Options{Avro: a})).Info("", "n", 5) // in Avro, 10
	if len(f.events) != 1 || string(f.events[0].Body) != "\n" {
		t.Fatalf("the events are %q", f.events)
	}
	h := f.events[0].Headers
	if _, both := h[HeaderSchemaLiteral]; both || h[HeaderSchemaURL] != "http://schemas.example/r" {
		t.Errorf("the headers are %q", h)
	}
}

// A record that the schema has no place for is an error that names the field.
func TestAvroErrors(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		"{":        "reading the schema",
		`"string"`: "give that of a record",
	} {
		if _, err := NewAvro(schema, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v", schema, err)
		}
	}
	a, err := NewAvro(`{"type":"record","name":"R","fields":[{"name":"count","type":"long"}]}`, "")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	h := New(f, Options{Avro: a, OnError: func(error) {}})
	for _, attr := range []slog.Attr{{}, slog.String("count", "many")} {
		r := slog.NewRecord(time.Now(), slog.LevelInfo, "m", 0)
		r.AddAttrs(attr)
		if err := h.Handle(t.Context(), r); err == nil || !strings.Contains(err.Error(), "count") {
			t.Errorf("with %v the error is %v", attr, err)
		}
	}
	if len(f.events) > 0 {
		t.Errorf("the events %q were sent", f.events)
	}
}

// TestAvroContract runs the tests of every slog.Handler, on schemas that have what they ask for.
func TestAvroContract(t *testing.T) {
	const optional = `["null","string"],"default":null`
	group := func(name, fields string) string {
		return `["null",{"type":"record","name":"` + name + `","fields":[` + fields + `]}],"default":null`
	}
	fields := func(names string) string {
		var all []string
		for name := range strings.FieldsSeq(names) {
			all = append(all, `{"name":"`+name+`","type":`+optional+`}`)
		}
		return strings.Join(all, ",")
	}
	inner := group("Inner", fields("a b c d e f"))
	schema := `{"type":"record","name":"R","fields":[` + fields("level msg k a b c d e f ") +
		`,{"name":"time","type":["null",{"type":"long","logicalType":"timestamp-micros"}],"default":null}` +
		`,{"name":"G","type":` + group("G", fields("a b c d e f")+`,{"name":"H","type":`+inner+`}`) + `}]}`
	a, err := NewAvro(schema, "")
	if err != nil {
		t.Fatal(err)
	}
	var f *fake
	slogtest.Run(t, func(*testing.T) slog.Handler {
		f = &fake{}
		return New(f, Options{Avro: a, OnError: func(err error) { t.Error(err) }})
	}, func(t *testing.T) map[string]any {
		if len(f.events) != 1 {
			t.Fatalf("%d events were sent", len(f.events))
		}
		var m map[string]any
		if _, err := avro.MustParse(schema).Decode(f.events[0].Body, &m); err != nil {
			t.Fatal(err)
		}
		withoutNulls(m)
		return m
	})
}

// withoutNulls removes what was not given.
func withoutNulls(m map[string]any) {
	for k, v := range m {
		if inner, ok := v.(map[string]any); ok {
			withoutNulls(inner)
		}
		if v == nil {
			delete(m, k)
		}
	}
}
