package avrobody

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/twmb/avro"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// The headers that tell an event's schema, the URL before the literal.
const (
	HeaderURL     = "flume.avro.schema.url"
	HeaderLiteral = "flume.avro.schema.literal"
)

const (
	maxSchema    = 16 << 20
	fetchTimeout = 30 * time.Second
)

// origin is what tells a schema: a URL or the schema's text.
type origin struct {
	url  bool
	text string
}

// originOf returns what ev says of its schema; its text points into the batch. It
// is the zero origin if neither the event nor the configuration says anything.
func (e *encoder) originOf(ev *event.Event) origin {
	if u, ok := ev.Header(HeaderURL); ok {
		return origin{url: true, text: u}
	}
	if s, ok := ev.Header(HeaderLiteral); ok {
		return origin{text: s}
	}
	if e.cfg.SchemaURL != "" {
		return origin{url: true, text: e.cfg.SchemaURL}
	}
	return origin{}
}

// schemaOf returns the schema that o tells, read at most once per file.
func (e *encoder) schemaOf(o origin) (*schema, error) {
	if s := e.known[o]; s != nil {
		return s, nil
	}
	s, err := e.load.schema(o)
	if err != nil {
		return nil, err
	}
	if len(e.known) >= maxKnown {
		clear(e.known)
	}
	o.text = strings.Clone(o.text) // the batch's memory does not last
	e.known[o] = s
	return s, nil
}

// schema is an Avro schema. Two are the same if their texts are.
type schema struct {
	text   string // compact JSON
	parsed *avro.Schema
}

func parseSchema(text []byte) (*schema, error) {
	parsed, err := avro.Parse(string(text))
	if err != nil {
		return nil, flow.Reject(fmt.Errorf("parsing an Avro schema of %d bytes: %w", len(text), err))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, flow.Reject(fmt.Errorf("parsing an Avro schema of %d bytes: %w", len(text), err))
	}
	return &schema{text: compact.String(), parsed: parsed}, nil
}

// validate checks that body is one datum and nothing else.
func (s *schema) validate(body []byte) error {
	var datum any
	rest, err := s.parsed.Decode(body, &datum)
	if err != nil {
		return fmt.Errorf("body of %d bytes is not a datum of its schema: %w", len(body), err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("body of %d bytes has %d bytes behind its datum", len(body), len(rest))
	}
	return nil
}

// loader reads schemas. Safe for concurrent use.
type loader struct {
	fs     vfs.FS
	client *http.Client
}

func newLoader(fsys vfs.FS) *loader {
	return &loader{fs: fsys, client: &http.Client{Timeout: fetchTimeout}}
}

func (l *loader) schema(o origin) (*schema, error) {
	if o == (origin{}) {
		return nil, flow.Reject(fmt.Errorf("there is none: set header %s or %s, or the property schemaURL", HeaderURL, HeaderLiteral))
	}
	if !o.url {
		return parseSchema([]byte(o.text))
	}
	text, err := l.read(o.text)
	if err != nil {
		return nil, err
	}
	s, err := parseSchema(text)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", o.text, err)
	}
	return s, nil
}

// checkURL returns an error if a schema can never be read from text.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return fmt.Errorf("%q is not a URL: %w", text, err)
	}
	switch strings.ToLower(u.Scheme) {
	case "file", "http", "https":
		return nil
	case "hdfs":
		return fmt.Errorf("%q: schemas cannot be read from HDFS yet; offer the schema over http or in a file", text)
	default:
		return fmt.Errorf("%q: a schema is read from a file:, http: or https: URL", text)
	}
}

// read returns what a URL holds. Errors that may pass are plain ones.
func (l *loader) read(text string) ([]byte, error) {
	if err := checkURL(text); err != nil {
		return nil, flow.Reject(err)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, flow.Reject(err)
	}
	var data []byte
	if strings.EqualFold(u.Scheme, "file") {
		data, err = l.readFile(u)
	} else {
		data, err = l.fetch(text)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the schema at %s: %w", text, err)
	}
	return data, nil
}

func (l *loader) readFile(u *url.URL) (data []byte, err error) {
	name := u.Path
	if name == "" {
		name = u.Opaque // file:relative/path
	}
	if runtime.GOOS == "windows" {
		name = strings.TrimPrefix(name, "/") // file:///C:/path
	}
	f, err := l.fs.OpenFile(filepath.FromSlash(name), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return readLimited(f)
}

func (l *loader) fetch(text string) ([]byte, error) {
	// Encode has no context; the client's time-out bounds the wait.
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, text, nil)
	if err != nil {
		return nil, err
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	return readLimited(resp.Body)
}

func readLimited(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSchema+1))
	if err == nil && len(data) > maxSchema {
		err = fmt.Errorf("more than %d bytes", maxSchema)
	}
	return data, err
}
