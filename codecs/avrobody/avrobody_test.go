package avrobody

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/avro/ocf"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/property"
)

const (
	strSchema = `"string"`
	recSchema = `{ "type": "record", "name": "R",
		"fields": [ {"name": "n", "type": "long"}, {"name": "s", "type": "string"} ] }`
	recCompact = `{"type":"record","name":"R","fields":[{"name":"n","type":"long"},{"name":"s","type":"string"}]}`
)

func decode(t testing.TB, props property.Settings) *component.Decoded {
	t.Helper()
	e, ok := component.Lookup(component.KindSerializer, "org.apache.flume.sink.hdfs.AvroEventSerializer$Builder")
	if !ok {
		t.Fatal("the serializer is not registered")
	}
	return component.Decode(e, props, component.Scope{})
}

func newEncoder(t testing.TB, w io.Writer, fsys vfs.FS, props map[string]string) flow.Encoder {
	t.Helper()
	settings := property.Settings{}
	for k, v := range props {
		settings[k] = property.Value{Text: v}
	}
	d := decode(t, settings)
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	enc, err := component.New[flow.Encoding](d, component.Env{FS: fsys}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := enc.NewEncoder(w, false)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// datum is one event: what its headers say of its schema, and its body.
type datum struct {
	url, literal string
	body         []byte
}

func str(s string) []byte { return append(binary.AppendVarint(nil, int64(len(s))), s...) }

func batch(t testing.TB, data ...datum) *event.Batch {
	t.Helper()
	b := event.NewBatch()
	t.Cleanup(b.Release)
	for _, d := range data {
		e := b.AppendCopy(d.body)
		if d.url != "" {
			b.SetHeader(e, HeaderURL, d.url)
		}
		if d.literal != "" {
			b.SetHeader(e, HeaderLiteral, d.literal)
		}
	}
	return b
}

func encode(t testing.TB, e flow.Encoder, data ...datum) {
	t.Helper()
	if err := errors.Join(e.Encode(batch(t, data...)), e.Flush()); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, file []byte) (values []string, schema string) {
	t.Helper()
	r, err := ocf.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("opening the container: %v", err)
	}
	defer r.Close()
	for {
		var v any
		if err := r.Decode(&v); errors.Is(err, io.EOF) {
			return values, string(r.Metadata()["avro.schema"])
		} else if err != nil {
			t.Fatalf("reading datum %d: %v", len(values), err)
		}
		values = append(values, fmt.Sprint(v))
	}
}

func TestWhereTheSchemaComesFrom(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		fmt.Fprint(w, strSchema)
	}))
	defer server.Close()
	m := vfs.NewMem(1)
	for _, f := range []struct{ name, text string }{{"/s.avsc", strSchema}, {"/r.avsc", recSchema}} {
		if err := vfs.ReplaceFile(m, f.name, []byte(f.text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rec := append(binary.AppendVarint(nil, 7), str("x")...)
	for name, c := range map[string]struct {
		props      map[string]string
		d          datum
		want, text string
	}{
		"literal":           {nil, datum{literal: recSchema, body: rec}, "map[n:7 s:x]", recCompact},
		"http":              {nil, datum{url: server.URL, body: str("x")}, "x", strSchema},
		"file":              {nil, datum{url: "file:///r.avsc", body: rec}, "map[n:7 s:x]", recCompact},
		"file, one slash":   {nil, datum{url: "file:/s.avsc", body: str("x")}, "x", strSchema},
		"URL wins":          {nil, datum{url: "FILE:///s.avsc", literal: recSchema, body: str("x")}, "x", strSchema},
		"property":          {map[string]string{"schemaURL": "file:///s.avsc"}, datum{body: str("x")}, "x", strSchema},
		"not the property":  {map[string]string{"schemaURL": "file:///s.avsc"}, datum{literal: recSchema, body: rec}, "map[n:7 s:x]", recCompact},
		"compressed":        {map[string]string{"compressionCodec": "zstandard"}, datum{literal: strSchema, body: str("x")}, "x", strSchema},
		"without the check": {map[string]string{"validateBody": "false"}, datum{literal: strSchema, body: str("x")}, "x", strSchema},
	} {
		var file bytes.Buffer
		e := newEncoder(t, &file, m, c.props)
		if file.Len() > 0 {
			t.Errorf("%s: the file has content before the first event", name)
		}
		encode(t, e, c.d, c.d)
		encode(t, e, c.d)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		values, schema := read(t, file.Bytes())
		if !slices.Equal(values, []string{c.want, c.want, c.want}) || schema != c.text {
			t.Errorf("%s: read %q under %s", name, values, schema)
		}
	}
	if hits.Load() != 1 {
		t.Errorf("the schema was fetched %d times for one file", hits.Load())
	}
}

func TestRejections(t *testing.T) {
	m := vfs.NewMem(1)
	if err := vfs.ReplaceFile(m, "/bad.avsc", []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		d    datum
		want string
	}{
		"no schema":      {datum{body: str("x")}, HeaderLiteral},
		"bad literal":    {datum{literal: `{"type":"recrod"}`, body: str("x")}, "parsing an Avro schema"},
		"bad file":       {datum{url: "file:///bad.avsc", body: str("x")}, "parsing an Avro schema"},
		"hdfs":           {datum{url: "HDFS://nn:8020/s.avsc", body: str("x")}, "cannot be read from HDFS"},
		"other scheme":   {datum{url: "ftp://h/s.avsc", body: str("x")}, "file:, http: or https:"},
		"no URL":         {datum{url: "::", body: str("x")}, "is not a URL"},
		"short body":     {datum{literal: strSchema, body: str("xyz")[:3]}, "is not a datum"},
		"something else": {datum{literal: strSchema, body: append(str("x"), 0)}, "1 bytes behind its datum"},
	} {
		var file bytes.Buffer
		e := newEncoder(t, &file, m, nil)
		good := datum{literal: strSchema, body: str("good")}
		err := e.Encode(batch(t, good, c.d))
		if flow.ClassOf(err) != flow.ClassReject || len(flow.Rejected(err)) != 0 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, class %v", name, err, flow.ClassOf(err))
		}
		if file.Len() > 0 {
			t.Errorf("%s: %d bytes were written before the rejection", name, file.Len())
		}
		encode(t, e, good)
		if values, _ := read(t, file.Bytes()); !slices.Equal(values, []string{"good"}) {
			t.Errorf("%s: afterwards the file holds %q", name, values)
		}
	}
}

func TestWhatMayPassIsNoRejection(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	e := newEncoder(t, io.Discard, vfs.NewMem(1), nil)
	check := func(u, want string) {
		t.Helper()
		err := e.Encode(batch(t, datum{url: u, body: str("x")}))
		if flow.ClassOf(err) != flow.ClassRetry || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), u) {
			t.Errorf("%s: error %v, class %v", u, err, flow.ClassOf(err))
		}
	}
	check(url, "404")
	server.Close()
	check(url, "refused")
	check("file:///missing.avsc", "no such file")
}

