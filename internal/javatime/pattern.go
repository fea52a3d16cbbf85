package javatime

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// maxPattern and maxCount bound patterns and the run of one letter.
const (
	maxPattern = 4096
	maxCount   = 100
)

// element is a field of a pattern (letter and how often it is repeated), or
// literal text when letter is 0.
type element struct {
	letter byte
	count  int
	text   string
}

// Format is a compiled pattern. It is immutable and safe for concurrent use.
type Format struct {
	pattern  string
	joda     bool
	elements []element
	now      func() time.Time // places two-digit years
}

// String returns the pattern.
func (f *Format) String() string { return f.pattern }

// CompileSimpleDateFormat parses a java.text.SimpleDateFormat pattern.
func CompileSimpleDateFormat(pattern string) (*Format, error) {
	f := &Format{pattern: pattern, now: time.Now}
	if err := f.compile("GyYMLwWDdFEuaHkKhmsSzZX"); err != nil {
		return nil, err
	}
	return f, nil
}

// CompileJoda parses a pattern of org.joda.time.format.DateTimeFormat.
func CompileJoda(pattern string) (*Format, error) {
	f := &Format{pattern: pattern, joda: true, now: time.Now}
	if pattern == "" {
		return nil, f.fail(0, "the pattern is empty")
	}
	if err := f.compile("GCYxweEyDMdaKhHkmsSzZ"); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Format) fail(at int, format string, args ...any) error {
	return fmt.Errorf("compiling date pattern %q: column %d: %s", f.pattern,
		utf8.RuneCountInString(f.pattern[:at])+1, fmt.Sprintf(format, args...))
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// compile splits the pattern into elements. Text in quotes and every character
// that is no letter stand for themselves; two quotes are one quote.
func (f *Format) compile(letters string) error {
	if len(f.pattern) > maxPattern {
		return fmt.Errorf("compiling date pattern: it has %d bytes, the limit is %d", len(f.pattern), maxPattern)
	}
	p := f.pattern
	for i := 0; i < len(p); {
		c := p[i]
		switch {
		case c == '\'':
			text, next, closed := quoted(p, i)
			if !closed && !f.joda { // Joda-Time takes the rest as quoted
				return f.fail(i, "the quote is not closed")
			}
			f.literal(text)
			i = next
		case !isLetter(c):
			f.literal(p[i : i+1])
			i++
		default:
			n := 1
			for i+n < len(p) && p[i+n] == c {
				n++
			}
			if !strings.Contains(letters, string(c)) {
				return f.fail(i, "unknown pattern letter %c; put plain text in quotes", c)
			}
			if n > maxCount || c == 'X' && n > 3 {
				return f.fail(i, "the letter %c is repeated %d times, which is too often", c, n)
			}
			f.elements = append(f.elements, element{letter: c, count: n})
			i += n
		}
	}
	return nil
}

// quoted reads quoted text at the quote p[i] and returns where it ends.
func quoted(p string, i int) (text string, next int, closed bool) {
	if strings.HasPrefix(p[i:], "''") {
		return "'", i + 2, true
	}
	var b strings.Builder
	for i++; i < len(p); i++ {
		if p[i] == '\'' {
			if !strings.HasPrefix(p[i:], "''") {
				return b.String(), i + 1, true
			}
			i++
		}
		b.WriteByte(p[i])
	}
	return b.String(), i, false
}

func (f *Format) literal(text string) {
	if n := len(f.elements); n > 0 && f.elements[n-1].letter == 0 {
		f.elements[n-1].text += text
		return
	}
	f.elements = append(f.elements, element{text: text})
}

// numeric reports whether the element is written in digits.
func (e element) numeric() bool {
	switch e.letter {
	case 'M', 'L':
		return e.count <= 2
	case 0, 'G', 'E', 'a', 'z', 'Z', 'X':
		return false
	}
	return true
}
