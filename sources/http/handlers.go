package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
)

// handler turns the content of a request into events. Safe for concurrent use.
type handler interface {
	// decode appends the events of c to b, having read c to its end. Its errors
	// are those that refusalOf knows.
	decode(c *content, b *event.Batch) error
}

// handlerType is a value of the property handler.
type handlerType struct {
	names []string // Flume's class last
	text  bool     // the content is text: nobody wants it compressed
	keys  []string // the properties it has
	make  func(s *source) handler
}

const (
	jsonClass       = "org.apache.flume.source.http.JSONHandler"
	blobClass       = "org.apache.flume.sink.solr.morphline.BlobHandler"
	legacyBlobClass = "org.apache.flume.source.http.BLOBHandler"
)

var handlerTypes = []handlerType{
	{
		names: []string{"json", jsonClass}, text: true,
		keys: []string{"handler.malformedInput", "handler.assumedCharset"},
		make: func(s *source) handler { return &textHandler{source: s, decodeText: (*decoder).array} },
	},
	{
		names: []string{"ndjson"}, text: true,
		keys: []string{"handler.malformedInput", "handler.assumedCharset", "handler.lines"},
		make: func(s *source) handler {
			if s.cfg.Lines == linesBodies {
				return &textHandler{source: s, decodeText: (*decoder).bodyLines}
			}
			return &textHandler{source: s, decodeText: (*decoder).eventLines}
		},
	},
	{
		names: []string{"blob", blobClass},
		keys:  []string{"handler.maxBlobLength"},
		make:  func(s *source) handler { return &blobHandler{source: s} },
	},
	{
		names: []string{legacyBlobClass},
		keys:  []string{"handler.mandatoryParameters"},
		make: func(s *source) handler {
			return &legacyBlobHandler{source: s, mandatory: s.cfg.mandatory()}
		},
	},
}

// Values of handler.lines.
const linesBodies = "bodies"

// handlerOf finds a type by its name. Classes are looked up as they are, our own
// names in any case.
func handlerOf(name string) (*handlerType, bool) {
	name = strings.TrimSpace(name)
	for i := range handlerTypes {
		for _, n := range handlerTypes[i].names {
			if strings.EqualFold(n, name) {
				return &handlerTypes[i], true
			}
		}
	}
	return nil, false
}

// checkHandler reports an unknown handler, and properties of another one.
func (c Config) checkHandler(r *component.Report) {
	t, ok := handlerOf(c.Handler)
	if !ok {
		var known []string
		for i := range handlerTypes {
			known = append(known, handlerTypes[i].names...)
		}
		remedy := "known handlers: " + strings.Join(known, ", ")
		if near := component.Nearest(strings.TrimSpace(c.Handler), known); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		r.Error("handler", fmt.Sprintf("unknown handler %q; Java classes cannot be loaded", c.Handler), remedy)
		return
	}
	own := map[string]bool{}
	for _, key := range t.keys {
		own[key] = true
	}
	told := map[string]bool{}
	for i := range handlerTypes {
		for _, key := range handlerTypes[i].keys {
			if r.Given(key) && !own[key] && !told[key] {
				told[key] = true
				r.Warn(key, "has no effect with handler = "+t.names[0], "remove it")
			}
		}
	}
}

// decoders are kept for the next request, with their windows.
var decoders = sync.Pool{New: func() any { return newDecoder() }}

// textHandler decodes text.
type textHandler struct {
	source     *source
	decodeText func(*decoder) error
}

