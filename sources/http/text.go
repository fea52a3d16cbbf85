package http

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/flume-go/flume/internal/charset"
)

// textForm is how the characters of a request are coded.
type textForm struct {
	decode *charset.Decoder // nil for UTF-8 and for ISO-8859-1
	bodies *charset.Encoder // of event bodies; nil for UTF-8
	// latin1 says that the text is read as ISO-8859-1 because the request does
	// not say what it is.
	latin1 bool
}

// errCharset is Flume's text.
const errCharset = "JSON handler supports UTF-8, UTF-16 and UTF-32 only."

// formOf returns the form that a Content-Type names. Without a name JSON is UTF-8,
// and everything else ISO-8859-1 if latin1, as in Flume.
func formOf(contentType string, latin1 bool) (textForm, error) {
	if contentType == "application/json" { // most of them
		return textForm{}, nil
	}
	media, rest, _ := strings.Cut(contentType, ";")
	name, named := charsetParameter(rest)
	switch {
	case named && name == "", !named && !isJSON(media):
		return textForm{latin1: latin1}, nil
	case !named, strings.EqualFold(name, "utf-8"), strings.EqualFold(name, "utf8"):
		return textForm{}, nil
	case strings.EqualFold(name, "utf-16"), strings.EqualFold(name, "utf16"), strings.EqualFold(name, "utf-32"):
		cs, err := charset.Lookup(name)
		if err != nil {
			return textForm{}, err
		}
		return textForm{decode: cs.NewDecoder(), bodies: cs.NewEncoder()}, nil
	}
	return textForm{}, broken(errCharset)
}

func isJSON(media string) bool {
	media = strings.TrimSpace(media)
	return strings.EqualFold(media, "application/json") || strings.EqualFold(media, "text/json")
}

// charsetParameter finds the charset among the parameters of a media type.
func charsetParameter(parameters string) (name string, ok bool) {
	for p := range strings.SplitSeq(parameters, ";") {
		key, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(key), "charset") {
			return strings.Trim(strings.TrimSpace(value), `"`), true
		}
	}
	return "", false
}

// rawBlock is how much a transcoder reads at once.
const rawBlock = 16 << 10

// transcoder is a reader that gives UTF-8 for a text in another form.
type transcoder struct {
	src     io.Reader
	form    textForm
	raw     []byte
	decoded []byte // what is left of it is out
	out     []byte
	err     error // of src, once out is empty
	foreign bool  // ISO-8859-1 was assumed, and not all was ASCII
}

func newTranscoder(src io.Reader, form textForm) *transcoder {
	return &transcoder{src: src, form: form, raw: make([]byte, rawBlock), decoded: make([]byte, charset.MaxDecoded(rawBlock))}
}

// Read implements io.Reader.
func (t *transcoder) Read(p []byte) (int, error) {
	for len(t.out) == 0 {
		if t.err != nil {
			return 0, t.err
		}
		n, err := t.src.Read(t.raw)
		t.err = err
		t.convert(t.raw[:n])
	}
	n := copy(p, t.out)
	t.out = t.out[n:]
	return n, nil
}

// convert makes out of raw, and of what was incomplete before.
func (t *transcoder) convert(raw []byte) {
	if t.form.decode == nil {
		t.convertLatin1(raw)
		return
	}
	n := t.form.decode.Decode(t.decoded, raw)
	if t.err == io.EOF { //nolint:errorlint // a reader returns it as it is
		n += t.form.decode.Finish(t.decoded[n:])
	}
	t.out = t.decoded[:n]
}

func (t *transcoder) convertLatin1(raw []byte) {
	var all byte
	for _, c := range raw {
		all |= c
	}
	if all < utf8.RuneSelf {
		t.out = raw
		return
	}
	t.foreign = true
	out := t.decoded[:0]
	for _, c := range raw {
		out = utf8.AppendRune(out, rune(c))
	}
	t.out = out
}