func TestAnotherSchemaNeedsAnotherFile(t *testing.T) {
	rec := datum{literal: recSchema, body: append(binary.AppendVarint(nil, 1), str("r")...)}
	same := datum{literal: recCompact, body: rec.body} // the same but for white space
	s := datum{literal: strSchema, body: str("s")}
	for _, c := range []struct {
		first, then []datum
		runs        []int
	}{
		{nil, []datum{rec, same, rec}, nil},
		{nil, []datum{rec, s, s, rec}, []int{1, 3}},
		{[]datum{rec}, []datum{s, s}, []int{0}},
		{[]datum{rec}, []datum{same, s}, []int{1}},
		{[]datum{rec}, []datum{s, same}, []int{0, 1}},
	} {
		var file bytes.Buffer
		e := newEncoder(t, &file, vfs.NewMem(1), nil)
		encode(t, e, c.first...)
		before := file.Len()
		err := e.Encode(batch(t, c.then...))
		if c.runs == nil {
			if err != nil {
				t.Errorf("one schema: %v", err)
			}
			continue
		}
		var split flow.Misfit
		if !errors.As(err, &split) || !slices.Equal(split.Runs(), c.runs) || flow.ClassOf(err) != flow.ClassReject {
			t.Errorf("error %v, want runs %v", err, c.runs)
		}
		if file.Len() != before {
			t.Error("something was written")
		}
	}
}

