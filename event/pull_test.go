package event

import (
	"bytes"
	"testing"
	"unsafe"
)

// TestPull pulls bodies out of a block, each by its place in it, and looks at how many bytes of the block
// are left and how the bodies stand.
func TestPull(t *testing.T) {
	const block = "1 one\n2 two\n3 three\n\n<four>"
	type cut struct {
		from, to int
		line     bool
	}
	for name, c := range map[string]struct {
		cuts   []cut
		want   string // the bodies in one piece, with separators if all have one
		left   int
		pieces int
	}{
		"lines":                    {[]cut{{2, 5, true}, {8, 11, true}, {14, 19, true}}, "one\ntwo\nthree\n", 13, 1},
		"there already":            {[]cut{{0, 5, true}, {6, 11, true}}, "1 one\n2 two\n", 15, 1},
		"an empty line":            {[]cut{{14, 19, true}, {20, 20, true}}, "three\n\n", 20, 1},
		"without a separator":      {[]cut{{14, 19, true}, {22, 26, false}}, "three\nfour\n", 16, 1},
		"no place for a separator": {[]cut{{0, 3, false}, {4, 5, true}}, "1 oe", 22, 1},
		"up to the end":            {[]cut{{21, 27, false}}, "<four>\n", 20, 1},
		"all of it":                {[]cut{{0, 27, false}}, block, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBatch()
			defer b.Release()
			text := b.Copy([]byte(block))
			end := unsafe.SliceData(text[len(text)-1:])
			free := text
			for _, cut := range c.cuts {
				var e *Event
				if cut.line {
					e = b.AppendLine(text[cut.from : cut.to+1])
				} else {
					e = b.Append(text[cut.from:cut.to])
				}
				free = b.Pull(e, free, '\n')
			}
			pieces, _ := b.Pieces(nil)
			if got := string(bytes.Join(pieces, nil)); got != c.want || len(pieces) != c.pieces {
				t.Errorf("%q in %d pieces, want %q in %d", got, len(pieces), c.want, c.pieces)
			}
			if len(free) != c.left || c.left > 0 && unsafe.SliceData(free[len(free)-1:]) != end {
				t.Errorf("left is %q, want the last %d bytes of the block", free, c.left)
			}
		})
	}
}

// TestPullElsewhere sees that bodies stay that are not in the memory to be filled.
func TestPullElsewhere(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	block := b.Copy([]byte("one two three"))
	for name, c := range map[string]struct {
		e    *Event
		free []byte
	}{
		"in front":          {b.Append(block[:3]), block[4:]},
		"behind":            {b.Append(block[8:]), block[:7]},
		"partly":            {b.Append(block[4:]), block[:7]},
		"in another memory": {b.AppendCopy([]byte("four")), block},
		"nothing is free":   {b.Append(block[:3]), nil},
	} {
		body := string(c.e.Body)
		at := unsafe.SliceData(c.e.Body)
		if left := b.Pull(c.e, c.free, '\n'); len(left) != len(c.free) || string(c.e.Body) != body || unsafe.SliceData(c.e.Body) != at {
			t.Errorf("%s: body %q and %q left, want %q and all of %q", name, c.e.Body, left, body, c.free)
		}
	}
}
