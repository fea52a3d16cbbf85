package roles

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// replies reads what an HTTP server answers on a connection where each request waits for the answer to the one before. A generator
// that parses every answer takes a tenth of its time for that, and the programs that it is there for have so much less.
type replies struct {
	from io.Reader
	buf  [4096]byte
}

// Parts of an answer without a content. Go writes it with its length; Jetty, on which Apache Flume runs, as a last chunk, mostly
// by a second call, so that it may come in two pieces.
var (
	replyStart   = []byte("HTTP/1.1 200 ")
	replyEmpty   = []byte("\r\nContent-Length: 0\r\n")
	replyChunked = []byte("\r\nTransfer-Encoding: chunked\r\n")
	replyEnd     = []byte("\r\n\r\n")
	replyChunk   = []byte("0\r\n\r\n")
)

// next reads an answer, which must be of success. One that is another than those are mostly is parsed.
func (r *replies) next() error {
	n, err := r.from.Read(r.buf[:])
	if err != nil && n == 0 {
		return fmt.Errorf("reading the answer to a request: %w", err)
	}
	got := r.buf[:n]
	if !bytes.HasPrefix(got, replyStart) || !bytes.HasSuffix(got, replyEnd) {
		return r.parse(got)
	}
	head := got[:bytes.Index(got, replyEnd)+len(replyEnd)]
	switch behind := got[len(head):]; {
	case bytes.Contains(head, replyEmpty) && len(behind) == 0:
		return nil
	case !bytes.Contains(head, replyChunked):
		return r.parse(got)
	case bytes.Equal(behind, replyChunk):
		return nil
	case len(behind) > 0:
		return r.parse(got)
	}
	more, err := r.from.Read(r.buf[n:])
	if bytes.Equal(r.buf[n:n+more], replyChunk) {
		return nil
	}
	if err != nil && more == 0 {
		return fmt.Errorf("reading the end of the answer to a request: %w", err)
	}
	return r.parse(r.buf[:n+more])
}

// parse reads the answer that begins with got.
func (r *replies) parse(got []byte) error {
	from := io.MultiReader(bytes.NewReader(got), r.from)
	reply, err := http.ReadResponse(bufio.NewReader(from), nil)
	if err != nil {
		return fmt.Errorf("reading the answer to a request: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(reply.Body, answerShown))
	if err == nil {
		err = reply.Body.Close()
	}
	if err != nil {
		return fmt.Errorf("reading the answer to a request: %w", err)
	}
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("a request was answered with %s: %q", reply.Status, body)
	}
	return nil
}
