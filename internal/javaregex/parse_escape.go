package javaregex

import "strings"

// escapeAtom parses an escape outside a character class.
func (p *parser) escapeAtom() (*node, error) {
	col := p.col()
	c := p.at(1)
	if o, ok := map[rune]op{'A': opBegin, 'z': opEnd, 'Z': opEndOrBreak, 'G': opLastMatch, 'b': opWordBound, 'B': opNotBound}[c]; ok {
		p.pos += 2
		if c == 'b' && p.at(0) == '{' {
			return nil, p.failAt(col, `the grapheme boundary \b{g} is not supported`)
		}
		return &node{op: o, flags: p.flags, col: col}, nil
	}
	switch {
	case '1' <= c && c <= '9':
		return p.numberedRef()
	case c == 'k':
		return p.namedRef()
	case c == 'R':
		p.pos += 2
		return p.lineBreak(col)
	case c == 'X':
		return nil, p.failAt(col, `the extended grapheme cluster \X is not supported`)
	}
	r, s, err := p.escape(false)
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = foldSingle(r, p.flags)
	}
	return p.setNode(s, col)
}

// lineBreak is \R: CR LF, or any one vertical space.
func (p *parser) lineBreak(col int) (*node, error) {
	p.spans += len(vertical)
	set := func(s runeSet) *node { return &node{op: opSet, set: s, col: col} }
	crlf := &node{op: opConcat, subs: []*node{set(runesOf('\r')), set(runesOf('\n'))}}
	return &node{op: opAlternate, subs: []*node{crlf, set(vertical)}, col: col, lineBreak: true}, nil
}

// numberedRef parses \n. Digits are added while a group of that number is open
// or closed already; the first digit always counts.
func (p *parser) numberedRef() (*node, error) {
	ref := &node{op: opBackref, flags: p.flags, col: p.col()}
	p.pos++
	ref.group = int(p.raw() - '0')
	for isDigit(p.peek()) {
		next := ref.group*10 + int(p.at(0)-'0')
		if next > p.groups {
			break
		}
		ref.group = next
		p.pos++
	}
	return ref, nil
}

func (p *parser) namedRef() (*node, error) {
	col := p.col()
	p.pos += 2
	if p.raw() != '<' {
		return nil, p.failAt(col, `\k is not followed by < and a group name`)
	}
	name, err := p.groupName()
	if err != nil {
		return nil, err
	}
	group, ok := p.names[name]
	if !ok {
		return nil, p.failAt(col, "the named capturing group <%s> does not exist", name)
	}
	return &node{op: opBackref, group: group, flags: p.flags, col: col}, nil
}

// escape parses an escape that is valid inside and outside a class. It gives a
// code point, or a set for \d, \p{…} and the like. beforeRange says that the
// escape starts a range, where \v keeps its old meaning of vertical tab.
func (p *parser) escape(beforeRange bool) (rune, runeSet, error) {
	col := p.col()
	p.pos++
	c := p.raw()
	switch c {
	case eof:
		return 0, nil, p.failAt(col, "the pattern ends in a backslash")
	case 't':
		return '\t', nil, nil
	case 'n':
		return '\n', nil, nil
	case 'r':
		return '\r', nil, nil
	case 'f':
		return '\f', nil, nil
	case 'a':
		return 7, nil, nil
	case 'e':
		return 27, nil, nil
	case 'v':
		if beforeRange {
			return '\v', nil, nil
		}
	case '0':
		return p.octal(col)
	case 'x':
		return p.hex(col)
	case 'u':
		return p.unicodeEscape(col)
	case 'c':
		if c = p.read(); c == eof {
			return 0, nil, p.failAt(col, `\c is not followed by a character`)
		}
		return c ^ 64, nil, nil
	case 'p', 'P':
		s, err := p.propertyName(col, c == 'P')
		return 0, s, err
	case 'N':
		return 0, nil, p.failAt(col, `character names \N{…} are not supported`)
	}
	if s, ok := p.predefined(c); ok {
		return 0, s, nil
	}
	if asciiAlpha.has(c) || asciiDigit.has(c) {
		return 0, nil, p.failAt(col, `illegal escape sequence \%c`, c)
	}
	return c, nil, nil
}

