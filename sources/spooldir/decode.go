package spooldir

import (
	"unicode/utf8"

	"github.com/flume-go/flume/internal/charset"
)

// decoder finds the characters of a stream of bytes, one after the other, as Java's decoders do. The number of bytes that are one
// malformed piece is Java's as well: with it goes the number of replacement characters.
type decoder interface {
	// next looks at the first character of src. bad says that the first n bytes mean nothing. n is 0 if src, which is not the last of the
	// stream, ends within the character.
	next(src []byte, last bool) (r rune, n int, bad bool)
}

// utf8Decoder decodes UTF-8.
type utf8Decoder struct{}

func (utf8Decoder) next(src []byte, last bool) (rune, int, bool) {
	r, n := utf8.DecodeRune(src)
	if r != utf8.RuneError || n > 1 {
		return r, n, false
	}
	n = malformedUTF8(src)
	if n == len(src) && !last && !utf8.FullRune(src) {
		return 0, 0, false
	}
	return 0, n, true
}

// malformedUTF8 returns how many of the first bytes of src, which are no character, are one malformed piece: the longest beginning of a
// character, and the three bytes that encode half a surrogate pair.
func malformedUTF8(src []byte) int {
	b := src[0]
	continues := func(i int) bool { return len(src) > i && src[i]&0xC0 == 0x80 }
	switch {
	case b < 0xE0 || b > 0xF4 || !continues(1): // with two bytes it is either a character or the second does not belong to it
		return 1
	case b < 0xF0:
		if b == 0xE0 && src[1] < 0xA0 {
			return 1
		}
		if b == 0xED && src[1] >= 0xA0 && continues(2) {
			return 3
		}
		return 2
	case b == 0xF0 && src[1] < 0x90, b == 0xF4 && src[1] >= 0x90:
		return 1
	case !continues(2):
		return 2
	default:
		return 3
	}
}

// utf16Decoder decodes UTF-16 of one byte order.
type utf16Decoder struct{ little bool }

func (d utf16Decoder) unit(src []byte) rune {
	if d.little {
		return rune(src[0]) | rune(src[1])<<8
	}
	return rune(src[0])<<8 | rune(src[1])
}

func (d utf16Decoder) next(src []byte, last bool) (rune, int, bool) {
	if len(src) < 2 {
		return cutOff(src, last)
	}
	u := d.unit(src)
	switch {
	case u < 0xD800 || u > 0xDFFF:
		return u, 2, false
	case u >= 0xDC00:
		return 0, 2, true
	case len(src) < 4:
		return cutOff(src, last)
	}
	low := d.unit(src[2:])
	if low < 0xDC00 || low > 0xDFFF {
		return 0, 4, true // Java lets the character behind it go, too
	}
	return (u-0xD800)<<10 + (low - 0xDC00) + 0x10000, 4, false
}

// utf32Decoder decodes UTF-32 of one byte order.
type utf32Decoder struct{ little bool }

func (d utf32Decoder) next(src []byte, last bool) (rune, int, bool) {
	if len(src) < 4 {
		return cutOff(src, last)
	}
	hi, lo := utf16Decoder(d).unit(src), utf16Decoder(d).unit(src[2:])
	if d.little {
		hi, lo = lo, hi
	}
	if hi > utf8.MaxRune>>16 {
		return 0, 4, true
	}
	return hi<<16 | lo, 4, false // half a surrogate pair is let through by Java, and cannot be encoded again
}

// cutOff is the answer for the beginning of a character.
func cutOff(src []byte, last bool) (rune, int, bool) {
	if !last {
		return 0, 0, false
	}
	return 0, len(src), true
}

// tableDecoder decodes a character set of one byte for each character; -1 is none.
type tableDecoder [256]rune

func (d *tableDecoder) next(src []byte, _ bool) (rune, int, bool) {
	r := d[src[0]]
	return r, 1, r < 0
}

// newTable asks the library for the meaning of each byte. It returns nil if a byte alone is not a character.
func newTable(c charset.Charset) *tableDecoder {
	var t tableDecoder
	var dst [80]byte
	for i := range t {
		d := c.NewDecoder()
		n := d.Decode(dst[:], []byte{byte(i)})
		if n == 0 || d.Finish(dst[n:]) > 0 {
			return nil
		}
		r, size := utf8.DecodeRune(dst[:n])
		if size != n {
			return nil
		}
		if t[i] = r; r == utf8.RuneError {
			t[i] = -1
		}
	}
	t.likeJava()
	return &t
}

// likeJava corrects the few bytes to which the library and Java give different meanings. Sets are known by their bytes, as they have many
// names.
func (d *tableDecoder) likeJava() {
	controls := true
	for b := 0x80; b < 0xA0; b++ {
		controls = controls && d[b] < 0
	}
	if controls && d[0xA0] == 0xA0 { // ISO 8859, which leaves its control characters undefined
		for b := 0x80; b < 0xA0; b++ {
			d[b] = rune(b)
		}
	}
	if d[0x80] == '\u20AC' && d[0xE0] == '\u05D0' { // windows-1255
		d[0xCA] = -1
	}
	if d[0xA4] == '\u0454' && d[0xAE] == '\u045E' { // KOI8-U
		d[0xAE], d[0xBE] = '\u255D', '\u256C'
	}
	if d[0x15] == '\u0085' && d[0x25] == '\n' { // EBCDIC
		if d[0x15] = '\n'; d[0xAD] == '[' { // IBM1047
			d[0x25] = '\u0085'
		}
	}
}
