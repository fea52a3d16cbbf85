//go:build e2e

package e2e

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/avro/ocf"
	"github.com/ulikunitz/xz"

	"github.com/flume-go/flume/e2e/harness"
)

// deliveryLimit is how long an event may take to a file. Java's sinks pause for up to 5 seconds when idle.
const deliveryLimit = 30 * time.Second

// stored waits until each of the named stores holds what want says, or time is up, and adds to got what
// they hold then. The caller compares.
func stored(t *testing.T, site *harness.Site, want seen, got seen, names ...string) {
	t.Helper()
	deadline := time.Now().Add(deliveryLimit)
	for _, name := range names {
		harness.Poll(time.Until(deadline), func() bool {
			got[name] = harness.ReadFiles(t, site.Dir(name))
			return got[name] == want[name]
		})
	}
}

// lines waits until a store holds n lines and returns its text.
func lines(t *testing.T, site *harness.Site, name string, n int) string {
	t.Helper()
	var text string
	harness.Eventually(t, deliveryLimit, fmt.Sprintf("%d lines in %s", n, name), func() bool {
		text = harness.ReadFiles(t, site.Dir(name))
		return strings.Count(text, "\n") >= n
	})
	return text
}

// sortHeaders rewrites each line of header_and_text output with its headers in the order of their names:
// Java writes them in the order of a hash map. Values must not contain ", ".
func sortHeaders(text string) string {
	out := strings.Split(text, "\n")
	for i, line := range out {
		headers, body, ok := strings.Cut(line, "} ")
		if !ok {
			continue
		}
		fields := strings.Split(strings.TrimPrefix(headers, "{"), ", ")
		slices.Sort(fields)
		out[i] = "{" + strings.Join(fields, ", ") + "} " + body
	}
	return strings.Join(out, "\n")
}

var (
	uuidShape   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	millisShape = regexp.MustCompile(`\b1[0-9]{12}\b`)
)

// mask replaces what differs from run to run and keeps its shape: random UUIDs and the present time in ms.
func mask(text string) string {
	return millisShape.ReplaceAllString(uuidShape.ReplaceAllString(text, "<uuid>"), "<ms>")
}

// container is a decoded Avro object container file of events.
type container struct {
	codec, schema string
	events        []event
}

type event struct {
	headers map[string]string
	body    string
}

// String shows a container on a line for the file and one for each event, headers in order.
func (c container) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "codec %q schema %s\n", c.codec, c.schema)
	for _, e := range c.events {
		var headers []string
		for _, key := range slices.Sorted(maps.Keys(e.headers)) {
			headers = append(headers, fmt.Sprintf("%s=%q", key, e.headers[key]))
		}
		fmt.Fprintf(&b, "%q {%s}\n", e.body, strings.Join(headers, " "))
	}
	return b.String()
}

// containers waits until the Avro files of a store hold n events and returns the one file.
func containers(t *testing.T, site *harness.Site, name string, n int) container {
	t.Helper()
	var (
		c   container
		err error
	)
	found := func() bool {
		c, err = readContainer(site.Dir(name))
		return err == nil && len(c.events) >= n
	}
	harness.Eventually(t, deliveryLimit, fmt.Sprintf("%d Avro events in %s", n, name), found)
	return c
}

// readContainer decodes the only file of a folder. A file that is being written may end in the middle of
// a block, which is an error as well.
func readContainer(dir string) (container, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return container{}, err
	}
	if len(names) != 1 {
		return container{}, fmt.Errorf("reading %s: %d files, want one", dir, len(names))
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		return container{}, err
	}
	r, err := ocf.NewReader(bytes.NewReader(data), ocf.WithCodec(bzip2Codec{}), ocf.WithCodec(xzCodec{}))
	if err != nil {
		return container{}, fmt.Errorf("reading %s: %w", names[0], err)
	}
	defer r.Close()
	c := container{codec: "null", schema: string(r.Metadata()["avro.schema"])}
	if codec, ok := r.Metadata()["avro.codec"]; ok { // Java leaves it out where no codec is configured
		c.codec = string(codec)
	}
	for {
		var e struct {
			Headers map[string]string `avro:"headers"`
			Body    []byte            `avro:"body"`
		}
		switch err := r.Decode(&e); {
		case errors.Is(err, io.EOF):
			return c, nil
		case err != nil:
			return container{}, fmt.Errorf("reading %s: %w", names[0], err)
		}
		c.events = append(c.events, event{headers: e.Headers, body: string(e.Body)})
	}
}

// errReadOnly is what the codecs below say to a writer: the tests only read.
var errReadOnly = errors.New("the codec only decompresses")

type bzip2Codec struct{}

func (bzip2Codec) Name() string                    { return "bzip2" }
func (bzip2Codec) Compress([]byte) ([]byte, error) { return nil, errReadOnly }
func (bzip2Codec) Close() error                    { return nil }
func (bzip2Codec) Decompress(src []byte) ([]byte, error) {
	return io.ReadAll(bzip2.NewReader(bytes.NewReader(src)))
}

type xzCodec struct{}

func (xzCodec) Name() string                    { return "xz" }
func (xzCodec) Compress([]byte) ([]byte, error) { return nil, errReadOnly }
func (xzCodec) Close() error                    { return nil }
func (xzCodec) Decompress(src []byte) ([]byte, error) {
	r, err := xz.NewReader(bytes.NewReader(src))
	if err != nil {
		return nil, fmt.Errorf("decompressing xz: %w", err)
	}
	return io.ReadAll(r)
}
