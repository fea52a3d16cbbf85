package http

import (
	"errors"
	"io"
	"unicode/utf8"
	"unsafe"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/charset"
)

const (
	// What an event and a header take beside their texts. Slices grow by
	// doubling, so it is more than their size.
	eventWeight  = 128
	headerWeight = 80
)

// Errors of a text that is JSON but holds no list of events. Flume fails on them.
var (
	errNoEvents  = errors.New("the content is empty or null; an array of events is expected")
	errNullEvent = errors.New("an element of the array is null, or there is a comma too many")
	errNullKey   = errors.New("the key of a header is null")
)

// badEvents are those, which are answered like Flume answers them.
func badEvents(err error) bool {
	return errors.Is(err, errNoEvents) || errors.Is(err, errNullEvent) || errors.Is(err, errNullKey)
}

// Values of handler.malformedInput.
const (
	replaceMalformed = "replace"
	keepMalformed    = "keep"
	rejectMalformed  = "reject"
)

// decoder turns text into events: objects with the members "headers" and "body".
// It is reused; its methods are for one goroutine.
type decoder struct {
	scanner
	batch     *event.Batch
	encoder   *charset.Encoder // of bodies; nil for UTF-8
	policy    string           // for malformed UTF-8
	malformed bool             // some was seen

	account *account
	headers int // of all events
	scratch []byte
	open    []byte // the brackets that are to be closed, innermost last
	keys    map[string]struct{}

	wasQuoted bool // the scalar decoded last was in quotes: it stood from keep to one before pos
	shape     shape
	example   example
	values    [shapeValues][]byte // of the event that looks alike
}

func newDecoder() *decoder {
	d := &decoder{keys: map[string]struct{}{}}
	d.scanner.weigh = d.weigh
	return d
}

// begin prepares d for the text of src, whose events go to b. What that takes of
// the memory of all requests is charged to a. If size is not 0 the text is expected
// to have that many bytes, and events to be most of them: they stay where it is read to.
func (d *decoder) begin(src io.Reader, b *event.Batch, a *account, form textForm, policy string, size int64) {
	if size > 0 && form.bodies == nil {
		d.startLasting(src, b, size)
	} else {
		d.start(src)
	}
	d.example.begin()
	d.batch, d.account, d.encoder, d.policy = b, a, form.bodies, policy
	d.malformed, d.headers = false, 0
}

// release lets go of everything that belongs to the request.
func (d *decoder) release() {
	d.finish()
	d.batch, d.account, d.encoder = nil, nil, nil
	if cap(d.scratch) > keptWindow {
		d.scratch = nil
	}
}

// weigh charges what the window and the events so far take.
func (d *decoder) weigh(window, read int) error {
	text := int64(read)
	switch {
	case d.encoder != nil:
		text *= 4 // an ASCII character in UTF-32
	case d.malformed:
		text *= 6 // U+FFFD for each byte, being made and in the batch
	}
	text += int64(d.spent)
	return d.account.need(2*int64(window) + text + int64(d.batch.Len())*eventWeight + int64(d.headers)*headerWeight)
}

// array decodes a text that is an array of events, as Flume's JSONHandler does.
func (d *decoder) array() error {
	if d.has("\uFEFF") {
		d.pos += len("\uFEFF")
	}
	c, err := d.next()
	if err == nil && c == ')' && d.has(")]}'\n") {
		d.pos += len(")]}'\n")
		c, err = d.next()
	}
	switch {
	case errors.Is(err, errEnd):
		return errNoEvents
	case err != nil:
		return err
	case c == '[':
		d.pos++
	case isWord(d.literal(), "null"):
		return errNoEvents
	default:
		d.pos = d.keep
		return d.fail("an array of events is expected")
	}
	nulls, err := d.elements()
	switch {
	case errors.Is(err, errEnd):
		return d.fail(errEnd.Error())
	case err != nil:
		return err
	}
	if err := d.onlySpace("the array"); err != nil {
		return err
	}
	if nulls {
		return errNullEvent
	}
	return nil
}

// elements decodes the elements of an array and its end, and reports whether one
// of them is null.
func (d *decoder) elements() (nulls bool, err error) {
	for first := true; ; first = false {
		c, done, err := d.element(first)
		if done || err != nil {
			return nulls, err
		}
		switch {
		case c == '{':
			if err = d.event(); err == nil {
				d.alike(',')
			}
		case c == ',', c == ';', c == ']', isWord(d.literal(), "null"):
			nulls = true // nothing between two commas is null, too
		default:
			d.pos = d.keep
			err = d.fail("an event is an object")
		}
		if err != nil {
			return nulls, err
		}
	}
}

// element goes to the next element of an array and returns its first byte, or
// goes behind the end of the array.
func (d *decoder) element(first bool) (c byte, done bool, err error) {
	if c, err = d.next(); err != nil {
		return 0, false, err
	}
	if c == ']' {
		d.pos++
		return 0, true, nil
	}
	if first {
		return c, false, nil
	}
	if c != ',' && c != ';' {
		return 0, false, d.fail("unterminated array")
	}
	d.pos++
	c, err = d.next()
	return c, false, err
}

