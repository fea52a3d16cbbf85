package http

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// content reads what a request brings: from the connection, within the limits of
// time and size, decompressed. Its errors other than io.EOF are refusals. It
// belongs to one request.
type content struct {
	request *http.Request
	service *service
	account account

	src    io.Reader // what Read reads
	left   int64     // bytes that src may still give
	digest hash.Hash // of all that was read; nil if nobody asks

	wire    io.Reader // the body, limited
	control *http.ResponseController
	idle    time.Duration
	until   time.Time // by when all of it must be here; zero: any time
	renewed time.Time // when the deadline was set last
	whole   bool      // all of the body is here
	free    func()    // gives back the decompressor, if not nil
}

// open prepares for reading the body of r. The caller ends it, and closes its
// account when what was read is no longer needed.
func (v *service) open(w http.ResponseWriter, r *http.Request) (*content, error) {
	cfg := &v.source.cfg
	if r.ContentLength > cfg.MaxRequestSize {
		return nil, tooLarge(fmt.Sprintf("the content has more than %d bytes (property maxRequestSize)", cfg.MaxRequestSize))
	}
	c := &content{
		request: r, service: v, account: account{budget: v.source.memory}, left: cfg.MaxDecodedSize,
		wire: http.MaxBytesReader(w, r.Body, cfg.MaxRequestSize), control: http.NewResponseController(w),
		idle: v.source.idleTimeout,
	}
	if cfg.RequestTimeout > 0 {
		c.until = time.Now().Add(cfg.RequestTimeout)
	}
	c.src = (*wire)(c)
	v.enterReading(c)
	if !v.source.decompresses() {
		return c, nil
	}
	if err := c.decompress(r.Header.Values("Content-Encoding")); err != nil {
		c.end()
		c.account.close()
		return nil, err
	}
	return c, nil
}

// end ends reading: the decompressor and the deadline are given back.
func (c *content) end() {
	c.service.leaveReading(c)
	if c.free != nil {
		c.free()
	}
	if c.whole && !c.renewed.IsZero() {
		// Else a connection that waits for its answer would be given up.
		_ = c.control.SetReadDeadline(time.Time{}) // fails on closed connections only
	}
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.src.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, tooLarge("the content has more bytes, decompressed, than the property maxDecodedSize allows")
	}
	if c.digest != nil {
		c.digest.Write(p[:n])
	}
	var r *refusal
	if err != nil && err != io.EOF && !errors.As(err, &r) { //nolint:errorlint // a reader returns it as it is
		err = bad("decompressing the content: " + err.Error())
	}
	return n, err
}

// sum has a digest made of the query, and of all that is read from here on.
func (c *content) sum(query string) {
	c.digest = sha256.New()
	fmt.Fprintf(c.digest, "%s\n", query)
}

// wire is a content as it comes from the connection.
type wire content

// Read implements io.Reader.
func (c *wire) Read(p []byte) (int, error) {
	if err := c.renew(); err != nil {
		return 0, err
	}
	n, err := c.wire.Read(p)
	c.whole = err == io.EOF //nolint:errorlint // a reader returns it as it is
	if err == nil || c.whole {
		return n, err
	}
	return n, c.explain(err)
}

// renew moves the deadline for the next bytes. Not at every read: timers are not
// free, and an eighth more or less does not count.
func (c *wire) renew() error {
	now := time.Now()
	if now.Sub(c.renewed) < c.idle/8 {
		return nil
	}
	first := c.renewed.IsZero()
	c.renewed = now
	deadline := now.Add(c.idle)
	if !c.until.IsZero() && deadline.After(c.until) {
		deadline = c.until
	}
	if err := c.control.SetReadDeadline(deadline); err != nil && first && !errors.Is(err, http.ErrNotSupported) {
		return c.explain(err)
	}
	// The source may have been stopped while the deadline was set.
	if c.service.stopping.Load() {
		return stopping()
	}
	return nil
}

// explain makes an answer of an error of the connection.
func (c *wire) explain(err error) *refusal {
	var large *http.MaxBytesError
	switch {
	case c.service.stopping.Load():
		return stopping()
	case errors.As(err, &large):
		return tooLarge(fmt.Sprintf("the content has more than %d bytes (property maxRequestSize)", large.Limit))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{status: http.StatusRequestTimeout, message: textBadRequest + "the content did not arrive in time", closes: true, unread: true}
	}
	r := bad("reading the content: " + err.Error())
	r.closes = true
	return r
}

// gzips are decompressors of some 40 KiB; they are kept for the next request.
var gzips = sync.Pool{New: func() any { return new(gzip.Reader) }}

// zstdClass is decompressors for windows up to a size.
type zstdClass struct {
	window uint64
	free   sync.Pool
}

// zstds are the classes, the smallest first. No encoder goes beyond the last
// unless it is told to.
var zstds = [...]zstdClass{{window: 128 << 10}, {window: 1 << 20}, {window: 8 << 20}}

// decompress makes c read what its encodings stand for.
func (c *content) decompress(encodings []string) error {
	switch name := strings.ToLower(strings.TrimSpace(strings.Join(encodings, ","))); name {
	case "", "identity":
		return nil
	case "gzip", "x-gzip":
		return c.gunzip()
	case "zstd":
		return c.unzstd()
	default:
		return &refusal{
			status: http.StatusUnsupportedMediaType, unread: true, closes: true,
			message: textBadRequest + fmt.Sprintf("the Content-Encoding %.40q is none of gzip, zstd and identity", name),
		}
	}
}

func (c *content) gunzip() error {
	z, _ := gzips.Get().(*gzip.Reader)
	if err := c.account.hold(64 << 10); err != nil {
		return err
	}
	if err := z.Reset(c.src); err != nil {
		return notGzip(err)
	}
	c.src = z
	c.free = func() { gzips.Put(z) }
	return nil
}

func notGzip(err error) error {
	var r *refusal
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	case errors.Is(err, gzip.ErrHeader):
		return bad("the content is not gzip, which its Content-Encoding says")
	}
	return bad("decompressing the content: " + err.Error())
}

// unzstd reads the beginning of the first frame to see what memory it takes; the
// decoder holds all further frames to that.
func (c *content) unzstd() error {
	start := make([]byte, zstd.HeaderMaxSize)
	n, err := io.ReadFull(c.src, start)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	var h zstd.Header
	if err := h.Decode(start[:n]); err != nil {
		return bad("the content is not zstd, which its Content-Encoding says")
	}
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	class := &zstds[len(zstds)-1]
	for i := range zstds {
		if window <= zstds[i].window {
			class = &zstds[i]
			break
		}
	}
	if err := c.account.hold(2 * int64(class.window)); err != nil {
		return err
	}
	return c.attach(class, io.MultiReader(bytes.NewReader(start[:n]), c.src))
}

// attach makes c read what src stands for.
func (c *content) attach(class *zstdClass, src io.Reader) error {
	z, ok := class.free.Get().(*zstd.Decoder)
	if !ok {
		var err error
		// One goroutine, the caller's; memory as the frame wants it.
		z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(class.window))
		if err != nil {
			return broken("making a zstd decoder: " + err.Error())
		}
	}
	if err := z.Reset(src); err != nil {
		return bad("decompressing the content: " + err.Error())
	}
	c.src = z
	c.free = func() {
		if z.Reset(nil) == nil {
			class.free.Put(z)
		}
	}
	return nil
}
