package property

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxSize is the largest configuration text that Read accepts, in bytes.
const MaxSize = 16 << 20

// Entry is one "key = value" of a .properties text, in the order of the file.
// Key and Value.Text are what Java's reader makes of them, blanks at their ends
// included; Trimmed removes those as Flume does.
type Entry struct {
	Key   string
	Value Value

	// Where the first character that trimming leaves is, in key and value.
	innerKey, innerAt Position
}

// Trimmed returns e without the characters up to U+0020 at both ends of its key
// and its value, as Java's String.trim does; the positions move along.
func (e Entry) Trimmed() Entry {
	e.Key = Trim(e.Key)
	e.Value.Text = Trim(e.Value.Text)
	e.Value.Raw = Trim(e.Value.Raw)
	if !e.innerKey.IsZero() {
		e.Value.Key = e.innerKey
	}
	if !e.innerAt.IsZero() {
		e.Value.At = e.innerAt
	}
	return e
}

// Trim removes the characters up to U+0020 at both ends of s, control
// characters included: what Java's String.trim does.
func Trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// Read reads the text of a Java .properties file as java.util.Properties does:
// the same comments, separators, continuations and escapes. The entries are in
// the order of the file; a key that occurs twice is there twice (Duplicates
// finds those). name goes into every position.
//
// Text is UTF-8; a byte order mark is skipped. Text that is not valid UTF-8 is
// taken as ISO-8859-1, the only encoding Flume knows, and a Warning says so. A
// malformed \u escape is an Error; what follows it is read all the same.
// A text over MaxSize is not read at all.
func Read(name string, data []byte) (entries []Entry, problems Problems) {
	if len(data) > MaxSize {
		return nil, Problems{{
			Severity: Error,
			At:       Position{File: name},
			What:     fmt.Sprintf("is larger than %d MiB and was not read", MaxSize>>20),
			Remedy:   "give the path of a properties file",
		}}
	}
	data = trimMark(data)
	s := scanner{file: name, data: data, cursor: cursor{line: 1, col: 1}}
	if !utf8.Valid(data) {
		s.problems = append(s.problems, notUTF8(name, data))
		s.data = fromLatin1(data)
	}
	for s.nextLine() {
		entries = append(entries, s.entry())
	}
	return entries, s.problems
}

// Duplicates returns a Warning for each entry whose trimmed key was defined
// before: the last one is in force, as in Java.
func Duplicates(entries []Entry) Problems {
	var problems Problems
	first := make(map[string]Position, len(entries))
	for _, e := range entries {
		e = e.Trimmed()
		if earlier, ok := first[e.Key]; ok {
			problems = append(problems, Problem{
				Severity: Warning,
				At:       e.Value.Key,
				Key:      e.Key,
				What:     "is defined again and replaces the definition at " + earlier.String(),
				Remedy:   "remove one of the two",
			})
		}
		first[e.Key] = e.Value.Key
	}
	return problems
}

// trimMark removes a UTF-8 byte order mark.
func trimMark(data []byte) []byte {
	const mark = "\ufeff"
	if len(data) >= len(mark) && string(data[:len(mark)]) == mark {
		return data[len(mark):]
	}
	return data
}

// notUTF8 names the first place where data is not UTF-8.
func notUTF8(name string, data []byte) Problem {
	s := scanner{file: name, data: data, cursor: cursor{line: 1, col: 1}}
	for !s.eof() {
		if r, size := utf8.DecodeRune(s.data[s.off:]); r == utf8.RuneError && size == 1 {
			break
		}
		s.advance()
	}
	return Problem{
		Severity: Warning,
		At:       s.pos(),
		What:     fmt.Sprintf("byte 0x%02X is not UTF-8, so the whole text is read as ISO-8859-1", s.data[s.off]),
		Remedy:   `save the file as UTF-8, or write the character as a \uXXXX escape`,
	}
}

// fromLatin1 turns ISO-8859-1 into UTF-8.
func fromLatin1(data []byte) []byte {
	out := make([]byte, 0, len(data)+len(data)/8)
	for _, b := range data {
		out = utf8.AppendRune(out, rune(b))
	}
	return out
}

// cursor is a place in the text: the next character is at off.
type cursor struct{ off, line, col int }

// scanner walks through UTF-8 text. A logical line, one entry, may span
// several lines of the file; joined steps over the seams.
type scanner struct {
	cursor
	file     string
	data     []byte
	problems Problems
}

func (s *scanner) pos() Position { return Position{File: s.file, Line: s.line, Col: s.col} }

func (s *scanner) eof() bool { return s.off >= len(s.data) }

// eol reports whether the line of the file ends here.
func (s *scanner) eol() bool { return s.eof() || isEOL(s.data[s.off]) }

func isEOL(c byte) bool { return c == '\n' || c == '\r' }

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\f' }

func isSeparator(c byte) bool { return c == '=' || c == ':' }

// advance steps over one character and returns it. A line ends with LF, CR or CR LF.
func (s *scanner) advance() rune {
	r, size := utf8.DecodeRune(s.data[s.off:])
	s.off += size
	if r == '\n' || r == '\r' && (s.eof() || s.data[s.off] != '\n') {
		s.line++
		s.col = 1
	} else {
		s.col++
	}
	return r
}

