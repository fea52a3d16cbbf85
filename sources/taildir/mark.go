package taildir

import (
	"crypto/sha256"
	"encoding/hex"
)

const (
	headBytes   = 1024 // at the beginning of a file, by which it is known
	anchorBytes = 256  // before the position, by which reading on is justified
	oldAnchors  = 4    // earlier ones that are remembered
)

// mark is the hash of n bytes of a file. The zero mark is that of no bytes, which
// any file has.
type mark struct {
	n   int
	sum [16]byte
}

func markOf(p []byte) mark {
	if len(p) == 0 {
		return mark{}
	}
	m := mark{n: len(p)}
	sum := sha256.Sum256(p)
	copy(m.sum[:], sum[:])
	return m
}

// fits reports whether p begins with the bytes that m was made of.
func (m mark) fits(p []byte) bool {
	return len(p) >= m.n && markOf(p[:m.n]) == m
}

// appendHex appends the hash as text; of the zero mark, a hyphen.
func (m mark) appendHex(dst []byte) []byte {
	if m.n == 0 {
		return append(dst, '-')
	}
	return hex.AppendEncode(dst, m.sum[:])
}

// parseMark is the reverse of appendHex.
func parseMark(n int, text string) (mark, bool) {
	if n == 0 {
		return mark{}, text == "-"
	}
	m := mark{n: n}
	if n < 0 || n > headBytes || len(text) != hex.EncodedLen(len(m.sum)) {
		return mark{}, false
	}
	_, err := hex.Decode(m.sum[:], []byte(text))
	return m, err == nil
}

// place is a position in some content together with what proves it.
type place struct {
	pos    int64
	head   mark // of the content's first bytes
	anchor mark // of the bytes that end at pos
}

// content is what a place may be compared with: a file, or what is packed in one.
type content interface {
	// ReadAt is that of io.ReaderAt.
	ReadAt(p []byte, off int64) (n int, err error)
}

// readUpTo reads as much as there is at off, at most len(p). An error means that
// not even a part of it could be read.
func readUpTo(c content, p []byte, off int64) ([]byte, error) {
	n, err := c.ReadAt(p, off)
	if n > 0 || isEOF(err) {
		return p[:n], nil
	}
	return p[:n], err
}

// holds reports whether c has what was read up to p. head are its first bytes.
func (p place) holds(c content, head []byte) bool {
	if !p.head.fits(head) {
		return false
	}
	return p.anchor.foundAt(c, p.pos)
}

// foundAt reports whether the bytes of m end at pos in c.
func (m mark) foundAt(c content, pos int64) bool {
	if m.n == 0 {
		return true
	}
	var buf [anchorBytes]byte
	got, err := readUpTo(c, buf[:m.n], pos-int64(m.n))
	return err == nil && len(got) == m.n && m.fits(got)
}