func TestRewindForgetsAHeaderThatWasNotFlushed(t *testing.T) {
	var file bytes.Buffer
	e := newEncoder(t, &file, vfs.NewMem(1), nil)
	rewind := e.(flow.Rewinder).Rewind
	rewind()
	if err := e.Encode(batch(t, datum{literal: recSchema, body: append(binary.AppendVarint(nil, 1), str("r")...)})); err != nil {
		t.Fatal(err)
	}
	file.Reset() // as a sink cuts its file back
	rewind()
	encode(t, e, datum{literal: strSchema, body: str("kept")})
	good := file.Len()
	if err := e.Encode(batch(t, datum{literal: strSchema, body: str("dropped")})); err != nil {
		t.Fatal(err)
	}
	file.Truncate(good)
	rewind()
	encode(t, e, datum{literal: strSchema, body: str("too")})
	if values, schema := read(t, file.Bytes()); !slices.Equal(values, []string{"kept", "too"}) || schema != strSchema {
		t.Errorf("read %q under %s", values, schema)
	}
}

func TestAnUnusedFileStaysEmpty(t *testing.T) {
	var file bytes.Buffer
	e := newEncoder(t, &file, vfs.NewMem(1), nil)
	if err := errors.Join(e.Encode(batch(t)), e.Flush(), e.Close()); err != nil || file.Len() > 0 {
		t.Errorf("error %v, %d bytes", err, file.Len())
	}
}

func TestKnownSchemasAreBounded(t *testing.T) {
	e := newEncoder(t, io.Discard, vfs.NewMem(1), nil)
	for i := range 3 * maxKnown {
		encode(t, e, datum{literal: strSchema + strings.Repeat(" ", i), body: str("x")})
	}
	if n := len(e.(*encoder).known); n > maxKnown {
		t.Errorf("%d schemas are kept", n)
	}
}

func TestProperties(t *testing.T) {
	for url, want := range map[string]string{
		"hdfs://nn/s.avsc": "cannot be read from HDFS", "s.avsc": "a schema is read from", "file:///s.avsc": "", "https://h/s": "",
	} {
		d := decode(t, property.Settings{"schemaURL": {Text: url}})
		if d.Failed() != (want != "") || !strings.Contains(d.Problems.Error(), want) {
			t.Errorf("schemaURL = %s: %v", url, d.Problems)
		}
	}
	d := decode(t, property.Settings{"compressionCodec": {Text: "lzo"}})
	if d.Failed() || len(d.Problems) != 1 {
		t.Errorf("unknown codec: %v", d.Problems)
	}
	enc, err := component.New[flow.Encoding](d, component.Env{FS: vfs.OS{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enc.NewEncoder(io.Discard, true); err == nil {
		t.Error("a container is continued")
	}
}

// FuzzBody gives any bytes as body and schema: they come back as they were or are
// rejected, and what is written can always be read.
func FuzzBody(f *testing.F) {
	f.Add(str("x"), strSchema)
	f.Add(append(binary.AppendVarint(nil, 1), str("r")...), recSchema)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, `{"type":"array","items":"null"}`)
	f.Fuzz(func(t *testing.T, body []byte, schema string) {
		var file bytes.Buffer
		e := newEncoder(t, &file, vfs.NewMem(1), nil)
		if err := e.Encode(batch(t, datum{literal: schema, body: body})); err != nil {
			if flow.ClassOf(err) != flow.ClassReject {
				t.Errorf("error %v is not a rejection", err)
			}
			return
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if len(body) == 0 {
			return // a datum of no bytes: readers may refuse a block of them
		}
		if values, _ := read(t, file.Bytes()); len(values) != 1 {
			t.Errorf("one datum reads as %d", len(values))
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, validate := range []string{"true", "false"} {
		b.Run("validate="+validate, func(b *testing.B) {
			e := newEncoder(b, io.Discard, vfs.OS{}, map[string]string{"validateBody": validate})
			d := datum{literal: recCompact, body: append(binary.AppendVarint(nil, 1), str(strings.Repeat("x", 500))...)}
			batch := batch(b, slices.Repeat([]datum{d}, 100)...)
			b.ReportAllocs()
			for b.Loop() {
				if err := errors.Join(e.Encode(batch), e.Flush()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
