package netcat

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/invariants"
)

// cutAll cuts text as it comes in pieces, whose sizes next gives.
func cutAll(c *cutter, text []byte, size int, next func() int) (bodies []string, malformed int, err error) {
	for len(text) > 0 && err == nil {
		b := event.NewBatch()
		space := c.rest.Reserve(b, size)
		n := copy(space[:min(len(space), max(1, next()))], text)
		var bad int
		bad, err = c.cut(b, c.rest.Commit(b, n))
		malformed += bad
		for _, e := range b.Events() {
			bodies = append(bodies, string(e.Body))
		}
		text = text[n:]
		b.Release()
	}
	return bodies, malformed, err
}

// cutNaively is what cutAll must find, whatever the pieces.
func cutNaively(text []byte, limit int, strict bool) (bodies []string, err error) {
	parts := strings.Split(string(text), "\n")
	for _, line := range parts[:len(parts)-1] {
		switch {
		case javaLength(line) >= limit:
			return bodies, errTooLong
		case strict && strings.ToValidUTF8(line, "") != line:
			return bodies, errMalformed
		}
		bodies = append(bodies, line)
	}
	return bodies, nil
}

// javaLength counts the UTF-16 units of s, one for each malformed byte.
func javaLength(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

func compare(t *testing.T, text []byte, limit, size int, strict bool, next func() int) {
	t.Helper()
	want, wantErr := cutNaively(text, limit, strict)
	got, _, err := cutAll(&cutter{limit: limit, strict: strict}, text, size, next)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("limit %d, size %d, text %q (-want +got):\n%s", limit, size, text, diff)
	}
	// The last line may be found too long although its end did not come.
	rest := text[bytes.LastIndexByte(text, '\n')+1:]
	if wantErr == nil && errors.Is(err, errTooLong) && javaLength(string(rest)) >= limit {
		return
	}
	// A line that is both too long and malformed may be called either.
	if (wantErr == nil) != (err == nil) {
		t.Fatalf("limit %d, size %d, text %q: error %v, want %v", limit, size, text, err, wantErr)
	}
}

// TestRandomPieces compares the cutter with a naive one on random text in random pieces.
func TestRandomPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	letters := []string{"a", "b", "ü", "€", "😀", "\n", "\n", "\r", "\xff", "\xe2\x82"}
	for range 500 {
		var text strings.Builder
		for range rng.IntN(200) {
			text.WriteString(letters[rng.IntN(len(letters))])
			if rng.IntN(4) == 0 {
				text.WriteString("xxxxxxxx")
			}
		}
		pieces := 1 + rng.IntN(60)
		compare(t, []byte(text.String()), 1+rng.IntN(100), 16<<rng.IntN(6), rng.IntN(2) == 0,
			func() int { return 1 + rng.IntN(pieces) })
	}
}

// FuzzCutter is TestRandomPieces with the fuzzer's text.
func FuzzCutter(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nrest"), 8, 3, false)
	f.Add([]byte("ü€😀\n\xff\n12345\n"), 5, 1, true)
	f.Add([]byte("\xe2\x82\xac\n\xe2\x82"), 2, 2, true)
	f.Fuzz(func(t *testing.T, text []byte, limit, piece int, strict bool) {
		if limit < 1 || limit > 1<<20 || piece < 1 || piece > 1<<20 || len(text) > 1<<16 {
			return
		}
		compare(t, text, limit, 64, strict, func() int { return piece })
	})
}

// TestMalformedCount: decoded input is looked at even when it is kept.
func TestMalformedCount(t *testing.T) {
	c := &cutter{limit: 100, decoded: true}
	bodies, malformed, err := cutAll(c, []byte("a\ufffd\nb\n\ufffd\n"), 64, func() int { return 64 })
	if len(bodies) != 3 || malformed != 2 || err != nil {
		t.Errorf("%q, %d malformed, %v", bodies, malformed, err)
	}
}

// TestLinesAreOneRun: the lines of a block, the joined one included, can be
// written as one piece.
func TestLinesAreOneRun(t *testing.T) {
	c := &cutter{limit: 100}
	c.rest.Append([]byte("begin"))
	b := event.NewBatch()
	defer b.Release()
	n := copy(c.rest.Reserve(b, 1<<10), " end\nsecond\nthird\nrest")
	if _, err := c.cut(b, c.rest.Commit(b, n)); err != nil {
		t.Fatal(err)
	}
	if span, n := b.Span(0, '\n'); string(span) != "begin end\nsecond\nthird\n" || n != 3 {
		t.Errorf("run %q of %d lines", span, n)
	}
	if got := string(c.rest.Bytes()); got != "rest" {
		t.Errorf("rest %q", got)
	}
}

// TestCutAllocatesNothing holds the path per block to its budget.
func TestCutAllocatesNothing(t *testing.T) {
	c := &cutter{limit: 512}
	block := bytes.Repeat([]byte(strings.Repeat("x", 149)+"\n"), 100)
	block = append(block, "unfinished"...)
	if got := testing.AllocsPerRun(100, func() {
		b := event.NewBatch()
		n := copy(c.rest.Reserve(b, 32<<10), block)
		if _, err := c.cut(b, c.rest.Commit(b, n)); err != nil {
			t.Fatal(err)
		}
		b.Release()
		c.rest.Reset()
	}); got > 0 && !invariants.Enabled {
		t.Errorf("%v allocations per block of 100 lines, want none", got)
	}
}
