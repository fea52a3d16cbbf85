package netcat

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/charset"
	"github.com/flume-go/flume/internal/lineio"
)

// errTooLong says that a line has reached the limit without a newline.
var errTooLong = errors.New("line too long")

// errMalformed says that a line has bytes that are not valid in the encoding and
// that this closes the connection.
var errMalformed = errors.New("malformed input")

// cutter turns the blocks of one connection into events. Not safe for
// concurrent use.
type cutter struct {
	limit   int  // most characters of a line, newline included
	strict  bool // malformed input is an error
	decoded bool // blocks come from a decoder, which marks what it did not understand
	rest    lineio.Rest

	counted, chars int // of rest: bytes looked at so far, and characters in them
}

// cut appends the complete lines of data, which is what rest.Commit returned, to
// b and keeps what follows them. malformed is the number of lines with bytes not
// valid in the encoding. After an error b has the lines before the one that is
// the reason.
func (c *cutter) cut(b *event.Batch, data []byte) (malformed int, err error) {
	suspect := false
	if c.rest.Len() > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			return 0, c.keep(data)
		}
		first := c.rest.Join(b, data[:end+1])
		data = data[end+1:]
		c.counted, c.chars = 0, 0
		if c.tooLong(first[:len(first)-1]) {
			return 0, errTooLong
		}
		b.AppendLine(first)
		suspect = !c.valid(first)
	}
	n, err := c.appendLines(b, data)
	if suspect || !c.valid(data[:n]) {
		if malformed = c.checkEach(b); c.strict {
			return malformed, errMalformed
		}
	}
	if err == nil {
		err = c.keep(data[n:])
	}
	return malformed, err
}

// appendLines appends the lines that data holds and returns their length.
func (c *cutter) appendLines(b *event.Batch, data []byte) (n int, err error) {
	for {
		end := bytes.IndexByte(data[n:], '\n')
		if end < 0 {
			return n, nil
		}
		line := data[n : n+end+1]
		if c.tooLong(line[:end]) {
			return n, errTooLong
		}
		b.AppendLine(line)
		n += end + 1
	}
}

// tooLong reports whether a line (without its newline) is over the limit. No
// character is shorter than a byte: most lines are judged by their bytes.
func (c *cutter) tooLong(line []byte) bool {
	if len(line) < c.limit {
		return false
	}
	n, _ := countChars(line, true)
	return n >= c.limit
}

// keep puts data, the beginning of a line, with the rest. Characters are counted
// as they come, so that a long line costs no more in many small pieces.
func (c *cutter) keep(data []byte) error {
	c.rest.Append(data)
	all := c.rest.Bytes()
	if len(all) < c.limit {
		return nil
	}
	chars, size := countChars(all[c.counted:], false)
	c.counted += size
	c.chars += chars
	if c.chars >= c.limit {
		return errTooLong
	}
	return nil
}

// valid reports whether whole lines are valid in the encoding. UTF-8 that is kept
// as it comes, whatever it is, is not looked at: that would take longer than
// everything else together when text is not English, to no effect.
func (c *cutter) valid(lines []byte) bool {
	switch {
	case c.decoded:
		return !bytes.Contains(lines, []byte(charset.Replacement))
	case c.strict:
		return utf8.Valid(lines)
	default:
		return true
	}
}

// checkEach counts the malformed lines of b. If they are an error, b keeps only
// the lines before the first.
func (c *cutter) checkEach(b *event.Batch) (malformed int) {
	b.Filter(func(e *event.Event) bool {
		if !c.valid(e.Body) {
			malformed++
		}
		return !c.strict || malformed == 0
	})
	return malformed
}

// countChars returns the number of characters in text as Java counts them (two
// for those outside the basic plane; one for each byte that is not UTF-8), and
// the bytes they take. A last character that may still be completed counts only
// if text is complete.
func countChars(text []byte, complete bool) (chars, size int) {
	for size < len(text) {
		if text[size] < utf8.RuneSelf {
			chars++
			size++
			continue
		}
		if !complete && !utf8.FullRune(text[size:]) {
			break
		}
		r, n := utf8.DecodeRune(text[size:])
		if chars++; r > 0xFFFF {
			chars++
		}
		size += n
	}
	return chars, size
}
