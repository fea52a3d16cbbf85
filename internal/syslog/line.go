package syslog

import (
	"bytes"
	"unicode/utf8"

	"github.com/flume-go/flume/internal/charset"
)

// matchLine finds the parts of a message as Flume's line parser does, which
// looks for spaces and at little else. It reports whether they are there.
func (p *Parser) matchLine(text []byte) bool {
	rest, ok := p.linePriority(text)
	if !ok {
		return false
	}
	if p.again(rest) {
		return true
	}
	if !p.lineHead(rest) {
		return false
	}
	p.remember(rest)
	return true
}

// lineHead finds the parts behind the priority.
func (p *Parser) lineHead(rest []byte) (ok bool) {
	f := &p.fields
	f.kind = kindNone
	if len(rest) > 2 && rest[0] == '1' && rest[1] == ' ' {
		f.version, rest = rest[:1], rest[2:]
	}
	switch c := rest[0]; {
	case c == '-':
		if len(rest) <= 2 {
			return false
		}
		f.kind, rest = kind5424, rest[2:]
	case c >= 'A' && c <= 'Z':
		if rest, ok = p.lineStamp3164(rest); !ok {
			return false
		}
	default:
		end := bytes.IndexByte(rest, ' ')
		if end < 0 {
			return false
		}
		f.kind, f.time, rest = kind5424, rest[:end], rest[end+1:]
		if !p.resolve(kind5424, f.time) {
			return false
		}
	}
	end := bytes.IndexByte(rest, ' ')
	if end < 0 {
		return false
	}
	f.host, f.body = rest[:end], rest[end+1:]
	return true
}

// linePriority reads "<13>", with up to five digits, and returns what follows.
func (p *Parser) linePriority(text []byte) (rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '<' {
		return nil, false
	}
	end := bytes.IndexByte(text[:min(len(text), 7)], '>')
	if end < 2 || end+1 == len(text) {
		return nil, false
	}
	for _, c := range text[1:end] {
		if !isDigit(c) {
			return nil, false
		}
		p.fields.pri = 10*p.fields.pri + int(c-'0')
	}
	p.fields.priority = text[1:end]
	return text[end+1:], true
}

// lineLength is the length of a stamp with a day of two characters.
const lineLength = 15

// lineStamp3164 takes the stamp off. Flume takes any 15 characters for one, so
// that a message without stamp and host gets some of its words for them; here
// such a message is invalid, unless faults are wanted.
func (p *Parser) lineStamp3164(text []byte) (rest []byte, ok bool) {
	f := &p.fields
	f.kind = kind3164
	if p.opt.Flume {
		if len(text) <= lineLength {
			return nil, false
		}
		f.time = text[:lineLength]
		return text[lineLength+1:], true
	}
	n := stamp3164(text)
	if n == 0 || n == len(text) || text[n] != ' ' {
		return nil, false
	}
	f.time = text[:n]
	return text[n+1:], true
}

// decodable reports whether text is valid in the character set of the stream.
func (p *Parser) decodable(text []byte) bool {
	if p.opt.Charset.IsUTF8() {
		return utf8.Valid(text)
	}
	return isASCII(text) || !bytes.Contains(p.decode(text), []byte(charset.Replacement))
}

// decode returns text in UTF-8, until the next call. What has no meaning becomes
// U+FFFD.
func (p *Parser) decode(text []byte) []byte {
	if p.decoder == nil {
		p.decoder = p.opt.Charset.NewDecoder()
	}
	if need := charset.MaxDecoded(len(text)) + charset.MaxDecoded(0); cap(p.scratch) < need {
		p.scratch = make([]byte, need)
	}
	space := p.scratch[:cap(p.scratch)]
	n := p.decoder.Decode(space, text)
	n += p.decoder.Finish(space[n:])
	return space[:n]
}
