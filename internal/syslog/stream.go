package syslog

import (
	"bytes"
	"unicode/utf8"
)

// scanPriority reads "<13>" as the states of Flume's stream parser do, and
// reports whether it is there: one to three digits, of any value. end is where its closing bracket is, 0 if it has none.
func (p *Parser) scanPriority(text []byte) (end int, ok bool) {
	if text[0] != '<' {
		return 0, false
	}
	f := &p.fields
	for i := 1; i < len(text) && i <= 4; i++ {
		switch c := text[i]; {
		case c == '>':
			return i, i > 1
		case !isDigit(c) || i == 4:
			return 0, false
		default:
			f.pri = 10*f.pri + int(c-'0')
		}
	}
	// It ends within the priority. Flume takes what it has of a datagram.
	return 0, p.opt.Flume && len(text) > 1
}

// matchStream finds the parts of a message with a priority. What it matches, and
// what not, is what the regular expressions in Flume's source do; see the tests
// for the same as expressions.
func (p *Parser) matchStream(text []byte, end int) bool {
	if c := p.opt.Custom; c != nil && c.match(p, text) {
		return true
	}
	if end == 0 {
		return false
	}
	f := &p.fields
	rest := text[end+1:]
	if p.again(rest) {
		f.priority = text[1:end]
		return true
	}
	if !f.match5424(rest, p.stamp.civil()) && !f.match3164(rest) {
		return false
	}
	if p.opt.Flume && hasTerminator(f.body) {
		f.version, f.time, f.host, f.body, f.kind = nil, nil, nil, nil, kindNone
		return false
	}
	f.priority = text[1:end]
	p.remember(rest)
	return true
}

// match5424 matches what follows the priority: an optional digit of the version,
// stamp or "-", host or "-", body. known is a date and time of day that has been seen to be one.
func (f *fields) match5424(text, known []byte) bool {
	version, rest := cutVersion(text)
	if n := stamp5424(rest, known); n > 0 {
		return f.set(kind5424, version, rest[:n], rest[n:], true)
	}
	if len(rest) > 0 && rest[0] == '-' {
		return f.set(kind5424, version, nil, rest[1:], true)
	}
	// The digit may have been the first of the year.
	if len(version) > 0 {
		if n := stamp5424(text, known); n > 0 {
			return f.set(kind5424, nil, text[:n], text[n:], true)
		}
	}
	return false
}

// match3164 matches what follows the priority: an optional digit, stamp, host,
// body.
func (f *fields) match3164(text []byte) bool {
	version, rest := cutVersion(text)
	n := stamp3164(rest)
	return n > 0 && f.set(kind3164, version, rest[:n], rest[n:], false)
}

// set enters what was found if rest is a separator, a host, a separator and a
// body.
func (f *fields) set(kind stampKind, version, time, rest []byte, nilHost bool) bool {
	if len(rest) == 0 || !isSpace(rest[0]) {
		return false
	}
	rest = rest[1:]
	n := hostLength(rest)
	host := rest[:n]
	if n == 0 {
		if !nilHost || len(rest) == 0 || rest[0] != '-' {
			return false
		}
		n, host = 1, nil
	}
	if n == len(rest) || !isSpace(rest[n]) {
		return false
	}
	f.kind, f.version, f.time, f.host, f.body = kind, version, time, host, rest[n+1:]
	return true
}

// cutVersion takes an optional digit and an optional white space off.
func cutVersion(text []byte) (version, rest []byte) {
	rest = text
	if len(rest) > 0 && isDigit(rest[0]) {
		version, rest = rest[:1], rest[1:]
	}
	if len(rest) > 0 && isSpace(rest[0]) {
		rest = rest[1:]
	}
	return version, rest
}

// stamp5424 returns the length of the stamp that text begins with, 0 without one.
func stamp5424(text, known []byte) int {
	if (len(known) == 0 || !bytes.HasPrefix(text, known)) && !likeCivil(text) {
		return 0
	}
	n := civilLength
	if n < len(text) && text[n] == '.' {
		digits := 0
		for digits < 6 && n+1+digits < len(text) && isDigit(text[n+1+digits]) {
			digits++
		}
		if digits > 0 {
			n += 1 + digits
		}
	}
	if n < len(text) {
		if text[n] == 'Z' {
			return n + 1
		}
		if isOffset(text[n:]) {
			return n + offsetLength
		}
	}
	return n
}

// stamp3164 returns the length of the stamp that text begins with, 0 without one.
func stamp3164(text []byte) int {
	if len(text) < 14 || text[0] < 'A' || text[0] > 'Z' || !isLower(text[1]) || !isLower(text[2]) || !isSpace(text[3]) {
		return 0
	}
	n := 4
	if isSpace(text[n]) {
		n++
	}
	if !isDigit(text[n]) {
		return 0
	}
	if n++; isDigit(text[n]) {
		n++
	}
	if n+9 > len(text) || !isSpace(text[n]) || !likeClock(text[n+1:]) {
		return 0
	}
	return n + 9
}

// hostLength returns the length of the host name that text begins with.
func hostLength(text []byte) int {
	if len(text) == 0 || !isWord(text[0]) {
		return 0
	}
	n := 1
	for n < len(text) && (isWord(text[n]) || text[n] == '.' || text[n] == '@' || text[n] == '-') {
		n++
	}
	return n
}

// hasTerminator reports whether text has what ends a line for Java, at which a
// body that is matched with "." ends.
func hasTerminator(text []byte) bool {
	return bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 ||
		!isASCII(text) && (bytes.Contains(text, []byte("\u0085")) ||
			bytes.Contains(text, []byte("\u2028")) || bytes.Contains(text, []byte("\u2029")))
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// class is what the characters of a message are: bits of those below.
var class = func() (c [256]uint8) {
	for i := range 26 {
		c['a'+i] |= classLower | classWord
		c['A'+i] |= classWord
	}
	for i := range 10 {
		c['0'+i] |= classWord
	}
	c['_'] |= classWord
	for _, s := range " \t\n\v\f\r" {
		c[s] |= classSpace
	}
	return c
}()

const (
	classWord = 1 << iota
	classSpace
	classLower
)

func isWord(c byte) bool  { return class[c]&classWord != 0 }
func isSpace(c byte) bool { return class[c]&classSpace != 0 }
func isLower(c byte) bool { return class[c]&classLower != 0 }
