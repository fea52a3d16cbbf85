package lineio

import (
	"strings"
	"testing"

	"github.com/flume-go/flume/event"
)

// round reads text into a block of the given size and joins what precedes its
// first newline to the rest. It returns the joined line.
func round(r *Rest, b *event.Batch, size int, text string) string {
	n := copy(r.Reserve(b, size), text)
	data := r.Commit(b, n)
	end := strings.IndexByte(text, '\n')
	line := string(r.Join(b, data[:end+1]))
	r.Append(data[end+1:])
	return line
}

func TestRest(t *testing.T) {
	for _, c := range []struct {
		name, rest string
	}{
		{"short: joined in place", "begin"},
		{"a quarter of the block", strings.Repeat("q", 256)},
		{"long: joined apart", strings.Repeat("x", 5000)},
	} {
		var r Rest
		r.Append([]byte(c.rest[:2]))
		r.Append([]byte(c.rest[2:]))
		b := event.NewBatch()
		if got := round(&r, b, 1024, " end\nnext"); got != c.rest+" end\n" {
			t.Errorf("%s: joined %q", c.name, got)
		}
		b.Release()
		if got := string(r.Bytes()); got != "next" || r.Len() != 4 {
			t.Errorf("%s: rest %q", c.name, got)
		}
		r.Drop(1)
		if got := string(r.Bytes()); got != "ext" {
			t.Errorf("%s: rest %q after Drop", c.name, got)
		}
	}
}

// TestRestSurvivesBatch: the rest is not in the memory of the batch it came from.
func TestRestSurvivesBatch(t *testing.T) {
	var r Rest
	b := event.NewBatch()
	n := copy(r.Reserve(b, 64), "unfinished")
	data := r.Commit(b, n)
	r.Append(data)
	copy(data, "XXXXXXXXXX")
	b.Release()
	if got := string(r.Bytes()); got != "unfinished" {
		t.Errorf("rest %q", got)
	}
}

func TestRestGivesMemoryBack(t *testing.T) {
	var r Rest
	r.Append(make([]byte, 1<<20))
	r.Reset()
	if cap(r.buf) > keepRest {
		t.Errorf("an empty rest holds %d bytes", cap(r.buf))
	}
}

func TestBlockSize(t *testing.T) {
	var s BlockSize
	if got := s.Next(); got != minBlock {
		t.Errorf("begins with %d", got)
	}
	for range 20 {
		s.Observe(s.Next(), s.Next())
	}
	if got := s.Next(); got != usualBlock {
		t.Errorf("a flood gets %d", got)
	}
	s.Observe(usualBlock/2, usualBlock)
	if got := s.Next(); got != usualBlock {
		t.Errorf("half a block changes it to %d", got)
	}
	for range 20 {
		s.Observe(10, s.Next())
	}
	if got := s.Next(); got != minBlock {
		t.Errorf("a trickle gets %d", got)
	}
}

// TestLargeBlocks has a flood on a stream that has few beside it at first, and many later.
func TestLargeBlocks(t *testing.T) {
	s := BlockSize{Most: largeBlock}
	for range 20 {
		s.Observe(s.Next(), s.Next())
	}
	if got := s.Next(); got != largeBlock {
		t.Errorf("a flood gets %d", got)
	}
	s.Most = usualBlock
	if got := s.Next(); got != usualBlock {
		t.Errorf("beside many others it gets %d", got)
	}
	s.Observe(usualBlock, usualBlock)
	s.Most = largeBlock
	if got := s.Next(); got != usualBlock {
		t.Errorf("without the others it gets %d at once", got)
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct{ streams, n, lines, want int }{
		{0, 0, 0, largeBlock},
		{4, 100 << 10, 200, largeBlock},
		{32, 0, 0, largeBlock},
		{33, 0, 0, largeBlock / 2},
		{64, 0, 0, largeBlock / 2},
		{65, 0, 0, usualBlock},
		{10000, 0, 0, usualBlock},
		{1, 100 * shortLine, 100, largeBlock},
		{1, 100 * shortLine, 101, usualBlock},
	} {
		if got := Share(c.streams, c.n, c.lines); got != c.want {
			t.Errorf("Share(%d, %d, %d) = %d, want %d", c.streams, c.n, c.lines, got, c.want)
		}
	}
}
