package http

import (
	"fmt"

	"github.com/flume-go/flume/event"
)

// fewHeaders are looked through one by one; beyond, a map finds those that occur
// twice.
const fewHeaders = 32

// headersOf decodes the headers of e: an object, or an array of pairs. They
// replace what it had.
func (d *decoder) headersOf(e *event.Event) error {
	d.example.noteHeaders()
	e.RemoveHeaders(func(string) bool { return true })
	clear(d.keys)
	c, err := d.next()
	switch {
	case err != nil:
		return err
	case c == '{':
		d.pos++
		return d.headerObject(e)
	case c == '[':
		d.pos++
		return d.headerPairs(e)
	case bare[c] && isWord(d.literal(), "null"):
		return nil
	}
	return d.fail("headers are an object")
}

func (d *decoder) headerObject(e *event.Event) error {
	for first := true; ; first = false {
		name, ok, err := d.name(first)
		if !ok || err != nil {
			return err
		}
		key, err := d.string(name)
		if err != nil {
			return err
		}
		if err := d.colon(); err != nil {
			return err
		}
		if err := d.header(e, key, false); err != nil {
			return err
		}
	}
}

func (d *decoder) headerPairs(e *event.Event) error {
	for first := true; ; first = false {
		c, done, err := d.element(first)
		if done || err != nil {
			return err
		}
		if c != '[' {
			return d.fail("a header is an array of key and value")
		}
		d.pos++
		if err := d.headerPair(e); err != nil {
			return err
		}
		if c, err = d.next(); err != nil {
			return err
		}
		if c != ']' {
			return d.fail("a header is an array of key and value")
		}
		d.pos++
	}
}

func (d *decoder) headerPair(e *event.Event) error {
	w, null, err := d.scalar(true)
	switch {
	case err != nil:
		return err
	case null:
		return errNullKey
	}
	key, err := d.string(w)
	if err != nil {
		return err
	}
	c, err := d.next()
	if err != nil {
		return err
	}
	if c != ',' && c != ';' {
		return d.fail("a header is an array of key and value")
	}
	d.pos++
	if c, err = d.next(); err != nil {
		return err
	}
	if c == ']' { // a comma and nothing: null
		return d.setHeader(e, key, nil, true)
	}
	return d.header(e, key, true)
}

// header decodes the value of a header and sets it.
func (d *decoder) header(e *event.Event, key string, inArray bool) error {
	w, null, err := d.scalar(inArray)
	if err != nil {
		return err
	}
	d.noteValue(key, false)
	return d.setHeader(e, key, w, null)
}

// setHeader sets a header unless it is null: an event without it is all that
// others could make of that.
func (d *decoder) setHeader(e *event.Event, key string, w []byte, null bool) error {
	if d.taken(e, key) {
		return d.fail(fmt.Sprintf("header %.100q is given twice", key))
	}
	if null {
		return nil
	}
	value, err := d.string(w)
	if err != nil {
		return err
	}
	d.headers++
	if len(e.Headers) < fewHeaders {
		d.batch.SetHeader(e, key, value)
		return nil
	}
	// SetHeader looks for the key once more, which for many headers takes the
	// square of their number.
	d.keys[key] = struct{}{}
	e.Headers = append(e.Headers, event.Header{Key: key, Value: value})
	return nil
}

// taken reports whether e has this header.
func (d *decoder) taken(e *event.Event, key string) bool {
	for i := range e.Headers[:min(len(e.Headers), fewHeaders)] {
		if e.Headers[i].Key == key {
			return true
		}
	}
	_, ok := d.keys[key]
	return ok
}
