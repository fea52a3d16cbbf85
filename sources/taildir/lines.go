package taildir

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/javaregex"
)

// ending says what the end of the text given to a cutter means.
type ending int

const (
	more  ending = iota // more may come: what is not complete is left
	pause               // nothing has come for a while: complete lines are an event
	last                // nothing will come: all of it is events
)

// cutter finds the events in a text: lines, or groups of lines. It has no state:
// the same text gives the same events.
type cutter struct {
	maxLine int        // most bytes of a line
	multi   *multiline // nil: each line is an event
}

func newCutter(cfg Config) (cutter, error) {
	c := cutter{maxLine: cfg.MaxLineLength}
	if cfg.MultilineRegex == "" {
		return c, nil
	}
	re, err := javaregex.Compile(cfg.MultilineRegex)
	if err != nil {
		return c, fmt.Errorf("property multiline.pattern: %w", err)
	}
	c.multi = &multiline{
		pattern: re, negate: cfg.Negate, next: cfg.What == next,
		maxLines: cfg.MaxLines, maxBytes: cfg.MaxBytes,
	}
	c.maxLine = min(c.maxLine, cfg.MaxBytes)
	return c, nil
}

// reach is the number of bytes in which there is always an event.
func (c *cutter) reach() int {
	if c.multi != nil {
		return c.multi.maxBytes + 2 + c.maxLine + 2 // an event, and the line that ends it
	}
	return c.maxLine + 2
}

// first returns the body of the event with which text begins, and the number of
// bytes that it takes with what ends it: 0 if it is not complete. cut says that it
// is a part of a line that is too long.
func (c *cutter) first(text []byte, e ending) (body []byte, n int, cut bool) {
	if c.multi != nil {
		return c.multi.first(c, text, e)
	}
	return c.line(text, e)
}

// line is first for single lines.
func (c *cutter) line(text []byte, e ending) (body []byte, n int, cut bool) {
	window := text[:min(len(text), c.maxLine+2)]
	i := bytes.IndexByte(window, '\n')
	switch {
	case i >= 0 && (i <= c.maxLine || window[i-1] == '\r'):
		return trimCR(text[:i]), i + 1, false
	case i >= 0 || len(window) == c.maxLine+2 || e == last && len(text) > c.maxLine:
		n := boundary(text[:c.maxLine])
		return text[:n], n, true
	case e == last:
		return text, len(text), false
	default:
		return nil, 0, false
	}
}

// lines appends to b the lines with which text begins, at most most of them, and
// returns how many there were and how many bytes they take. It is first for many
// events at once, and stops before what is not simple: a line that is not complete
// or too long, or several lines that may be one event.
func (c *cutter) lines(b *event.Batch, text []byte, most int) (taken, n int) {
	if c.multi != nil {
		return 0, 0
	}
	for taken < most {
		window := text[n:min(len(text), n+c.maxLine+1)]
		i := bytes.IndexByte(window, '\n')
		switch {
		case i < 0:
			return taken, n
		case i > 0 && window[i-1] == '\r':
			b.Append(window[:i-1])
		default:
			b.AppendLine(window[:i+1])
		}
		n += i + 1
		taken++
	}
	return taken, n
}

// trimCR removes one carriage return from the end of a line.
func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// boundary returns the length of text without a character at its end that is not
// complete.
func boundary(text []byte) int {
	for i := len(text) - 1; i > 0 && i >= len(text)-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return i
			}
			break
		}
	}
	return len(text)
}

// multiline says which lines belong together.
type multiline struct {
	pattern  *javaregex.Regexp
	negate   bool
	next     bool // a line that joins does so with the next, not with the previous
	maxLines int
	maxBytes int
}

// joins reports whether a line belongs to its neighbour.
func (m *multiline) joins(line []byte) bool {
	found, err := m.pattern.Find(line)
	return err == nil && found != m.negate
}

// first is cutter.first. An event of several lines holds them as they are in the
// file, without what ends the last of them.
func (m *multiline) first(c *cutter, text []byte, e ending) (body []byte, n int, cut bool) {
	end, size := 0, 0 // of the event so far: with and without what ends its last line
	for lines := 0; lines < m.maxLines; lines++ {
		line, n, cut := c.line(text[end:], e)
		if n == 0 {
			break // not complete: nothing can be said about it
		}
		if lines > 0 {
			if end+len(line) > m.maxBytes || (!m.next && !m.joins(line)) {
				return text[:size], end, false
			}
		} else if cut {
			return line, n, true
		}
		size, end = end+len(line), end+n
		if m.next && !m.joins(line) {
			return text[:size], end, false
		}
		if lines == m.maxLines-1 {
			return text[:size], end, false
		}
	}
	if end > 0 && e != more {
		return text[:size], end, false
	}
	return nil, 0, false
}