// nextLine moves to the first character of the next entry, over blank lines and
// comments, and reports whether there is one.
func (s *scanner) nextLine() bool {
	for !s.eof() {
		switch c := s.data[s.off]; {
		case isBlank(c) || isEOL(c):
			s.advance()
		case c == '#' || c == '!':
			for !s.eol() {
				s.advance()
			}
		case c == '\\' && s.blankContinuation():
			s.advance()
			s.advance()
		default:
			return true
		}
	}
	return false
}

// blankContinuation reports whether the backslash here joins nothing to the
// next line, which then is as good as the first: it may be a comment. Java
// makes an exception of a backslash on the last line, which is an entry with
// an empty key.
func (s *scanner) blankContinuation() bool {
	rest := s.data[s.off+1:]
	return len(rest) > 1 && isEOL(rest[0])
}

// joined steps over continuations (a backslash before the end of the line, and
// the blanks that start the next one), so that the cursor stands on the next
// character of the logical line or, if eol says so, on its end.
func (s *scanner) joined() {
	for !s.eof() && s.data[s.off] == '\\' {
		next := s.off + 1
		if next < len(s.data) && !isEOL(s.data[next]) {
			return
		}
		s.advance()
		if s.eof() {
			return
		}
		if s.advance() == '\r' && !s.eof() && s.data[s.off] == '\n' {
			s.advance()
		}
		for !s.eof() && isBlank(s.data[s.off]) {
			s.advance()
		}
	}
}

// entry reads the logical line at the cursor.
func (s *scanner) entry() Entry {
	var key, value text
	keyAt, known := s.pos(), len(s.problems)
	separated := false
	for s.joined(); !s.eol(); s.joined() {
		if c := s.data[s.off]; isSeparator(c) || isBlank(c) {
			separated = isSeparator(c)
			s.advance()
			break
		}
		s.char(&key)
	}
	for s.joined(); !s.eol(); s.joined() {
		c := s.data[s.off]
		if !isBlank(c) {
			if separated || !isSeparator(c) {
				break
			}
			separated = true
		}
		s.advance()
	}
	at := s.pos()
	for ; !s.eol(); s.joined() {
		s.char(&value)
	}
	s.loneSurrogates(&key)
	s.loneSurrogates(&value)
	for i := range s.problems[known:] {
		s.problems[known+i].Key = Trim(key.String())
	}
	v := value.String()
	return Entry{
		Key:      key.String(),
		Value:    Value{Text: v, Raw: v, Key: keyAt, At: at},
		innerKey: key.inner,
		innerAt:  value.inner,
	}
}

// char reads one character of a key or value, which an escape may stand for.
// joined has run: a backslash has a character after it.
func (s *scanner) char(t *text) {
	at := s.pos()
	r := s.advance()
	if r != '\\' {
		t.put(r, at)
		return
	}
	switch r = s.advance(); r {
	case 't':
		r = '\t'
	case 'n':
		r = '\n'
	case 'r':
		r = '\r'
	case 'f':
		r = '\f'
	case 'u':
		if unit, ok := s.hex4(); ok {
			r = unit
		} else {
			s.problems = append(s.problems, Problem{
				Severity: Error,
				At:       at,
				What:     `malformed escape: \u is not followed by four hexadecimal digits`,
				Remedy:   `write \uXXXX, or \\u for a backslash and the letter u`,
			})
		}
	}
	t.put(r, at)
}

// hex4 reads four hexadecimal digits, or nothing.
func (s *scanner) hex4() (rune, bool) {
	before := s.cursor
	var unit rune
	for range 4 {
		s.joined()
		digit, ok := rune(0), false
		if !s.eol() {
			digit, ok = hexDigit(s.data[s.off])
		}
		if !ok {
			s.cursor = before
			return 0, false
		}
		s.advance()
		unit = unit<<4 | digit
	}
	return unit, true
}

func hexDigit(c byte) (rune, bool) {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0'), true
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}

func (s *scanner) loneSurrogates(t *text) {
	t.flush()
	if t.lone.IsZero() {
		return
	}
	s.problems = append(s.problems, Problem{
		Severity: Warning,
		At:       t.lone,
		What:     "half of a surrogate pair is no character and becomes U+FFFD",
		Remedy:   `write both halves, for example \uD83D\uDE00`,
	})
}

// text collects a key or value. Escapes speak UTF-16: two of them may make one
// character.
type text struct {
	strings.Builder
	high   rune     // first half of a surrogate pair, waiting for the second
	highAt Position // where that half is
	lone   Position // first half without its other
	inner  Position // first character above U+0020
}

func (t *text) put(r rune, at Position) {
	if r > ' ' && t.inner.IsZero() {
		t.inner = at
	}
	if t.high != 0 {
		if pair := utf16.DecodeRune(t.high, r); pair != utf8.RuneError {
			t.high = 0
			t.WriteRune(pair)
			return
		}
		t.flush()
	}
	switch {
	case !utf16.IsSurrogate(r):
		t.WriteRune(r)
	case r < 0xDC00:
		t.high, t.highAt = r, at
	default:
		t.alone(at)
	}
}

// flush writes what waits for its other half.
func (t *text) flush() {
	if t.high != 0 {
		t.high = 0
		t.alone(t.highAt)
	}
}

func (t *text) alone(at Position) {
	t.WriteRune(utf8.RuneError)
	if t.lone.IsZero() {
		t.lone = at
	}
}
