package spooldir

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"

	"github.com/flume-go/flume/event"
	ownocf "github.com/flume-go/flume/internal/ocf"
)

const testSchema = `{"type":"record","name":"Entry","namespace":"test","fields":[{"name":"id","type":"long"},{"name":"text","type":["null","string"]},{"name":"tags","type":{"type":"map","values":"int"}},{"name":"next","type":["null","Entry"]}]}`

// record is the binary form of a record of testSchema.
func record(t testing.TB, id int, text string) []byte {
	t.Helper()
	b, err := avro.MustParse(testSchema).Encode(map[string]any{
		"id": int64(id), "text": text, "tags": map[string]any{"a": int32(id)}, "next": map[string]any{"id": int64(7), "text": nil, "tags": map[string]any{}, "next": nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// containerOf writes a container file with n records, several of them in a block.
func containerOf(t testing.TB, codec string, n, interval int) (file []byte, bodies []string) {
	t.Helper()
	var out bytes.Buffer
	w, err := ownocf.NewWriter(&out, testSchema, codec, interval)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		body := record(t, i, strings.Repeat("text ", i%50))
		bodies = append(bodies, string(body))
		if err := w.Added(append(w.Block(), body...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), bodies
}

func avroSource(t testing.TB, settings ...string) *source {
	t.Helper()
	s, _ := newSource(t, io.Discard, append(settings, "spoolDir = /", "deserializer = avro")...)
	return s
}

func TestAvroCodecs(t *testing.T) {
	for _, codec := range ownocf.Codecs {
		file, bodies := containerOf(t, codec, 40, 1000)
		s := avroSource(t)
		got := deserialize(t, s, file, mark{})
		if got.err != nil || !slices.Equal(got.bodies, bodies) {
			t.Errorf("%s: %d records, %v", codec, len(got.bodies), got.err)
		}
		got.resumes(t, s, file)
	}
}

// TestAvroSchemaHeaders compares with what Apache Flume 1.11 gives.
func TestAvroSchemaHeaders(t *testing.T) {
	file, _ := containerOf(t, "null", 1, 1000)
	for setting, want := range map[string]event.Header{
		"deserializer.schemaType = hash":    {Key: hashHeader, Value: "56ec9ca4cc917685"},
		"deserializer.schemaType = LITERAL": {Key: literalHeader, Value: testSchema},
	} {
		in := content(t, file)
		defer in.close()
		d, err := newAvro(avroSource(t, setting), in, mark{})
		if err != nil {
			t.Fatal(err)
		}
		b := event.NewBatch()
		defer b.Release()
		var p filling
		p.begin(b, 10)
		if err := d.fill(&p); err != io.EOF {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]event.Header{want}, b.At(0).Headers); diff != "" {
			t.Error(diff)
		}
		d.close()
	}
}

// TestAvroMarks: positions are those of Flume, the marker before a block; see begin for how they are found again.
func TestAvroMarks(t *testing.T) {
	file, _ := containerOf(t, "null", 10, 200)
	got := deserialize(t, avroSource(t), file, mark{})
	for i, m := range got.marks {
		if !bytes.Equal(file[m.offset:m.offset+syncSize], file[len(file)-syncSize:]) {
			t.Errorf("after record %d: there is no marker at %d", i, m.offset)
		}
	}
	if last := got.marks[len(got.marks)-1]; last != (mark{offset: int64(len(file) - syncSize)}) {
		t.Errorf("the last mark is %+v of %d", last, len(file))
	}
}

func TestAvroBadFiles(t *testing.T) {
	file, bodies := containerOf(t, "null", 6, 200)
	first := deserialize(t, avroSource(t), file, mark{}).marks
	blocks := map[int64]bool{}
	for _, m := range first {
		blocks[m.offset] = true
	}
	s := avroSource(t)
	for n := range len(file) {
		got := deserialize(t, s, file[:n], mark{})
		if whole := blocks[int64(n-syncSize)]; (got.err == nil) != whole {
			t.Errorf("cut at %d of %d: %v", n, len(file), got.err)
		}
		if len(got.bodies) > len(bodies) || !slices.Equal(got.bodies, bodies[:len(got.bodies)]) {
			t.Errorf("cut at %d: other records", n)
		}
	}
	var scalar bytes.Buffer
	w, err := ocf.NewWriter(&scalar, avro.MustParse(`"string"`))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	broken := bytes.Clone(file)
	broken[len(broken)-1] ^= 1
	for _, c := range []struct {
		name string
		file []byte
		m    mark
		want string
	}{
		{"not a container", []byte("some text\n"), mark{}, "the file is no such file"},
		{"empty", nil, mark{}, "in the middle"},
		{"no records", scalar.Bytes(), mark{}, "records only"},
		{"damaged marker", broken, mark{}, "marker behind it"},
		{"unknown codec", bytes.Replace(file, []byte("\x08null"), []byte("\x08nill"), 1), mark{}, `compressed with "nill"`},
		{"position elsewhere", file, mark{offset: 33}, "not between two blocks"},
		{"position behind", file, mark{offset: 1 << 40}, "behind the end"},
	} {
		if got := deserialize(t, avroSource(t), c.file, c.m); got.err == nil || !strings.Contains(got.err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, got.err, c.want)
		}
	}
	if got := deserialize(t, avroSource(t, "deserializer.maxBlockLength = 1024"), largeBlock(t), mark{}); got.err == nil || !strings.Contains(got.err.Error(), "maxBlockLength") {
		t.Errorf("a large block: %v", got.err)
	}
	for _, codec := range []string{"deflate", "snappy", "bzip2", "xz", "zstandard"} {
		file, _ := containerOf(t, codec, 2000, 1<<20)
		if got := deserialize(t, avroSource(t, "deserializer.maxBlockLength = 100000"), file, mark{}); got.err == nil {
			t.Errorf("%s: a block that becomes large is read", codec)
		}
	}
}

func largeBlock(t *testing.T) []byte {
	file, _ := containerOf(t, "null", 100, 1<<20)
	return file
}

func FuzzAvro(f *testing.F) {
	for _, codec := range []string{"null", "snappy", "xz"} {
		file, _ := containerOf(f, codec, 3, 100)
		f.Add(file)
	}
	s, _ := newSource(f, io.Discard, "spoolDir = /", "deserializer = AVRO", "deserializer.maxBlockLength = 65536")
	f.Fuzz(func(t *testing.T, file []byte) {
		if got := deserialize(t, s, file, mark{}); got.err == nil && len(got.marks) < 1000 {
			got.resumes(t, s, file)
		}
	})
}

func TestBlobs(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  []string
	}{
		{"", 10, nil},
		{"a\nb\xff", 10, []string{"a\nb\xff"}},
		{"abcdef", 3, []string{"abc", "def"}},
		{"abcdefg", 3, []string{"abc", "def", "g"}},
	} {
		s, _ := newSource(t, io.Discard, "spoolDir = /", "deserializer = org.apache.flume.sink.solr.morphline.BlobDeserializer$Builder", fmt.Sprint("deserializer.maxBlobLength = ", c.limit))
		got := deserialize(t, s, []byte(c.text), mark{})
		if got.err != nil || !slices.Equal(got.bodies, c.want) {
			t.Errorf("%q cut at %d is %q, %v", c.text, c.limit, got.bodies, got.err)
		}
		got.resumes(t, s, []byte(c.text))
	}
}

func FuzzBlob(f *testing.F) {
	f.Add([]byte("abcdefg"), 3)
	f.Fuzz(func(t *testing.T, text []byte, limit int) {
		if limit < 1 || len(text) > 1<<12 {
			return
		}
		s, _ := newSource(t, io.Discard, "spoolDir = /", "deserializer = blob", fmt.Sprint("deserializer.maxBlobLength = ", limit))
		got := deserialize(t, s, text, mark{})
		if got.err != nil || strings.Join(got.bodies, "") != string(text) {
			t.Fatalf("%q, %v", got.bodies, got.err)
		}
		got.resumes(t, s, text)
	})
}
