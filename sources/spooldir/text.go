package spooldir

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/flume-go/flume/internal/charset"
)

// keepText is how much memory for a line is kept from one line to the next.
const keepText = 1 << 20

// textForm is how files are decoded, cut into lines and encoded again. It does not change.
type textForm struct {
	decoder decoder         // nil: by the library, line by line
	set     charset.Charset // of the file
	marked  int             // 16 or 32 if a byte order mark may say how the file is to be read
	utf8    bool            // the file's set is UTF-8
	ascii   bool            // the first 128 bytes are those of ASCII, in the file's set and in that of the bodies
	output  charset.Charset
	policy  string
	limit   int // most UTF-16 units of a body
}

// newTextForm finds the character sets of a configuration.
func newTextForm(cfg Config) (*textForm, error) {
	in, err := charset.Lookup(cfg.InputCharset)
	if err != nil {
		return nil, fmt.Errorf("property inputCharset: %w", err)
	}
	out, err := charset.Lookup(cfg.OutputCharset)
	if err != nil {
		return nil, fmt.Errorf("property deserializer.outputCharset: %w", err)
	}
	f := &textForm{set: in, utf8: in.IsUTF8(), output: out, policy: cfg.DecodeError, limit: cfg.maxLineLength()}
	f.ascii = keepsASCII(in) && keepsASCII(out)
	f.decoder, f.marked = decoderOf(in)
	return f, nil
}

// decoderOf returns the decoder of a character set, nil if only the library knows it, and the size of the units that a byte order mark may
// tell the order of.
func decoderOf(c charset.Charset) (d decoder, marked int) {
	if c.IsUTF8() {
		return utf8Decoder{}, 0
	}
	switch {
	case decodes(c, "\x00\x00\x00a", "a") && decodes(c, "\xff\xfe\x00\x00a\x00\x00\x00", "a"):
		return utf32Decoder{}, 32
	case decodes(c, "\x00\x00\x00a", "a"):
		return utf32Decoder{}, 0
	case decodes(c, "a\x00\x00\x00", "a"):
		return utf32Decoder{little: true}, 0
	case decodes(c, "\x00a", "a") && decodes(c, "\xff\xfea\x00", "a"):
		return utf16Decoder{}, 16
	case decodes(c, "\x00a", "a"):
		return utf16Decoder{}, 0
	case decodes(c, "a\x00", "a"):
		return utf16Decoder{little: true}, 0
	}
	if t := newTable(c); t != nil {
		return t, 0
	}
	return nil, 0
}

// decodes reports whether c turns in into want.
func decodes(c charset.Charset, in, want string) bool {
	return string(decodeAll(c.NewDecoder(), nil, []byte(in))) == want
}

// decodeAll appends what d makes of src, which is the last of its stream, to dst.
func decodeAll(d *charset.Decoder, dst, src []byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, charset.MaxDecoded(len(src))+charset.MaxDecoded(0))...)
	at += d.Decode(dst[at:], src)
	at += d.Finish(dst[at:])
	return dst[:at]
}

// keepsASCII reports whether all bytes below 128, in any order, mean what they mean in ASCII.
func keepsASCII(c charset.Charset) bool {
	if c.IsUTF8() {
		return true
	}
	var all [128]byte
	for i := range all {
		all[i] = byte(i)
	}
	back := c.NewEncoder().AppendWhole(nil, all[:])
	return bytes.Equal(back, all[:]) && decodes(c, string(all[:]), string(all[:])) && decodes(c, "~{ab~}", "~{ab~}")
}

// forFile returns the decoder of a file and how many of its first bytes, which head begins with, are a byte order mark.
func (f *textForm) forFile(head []byte) (d decoder, skip int) {
	switch f.decoder.(type) {
	case utf16Decoder:
		switch {
		case f.marked == 0:
		case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
			return f.decoder, 2
		case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
			return utf16Decoder{little: true}, 2
		}
	case utf32Decoder:
		u, _ := f.decoder.(utf32Decoder)
		little := bytes.HasPrefix(head, []byte{0xFF, 0xFE, 0, 0})
		switch {
		case bytes.HasPrefix(head, []byte{0, 0, 0xFE, 0xFF}) && !u.little:
			return u, 4
		case little && (u.little || f.marked == 32):
			return utf32Decoder{little: true}, 4
		}
	}
	return f.decoder, 0
}

// intact reports whether line, which is shorter than the limit, is a body as it stands.
func (f *textForm) intact(line []byte) bool {
	if f.utf8 && f.output.IsUTF8() {
		return utf8.Valid(line)
	}
	return f.ascii && isASCII(line)
}

func isASCII(p []byte) bool {
	for len(p) >= 8 {
		if (p[0]|p[1]|p[2]|p[3]|p[4]|p[5]|p[6]|p[7])&0x80 != 0 {
			return false
		}
		p = p[8:]
	}
	for _, b := range p {
		if b&0x80 != 0 {
			return false
		}
	}
	return true
}

// badText is an error of decoding.
type badText struct {
	offset int64 // of the first bad byte
	set    string
}

func (e *badText) Error() string {
	return fmt.Sprintf("decoding as %s: the byte at offset %d has no meaning there; correct inputCharset, or set decodeErrorPolicy to REPLACE or IGNORE", e.set, e.offset)
}

// piece is the event that is being put together, of a line that the fast path cannot take.
type piece struct {
	text  []byte // UTF-8
	units int    // UTF-16 units in it
}

// add appends a character.
func (p *piece) add(r rune) {
	if r >= 0xD800 && r <= 0xDFFF {
		r = '?' // half a surrogate pair, as Java encodes it
	}
	p.text = utf8.AppendRune(p.text, r)
	p.units += unitsOf(r)
}

// unitsOf returns how many UTF-16 units r is.
func unitsOf(r rune) int {
	if r > 0xFFFF {
		return 2
	}
	return 1
}

func (p *piece) reset() {
	p.units = 0
	if p.text = p.text[:0]; cap(p.text) > keepText {
		p.text = nil
	}
}
