package avroevent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/avro/ocf"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/property"
)

func decode(t testing.TB, props property.Settings) *component.Decoded {
	t.Helper()
	e, ok := component.Lookup(component.KindSerializer, "org.apache.flume.serialization.FlumeEventAvroEventSerializer$Builder")
	if !ok {
		t.Fatal("avro_event is not registered")
	}
	return component.Decode(e, props, component.Scope{Prefix: "a1.sinks.k1.serializer."})
}

func newEncoder(t testing.TB, w io.Writer, props property.Settings) flow.Encoder {
	t.Helper()
	enc, err := component.New[flow.Encoding](decode(t, props), component.Env{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := enc.NewEncoder(w, false)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type record struct {
	Headers map[string]string `avro:"headers"`
	Body    []byte            `avro:"body"`
}

func read(t testing.TB, file []byte) (records []record, meta map[string][]byte) {
	t.Helper()
	r, err := ocf.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("opening the container: %v", err)
	}
	defer r.Close()
	for {
		var rec record
		if err := r.Decode(&rec); errors.Is(err, io.EOF) {
			return records, r.Metadata()
		} else if err != nil {
			t.Fatalf("reading record %d: %v", len(records), err)
		}
		records = append(records, rec)
	}
}

// headerOf is the golden start of every file, up to the sync marker.
func headerOf(t testing.TB) []byte {
	t.Helper()
	golden, err := os.ReadFile("testdata/header.avro")
	if err != nil {
		t.Fatal(err)
	}
	return golden
}

func TestAnEmptyFileIsAContainer(t *testing.T) {
	var file bytes.Buffer
	e := newEncoder(t, &file, nil)
	if err := errors.Join(e.Flush(), e.Close()); err != nil {
		t.Fatal(err)
	}
	golden := headerOf(t)
	if !bytes.HasPrefix(file.Bytes(), golden) || file.Len() != len(golden)+16 {
		t.Errorf("file begins\n%q, want\n%q and 16 bytes", &file, golden)
	}
	if recs, meta := read(t, file.Bytes()); len(recs) != 0 || string(meta["avro.schema"]) != Schema {
		t.Errorf("%d records, metadata %q", len(recs), meta)
	}
}

func sample(b *event.Batch) {
	e := b.AppendCopy([]byte("with headers"))
	b.SetHeader(e, "host", "web1")
	b.SetHeader(e, "größe", "a, b=c")
	b.AppendCopy(nil)
	b.AppendCopy([]byte("zweites €"))
	b.AppendCopy(bytes.Repeat([]byte("long "), 80))
}

func TestReadsBack(t *testing.T) {
	for _, codec := range []string{"null", "deflate", "snappy", "zstandard"} {
		var file bytes.Buffer
		e := newEncoder(t, &file, property.Settings{"compressionCodec": {Text: codec}, "syncIntervalBytes": {Text: "64"}})
		b := event.NewBatch()
		sample(b)
		for range 3 {
			if err := errors.Join(e.Encode(b), e.Flush()); err != nil {
				t.Fatal(err)
			}
		}
		b.Release()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		recs, meta := read(t, file.Bytes())
		if string(meta["avro.codec"]) != codec || len(recs) != 12 {
			t.Errorf("%s: %d records under codec %s", codec, len(recs), meta["avro.codec"])
			continue
		}
		want := record{map[string]string{"host": "web1", "größe": "a, b=c"}, []byte("with headers")}
		if !reflect.DeepEqual(recs[8], want) || string(recs[10].Body) != "zweites €" || len(recs[9].Headers) != 0 {
			t.Errorf("%s: read %+v", codec, recs[8:])
		}
	}
}

func TestFlushedBatchesCanBeReadAtOnce(t *testing.T) {
	var file bytes.Buffer
	e := newEncoder(t, &file, nil)
	for n := 1; n < 4; n++ {
		b := event.NewBatch()
		b.AppendCopy([]byte("x"))
		if err := errors.Join(e.Encode(b), e.Flush()); err != nil {
			t.Fatal(err)
		}
		b.Release()
		if recs, _ := read(t, file.Bytes()); len(recs) != n {
			t.Errorf("after %d batches %d records can be read", n, len(recs))
		}
	}
}

func TestRewind(t *testing.T) {
	var file bytes.Buffer
	e := newEncoder(t, &file, nil)
	b := event.NewBatch()
	defer b.Release()
	b.AppendCopy([]byte("x"))
	if err := e.Encode(b); err != nil {
		t.Fatal(err)
	}
	e.(flow.Rewinder).Rewind()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if recs, _ := read(t, file.Bytes()); len(recs) != 0 {
		t.Errorf("%d records were written after Rewind", len(recs))
	}
}

func TestProperties(t *testing.T) {
	for _, c := range []struct {
		key, value string
		failed     bool
		want       string
	}{
		{"compressionCodec", "lzo", false, "uncompressed"},
		{"compressionCodec", "Snappy", false, `did you mean "snappy"?`},
		{"syncIntervalBytes", "31", true, "less than 32"},
		{"syncIntervalBytes", "1073741825", true, "more than"},
	} {
		d := decode(t, property.Settings{c.key: {Text: c.value}})
		if d.Failed() != c.failed || len(d.Problems) != 1 || !strings.Contains(fmt.Sprint(d.Problems), c.want) {
			t.Errorf("%s = %s: %v", c.key, c.value, d.Problems)
		}
	}
	var file bytes.Buffer
	_ = newEncoder(t, &file, property.Settings{"compressionCodec": {Text: "lzo"}})
	if !bytes.HasPrefix(file.Bytes(), headerOf(t)) {
		t.Error("with an unknown codec the file is not like one without compression")
	}
}

func TestContainersAreNotContinued(t *testing.T) {
	if _, err := (encoding{}).NewEncoder(io.Discard, true); err == nil || !strings.Contains(err.Error(), "cannot append") {
		t.Errorf("NewEncoder for a file with content: %v", err)
	}
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte("body"), "host", "web1", uint8(1))
	f.Add([]byte{}, "", "", uint8(7))
	f.Fuzz(func(t *testing.T, body []byte, key, value string, n uint8) {
		// Avro strings are UTF-8; readers replace what is not.
		key, value = strings.ToValidUTF8(key, "?"), strings.ToValidUTF8(value, "?")
		var file bytes.Buffer
		e := newEncoder(t, &file, property.Settings{"syncIntervalBytes": {Text: "100"}, "compressionCodec": {Text: "deflate"}})
		b := event.NewBatch()
		defer b.Release()
		for i := range int(n) {
			ev := b.AppendCopy(body)
			if i%2 == 0 {
				b.SetHeader(ev, key, value)
			}
		}
		if err := errors.Join(e.Encode(b), e.Close()); err != nil {
			t.Fatal(err)
		}
		recs, _ := read(t, file.Bytes())
		if len(recs) != int(n) {
			t.Fatalf("read %d records, wrote %d", len(recs), n)
		}
		for i, r := range recs {
			if !bytes.Equal(r.Body, body) || len(r.Headers) != (i+1)%2 || (i%2 == 0 && r.Headers[key] != value) {
				t.Errorf("record %d reads %+v", i, r)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, codec := range []string{"null", "snappy", "zstandard", "deflate"} {
		b.Run(codec, func(b *testing.B) {
			e := newEncoder(b, io.Discard, property.Settings{"compressionCodec": {Text: codec}})
			batch := event.NewBatch()
			defer batch.Release()
			for i := range 100 {
				ev := batch.AppendCopy(bytes.Repeat([]byte(fmt.Sprint("word", i, " ")), 128)[:512])
				batch.SetHeader(ev, "timestamp", "1700000000000")
			}
			b.SetBytes(100 * 512)
			b.ReportAllocs()
			for b.Loop() {
				if err := errors.Join(e.Encode(batch), e.Flush()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
