package syslog

import (
	"bytes"

	"github.com/flume-go/flume/event"
)

// Names of the headers for what RFC 5424 has behind the host. A parameter of
// structured data is named by its element and itself: "exampleSDID@32473.iut".
const (
	headerApp  = "appname"
	headerProc = "procid"
	headerID   = "msgid"
)

// maxParams is the most parameters that become headers; with more, structured
// data stays in the body.
const maxParams = 64

// param is a parameter of structured data; value is as written, with escapes.
type param struct{ element, name, value []byte }

// split reports whether scanStructured was successful.
func (f *fields) split() bool { return f.app != nil }

// scanStructured reads APP-NAME PROCID MSGID STRUCTURED-DATA [MSG], of which MSG
// becomes the body.
func (f *fields) scanStructured(text []byte) bool {
	var parts [3][]byte
	for i := range parts {
		end := bytes.IndexByte(text, ' ')
		if end < 1 || !printable(text[:end]) {
			return false
		}
		parts[i], text = text[:end], text[end+1:]
	}
	switch {
	case len(text) > 0 && text[0] == '-':
		text = text[1:]
	default:
		elements := 0
		for ; len(text) > 0 && text[0] == '['; elements++ {
			var ok bool
			if text, ok = f.element(text[1:]); !ok {
				return false
			}
		}
		if elements == 0 {
			return false
		}
	}
	if len(text) > 0 {
		if text[0] != ' ' {
			return false
		}
		text = text[1:]
	}
	f.app, f.proc, f.id, f.body = parts[0], parts[1], parts[2], text
	return true
}

// element reads an element behind its bracket and returns what follows it.
func (f *fields) element(text []byte) (rest []byte, ok bool) {
	n := nameLength(text)
	if n == 0 {
		return nil, false
	}
	id, text := text[:n], text[n:]
	for len(text) > 0 && text[0] == ' ' {
		text = text[1:]
		n := nameLength(text)
		if n == 0 || n+1 >= len(text) || text[n] != '=' || text[n+1] != '"' || len(f.params) == maxParams {
			return nil, false
		}
		end := valueLength(text[n+2:])
		if end < 0 {
			return nil, false
		}
		f.params = append(f.params, param{id, text[:n], text[n+2 : n+2+end]})
		text = text[n+2+end+1:]
	}
	if len(text) == 0 || text[0] != ']' {
		return nil, false
	}
	return text[1:], true
}

// nameLength returns the length of the name that text begins with.
func nameLength(text []byte) int {
	n := 0
	for n < len(text) && text[n] > ' ' && text[n] < 0x7F && text[n] != '=' && text[n] != ']' && text[n] != '"' {
		n++
	}
	return n
}

// valueLength returns the position of the quote that ends a value, or -1.
func valueLength(text []byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return -1
}

func printable(text []byte) bool {
	for _, c := range text {
		if c <= ' ' || c >= 0x7F {
			return false
		}
	}
	return true
}

// structuredHeaders sets the headers for what splitStructured has found.
func (p *Parser) structuredHeaders(b *event.Batch, e *event.Event) {
	f := &p.fields
	if !f.split() {
		return
	}
	for _, h := range [...]struct {
		name  string
		value []byte
	}{{headerApp, f.app}, {headerProc, f.proc}, {headerID, f.id}} {
		if string(h.value) != "-" {
			b.SetHeader(e, h.name, b.String(h.value))
		}
	}
	for _, q := range f.params {
		key := append(append(append(p.scratch[:0], q.element...), '.'), q.name...)
		p.scratch = key
		value := b.String(unescape(b, q.value))
		// Names may be repeated: no value is lost.
		if old, ok := e.Header(string(key)); ok {
			value = old + "," + value
		}
		b.SetHeader(e, b.String(key), value)
	}
}

// unescape takes the backslashes off before quotes, brackets and backslashes.
func unescape(b *event.Batch, value []byte) []byte {
	if bytes.IndexByte(value, '\\') < 0 {
		return value
	}
	out := b.Alloc(len(value))[:0]
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) {
			if next := value[i+1]; next == '"' || next == '\\' || next == ']' {
				i++
			}
		}
		out = append(out, value[i])
	}
	return out
}
