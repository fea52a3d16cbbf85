package charset

import (
	"errors"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Decoder turns a stream of bytes, as it comes in pieces, into UTF-8. Bytes
// without a meaning become Replacement. Not safe for concurrent use.
type Decoder struct {
	t       transform.Transformer
	pending []byte // the first bytes of a character that is not complete yet
}

// NewDecoder returns a decoder at the start of a stream.
func (c Charset) NewDecoder() *Decoder {
	e := c.decode
	if e == nil {
		e = unicode.UTF8
	}
	return &Decoder{t: e.NewDecoder().Transformer}
}

// MaxDecoded returns the size of the dst that Decode needs for n bytes: no
// character grows to more than three bytes of UTF-8 for each of its own.
func MaxDecoded(n int) int { return 3*n + 64 }

// Decode decodes src, the next piece of the stream, into dst, which must have
// MaxDecoded(len(src)) bytes, and returns the number of bytes written. The bytes
// of a character that src does not complete wait for the next call.
func (d *Decoder) Decode(dst, src []byte) int {
	n := 0
	// A character that began in an earlier piece is completed byte by byte:
	// the piece itself need not be copied then.
	for len(d.pending) > 0 && len(src) > 0 {
		d.pending = append(d.pending, src[0])
		src = src[1:]
		nDst, nSrc, _ := d.t.Transform(dst[n:], d.pending, false)
		n += nDst
		d.pending = d.pending[:copy(d.pending, d.pending[nSrc:])]
	}
	nDst, nSrc, _ := d.t.Transform(dst[n:], src, false)
	d.pending = append(d.pending, src[nSrc:]...)
	return n + nDst
}

// Finish decodes what the end of the stream left incomplete into dst, which must
// have MaxDecoded(0) bytes, and returns the number of bytes written.
func (d *Decoder) Finish(dst []byte) int {
	n, _, _ := d.t.Transform(dst, d.pending, true)
	d.pending = d.pending[:0]
	return n
}

// Encoder turns UTF-8 into another character set. Not safe for concurrent use.
type Encoder struct {
	t transform.Transformer
}

// NewEncoder returns an encoder at the start of a stream. Characters that the set
// does not have become a question mark, as in Java.
func (c Charset) NewEncoder() *Encoder {
	e := c.encode
	if e == nil {
		e = unicode.UTF8
	}
	return &Encoder{t: e.NewEncoder().Transformer}
}

// Append encodes text, which is whole characters and the next piece of a stream,
// behind dst. A byte order mark, if the set has one, is written once.
func (e *Encoder) Append(dst, text []byte) []byte { return e.encode(dst, text, false) }

// AppendWhole encodes text by itself behind dst: with the byte order mark of the
// set, if it has one, and ending in its initial state. The stream begins anew.
func (e *Encoder) AppendWhole(dst, text []byte) []byte {
	e.t.Reset()
	if len(text) == 0 {
		return dst
	}
	return e.encode(dst, text, true)
}

func (e *Encoder) encode(dst, text []byte, last bool) []byte {
	for {
		if cap(dst)-len(dst) < 64 {
			dst = append(dst, make([]byte, max(64, 2*len(text)))...)[:len(dst)]
		}
		nDst, nSrc, err := e.t.Transform(dst[len(dst):cap(dst)], text, last)
		dst, text = dst[:len(dst)+nDst], text[nSrc:]
		switch {
		case err == nil, errors.Is(err, transform.ErrShortSrc):
			return dst
		case !errors.Is(err, transform.ErrShortDst):
			_, n := utf8.DecodeRune(text)
			text = text[n:]
			dst = e.encode(dst, []byte("?"), false)
		}
	}
}
