package http

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/flume-go/flume/event"
)

const (
	shapeValues  = 16   // how many values an event of a known shape may have
	shapeText    = 1024 // how many bytes beside them
	shapeLessons = 4    // how many shapes are learned from one text
)

// shape is what events look like besides their values. A client makes all its
// events alike, mostly, and so one is an example of the next: that is compared with
// it in a few long pieces, which takes a third of the time that word by word does.
//
// An event has a shape if it consists of the texts of that, with a value between
// each two that has neither the quote that ends it nor an escape. It then means what
// the example meant, with other values. Whatever else it may be is found out word by
// word.
type shape struct {
	apart  byte                    // what separates events; 0 if there is no shape
	values int                     // how many there are
	texts  [shapeValues + 1]string // each stands before a value, the last behind all; the first begins behind the event before
	keys   [shapeValues]string     // of the headers that values are
	body   int                     // which of them is the body; -1 for none
}

// example is what is noted of an event that is decoded word by word.
type example struct {
	lessons int  // how many more are wanted of this text
	good    bool // the event has nothing that a shape cannot have
	behind  int  // where the event before ended
	start   int  // where this one does begin
	moves   int  // of the window in which both are
	counted int  // of the window, too: it grows when there are escapes
	headers bool // it has them already
	body    bool
	n       int
	values  [shapeValues]exampleValue
}

// exampleValue is a value in quotes.
type exampleValue struct {
	from, to int
	key      string
	body     bool
}

// noText is where an event before the first ended.
const noText = -1

// begin prepares x for a text.
func (x *example) begin() {
	x.lessons, x.good, x.behind = shapeLessons, false, noText
}

// startExample begins an event at pos.
func (d *decoder) startExample() {
	x := &d.example
	x.good = x.lessons > 0 && x.behind != noText && x.moves == d.moves
	x.start, x.counted, x.n = d.pos, d.counted, 0
	x.headers, x.body = false, false
}

// noteHeaders notes that the headers follow. Those that follow again replace them.
func (x *example) noteHeaders() {
	x.good = x.good && !x.headers
	x.headers = true
}

// noteBody notes the body, which was decoded last.
func (d *decoder) noteBody() {
	d.noteValue("", true)
	d.example.good = d.example.good && !d.example.body
	d.example.body = true
}

// noteValue notes the value that was decoded last, of the header key or the body.
func (d *decoder) noteValue(key string, body bool) {
	x := &d.example
	if !x.good {
		return
	}
	if !d.wasQuoted || x.n == shapeValues {
		x.good = false
		return
	}
	x.values[x.n] = exampleValue{from: d.keep, to: d.pos - 1, key: key, body: body}
	x.n++
}

// alike decodes the events behind the one that was decoded last as far as they look
// like it, or like one before. apart is what separates them.
func (d *decoder) alike(apart byte) {
	x := &d.example
	if d.encoder != nil {
		return
	}
	if x.good && x.moves == d.moves && x.counted == d.counted {
		d.learn(apart)
	}
	if d.shape.apart == apart {
		for d.another() {
		}
	}
	x.behind, x.moves = d.pos, d.moves
}

// learn makes the event that was decoded last an example, unless it is none or has
// the shape that is known.
func (d *decoder) learn(apart byte) {
	x := &d.example
	text := d.buf[x.behind:d.pos]
	if d.shape.apart == apart {
		if d.match(text) == len(text) {
			return
		}
	}
	size := len(text)
	for _, v := range x.values[:x.n] {
		size -= v.to - v.from
	}
	if x.n == 0 || size > shapeText || !separates(d.buf[x.behind:x.start], apart) {
		return
	}
	s := shape{apart: apart, values: x.n, body: -1}
	from := x.behind
	for i, v := range x.values[:x.n] {
		s.texts[i] = string(d.buf[from:v.from])
		from = v.to
		if v.body {
			s.body = i
		}
		s.keys[i] = strings.Clone(v.key)
	}
	s.texts[x.n] = string(d.buf[from:d.pos])
	if d.invalid && !s.valid() {
		return // what becomes of them depends on the policy
	}
	d.shape = s
	x.lessons--
}

// valid reports whether the texts are UTF-8.
func (s *shape) valid() bool {
	for _, t := range s.texts[:s.values+1] {
		if !utf8.ValidString(t) {
			return false
		}
	}
	return true
}

// separates reports whether gap separates two events, and has nothing else.
func separates(gap []byte, apart byte) bool {
	separators := 0
	for _, c := range gap {
		switch c {
		case apart:
			separators++
		case ' ', '\t', '\r', '\n':
		default:
			return false
		}
	}
	return separators == 1 || separators > 1 && apart == '\n'
}

// match finds the values of the event that text begins with and returns where it
// ends; 0 if it has not the shape that is known.
func (d *decoder) match(text []byte) (end int) {
	s := &d.shape
	if end = len(s.texts[0]); len(text) < end || string(text[:end]) != s.texts[0] {
		return 0
	}
	for i := range s.values {
		next := s.texts[i+1]
		n := bytes.IndexByte(text[end:], next[0]) // the quote
		if n < 0 || !d.verbatim(text[end:end+n]) {
			return 0
		}
		d.values[i] = text[end : end+n]
		end += n
		if len(text)-end < len(next) || string(text[end:end+len(next)]) != next {
			return 0
		}
		end += len(next)
	}
	return end
}

// verbatim reports whether a value means what it looks like.
func (d *decoder) verbatim(w []byte) bool {
	return (!d.escapes || bytes.IndexByte(w, '\\') < 0) && (!d.invalid || utf8.Valid(w))
}

// another decodes the event that follows if it has the shape that is known.
func (d *decoder) another() bool {
	n := d.match(d.buf[d.pos:d.end])
	if n == 0 {
		return false
	}
	d.pos += n
	s := &d.shape
	e := d.batch.Append(nil)
	for i, w := range d.values[:s.values] {
		w = d.kept(w)
		if i == s.body {
			d.batch.SetBody(e, w)
			continue
		}
		d.headers++
		addHeader(d.batch, e, s.keys[i], asString(w))
	}
	return true
}

// addHeader sets a header that e does not have.
func addHeader(b *event.Batch, e *event.Event, key, value string) {
	if len(e.Headers) == cap(e.Headers) {
		b.SetHeader(e, key, value) // makes room
		return
	}
	e.Headers = append(e.Headers, event.Header{Key: key, Value: value})
}