// predefined resolves \d \s \w \h \v and their complements.
func (p *parser) predefined(c rune) (runeSet, bool) {
	var s runeSet
	full := p.flags&UnicodeCharacterClass != 0
	switch asciiLower(c) {
	case 'd':
		if s = asciiDigit; full {
			s, _ = binaryProperty("DIGIT", false)
		}
	case 's':
		if s = asciiSpace; full {
			s, _ = binaryProperty("WHITE_SPACE", false)
		}
	case 'w':
		if s = asciiWord; full {
			s = uni().word
		}
	case 'h':
		s = horizontal
	case 'v':
		s = vertical
	default:
		return nil, false
	}
	if c < 'a' {
		s = s.negate()
	}
	return s, true
}

// propertyName parses what follows \p or \P.
func (p *parser) propertyName(col int, complement bool) (runeSet, error) {
	var name string
	if p.at(0) == '{' {
		var b strings.Builder
		p.pos++
		for c := p.raw(); c != '}'; c = p.raw() {
			if c == eof {
				return nil, p.failAt(col, "unclosed character family")
			}
			b.WriteRune(c)
		}
		name = b.String()
	} else if c := p.raw(); c != eof {
		name = string(c)
	}
	if name == "" {
		return nil, p.failAt(col, "empty character family")
	}
	s, ok := property(name, p.flags)
	if !ok {
		return nil, p.failAt(col, `unknown or unsupported character property \p{%s}`, name)
	}
	if complement {
		s = s.negate()
	}
	if s == nil {
		s = runeSet{}
	}
	return s, nil
}

// octal parses the digits of \0n, \0nn and \0mnn.
func (p *parser) octal(col int) (rune, runeSet, error) {
	isOctal := func(r rune) bool { return '0' <= r && r <= '7' }
	if !isOctal(p.peek()) {
		return 0, nil, p.failAt(col, "illegal octal escape sequence")
	}
	n := p.raw() - '0'
	first := n
	for i := 1; i < 3 && isOctal(p.peek()) && (i < 2 || first <= 3); i++ {
		n = n*8 + p.raw() - '0'
	}
	return n, nil, nil
}

// hex parses the digits of \xhh and \x{h…h}.
func (p *parser) hex(col int) (rune, runeSet, error) {
	if !p.accept('{') {
		n, ok := p.hexDigits(2)
		if !ok {
			return 0, nil, p.failAt(col, "illegal hexadecimal escape sequence")
		}
		return n, nil, nil
	}
	n, digits := rune(0), 0
	for {
		d := hexValue(p.peek())
		if d < 0 {
			break
		}
		p.pos++
		digits++
		if n = n<<4 + d; n > maxRune {
			return 0, nil, p.failAt(col, "hexadecimal code point is too big")
		}
	}
	if digits == 0 || !p.accept('}') {
		return 0, nil, p.failAt(col, "unclosed hexadecimal escape sequence")
	}
	return n, nil, nil
}

// unicodeEscape parses \uhhhh; two escapes that form a surrogate pair are one
// code point.
func (p *parser) unicodeEscape(col int) (rune, runeSet, error) {
	hi, ok := p.hexDigits(4)
	if !ok {
		return 0, nil, p.failAt(col, "illegal Unicode escape sequence")
	}
	if 0xD800 <= hi && hi <= 0xDBFF && p.at(0) == '\\' && p.at(1) == 'u' {
		back := p.pos
		p.pos += 2
		if lo, ok := p.hexDigits(4); ok && 0xDC00 <= lo && lo <= 0xDFFF {
			return 0x10000 + (hi-0xD800)<<10 + (lo - 0xDC00), nil, nil
		}
		p.pos = back
	}
	return hi, nil, nil
}

func (p *parser) hexDigits(count int) (rune, bool) {
	n := rune(0)
	for range count {
		d := hexValue(p.peek())
		if d < 0 {
			return 0, false
		}
		p.pos++
		n = n<<4 + d
	}
	return n, true
}

func hexValue(r rune) rune {
	switch {
	case '0' <= r && r <= '9':
		return r - '0'
	case 'a' <= r && r <= 'f':
		return r - 'a' + 10
	case 'A' <= r && r <= 'F':
		return r - 'A' + 10
	}
	return -1
}
