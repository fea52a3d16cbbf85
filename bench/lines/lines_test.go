package lines

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func mustFormat(t testing.TB, length, block int) Format {
	t.Helper()
	f, err := NewFormat(length, block)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// send returns everything that the senders of counts would send, one
// connection after the other.
func send(t testing.TB, f Format, counts []int) []byte {
	t.Helper()
	var out []byte
	for conn, count := range counts {
		s, err := f.NewSender(conn, count)
		if err != nil {
			t.Fatal(err)
		}
		for block := s.Next(); len(block) > 0; block = s.Next() {
			out = append(out, block...)
		}
	}
	return out
}

func TestNewFormatRefuses(t *testing.T) {
	for _, tt := range []struct {
		length, block int
		want          string
	}{
		{MinLength - 1, 1 << 16, "line length 31"},
		{MaxLength + 1, 1 << 20, "line length 65537"},
		{512, 511, "block of 511 bytes"},
	} {
		if _, err := NewFormat(tt.length, tt.block); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("NewFormat(%d, %d) = %v, want an error with %q", tt.length, tt.block, err, tt.want)
		}
	}
	if _, err := mustFormat(t, 64, 640).NewSender(MaxConns, 1); err == nil {
		t.Errorf("a sender for connection %d was made: lines cannot name it", MaxConns)
	}
}

func TestSenderLines(t *testing.T) {
	for _, length := range []int{MinLength, 150, 512, MaxLength} {
		f := mustFormat(t, length, 4*length+1)
		out := send(t, f, []int{0, 11})
		all := bytes.SplitAfter(out, []byte("\n"))
		all = all[:len(all)-1] // what follows the last newline: nothing
		if len(all) != 11 {
			t.Fatalf("length %d: %d lines, want 11", length, len(all))
		}
		distinct := map[string]bool{}
		for _, line := range all {
			if len(line) != length {
				t.Errorf("length %d: line %q has %d bytes", length, line, len(line))
			}
			distinct[string(line)] = true
		}
		if len(distinct) != 11 {
			t.Errorf("length %d: %d distinct lines, want 11", length, len(distinct))
		}
		if got, want := string(all[9][:payloadAt]), "01 00000002 0001 "; got != want {
			t.Errorf("length %d: tenth line begins %q, want %q", length, got, want)
		}
	}
}

func TestShare(t *testing.T) {
	for _, tt := range []struct {
		total, conns int
		want         []int
	}{
		{10, 1, []int{10}}, {10, 4, []int{3, 3, 2, 2}}, {2, 3, []int{1, 1, 0}},
	} {
		got := Share(tt.total, tt.conns)
		if len(got) != len(tt.want) {
			t.Fatalf("Share(%d, %d) = %v, want %v", tt.total, tt.conns, got, tt.want)
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("Share(%d, %d) = %v, want %v", tt.total, tt.conns, got, tt.want)
			}
		}
	}
}

