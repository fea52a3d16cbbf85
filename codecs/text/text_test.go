package text

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/property"
)

// stream counts calls and takes gathering writes, as a file does.
type stream struct {
	bytes.Buffer
	calls int
	fail  error
}

func (s *stream) Write(p []byte) (int, error) {
	s.calls++
	if s.fail != nil {
		return 0, s.fail
	}
	return s.Buffer.Write(p)
}

func (s *stream) Writev(bufs [][]byte) (int64, error) {
	n, err := s.Write(bytes.Join(bufs, nil))
	return int64(n), err
}

func newEncoder(t testing.TB, newline string, s *stream) flow.Encoder {
	t.Helper()
	e, ok := component.Lookup(component.KindSerializer, "TEXT")
	if !ok {
		t.Fatal("text is not registered")
	}
	settings := property.Settings{}
	if newline != "" {
		settings["appendNewline"] = property.Value{Text: newline}
	}
	enc, err := component.New[flow.Encoding](component.Decode(e, settings, component.Scope{}), component.Env{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := enc.NewEncoder(s, true)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func encode(t testing.TB, e flow.Encoder, b *event.Batch) {
	t.Helper()
	if err := errors.Join(e.Encode(b), e.Flush(), e.Close()); err != nil {
		t.Fatal(err)
	}
}

// touch appends lines as a source reads them: one behind the other.
func touch(b *event.Batch, text string) {
	copy(b.Reserve(len(text)), text)
	block := b.Commit(len(text))
	for len(block) > 0 {
		i := bytes.IndexByte(block, '\n')
		b.AppendLine(block[:i+1])
		block = block[i+1:]
	}
}

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		newline, want string
	}{
		{"", "one\n\ntwo\nmid\r\n\xff\nthree\n"},
		{"true", "one\n\ntwo\nmid\r\n\xff\nthree\n"},
		{"false", "onetwomid\r\n\xffthree"},
		{"no", "onetwomid\r\n\xffthree"},
	} {
		b := event.NewBatch()
		touch(b, "one\n\ntwo\n")
		b.AppendCopy([]byte("mid\r\n\xff"))
		touch(b, "three\n")
		b.SetHeader(b.At(0), "never", "written")
		var s stream
		encode(t, newEncoder(t, c.newline, &s), b)
		b.Release()
		if s.String() != c.want || s.calls != 1 {
			t.Errorf("appendNewline %q: wrote %q in %d calls, want %q in one", c.newline, &s, s.calls, c.want)
		}
	}
}

func TestTouchingLinesAreOneUncopiedWrite(t *testing.T) {
	text := strings.Repeat("0123456789\n", 5000)
	b := event.NewBatch()
	defer b.Release()
	touch(b, text)
	var s stream
	encode(t, newEncoder(t, "", &s), b)
	if s.String() != text || s.calls != 1 {
		t.Errorf("%d bytes in %d calls", s.Len(), s.calls)
	}
}

func TestAfterAnErrorNothingIsKept(t *testing.T) {
	errFull := errors.New("full")
	s := stream{fail: errFull}
	e := newEncoder(t, "", &s)
	b := event.NewBatch()
	defer b.Release()
	b.AppendCopy([]byte("lost"))
	b.AppendCopy(make([]byte, 200<<10))
	if err := e.Encode(b); !errors.Is(err, errFull) {
		t.Fatalf("Encode = %v", err)
	}
	s.fail = nil
	next := event.NewBatch()
	defer next.Release()
	next.AppendCopy([]byte("next"))
	encode(t, e, next)
	if s.String() != "next\n" {
		t.Errorf("wrote %.20q", &s)
	}
}

// FuzzEncode cuts the input into events of all kinds and compares what is written
// with the plain concatenation.
func FuzzEncode(f *testing.F) {
	f.Add([]byte("a\nb\n\nc\n"), []byte{0, 1, 2}, true)
	f.Add(bytes.Repeat([]byte("line\n"), 100), []byte{3}, false)
	f.Fuzz(func(t *testing.T, text, kinds []byte, newline bool) {
		b := event.NewBatch()
		defer b.Release()
		var want []byte
		for i, line := range bytes.Split(text, []byte("\n")) {
			kind := byte(i)
			if len(kinds) > 0 {
				kind = kinds[i%len(kinds)]
			}
			switch kind % 4 {
			case 0:
				touch(b, string(line)+"\n")
			case 1:
				b.AppendCopy(line)
			case 2: // another separator behind it
				copy(b.Reserve(len(line)+1), append(line[:len(line):len(line)], 0))
				b.AppendLine(b.Commit(len(line) + 1))
			case 3:
				line = bytes.Repeat(line, 700)
				b.AppendCopy(line)
			}
			want = append(want, line...)
			if newline {
				want = append(want, '\n')
			}
		}
		setting := "false"
		if newline {
			setting = "true"
		}
		var s stream
		encode(t, newEncoder(t, setting, &s), b)
		if !bytes.Equal(s.Bytes(), want) {
			t.Errorf("wrote %.200q, want %.200q", &s, want)
		}
	})
}
