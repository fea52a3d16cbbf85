package searchreplace

import (
	"sync"

	"github.com/flume-go/flume/internal/charset"
)

// scratch is memory for the forms that one body takes on its way.
type scratch struct {
	text, out, encoded []byte // decoded, replaced, encoded
}

var buffers = sync.Pool{New: func() any { return new(scratch) }}

// maxKept bounds the memory that outlives a batch: a single body of 100 MB must
// not stay for ever.
const maxKept = 1 << 20

func (s *scratch) free() {
	if cap(s.text)+cap(s.out)+cap(s.encoded) <= maxKept {
		buffers.Put(s)
	}
}

// decode decodes body into s.text.
func (s *scratch) decode(cs charset.Charset, body []byte) {
	if n := charset.MaxDecoded(len(body)) + charset.MaxDecoded(0); cap(s.text) < n {
		s.text = make([]byte, n)
	}
	buf := s.text[:cap(s.text)]
	d := cs.NewDecoder()
	n := d.Decode(buf, body)
	n += d.Finish(buf[n:])
	s.text = buf[:n]
}

func ascii(p []byte) bool {
	for _, c := range p {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
