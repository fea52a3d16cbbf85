package http

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/flume-go/flume/event"
)

const (
	firstWindow = 64 << 10
	keptWindow  = 1 << 20 // a window that grew beyond is not kept for the next request
)

// errEnd says that the text ended where something was still to come. It becomes a
// syntaxError where the place is known to matter.
var errEnd = errors.New("the text ends too early")

// syntaxError is a place in a request's text where it is not what it should be.
// Both count from 1, columns in bytes of UTF-8.
type syntaxError struct {
	line, column int
	what         string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("%s at line %d column %d", e.what, e.line, e.column)
}

// scanner finds the words of JSON, in the lenient form that Flume's parser reads:
// names and texts without quotes or in single ones, comments, ";" for "," and
// "=" or "=>" for ":".
//
// The text, UTF-8, goes through a window. It slides when it has been read to its
// end, and grows when one word is larger, so a word is always in one piece. What a
// method returns is valid until the next call of any other; but where the window is
// memory of a batch it does not slide, and words stay as long as the batch.
type scanner struct {
	src      io.Reader
	buf      []byte
	own      []byte       // the window for texts whose words are copied
	lasting  *event.Batch // the window is its memory; nil for own
	pos, end int          // what is to be scanned is buf[pos:end]
	keep     int          // what stands before is not needed any more
	err      error        // why src gives no more: io.EOF at its end

	counted int // what stands before has been counted: the window may differ from the text there
	lines   int // newlines that have been counted
	column  int // bytes of the current line that have been counted
	moves   int // how often the window has slid or been replaced

	// What the text so far may have any of. Looking once for each block that is read
	// takes a fifth of the time that looking in each word does.
	escapes, invalid bool // backslashes; bytes that are not UTF-8

	// weigh, if not nil, is asked before more is read. taken is the size of the
	// window, read that of the text so far.
	weigh func(taken, read int) error
	read  int
	spent int // bytes of memory, besides that of windows, that lasts as long as the batch
}

// start begins the text of src.
func (s *scanner) start(src io.Reader) {
	if s.own == nil {
		s.own = make([]byte, firstWindow)
	}
	*s = scanner{src: src, buf: s.own, own: s.own, weigh: s.weigh}
}

// startLasting begins the text of src, which is expected to have size bytes, in
// memory of b.
func (s *scanner) startLasting(src io.Reader, b *event.Batch, size int64) {
	// A byte more, for the read that finds the end. At first no more than a window:
	// a client may only say that it will send so much.
	window := b.Alloc(int(min(size, firstWindow-2)) + 1)
	*s = scanner{src: src, buf: window, own: s.own, lasting: b, weigh: s.weigh}
}

// finish lets go of the text, and of a window too large to be kept for the next.
func (s *scanner) finish() {
	if s.lasting == nil && s.buf != nil {
		s.own = s.buf
	}
	if len(s.own) > keptWindow {
		s.own = nil
	}
	s.src, s.buf, s.lasting = nil, nil, nil
}