func TestVerifier(t *testing.T) {
	f := mustFormat(t, 64, 640)
	counts := []int{25, 7}
	const n = 32
	line := func(out []byte, i int) []byte { return out[i*64 : (i+1)*64] }
	tests := []struct {
		name   string
		change func(out []byte) []byte
		want   Verdict // without Expected, Bytes and Example
		bad    bool
	}{
		{"untouched", func(o []byte) []byte { return o }, Verdict{Lines: n, Distinct: n}, false},
		{"a line lost", func(o []byte) []byte { return append(o[:64:64], o[128:]...) },
			Verdict{Lines: n - 1, Distinct: n - 1}, true},
		{"last line of a connection lost", func(o []byte) []byte { return o[:len(o)-64] },
			Verdict{Lines: n - 1, Distinct: n - 1}, true},
		{"a line twice", func(o []byte) []byte { return append(o, line(o, 3)...) },
			Verdict{Lines: n + 1, Distinct: n, Duplicated: 1}, true},
		{"two lines exchanged", func(o []byte) []byte {
			o = bytes.Clone(o)
			first := bytes.Clone(line(o, 4))
			copy(line(o, 4), line(o, 5))
			copy(line(o, 5), first)
			return o
		}, Verdict{Lines: n, Distinct: n, Reordered: 1}, false},
		{"a payload byte flipped", func(o []byte) []byte { o[64*6+40] ^= 1; return o },
			Verdict{Lines: n, Distinct: n - 1, Damaged: 1}, true},
		{"a payload of the wrong line", func(o []byte) []byte { copy(line(o, 1)[payloadAt:], line(o, 2)[payloadAt:]); return o },
			Verdict{Lines: n, Distinct: n - 1, Damaged: 1}, true},
		{"a foreign connection", func(o []byte) []byte { o[1] = '9'; return o },
			Verdict{Lines: n, Distinct: n - 1, Damaged: 1}, true},
		{"a block never sent", func(o []byte) []byte { o[blockAt] = 'f'; return o },
			Verdict{Lines: n, Distinct: n - 1, Damaged: 1}, true},
		{"upper-case number", func(o []byte) []byte { o[blockAt] = 'A'; return o },
			Verdict{Lines: n, Distinct: n - 1, Damaged: 1}, true},
		{"a newline too many", func(o []byte) []byte { return append(o, '\n') },
			Verdict{Lines: n + 1, Distinct: n, Damaged: 1}, true},
		{"cut short", func(o []byte) []byte { return o[:len(o)-1] },
			Verdict{Lines: n, Distinct: n - 1, Damaged: 1}, true},
		{"two lines run together", func(o []byte) []byte { o[63] = ' '; return o },
			Verdict{Lines: n - 1, Distinct: n - 2, Damaged: 1}, true},
		{"nothing", func([]byte) []byte { return nil }, Verdict{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := tt.change(send(t, f, counts))
			for _, piece := range []int{1, 63, 64, 65, 1 << 20} {
				got := verify(f, counts, out, piece)
				want := tt.want
				want.Expected, want.Bytes, want.Example = n, int64(len(out)), got.Example
				if got != want {
					t.Errorf("in pieces of %d: verdict %+v, want %+v", piece, got, want)
				}
				if (got.Err() != nil) != tt.bad {
					t.Errorf("in pieces of %d: Err() = %v, want an error: %t", piece, got.Err(), tt.bad)
				}
			}
		})
	}
}

func verify(f Format, counts []int, out []byte, piece int) Verdict {
	v := f.NewVerifier(counts)
	for len(out) > 0 {
		n := min(piece, len(out))
		v.Write(out[:n]) // never fails, see its comment
		out = out[n:]
	}
	return v.Verdict()
}

func TestVerifierBoundsMemory(t *testing.T) {
	f := mustFormat(t, 64, 640)
	v := f.NewVerifier([]int{1})
	for range 1000 {
		v.Write(bytes.Repeat([]byte("x"), 4096))
	}
	if len(v.partial) > 65 {
		t.Errorf("output without a newline keeps %d bytes in memory, want at most 65", len(v.partial))
	}
	if got := v.Verdict(); got.Damaged != 1 || got.Err() == nil {
		t.Errorf("verdict %+v, want one damaged line", got)
	}
}

// FuzzVerifier holds that no output makes the verifier fail, that its account
// adds up, and that it does not matter how the output is cut.
func FuzzVerifier(f *testing.F) {
	format := mustFormat(f, 64, 640)
	counts := []int{3, 2}
	sent := send(f, format, counts)
	f.Add(sent, 7)
	f.Add(sent[:100], 64)
	f.Add([]byte("\n\n00 00000000 0000 \n"), 1)
	f.Fuzz(func(t *testing.T, out []byte, piece int) {
		whole := verify(format, counts, out, max(1, len(out)))
		if cut := verify(format, counts, out, 1+(piece&0xff)); cut != whole {
			t.Errorf("in pieces: %+v, in one: %+v", cut, whole)
		}
		if whole.Distinct+whole.Duplicated+whole.Damaged != whole.Lines {
			t.Errorf("account does not add up: %+v", whole)
		}
		if whole.Err() == nil && len(out) != len(sent) {
			t.Errorf("%d bytes accepted where %d were sent", len(out), len(sent))
		}
	})
}

func BenchmarkSender512(b *testing.B) {
	f := mustFormat(b, 512, 256<<10)
	s, err := f.NewSender(0, math.MaxInt)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(256 << 10)
	for b.Loop() {
		s.Next()
	}
}
