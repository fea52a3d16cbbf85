package javaregex

import "strings"

// parenthesis parses everything that starts with an opening parenthesis. A flag
// group without a body gives nil.
func (p *parser) parenthesis() (*node, error) {
	col := p.col()
	p.pos++
	saved := p.flags
	if p.peek() != '?' {
		p.groups++
		return p.body(&node{op: opCapture, group: p.groups, col: col}, saved)
	}
	p.pos++
	switch c := p.at(0); c {
	case ':':
		p.pos++
		return p.body(nil, saved)
	case '=', '!':
		p.pos++
		return p.body(&node{op: opLook, negative: c == '!', col: col}, saved)
	case '>':
		p.pos++
		return p.body(&node{op: opAtomic, col: col}, saved)
	case '<':
		p.pos++
		return p.angle(col, saved)
	case '$', '@':
		return nil, p.failAt(col, "unknown group type (?%c", c)
	}
	return p.flagGroup(col, saved)
}

// angle parses what follows (?<: a look-behind or a named group.
func (p *parser) angle(col int, saved Flags) (*node, error) {
	if c := p.at(0); c == '=' || c == '!' {
		p.pos++
		n, err := p.body(&node{op: opLook, behind: true, negative: c == '!', col: col}, saved)
		if err == nil && n.subs[0].maxLen() == unlimited {
			err = p.failAt(col, "the look-behind group does not have an obvious maximum length")
		}
		return n, err
	}
	name, err := p.groupName()
	if err != nil {
		return nil, err
	}
	if _, taken := p.names[name]; taken {
		return nil, p.failAt(col, "the named capturing group <%s> is already defined", name)
	}
	p.groups++
	p.names[name] = p.groups
	return p.body(&node{op: opCapture, group: p.groups, col: col}, saved)
}

// groupName reads a group name and the closing angle bracket.
func (p *parser) groupName() (string, error) {
	col := p.col()
	var name strings.Builder
	for c := p.raw(); c != '>'; c = p.raw() {
		if letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'; !letter && (name.Len() == 0 || !isDigit(c)) {
			return "", p.failAt(col, "a group name must be a letter, then letters and digits, then >")
		}
		name.WriteRune(c)
	}
	if name.Len() == 0 {
		return "", p.failAt(col, "the capturing group name is empty")
	}
	return name.String(), nil
}

// flagGroup parses (?flags) and (?flags:body).
func (p *parser) flagGroup(col int, saved Flags) (*node, error) {
	on := true
	for {
		c := p.at(0)
		f, known := inlineFlags[c]
		switch {
		case c == '-' && on:
			on = false
		case known && on:
			p.flags |= f
		case known:
			p.flags &^= f
		case c == ')':
			p.pos++
			return nil, nil
		case c == ':':
			p.pos++
			return p.body(nil, saved)
		case c == 'c':
			return nil, p.fail("the flag c (canonical equivalence) is not supported")
		case c == eof:
			return nil, p.failAt(col, "unclosed group")
		default:
			return nil, p.fail("unknown inline modifier %q", c)
		}
		p.pos++
	}
}

// body parses up to the closing parenthesis, hangs the result below parent (if
// any) and brings the flags of the surroundings back.
func (p *parser) body(parent *node, saved Flags) (*node, error) {
	col := p.col()
	inner, err := p.alternation()
	if err != nil {
		return nil, err
	}
	if !p.accept(')') {
		return nil, p.failAt(col, "unclosed group")
	}
	p.flags = saved
	if parent == nil {
		return inner, nil
	}
	parent.subs = []*node{inner}
	return parent, nil
}