// more reads on, behind what is kept, and reports whether there was something.
// Indexes into buf are dead then, but those relative to keep are not.
func (s *scanner) more() bool {
	if s.err != nil || !s.makeRoom() {
		return false
	}
	for range 100 {
		n, err := s.src.Read(s.buf[s.end:])
		s.look(s.buf[s.end : s.end+n])
		s.end += n
		s.read += n
		s.err = err
		if n > 0 || err != nil {
			return n > 0
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// makeRoom sees that the window has room behind end, as far as that may be had.
func (s *scanner) makeRoom() bool {
	size := len(s.buf)
	full := s.end == size
	if full && s.lasting == nil {
		s.slide()
		full = s.end == size
	}
	if full {
		size *= 2
		if s.lasting != nil { // a byte less than a power of two is where batches waste none
			size = max(firstWindow-1, 2*(s.end-s.keep)+1)
		}
	}
	if s.weigh != nil {
		if s.err = s.weigh(size, s.read); s.err != nil {
			return false
		}
	}
	switch {
	case !full:
	case s.lasting != nil:
		s.move(s.lasting.Alloc(size))
	default:
		s.move(make([]byte, size))
	}
	return true
}

// look notes what is in a block. A character that is not all in one block counts as
// not valid; looking again in each word tells.
func (s *scanner) look(block []byte) {
	s.escapes = s.escapes || bytes.IndexByte(block, '\\') >= 0
	s.invalid = s.invalid || !utf8.Valid(block)
}

// slide drops what stands before keep.
func (s *scanner) slide() {
	if s.keep > 0 {
		s.move(s.buf)
	}
}

// move makes window the window, with what stands behind keep.
func (s *scanner) move(window []byte) {
	s.count(s.keep)
	copy(window, s.buf[s.keep:s.end])
	s.buf = window
	s.pos -= s.keep
	s.end -= s.keep
	s.keep, s.counted = 0, 0
	s.moves++
}

// count counts what stands before buf[i].
func (s *scanner) count(i int) {
	s.lines, s.column = s.place(i)
	s.counted = i
}

// place returns how many newlines, and bytes of the line, are before buf[i], which
// has not been counted.
func (s *scanner) place(i int) (lines, column int) {
	text := s.buf[s.counted:i]
	n := bytes.Count(text, newline)
	if n == 0 {
		return s.lines, s.column + len(text)
	}
	return s.lines + n, len(text) - 1 - bytes.LastIndexByte(text, '\n')
}

var newline = []byte{'\n'}

// fail returns the error for what is wrong at buf[pos]. Where reading has failed
// that is the reason, and the error.
func (s *scanner) fail(what string) error {
	if s.err != nil && !errors.Is(s.err, io.EOF) {
		return s.err
	}
	line, column := s.place(min(s.pos, s.end))
	return &syntaxError{line + 1, column + 1, what}
}

// next skips white space and comments and returns the byte that follows, without
// consuming it. At the end of the text the error is errEnd.
func (s *scanner) next() (byte, error) {
	if s.pos < s.end {
		if c := s.buf[s.pos]; c > ' ' && c != '/' && c != '#' {
			return c, nil // nearly always
		}
	}
	return s.skipSpace()
}

// skipSpace is next where there may be something to skip.
func (s *scanner) skipSpace() (byte, error) {
	for {
		for s.pos < s.end {
			switch c := s.buf[s.pos]; c {
			case ' ', '\t', '\r', '\n':
				s.pos++
			case '/', '#':
				if was, err := s.comment(c); !was || err != nil {
					return c, err
				}
			default:
				return c, nil
			}
		}
		s.keep = s.pos
		if !s.more() {
			return 0, s.ended()
		}
	}
}

// ended returns the error for a text that is over.
func (s *scanner) ended() error {
	if errors.Is(s.err, io.EOF) {
		return errEnd
	}
	return s.err
}

// comment skips a comment that begins with c, and reports whether it is one.
func (s *scanner) comment(c byte) (bool, error) {
	s.keep = s.pos
	if c == '#' {
		s.skipLine()
		return true, nil
	}
	if s.pos+1 == s.end && !s.more() {
		return false, nil
	}
	switch s.buf[s.pos+1] {
	case '/':
		s.skipLine()
		return true, nil
	case '*':
		s.pos += 2
		return true, s.skipPast("*/", "unterminated comment")
	}
	return false, nil
}

// skipLine skips the rest of the line, its end included.
func (s *scanner) skipLine() {
	for {
		if i := bytes.IndexAny(s.buf[s.pos:s.end], "\r\n"); i >= 0 {
			s.pos += i + 1
			return
		}
		s.pos = s.end
		s.keep = s.pos
		if !s.more() {
			return
		}
	}
}

func (s *scanner) skipPast(what, otherwise string) error {
	for {
		if i := bytes.Index(s.buf[s.pos:s.end], []byte(what)); i >= 0 {
			s.pos += i + len(what)
			return nil
		}
		// The beginning of what may be the last that is there.
		s.pos = max(s.pos, s.end-len(what)+1)
		s.keep = s.pos
		if !s.more() {
			s.pos = s.end
			return s.fail(otherwise)
		}
	}
}

// has reports whether the text goes on with word, which is short.
func (s *scanner) has(word string) bool {
	s.keep = s.pos
	for s.end-s.pos < len(word) {
		if !s.more() {
			return false
		}
	}
	return string(s.buf[s.pos:s.pos+len(word)]) == word
}

// bare are the bytes of which words without quotes consist.
var bare = func() (is [256]bool) {
	for i := range is {
		is[i] = true
	}
	for _, c := range "/\\;#={}[]:, \t\f\r\n" {
		is[c] = false
	}
	return is
}()

// literal consumes a word without quotes, which may be empty.
func (s *scanner) literal() []byte {
	s.keep = s.pos
	for {
		for s.pos < s.end && bare[s.buf[s.pos]] {
			s.pos++
		}
		if s.pos < s.end || !s.more() {
			return s.buf[s.keep:s.pos]
		}
	}
}

// quoted consumes a text up to the quote that ends it, of which the first has been
// consumed, and returns it without escapes.
func (s *scanner) quoted(quote byte) ([]byte, error) {
	s.keep = s.pos
	if !s.escapes {
		if i := bytes.IndexByte(s.buf[s.pos:s.end], quote); i >= 0 {
			s.pos += i + 1
			return s.buf[s.keep : s.pos-1], nil
		}
	}
	// Relative to keep: no quote is before search, no escape before from.
	search, from := 0, 0
	escaped := false
	for {
		word := s.buf[s.keep:s.end]
		i := bytes.IndexByte(word[min(search, len(word)):], quote)
		if i < 0 {
			search = max(search, len(word))
			if !s.more() {
				s.pos = s.end
				return nil, s.fail("unterminated string")
			}
			continue
		}
		i += search
		for s.escapes && from <= i {
			e := bytes.IndexByte(word[from:i], '\\')
			if e < 0 {
				break
			}
			escaped = true
			from += e + 2 // the backslash and what it escapes
		}
		if from > i { // the quote itself
			search = from
			continue
		}
		s.pos = s.keep + i + 1
		if escaped {
			return s.unescape(word[:i])
		}
		return word[:i], nil
	}
}

// unescape returns word, which begins at buf[keep], without its escapes. It becomes
// no longer, so it is written where it stood; what is needed to tell the place of an
// error is counted before.
func (s *scanner) unescape(word []byte) ([]byte, error) {
	out := word[:0]
	if bytes.IndexByte(word, '\n') >= 0 { // lenient texts only: the lines are still to be counted
		out = make([]byte, 0, len(word))
		if s.lasting != nil {
			s.spent += len(word)
		}
	} else {
		s.count(s.keep)
		s.counted += len(word)
		s.column += len(word)
	}
	for n := 0; n < len(word); {
		if word[n] != '\\' {
			next := bytes.IndexByte(word[n:], '\\')
			if next < 0 {
				next = len(word) - n
			}
			out = append(out, word[n:n+next]...)
			n += next
			continue
		}
		// A backslash is never the last: it would have escaped the quote.
		size := 2
		switch c := word[n+1]; c {
		case 'u':
			r, width := unicodeEscape(word[n:])
			if width == 0 {
				return nil, s.badEscape(n)
			}
			out, size = utf8.AppendRune(out, r), width
		case 't', 'b', 'n', 'r', 'f':
			out = append(out, controls[c])
		case '\'', '"', '\\', '/', '\n':
			out = append(out, c)
		default:
			return nil, s.badEscape(n)
		}
		n += size
	}
	return out, nil
}

// badEscape returns the error for an escape n bytes behind keep.
func (s *scanner) badEscape(n int) error {
	s.pos = s.keep + n
	if back := s.counted - s.pos; back > 0 { // in a line that has no end before
		s.counted -= back
		s.column -= back
	}
	return s.fail("invalid escape sequence")
}

var controls = [256]byte{'t': '\t', 'b': '\b', 'n': '\n', 'r': '\r', 'f': '\f'}

// unicodeEscape returns the character of the \u escape that word begins with, or
// of two that are a pair, and how many bytes that takes; 0 if it is none. Half a
// pair is a question mark, as Java writes it.
func unicodeEscape(word []byte) (r rune, width int) {
	hi, ok := hex4(word)
	switch {
	case !ok:
		return 0, 0
	case hi < 0xD800 || hi > 0xDFFF:
		return hi, 6
	case hi >= 0xDC00:
		return '?', 6
	}
	if lo, ok := hex4(word[6:]); ok && lo >= 0xDC00 && lo <= 0xDFFF {
		return (hi-0xD800)<<10 + (lo - 0xDC00) + 0x10000, 12
	}
	return '?', 6
}

// hex4 reads \uXXXX.
func hex4(word []byte) (rune, bool) {
	if len(word) < 6 || word[0] != '\\' || word[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range word[2:6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