// onlySpace makes sure that nothing but white space follows.
func (d *decoder) onlySpace(behind string) error {
	for {
		for d.pos < d.end {
			switch d.buf[d.pos] {
			case ' ', '\t', '\r', '\n':
				d.pos++
			default:
				return d.fail("more text behind " + behind)
			}
		}
		d.keep = d.pos
		if !d.more() {
			if errors.Is(d.err, io.EOF) {
				return nil
			}
			return d.err
		}
	}
}

// event decodes an object that begins here.
func (d *decoder) event() error {
	d.startExample()
	d.pos++
	d.batch.Append(nil)
	e := d.batch.At(d.batch.Len() - 1)
	for first := true; ; first = false {
		name, ok, err := d.name(first)
		if !ok || err != nil {
			return err
		}
		isHeaders, isBody := string(name) == "headers", string(name) == "body"
		if err := d.colon(); err != nil {
			return err
		}
		switch {
		case isHeaders:
			err = d.headersOf(e)
		case isBody:
			err = d.bodyOf(e)
		default:
			d.example.good = false
			err = d.skip()
		}
		if err != nil {
			return err
		}
	}
}

// name goes behind the name of the next member of an object, or behind the end of
// the object.
func (d *decoder) name(first bool) (name []byte, ok bool, err error) {
	c, err := d.next()
	if err != nil {
		return nil, false, err
	}
	if !first {
		switch c {
		case '}':
			d.pos++
			return nil, false, nil
		case ',', ';':
			d.pos++
		default:
			return nil, false, d.fail("unterminated object")
		}
		if c, err = d.next(); err != nil {
			return nil, false, err
		}
	}
	switch {
	case c == '"', c == '\'':
		d.pos++
		name, err = d.quoted(c)
		return name, err == nil, err
	case c == '}' && first:
		d.pos++
		return nil, false, nil
	case bare[c]:
		return d.literal(), true, nil
	}
	return nil, false, d.fail("a name is expected")
}

// colon goes to the value of a member.
func (d *decoder) colon() error {
	c, err := d.next()
	switch {
	case err != nil:
		return err
	case c == ':':
		d.pos++
	case c == '=':
		d.pos++
		if d.has(">") {
			d.pos++
		}
	default:
		return d.fail("a colon is expected")
	}
	return nil
}

// scalar decodes a value that is text, or a number or boolean, which count as
// their text. In an array nothing at all is null.
func (d *decoder) scalar(inArray bool) (text []byte, null bool, err error) {
	d.wasQuoted = false
	c, err := d.next()
	switch {
	case err != nil:
		return nil, false, err
	case c == '"', c == '\'':
		d.pos++
		text, err = d.quoted(c)
		d.wasQuoted = true
		return text, false, err
	case bare[c]:
		text, null = word(d.literal())
		return text, null, nil
	case inArray && (c == ',' || c == ';'):
		return nil, true, nil
	}
	return nil, false, d.fail("text, a number, true, false or null is expected")
}

// word returns what a word without quotes means.
func word(w []byte) (text []byte, null bool) {
	switch {
	case isWord(w, "null"):
		return nil, true
	case isWord(w, "true"):
		return trueText, false
	case isWord(w, "false"):
		return falseText, false
	}
	return w, false
}

var trueText, falseText = []byte("true"), []byte("false")

// isWord compares without regard to case.
func isWord(w []byte, keyword string) bool {
	if len(w) != len(keyword) {
		return false
	}
	for i, c := range w {
		if c|0x20 != keyword[i] {
			return false
		}
	}
	return true
}

// text returns a word as the policy wants it; valid as long as w.
func (d *decoder) text(w []byte) ([]byte, error) {
	if !d.invalid || utf8.Valid(w) {
		return w, nil
	}
	d.malformed = true
	switch d.policy {
	case keepMalformed:
		return w, nil
	case rejectMalformed:
		return nil, d.fail("bytes that are not valid in the character set")
	}
	if need := charset.MaxDecoded(len(w)); cap(d.scratch) < need {
		d.scratch = make([]byte, need)
	}
	valid := charset.Charset{}.NewDecoder()
	n := valid.Decode(d.scratch[:cap(d.scratch)], w)
	n += valid.Finish(d.scratch[n:cap(d.scratch)])
	if d.lasting != nil {
		return d.batch.Copy(d.scratch[:n]), nil
	}
	return d.scratch[:n], nil
}

// kept returns a word as memory that lasts as long as the batch.
func (d *decoder) kept(w []byte) []byte {
	if d.lasting != nil {
		return w
	}
	return d.batch.Copy(w)
}

func (d *decoder) bodyOf(e *event.Event) error {
	w, null, err := d.scalar(false)
	if err != nil {
		return err
	}
	d.noteBody()
	if null {
		w = nil
	}
	if w, err = d.text(w); err != nil {
		return err
	}
	if d.encoder != nil {
		d.scratch = d.encoder.AppendWhole(d.scratch[:0], w)
		w = d.scratch
	}
	d.batch.SetBody(e, d.kept(w))
	return nil
}

// string puts a word into the memory of the batch.
func (d *decoder) string(w []byte) (string, error) {
	w, err := d.text(w)
	if err != nil {
		return "", err
	}
	return asString(d.kept(w)), nil
}

// asString returns w, which nobody changes any more, as a string.
func asString(w []byte) string { return unsafe.String(unsafe.SliceData(w), len(w)) }
