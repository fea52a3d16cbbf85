package event

import (
	"bytes"
	"slices"
	"testing"
)

func TestPieces(t *testing.T) {
	outside := make([]byte, 64)
	for name, c := range map[string]struct {
		fill      func(b *Batch)
		pieces    int
		separated bool
		want      string
	}{
		"nothing":                          {func(*Batch) {}, 0, false, ""},
		"empty bodies":                     {func(b *Batch) { b.Append(nil); b.Append(nil) }, 0, false, ""},
		"copies touch":                     {func(b *Batch) { b.AppendCopy([]byte("one")); b.Append(nil); b.AppendCopy([]byte("two")) }, 1, false, "onetwo"},
		"memory of others is never joined": {func(b *Batch) { b.Append(outside[:32]); b.Append(outside[32:]) }, 2, false, string(outside)},
		"another line between": {func(b *Batch) {
			line := b.Copy([]byte("one\ntwo\nfour\n"))
			b.AppendLine(line[:4])
			b.AppendLine(line[8:])
		}, 2, true, "one\nfour\n"},
		"lines and a body": {func(b *Batch) {
			b.AppendLine(b.Copy([]byte("one\n")))
			b.AppendCopy([]byte("two"))
		}, 2, false, "onetwo"},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBatch()
			defer b.Release()
			c.fill(b)
			pieces, separated := b.Pieces([][]byte{[]byte("first")})
			if got := string(bytes.Join(pieces, nil)); got != "first"+c.want || separated != c.separated || len(pieces) != c.pieces+1 {
				t.Errorf("%q in %d pieces, separated %v; want %q in %d, %v", got, len(pieces)-1, separated, c.want, c.pieces, c.separated)
			}
		})
	}
}

func TestPiecesOfSharedLines(t *testing.T) {
	text := bytes.Repeat([]byte("a line\n"), 40000) // several blocks
	b := NewBatch()
	for rest := text; len(rest) > 0; rest = rest[7:] {
		b.AppendLine(b.Copy(rest[:7]))
	}
	v := b.View(0, b.Len())
	b.Release()
	defer v.Release()
	pieces, separated := v.Pieces(nil)
	if !separated || len(pieces) > 16 || !bytes.Equal(bytes.Join(pieces, nil), text) {
		t.Errorf("%d pieces, separated %v", len(pieces), separated)
	}
	joined := NewBatch()
	defer joined.Release()
	joined.AppendShared(v, 0, 10)
	joined.AppendShared(v, 10, 20)
	if pieces, _ := joined.Pieces(nil); !slices.EqualFunc(pieces, [][]byte{text[:140]}, bytes.Equal) {
		t.Errorf("two shares of neighbours are %d pieces, want one", len(pieces))
	}
}
