package http

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/flume-go/flume/event"
)

const (
	formType = "application/x-www-form-urlencoded"
	// Limits of form contents: those of the server that Flume uses.
	maxForm     = 200_000
	maxFormKeys = 1000
)

// blobHandler makes one event of a request: its content, cut at a length, with the
// parameters as headers.
type blobHandler struct{ source *source }

// decode implements handler.
func (h *blobHandler) decode(c *content, b *event.Batch) error {
	limit := h.source.cfg.MaxBlobLength
	r := c.request
	e := b.Append(nil)
	if t := r.Header.Get("Content-Type"); t != "" {
		b.SetHeader(e, "Content-Type", t)
	}
	if err := setParameters(b, e, r.URL.RawQuery, "the query"); err != nil {
		return err
	}
	if isForm(r) {
		// What Flume runs on reads such content as parameters, and nothing is
		// left for the body.
		return formParameters(c, b, e)
	}
	cut, err := readBody(c, b, e, limit)
	if cut && err == nil {
		h.source.count.truncated.Add(1)
		if ok, more := h.source.truncatedLog.Allow(); ok {
			h.source.log.Warn("a request is longer than its event may be; the rest of it was dropped",
				"handler.maxBlobLength", limit, "client", r.RemoteAddr, "not-logged", more)
		}
	}
	return err
}

// legacyBlobHandler makes one event of a request, of which it demands parameters.
type legacyBlobHandler struct {
	source    *source
	mandatory []string
}

// decode implements handler.
func (h *legacyBlobHandler) decode(c *content, b *event.Batch) error {
	e := b.Append(nil)
	if err := setParameters(b, e, c.request.URL.RawQuery, "the query"); err != nil {
		return err
	}
	for _, name := range h.mandatory {
		if _, ok := e.Header(name); !ok {
			return broken("Please specify " + name + " parameter in the request.")
		}
	}
	_, err := readBody(c, b, e, 0)
	return err
}

// readBody makes the content the body of e, cut at limit unless that is 0, and
// reports whether it was cut. What is cut off is read as well: a client that still
// sends does not hear its answer.
func readBody(c *content, b *event.Batch, e *event.Event, limit int) (cut bool, err error) {
	d, _ := decoders.Get().(*decoder)
	defer func() {
		d.release()
		decoders.Put(d)
	}()
	d.begin(c, b, &c.account, textForm{}, keepMalformed, 0)
	for d.more() {
		if limit > 0 && d.end > limit {
			cut = true
			d.end = limit // the rest is overwritten
		}
	}
	if !errors.Is(d.err, io.EOF) {
		return false, d.err
	}
	b.SetBody(e, b.Copy(d.buf[:d.end]))
	return cut, nil
}

func isForm(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == formType && r.Method == http.MethodPost
}

func formParameters(c *content, b *event.Batch, e *event.Event) error {
	text, err := io.ReadAll(io.LimitReader(c, maxForm+1))
	if err != nil {
		return err
	}
	if len(text) > maxForm {
		return tooLarge(fmt.Sprintf("a form has at most %d bytes; send other content with another Content-Type, such as application/octet-stream", maxForm))
	}
	return setParameters(b, e, string(text), "the form")
}

// setParameters makes headers of parameters. The first value of a name counts.
func setParameters(b *event.Batch, e *event.Event, query, place string) error {
	if query == "" {
		return nil
	}
	if strings.Count(query, "&") >= maxFormKeys {
		return tooLarge(fmt.Sprintf("%s has more than %d parameters", place, maxFormKeys))
	}
	for p := range strings.SplitSeq(query, "&") {
		if p == "" {
			continue
		}
		name, value, _ := strings.Cut(p, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return bad("parsing " + place + ": " + err.Error())
		}
		if _, ok := e.Header(name); !ok {
			b.SetHeader(e, name, value)
		}
	}
	return nil
}
