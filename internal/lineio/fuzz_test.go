package lineio

import (
	"bytes"
	"testing"

	"github.com/flume-go/flume/event"
)

// FuzzRest reads a text in pieces as a source does; the lines are those that
// splitting it at once gives.
func FuzzRest(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nrest"), uint8(3), uint16(16))
	f.Add([]byte("a line much longer than a block of sixteen\nb\n"), uint8(200), uint16(16))
	f.Add([]byte("\n\n\n"), uint8(1), uint16(64))
	f.Fuzz(func(t *testing.T, text []byte, piece uint8, block uint16) {
		size := max(16, int(block))
		var rest Rest
		var got []byte
		for left := text; len(left) > 0; {
			b := event.NewBatch()
			space := rest.Reserve(b, size)
			n := copy(space[:min(len(space), int(piece)+1)], left)
			data := rest.Commit(b, n)
			if end := bytes.IndexByte(data, '\n'); end >= 0 && rest.Len() > 0 {
				got = append(got, rest.Join(b, data[:end+1])...)
				data = data[end+1:]
			}
			end := bytes.LastIndexByte(data, '\n') + 1
			got = append(got, data[:end]...)
			rest.Append(data[end:])
			b.Release()
			left = left[n:]
		}
		end := bytes.LastIndexByte(text, '\n') + 1
		if !bytes.Equal(got, text[:end]) || !bytes.Equal(rest.Bytes(), text[end:]) {
			t.Errorf("%q in pieces of %d, blocks of %d: lines %q, rest %q", text, int(piece)+1, size, got, rest.Bytes())
		}
	})
}
