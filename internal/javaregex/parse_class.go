package javaregex

// class parses a character class after its opening bracket. With consume false
// it parses the right side of && instead, and leaves the closing bracket.
func (p *parser) class(consume bool) (runeSet, error) {
	open := p.toks[p.pos-1].col
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("character classes are nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	negated := consume && p.at(0) == '^'
	if negated {
		p.pos++
	}
	var set runeSet
	filled := false // something is on the left, so ] closes and && has an operand
	for {
		var part runeSet
		var err error
		switch c := p.peek(); {
		case c == eof:
			return nil, p.failAt(open, "unclosed character class")
		case c == ']' && filled:
			if consume {
				p.pos++
			}
			if negated {
				set = set.negate()
			}
			return set, nil
		case c == '[':
			p.pos++
			part, err = p.class(true)
		case c == '&' && p.at(1) == '&':
			if set, err = p.intersection(set, filled); err != nil {
				return nil, err
			}
			filled = true
			continue
		default:
			part, err = p.classRange()
		}
		if err != nil {
			return nil, err
		}
		if p.spans += len(part); p.spans > maxSetSpans || len(set) > maxClassSpans {
			return nil, p.failAt(open, "the character classes of the pattern are too large")
		}
		set, filled = set.union(part), true
	}
}

// intersection parses && and its right operand, which reaches to the next & or
// to the closing bracket.
func (p *parser) intersection(left runeSet, filled bool) (runeSet, error) {
	col := p.col()
	p.pos += 2
	var right runeSet
	seen := false
	for c := p.peek(); c != ']' && c != '&'; c = p.peek() {
		nested := c == '['
		if nested {
			p.pos++
		}
		part, err := p.class(nested)
		if err != nil {
			return nil, err
		}
		right, seen = right.union(part), true
	}
	if !seen {
		return nil, p.failAt(col, "the intersection && has nothing on its right")
	}
	if p.peek() == '&' && p.at(1) != '&' {
		// Java then adds the left operand's characters again, by an oversight.
		return nil, p.fail("a single & behind an intersection is ambiguous; write \\& in the first operand")
	}
	if !filled {
		return right, nil
	}
	return left.intersect(right), nil
}

// classRange parses one member of a class: a character, a range, or an escape
// that stands for a set.
func (p *parser) classRange() (runeSet, error) {
	col := p.col()
	lo, set, err := p.classMember(p.at(2) == '-')
	if err != nil || set != nil {
		return set, err
	}
	if p.peek() != '-' || p.at(1) == '[' || p.at(1) == ']' {
		return foldSingle(lo, p.flags), nil
	}
	p.pos++
	p.skipComments()
	if p.pos >= len(p.toks) {
		return nil, p.failAt(col, "unclosed character class")
	}
	hi, set, err := p.classMember(true)
	if err != nil {
		return nil, err
	}
	if set != nil || hi < lo {
		return nil, p.failAt(col, "illegal character range")
	}
	return foldRange(lo, hi, p.flags), nil
}

// classMember reads one code point or escape inside a class.
func (p *parser) classMember(beforeRange bool) (rune, runeSet, error) {
	if p.at(0) != '\\' {
		return p.raw(), nil, nil
	}
	switch c := p.at(1); c {
	case '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'b', 'G', 'k', 'R', 'X', 'z', 'Z':
		return 0, nil, p.fail(`illegal escape sequence \%c in a character class`, c)
	}
	return p.escape(beforeRange)
}
