package spooldir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/invariants"
	"github.com/flume-go/flume/internal/vfs"
)

// flumeLines cuts decoded text as Flume's LineDeserializer does, except that no character is cut in halves.
func flumeLines(text string, limit int) []string {
	var out []string
	var line []rune
	units, read := 0, false
	end := func() {
		out = append(out, string(line))
		line, units, read = line[:0], 0, false
	}
	for _, r := range text {
		if r == '\n' {
			end()
			continue
		}
		if units > 0 && units+utf16.RuneLen(r) > limit {
			end()
		}
		line, units, read = append(line, r), units+utf16.RuneLen(r), true
		if units >= limit {
			end()
		}
	}
	if read {
		end()
	}
	return out
}

// javaText decodes UTF-8 a character at a time, as the vectors say.
func javaText(text []byte, policy string) (string, bool) {
	var b strings.Builder
	for len(text) > 0 {
		r, n, bad := utf8Decoder{}.next(text, true)
		switch {
		case !bad:
			b.WriteRune(r)
		case policy == policyFail:
			return "", false
		case policy != policyDrop:
			b.WriteRune(utf8.RuneError)
		}
		text = text[n:]
	}
	return b.String(), true
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name, text string
		settings   []string
		want       []string
	}{
		{"plain", "a\nbc\n", nil, []string{"a", "bc"}},
		{"no last line feed", "a\nbc", nil, []string{"a", "bc"}},
		{"empty lines", "\n\na\n\n", nil, []string{"", "", "a", ""}},
		{"carriage return stays", "a\r\nb\r\n", nil, []string{"a\r", "b\r"}},
		{"byte order mark stays", "\xef\xbb\xbfa\n", nil, []string{"\ufeffa"}},
		{"nothing", "", nil, nil},
		{"too long", "abcdefgh\nij\n", []string{"deserializer.maxLineLength = 3"}, []string{"abc", "def", "gh", "ij"}},
		{"exactly the limit", "abc\nde\n", []string{"deserializer.maxLineLength = 3"}, []string{"abc", "", "de"}},
		{"exactly the limit at the end", "abcdef", []string{"deserializer.maxLineLength = 3"}, []string{"abc", "def"}},
		{"two units", "ab😀c\n", []string{"deserializer.maxLineLength = 3"}, []string{"ab", "😀c", ""}},
		{"one does not fit at all", "😀a\n", []string{"deserializer.maxLineLength = 1"}, []string{"😀", "a", ""}},
		{"old name of the limit", "abcd\n", []string{"bufferMaxLineLength = 2"}, []string{"ab", "cd", ""}},
		{"latin to utf-8", "gr\xfcn\nx\n", []string{"inputCharset = ISO-8859-1"}, []string{"grün", "x"}},
		{"utf-8 to latin", "grün €\nx\n", []string{"deserializer.outputCharset = ISO-8859-1"}, []string{"gr\xfcn ?", "x"}},
		{"utf-16 with mark", "\xff\xfea\x00\n\x00b\x00", []string{"inputCharset = UTF-16"}, []string{"a", "b"}},
		{"to utf-16", "a\nb\n", []string{"deserializer.outputCharset = UTF-16"}, []string{"\xfe\xff\x00a", "\xfe\xff\x00b"}},
		{"shift jis", "\x93\xfa\x96\x7b\nabc\n\x93\xfa", []string{"inputCharset = Shift_JIS"}, []string{"日本", "abc", "日"}},
		{"iso 2022", "\x1b$BF|\x1b(Bx\ny\n", []string{"inputCharset = ISO-2022-JP"}, []string{"日x", "y"}},
		{"gbk too long", "\xc8\xd5\xb1\xbeabc\nd\n", []string{"inputCharset = GBK", "deserializer.maxLineLength = 2"}, []string{"日本", "ab", "c", "d"}},
		{"nothing but bad bytes", strings.Repeat("\xff", 40000) + "\nb\n", []string{"decodeErrorPolicy = IGNORE"}, []string{"", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := newSource(t, io.Discard, append(c.settings, "spoolDir = /")...)
			got := deserialize(t, s, []byte(c.text), mark{})
			if got.err != nil || !slices.Equal(got.bodies, c.want) {
				t.Errorf("lines %q, %v; want %q", got.bodies, got.err, c.want)
			}
			got.resumes(t, s, []byte(c.text))
		})
	}
}

// TestLinesBeforeABadOne: what comes before it is handed on, and the error says where it is.
func TestLinesBeforeABadOne(t *testing.T) {
	s, _ := newSource(t, io.Discard, "spoolDir = /")
	got := deserialize(t, s, []byte("a\nb\nc\xffd\ne\n"), mark{})
	var bad *badText
	if !errors.As(got.err, &bad) || bad.offset != 5 || !slices.Equal(got.bodies, []string{"a", "b"}) {
		t.Errorf("%q, %v", got.bodies, got.err)
	}
}

