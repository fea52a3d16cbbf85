package exec

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

// cutAll cuts text as it comes in pieces, whose sizes next gives, in blocks of
// size bytes.
func cutAll(s *splitter, text []byte, size int, next func() int) []string {
	var bodies []string
	take := func(b *event.Batch) {
		for _, e := range b.Events() {
			bodies = append(bodies, string(e.Body))
		}
		b.Release()
	}
	for len(text) > 0 {
		b := event.NewBatch()
		space := s.rest.Reserve(b, size)
		n := copy(space[:min(len(space), max(1, next()))], text)
		s.cut(b, s.rest.Commit(b, n))
		text = text[n:]
		take(b)
	}
	b := event.NewBatch()
	(&reader{split: *s}).finish(b)
	take(b)
	return bodies
}

// cutNaively is what cutAll must find with a limit that is never reached.
func cutNaively(text []byte) []string {
	s := strings.ReplaceAll(string(text), "\r\n", "\n")
	lines := strings.Split(strings.ReplaceAll(s, "\r", "\n"), "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	}
	if len(lines) == 0 {
		return nil
	}
	return lines
}

func TestRandomPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	letters := []string{"a", "ü", "\n", "\n", "\r", "\r\n", "\xff", "long words "}
	for range 500 {
		var text strings.Builder
		for range rng.IntN(300) {
			text.WriteString(letters[rng.IntN(len(letters))])
		}
		pieces := 1 + rng.IntN(60)
		got := cutAll(&splitter{limit: 1 << 20}, []byte(text.String()), 16<<rng.IntN(6), func() int { return 1 + rng.IntN(pieces) })
		if diff := cmp.Diff(cutNaively([]byte(text.String())), got); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", text.String(), diff)
		}
	}
}

// FuzzSplitter also sets a limit: then no event is longer, and nothing but the
// ends of lines is missing.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\nb\r\nc\rd\n\nlast"), 1, 16)
	f.Add([]byte("0123456789abcdef0123\r\n\xc3\xbc"), 2, 16)
	f.Fuzz(func(t *testing.T, text []byte, piece, limit int) {
		if piece < 1 || limit < 16 || len(text) > 1<<16 {
			return
		}
		want := cutNaively(text)
		got := cutAll(&splitter{limit: limit}, text, 64, func() int { return piece })
		if diff := cmp.Diff(strings.Join(want, ""), strings.Join(got, "")); diff != "" {
			t.Fatal(diff)
		}
		longest := 0
		for _, line := range want {
			longest = max(longest, len(line))
		}
		if longest <= limit {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		for _, body := range got {
			if len(body) > limit {
				t.Fatalf("event of %d bytes, limit %d", len(body), limit)
			}
		}
	})
}

func TestBoundary(t *testing.T) {
	for text, want := range map[string]int{"abc": 3, "ab\xc3": 2, "ab\xc3\xbc": 4, "a\xf0\x9f\x98": 1, "\xe2\x82": 2, "\x80\x80\x80\x80": 4, "": 0} {
		if got := boundary([]byte(text)); got != want {
			t.Errorf("boundary(%q) is %d, want %d", text, got, want)
		}
	}
}
