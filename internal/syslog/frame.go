package syslog

import "bytes"

// Framer cuts a stream into messages. They end at a newline or, if a sender puts
// the length in front (octet counting, RFC 6587), where the length says; a
// stream may have both. Messages over the limit are cut, and what follows is
// looked at as a message of its own, as in Flume.
//
// A length that is wrong costs the messages around it their shape, but no byte:
// behind the counted bytes the stream is in step again at the next newline.
type Framer struct {
	Limit   int     // most bytes of a message
	Dialect Dialect //
	Flume   bool    // no octet counting, and cut as Flume does

	left    int // bytes of an overlong counted message that are still to come
	pending int // bytes that the first message needs; 0 unknown: up to a newline
}

// MinLimit is the smallest limit: Flume has no smaller one for its stream parser.
const MinLimit = 10

const (
	// maxDigits is the most digits of an octet count.
	maxDigits = 9
	// maxPrefix is more than any octet count, or any priority, is long.
	maxPrefix = 16
)

// Next returns the first message of data and the number of bytes to go on
// behind. Without a message, ok is false, and data[n:] is wanted again with more
// behind it.
func (f *Framer) Next(data []byte) (m Message, n int, ok bool) {
	f.pending = 0
	for f.left > 0 {
		m, size, ok := f.remainder(data[n:])
		n += size
		if !ok || len(m.Text) > 0 {
			return m, n, ok
		}
	}
	for n < len(data) && data[n] == '\n' {
		n++
	}
	if n == len(data) {
		return m, n, false
	}
	var size int
	if prefix, count, state := f.octetCount(data[n:]); state == countFound {
		if m, size, ok = f.counted(data[n+prefix:], count); !ok {
			f.pending += prefix
			return m, n, false
		}
		size += prefix
	} else if state == countNone {
		m, size, ok = f.line(data[n:])
	}
	return m, n + size, ok
}

// Waiting reports whether data behind a rest of so many bytes, for which Next
// returned no message, completes none either. It spares long messages that come
// in small pieces being put together for each piece.
func (f *Framer) Waiting(rest int, data []byte) bool {
	switch {
	case rest < maxPrefix:
		return false
	case f.pending > 0:
		return rest+len(data) < f.pending
	default:
		return rest+len(data) < f.window() && bytes.IndexByte(data, '\n') < 0
	}
}

// End returns what the end of the stream leaves, the rest of which Next returned
// no message. In Flume it is lost.
func (f *Framer) End(rest []byte) (m Message, ok bool) {
	if f.Flume {
		return m, false
	}
	if f.left == 0 {
		rest = bytes.TrimLeft(rest, "\n")
		if prefix, _, state := f.octetCount(rest); state == countFound {
			rest = rest[prefix:]
		}
	}
	f.left = 0
	return Message{Text: rest, Cut: true}, len(rest) > 0
}

// window is the number of bytes without a newline at which a message is cut.
// Flume takes a message of just the limit for cut, before it sees the newline.
func (f *Framer) window() int {
	if f.Flume {
		return f.Limit
	}
	return f.Limit + 1
}

func (f *Framer) line(data []byte) (m Message, n int, ok bool) {
	from := 0
	if f.Flume && f.Dialect == Stream {
		from = priorityEnd(data)
	}
	window := data[:min(len(data), f.window())]
	if i := bytes.IndexByte(window[min(from, len(window)):], '\n'); i >= 0 {
		i += from
		return Message{Text: data[:i], LF: true}, i + 1, true
	}
	if len(window) == f.window() {
		return Message{Text: data[:f.Limit], Cut: true}, f.Limit, true
	}
	return m, 0, false
}

// priorityEnd returns where Flume's stream parser begins to look for a newline:
// one among the characters of the priority is just a bad character to it.
func priorityEnd(data []byte) int {
	if data[0] != '<' {
		return 0
	}
	for i := 1; i < len(data); i++ {
		if i == 4 || !isDigit(data[i]) {
			return i + 1
		}
	}
	return len(data)
}

type countState int

const (
	countNone  countState = iota
	countFound            // the message begins behind the prefix
	countMore             // more bytes will tell
)

// octetCount looks for "123 <". Only the bracket makes a number a length: a
// message without a priority may begin with one.
func (f *Framer) octetCount(data []byte) (prefix, count int, state countState) {
	if f.Flume || len(data) == 0 || data[0] < '1' || data[0] > '9' {
		return 0, 0, countNone
	}
	i := 0
	for ; i < len(data) && isDigit(data[i]); i++ {
		if i == maxDigits {
			return 0, 0, countNone
		}
		count = 10*count + int(data[i]-'0')
	}
	switch rest := data[i:]; {
	case len(rest) == 0, len(rest) == 1 && rest[0] == ' ':
		return 0, 0, countMore
	case rest[0] == ' ' && rest[1] == '<':
		return i + 1, count, countFound
	}
	return 0, 0, countNone
}

// counted returns a message of so many bytes, or its beginning if that is over
// the limit.
func (f *Framer) counted(data []byte, count int) (m Message, n int, ok bool) {
	n = min(count, f.Limit)
	if len(data) < n {
		f.pending = n
		return m, 0, false
	}
	f.left = count - n
	if f.left > 0 {
		return Message{Text: data[:n], Cut: true}, n, true
	}
	return trimLF(data[:n]), n, true
}

// remainder returns the next piece of a counted message over the limit.
func (f *Framer) remainder(data []byte) (m Message, n int, ok bool) {
	n = min(f.left, f.Limit)
	if len(data) < n {
		f.pending = n
		return m, 0, false
	}
	f.left -= n
	m = Message{Text: data[:n]}
	if f.left == 0 {
		m = trimLF(data[:n])
	}
	m.Cut = true
	return m, n, true
}

// trimLF takes off the newline that some senders count in.
func trimLF(text []byte) Message {
	if n := len(text) - 1; text[n] == '\n' {
		return Message{Text: text[:n], LF: true}
	}
	return Message{Text: text}
}

// Datagram returns the message that a datagram holds, if any. A datagram is one
// message: newlines inside are part of it. With Flume's faults it ends at the
// first one.
func Datagram(data []byte, flume bool) (m Message, ok bool) {
	for len(data) > 0 && data[0] == '\n' {
		data = data[1:]
	}
	if flume {
		if i := bytes.IndexByte(data[min(prefixOf(data), len(data)):], '\n'); i >= 0 {
			data = data[:i+prefixOf(data)]
			return Message{Text: data, LF: true}, true
		}
		return Message{Text: data}, len(data) > 0 && string(data) != "<"
	}
	for len(data) > 0 && data[len(data)-1] == '\n' {
		data = data[:len(data)-1]
		m.LF = true
	}
	m.Text = data
	return m, len(data) > 0
}

func prefixOf(data []byte) int {
	if len(data) == 0 {
		return 0
	}
	return priorityEnd(data)
}

// untilNUL cuts m before its first NUL, as Flume's line parser does.
func untilNUL(m Message) Message {
	if i := bytes.IndexByte(m.Text, 0); i >= 0 {
		return Message{Text: m.Text[:i], Cut: m.Cut}
	}
	return m
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