// TestLinesAcrossBlocks has lines of all lengths lie across the edges of blocks.
func TestLinesAcrossBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 4 {
		var text []byte
		for len(text) < blockSize+blockSize/2 {
			line := bytes.Repeat([]byte("ä€😀x\xff-"[rng.IntN(6):]), rng.IntN(1<<(1+rng.IntN(14))))
			text = append(append(text, line...), '\n')
		}
		limit := []int{7, 100, 2048, 1 << 20}[round%4]
		policy := []string{"REPLACE", "IGNORE"}[round%2]
		s, _ := newSource(t, io.Discard, "spoolDir = /", "decodeErrorPolicy = "+policy, fmt.Sprint("deserializer.maxLineLength = ", limit))
		got := deserialize(t, s, text, mark{})
		all, _ := javaText(text, policy)
		if want := flumeLines(all, limit); got.err != nil || !slices.Equal(got.bodies, want) {
			t.Fatalf("round %d: %d lines, %v; want %d", round, len(got.bodies), got.err, len(want))
		}
		for range 2 {
			i := rng.IntN(len(got.marks))
			if again := deserialize(t, s, text, got.marks[i]); !slices.Equal(again.bodies, got.bodies[i+1:]) {
				t.Fatalf("round %d: what follows %+v is not what followed it", round, got.marks[i])
			}
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\xff\xfe\n\xed\xa0\x80"), 2, 0)
	f.Add([]byte("ä€😀\n\xf0\x9f\x98"), 3, 1)
	f.Add([]byte("abcdef\n"), 3, 2)
	f.Fuzz(func(t *testing.T, text []byte, limit, which int) {
		if limit < 1 || which < 0 || len(text) > 1<<12 {
			return
		}
		policy := []string{"FAIL", "REPLACE", "IGNORE"}[which%3]
		s, _ := newSource(t, io.Discard, "spoolDir = /", "decodeErrorPolicy = "+policy, fmt.Sprint("deserializer.maxLineLength = ", limit))
		got := deserialize(t, s, text, mark{})
		all, ok := javaText(text, policy)
		if ok != (got.err == nil) {
			t.Fatalf("error %v", got.err)
		}
		if want := flumeLines(all, limit); ok && !slices.Equal(got.bodies, want) {
			t.Fatalf("lines %q, want %q", got.bodies, want)
		}
		got.resumes(t, s, text)
		// Other sets need not agree with the model, but with themselves.
		for _, set := range []string{"UTF-16", "UTF-32", "windows-1252", "EUC-JP", "GB18030"} {
			s, _ := newSource(t, io.Discard, "spoolDir = /", "inputCharset = "+set, "decodeErrorPolicy = REPLACE", fmt.Sprint("deserializer.maxLineLength = ", limit))
			if got := deserialize(t, s, text, mark{}); got.err != nil {
				t.Fatalf("%s: %v", set, got.err)
			} else if which%7 == 0 {
				got.resumes(t, s, text)
			}
		}
	})
}

// endless is a file of one line that is never in memory.
type endless struct{ vfs.File }

// ReadAt implements vfs.File.
func (e endless) ReadAt(p []byte, _ int64) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// TestLongLineTakesLittleMemory reads a line of 100 MiB (less under the race detector), which becomes events of 2048 characters.
func TestLongLineTakesLittleMemory(t *testing.T) {
	s, _ := newSource(t, io.Discard, "spoolDir = /")
	in := content(t, nil)
	defer in.close()
	size := 100 << 20
	if invariants.Enabled {
		size = 10 << 20
	}
	in.file, in.size = endless{in.file}, int64(size)
	d, err := newLines(s, in, mark{})
	if err != nil {
		t.Fatal(err)
	}
	events, bodies := 0, 0
	for err == nil {
		b := event.NewBatch()
		var p filling
		p.begin(b, 100)
		err = d.fill(&p)
		if b.Bytes() > 2*blockSize || cap(d.part.text) > 8192 || cap(d.buf) > blockSize {
			t.Fatalf("a batch has %d bytes, and %d and %d are kept", b.Bytes(), cap(d.part.text), cap(d.buf))
		}
		events += b.Len()
		bodies += b.Bytes()
		b.Release()
	}
	var changed *changedError // the file behind it is empty
	if events != size/2048 || bodies != size || !errors.As(err, &changed) {
		t.Errorf("%d events of %d bytes, %v", events, bodies, err)
	}
}
