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

// Parts of an answer without a content, as Go and Jetty write it.
var (
	replyStart = []byte("HTTP/1.1 200 ")
	replyEmpty = []byte("\r\nContent-Length: 0\r\n")
	replyEnd   = []byte("\r\n\r\n")
)

// next reads an answer, which must be of success. One that is not there in one piece, or is another than those are mostly, is parsed.
func (r *replies) next() error {
	n, err := r.from.Read(r.buf[:])
	if err != nil && n == 0 {
		return fmt.Errorf("reading the answer to a request: %w", err)
	}
	got := r.buf[:n]
	if bytes.HasPrefix(got, replyStart) && bytes.HasSuffix(got, replyEnd) && bytes.Contains(got, replyEmpty) {
		return nil
	}
	return r.parse(io.MultiReader(bytes.NewReader(got), r.from))
}

// parse reads the answer that from begins with.
func (r *replies) parse(from io.Reader) error {
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
