package ocf

import (
	"bytes"
	stdbzip2 "compress/bzip2"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/avro/ocf"
	"github.com/ulikunitz/xz"
)

const bytesSchema = `"bytes"`

// unpacker reads the codecs that the reading library lacks.
type unpacker struct {
	name string
	open func(io.Reader) (io.Reader, error)
}

func (u unpacker) Name() string                        { return u.name }
func (u unpacker) Close() error                        { return nil }
func (u unpacker) Compress(src []byte) ([]byte, error) { return nil, errors.New("for reading only") }
func (u unpacker) Decompress(src []byte) ([]byte, error) {
	r, err := u.open(bytes.NewReader(src))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func read(t testing.TB, file []byte) (data [][]byte, codec string) {
	t.Helper()
	r, err := ocf.NewReader(bytes.NewReader(file),
		ocf.WithCodec(unpacker{"bzip2", func(r io.Reader) (io.Reader, error) { return stdbzip2.NewReader(r), nil }}),
		ocf.WithCodec(unpacker{"xz", func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) }}))
	if err != nil {
		t.Fatalf("opening the container: %v", err)
	}
	defer r.Close()
	for {
		var datum []byte
		if err := r.Decode(&datum); errors.Is(err, io.EOF) {
			return data, string(r.Metadata()["avro.codec"])
		} else if err != nil {
			t.Fatalf("reading datum %d: %v", len(data), err)
		}
		data = append(data, datum)
	}
}

func add(t testing.TB, w *Writer, datum []byte) {
	t.Helper()
	if err := w.Added(AppendString(w.Block(), datum)); err != nil {
		t.Fatal(err)
	}
}

func TestEveryCodecReadsBack(t *testing.T) {
	for _, codec := range Codecs {
		t.Run(codec, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			var file bytes.Buffer
			w, err := NewWriter(&file, bytesSchema, codec, 4096)
			if err != nil {
				t.Fatal(err)
			}
			var want [][]byte
			for i := range 60 {
				datum := bytes.Repeat([]byte{byte(i), byte(rng.Int())}, rng.IntN(300))
				if i == 30 {
					datum = make([]byte, 20000) // far beyond the interval
				}
				want = append(want, datum)
				add(t, w, datum)
				if i%25 == 0 {
					if err := w.Flush(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			got, name := read(t, file.Bytes())
			if name != codec {
				t.Errorf("the file names codec %q", name)
			}
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("read %d data back, not the %d that were written", len(got), len(want))
			}
		})
	}
}

// TestBytesOfAFile holds the format down, byte by byte.
func TestBytesOfAFile(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, bytesSchema, CodecNull, DefaultSyncInterval)
	if err != nil {
		t.Fatal(err)
	}
	sync := hex.EncodeToString(w.sync[:])
	add(t, w, []byte("ab"))
	add(t, w, nil)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil { // without data: no empty block
		t.Fatal(err)
	}
	want := "4f626a01" + "04" +
		"16" + hex.EncodeToString([]byte("avro.schema")) + "0e" + hex.EncodeToString([]byte(bytesSchema)) +
		"14" + hex.EncodeToString([]byte("avro.codec")) + "08" + hex.EncodeToString([]byte("null")) + "00" + sync +
		"04" + "08" + "046162" + "00" + sync
	if got := hex.EncodeToString(file.Bytes()); got != want {
		t.Errorf("file\n%s, want\n%s", got, want)
	}
}

func TestBlockEndsAtTheInterval(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, bytesSchema, CodecNull, MinSyncInterval)
	if err != nil {
		t.Fatal(err)
	}
	header := file.Len()
	add(t, w, make([]byte, MinSyncInterval-2))
	if file.Len() != header {
		t.Error("a block was written below the interval")
	}
	add(t, w, nil)
	if got := file.Len() - header; got != 2+MinSyncInterval+syncSize {
		t.Errorf("the full block has %d bytes", got)
	}
}

func TestMemoryOfAHugeDatumIsGivenBack(t *testing.T) {
	w, err := NewWriter(io.Discard, bytesSchema, "snappy", 1024)
	if err != nil {
		t.Fatal(err)
	}
	add(t, w, make([]byte, 8<<20))
	if len(w.block) != headroom || cap(w.block) > 4<<20 || cap(w.compressed) > 4<<20 {
		t.Errorf("the writer keeps %d and %d bytes", cap(w.block), cap(w.compressed))
	}
}

// brokenOnce fails the nth write after half of it.
type brokenOnce struct {
	bytes.Buffer
	n int
}

func (b *brokenOnce) Write(p []byte) (int, error) {
	if b.n--; b.n == 0 {
		n, _ := b.Buffer.Write(p[:len(p)/2])
		return n, io.ErrShortWrite
	}
	return b.Buffer.Write(p)
}

func TestRewindAfterAFailedWrite(t *testing.T) {
	for _, codec := range Codecs {
		file := &brokenOnce{n: 3}
		w, err := NewWriter(file, bytesSchema, codec, DefaultSyncInterval)
		if err != nil {
			t.Fatal(err)
		}
		add(t, w, []byte("one"))
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		good := file.Len()
		add(t, w, []byte("two"))
		if err := w.Flush(); !errors.Is(err, io.ErrShortWrite) {
			t.Fatalf("Flush = %v", err)
		}
		file.Truncate(good)
		w.Rewind()
		add(t, w, []byte("three"))
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got, _ := read(t, file.Bytes()); string(bytes.Join(got, []byte(" "))) != "one three" {
			t.Errorf("%s: read %q", codec, got)
		}
	}
}

func TestBadParameters(t *testing.T) {
	for _, c := range []struct {
		codec    string
		interval int
		want     string
	}{
		{"lzma", 100, "must be one of null"},
		{"Snappy", 100, "must be one of null"},
		{"null", MinSyncInterval - 1, "must be 32 to"},
		{"null", MaxSyncInterval + 1, "must be 32 to"},
	} {
		if _, err := NewWriter(io.Discard, bytesSchema, c.codec, c.interval); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("codec %q, interval %d: error %v", c.codec, c.interval, err)
		}
	}
	if _, err := NewWriter(&brokenOnce{n: 1}, bytesSchema, CodecNull, 100); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a header that cannot be written: %v", err)
	}
	if got := CodecOrNull("lzo") + CodecOrNull("xz"); got != "nullxz" {
		t.Errorf("CodecOrNull gives %q", got)
	}
}

// FuzzBlocks writes data cut out of the input, with flushes in between, and reads
// the file back.
func FuzzBlocks(f *testing.F) {
	f.Add([]byte("some\nlines\n\nof text"), uint8(0), uint8(2))
	f.Add(bytes.Repeat([]byte("abc\n"), 200), uint8(3), uint8(9))
	f.Fuzz(func(t *testing.T, text []byte, codec, flushEvery uint8) {
		var file bytes.Buffer
		w, err := NewWriter(&file, bytesSchema, Codecs[int(codec)%len(Codecs)], 64)
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Split(text, []byte("\n"))
		for i, datum := range want {
			add(t, w, datum)
			if flushEvery > 0 && i%int(flushEvery) == 0 {
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got, _ := read(t, file.Bytes()); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("read %q, wrote %q", got, want)
		}
	})
}
