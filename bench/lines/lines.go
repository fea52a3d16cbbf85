// Package lines makes the numbered lines that benchmarks send, and proves from
// a program's output that each arrived once and unchanged.
//
// A line has a fixed length, newline included, and says which connection it
// was sent on, in which block and where in that block:
//
//	cc bbbbbbbb iiii payload…\n
//
// all three in lower-case hexadecimal. The position in the block and the
// payload never change, so a sender renumbers a ready-made block of 256 KiB by
// storing eight bytes in each line instead of building it again. That keeps
// the generator's own share of the processor small, which it has in common
// with the programs under measurement.
package lines

import (
	"fmt"
	"strings"
)

// Offsets of the parts of a line.
const (
	connAt    = 0
	blockAt   = 3
	indexAt   = 12
	payloadAt = 17
)

// Limits of what a line's fields can say.
const (
	MinLength   = 32      // shortest line: the header, some payload and the newline
	MaxLength   = 1 << 16 // longest line
	MaxConns    = 1 << 8  // connections a line can tell apart
	MaxPerBlock = 1 << 16 // lines a block can hold
)

// phases is how many lines in a row have different payloads. A prime, so that
// no power-of-two mistake in a program under test lands on the same payload.
const phases = 61

// text is what payloads are cut from: long enough for the longest line at the
// last phase. It repeats every 1,009 bytes, a prime again.
var text = makeText(MaxLength+phases, 1009)

func makeText(length, period int) string {
	const letters = "etaoinshrdlucmfwypvbgkqjxz     0123456789"
	var b strings.Builder
	state := uint32(1)
	for range period {
		state = state*1664525 + 1013904223
		b.WriteByte(letters[int(state>>16)%len(letters)])
	}
	return strings.Repeat(b.String(), length/period+1)[:length]
}

// Format fixes the shape of the lines of one run: sender and verifier must
// use equal ones.
type Format struct {
	length   int // what is kept in front included
	perBlock int
	form     Form
}

// NewFormat describes lines of length bytes, newline included, sent in blocks
// of as many whole lines as fit into blockBytes.
func NewFormat(length, blockBytes int) (Format, error) {
	if length < MinLength || length > MaxLength {
		return Format{}, fmt.Errorf("line length %d: must be between %d and %d bytes", length, MinLength, MaxLength)
	}
	perBlock := min(blockBytes/length, MaxPerBlock)
	if perBlock < 1 {
		return Format{}, fmt.Errorf("block of %d bytes: must hold at least one line of %d bytes", blockBytes, length)
	}
	return Format{length: length, perBlock: perBlock}, nil
}

// Length is the number of bytes of each line, newline included.
func (f Format) Length() int { return f.length }

// PerBlock is the number of lines of each block but a sender's last.
func (f Format) PerBlock() int { return f.perBlock }

// payload is what stands between the header and the newline of the line at
// index of its block.
func (f Format) payload(index int) string {
	start := index % phases
	return text[start : start+f.length-len(f.form.kept)-payloadAt-1]
}

// Share divides total lines among conns connections as evenly as it goes; the
// first ones take what is left over.
func Share(total, conns int) []int {
	shares := make([]int, conns)
	for i := range shares {
		shares[i] = total / conns
		if i < total%conns {
			shares[i]++
		}
	}
	return shares
}

// Sender numbers the lines of one connection. It is not safe for concurrent
// use: each connection has its own.
type Sender struct {
	format Format
	buf    []byte // a whole block
	first  int    // where the number of the first line's block stands
	stride int
	block  uint32
	left   int
}

// NewSender prepares to send count lines on connection conn.
func (f Format) NewSender(conn, count int) (*Sender, error) {
	if conn < 0 || conn >= MaxConns {
		return nil, fmt.Errorf("connection %d: lines can name 0 to %d", conn, MaxConns-1)
	}
	if f.form.Whole() && count%f.perBlock != 0 {
		return nil, fmt.Errorf("%d lines on connection %d: must be a multiple of %d", count, conn, f.perBlock)
	}
	s := &Sender{format: f, left: count, stride: f.stride()}
	content := make([]byte, 0, f.perBlock*s.stride+len(f.form.start)+len(f.form.close))
	content = append(content, f.form.start...)
	for i := range f.perBlock {
		content = f.appendLine(content, conn, i)
		if i < f.perBlock-1 {
			content = append(content, f.form.between...)
		}
	}
	content = append(content, f.form.close...)
	if f.form.open != nil {
		s.buf = []byte(f.form.open(len(content)))
	}
	s.first = len(s.buf) + len(f.form.start) + len(f.form.head(0)) + blockAt
	s.buf = append(s.buf, content...)
	return s, nil
}

// appendLine appends a line of block 0 as it is sent.
func (f Format) appendLine(buf []byte, conn, index int) []byte {
	buf = append(buf, f.form.head(index)...)
	buf = fmt.Appendf(buf, "%02x %08x %04x ", conn, 0, index)
	buf = append(buf, f.payload(index)...)
	if f.form.after != "" {
		return append(buf, f.form.after...)
	}
	return append(buf, '\n')
}

// Size is the length of a whole block.
func (s *Sender) Size() int { return len(s.buf) }

// Place moves the block to mem, which has at least its size: what Next returns begins where mem does.
func (s *Sender) Place(mem []byte) { s.buf = append(mem[:0], s.buf...) }

// Left is the number of lines that Next has not returned.
func (s *Sender) Left() int { return s.left }

// Next returns the next block of lines, or nothing once all were returned. The
// bytes are valid until the following call.
func (s *Sender) Next() []byte {
	if s.left == 0 {
		return nil
	}
	n := min(s.left, s.format.perBlock)
	out := s.buf
	if n < s.format.perBlock { // of a form without anything around its lines
		out = out[:n*s.stride]
	}
	var number [8]byte
	putHex(number[:], s.block)
	for i, at := 0, s.first; i < n; i, at = i+1, at+s.stride {
		copy(out[at:at+len(number)], number[:])
	}
	s.block++
	s.left -= n
	return out
}

// putHex fills dst with value in lower-case hexadecimal, zeros in front.
func putHex(dst []byte, value uint32) {
	const digits = "0123456789abcdef"
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = digits[value&0xf]
		value >>= 4
	}
}

// readHex is the inverse of putHex; it reports false for anything else.
func readHex(src []byte) (value uint32, ok bool) {
	for _, c := range src {
		switch {
		case '0' <= c && c <= '9':
			value = value<<4 | uint32(c-'0')
		case 'a' <= c && c <= 'f':
			value = value<<4 | uint32(c-'a'+10)
		default:
			return 0, false
		}
	}
	return value, true
}