// decode implements handler.
func (h *textHandler) decode(c *content, b *event.Batch) error {
	cfg := &h.source.cfg
	form, err := formOf(c.request.Header.Get("Content-Type"), h.source.latin1)
	if err != nil {
		return err
	}
	d, _ := decoders.Get().(*decoder)
	defer func() {
		d.release()
		decoders.Put(d)
	}()
	var src io.Reader = c
	var t *transcoder
	if form.latin1 || form.decode != nil {
		if err := c.account.hold(rawBlock * 4); err != nil {
			return err
		}
		t = newTranscoder(c, form)
		src = t
	}
	size := c.request.ContentLength
	if size > 0 && (t != nil || c.free != nil) {
		// The size is that of another form of the text. One block of memory for the
		// texts of most requests, but not what a client only says that it will send.
		b.Reserve(int(min(size, firstWindow-1)))
		size = 0
	}
	d.begin(src, b, &c.account, form, cfg.MalformedInput, size)
	if err := h.decodeText(d); err != nil {
		return err
	}
	switch {
	case d.malformed:
		h.source.sawMalformed(c.request)
	case t != nil && t.foreign:
		h.source.sawForeign(c.request)
	}
	return nil
}

// eventLines decodes a text of events, each on lines of its own.
func (d *decoder) eventLines() error {
	for {
		c, err := d.next()
		switch {
		case errors.Is(err, errEnd):
			return nil
		case err != nil:
			return err
		case c != '{':
			return d.fail("an event is an object")
		}
		if err = d.event(); errors.Is(err, errEnd) {
			return d.fail(errEnd.Error())
		}
		if err == nil {
			d.alike('\n')
			err = d.lineEnd()
		}
		if err != nil {
			return err
		}
	}
}

// lineEnd makes sure that the line has nothing more.
func (d *decoder) lineEnd() error {
	for {
		for d.pos < d.end {
			switch d.buf[d.pos] {
			case ' ', '\t', '\r':
				d.pos++
			case '\n':
				return nil
			default:
				return d.fail("a newline is expected behind an event")
			}
		}
		d.keep = d.pos
		if !d.more() {
			return nil // next knows why
		}
	}
}

// bodyLines makes each line, which must be JSON of any kind, the body of an event.
func (d *decoder) bodyLines() error {
	for {
		line, err := d.line()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if line = bytes.Trim(line, " \t\r"); len(line) == 0 {
			continue
		}
		if !json.Valid(line) {
			d.pos = d.keep
			return d.fail("no JSON in the line that begins")
		}
		if line, err = d.text(line); err != nil {
			return err
		}
		if d.encoder != nil {
			d.scratch = d.encoder.AppendWhole(d.scratch[:0], line)
			line = d.scratch
		}
		d.batch.Append(d.kept(line))
	}
}

// line consumes a line and its end, and returns it without; io.EOF behind the last.
func (d *decoder) line() ([]byte, error) {
	d.keep = d.pos
	for searched := 0; ; {
		text := d.buf[d.keep:d.end]
		if i := bytes.IndexByte(text[searched:], '\n'); i >= 0 {
			d.pos = d.keep + searched + i + 1
			return text[:searched+i], nil
		}
		searched = len(text)
		if d.more() {
			continue
		}
		d.pos = d.end
		if searched == 0 || !errors.Is(d.err, io.EOF) {
			return nil, d.err
		}
		return text, nil
	}
}

// sawMalformed counts and logs a request whose text was not valid.
func (s *source) sawMalformed(r *http.Request) {
	s.count.malformed.Add(1)
	if ok, more := s.malformedLog.Allow(); ok {
		s.log.Warn("a request has bytes that are not valid UTF-8", "client", r.RemoteAddr,
			"handler.malformedInput", s.cfg.MalformedInput, "not-logged", more)
	}
}

// sawForeign counts and logs a request whose text was read as ISO-8859-1 because
// it does not say what it is.
func (s *source) sawForeign(r *http.Request) {
	s.count.assumed.Add(1)
	if ok, more := s.foreignLog.Allow(); ok {
		s.log.Warn("a request names no character set; its text was read as ISO-8859-1, as Flume does; have clients send Content-Type: application/json, or set handler.assumedCharset = UTF-8",
			"client", r.RemoteAddr, "not-logged", more)
	}
}
