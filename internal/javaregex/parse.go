package javaregex

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits on what a pattern may be. They are far above any pattern written by
// hand and keep compiling bounded in time and memory.
const (
	maxPatternBytes = 64 << 10
	maxDepth        = 250
	maxClassSpans   = 4000    // of one class; \p{L} has about 600
	maxSetSpans     = 100_000 // of all classes of one pattern
)

// eof ends the pattern for the parser.
const eof = -1

// token is one code point of the pattern. quoted marks text between \Q and \E,
// which stands for itself.
type token struct {
	r      rune
	quoted bool
	col    int
}

// parser turns a pattern into nodes. It follows the order of decisions of
// java.util.regex.Pattern, since odd corners of the dialect come from that order.
type parser struct {
	pattern string
	toks    []token
	pos     int
	flags   Flags
	depth   int
	spans   int // of all sets made so far

	groups int            // capturing groups opened so far
	names  map[string]int // named groups opened so far
}

// parse parses a whole pattern.
func parse(pattern string, flags Flags) (*node, *parser, error) {
	if len(pattern) > maxPatternBytes {
		return nil, nil, &Error{Pattern: pattern[:40] + "…", Col: 1,
			Reason: fmt.Sprintf("the pattern is %d bytes long, the limit is %d", len(pattern), maxPatternBytes)}
	}
	if !utf8.ValidString(pattern) {
		return nil, nil, &Error{Pattern: pattern, Col: 1, Reason: "the pattern is not valid UTF-8"}
	}
	p := &parser{pattern: pattern, flags: flags, names: map[string]int{}}
	p.tokenize()
	n, err := p.alternation()
	if err != nil {
		return nil, nil, err
	}
	if p.peek() == ')' {
		return nil, nil, p.fail("unmatched closing parenthesis")
	}
	return n, p, nil
}

// tokenize splits the pattern into code points and resolves \Q…\E, which Java
// does before anything else.
func (p *parser) tokenize() {
	runes := []rune(p.pattern)
	quoted := p.flags&Literal != 0
	literal := quoted
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		escape := !literal && r == '\\' && i+1 < len(runes)
		switch {
		case escape && quoted && runes[i+1] == 'E':
			quoted = false
			i++
		case escape && !quoted && runes[i+1] == 'Q':
			quoted = true
			i++
		case escape && !quoted:
			p.toks = append(p.toks, token{r, false, i + 1}, token{runes[i+1], false, i + 2})
			i++
		default:
			p.toks = append(p.toks, token{r, quoted, i + 1})
		}
	}
}

// fail makes an error at the current position.
func (p *parser) fail(format string, args ...any) error {
	return p.failAt(p.col(), format, args...)
}

func (p *parser) failAt(col int, format string, args ...any) error {
	return &Error{Pattern: p.pattern, Col: col, Reason: fmt.Sprintf(format, args...)}
}

// col is the column of the next token.
func (p *parser) col() int {
	if p.pos < len(p.toks) {
		return p.toks[p.pos].col
	}
	return utf8.RuneCountInString(p.pattern) + 1
}

// at is the token offset places ahead, as a metacharacter: quoted text never is one.
func (p *parser) at(offset int) rune {
	if i := p.pos + offset; i < len(p.toks) {
		if p.toks[i].quoted {
			return 0
		}
		return p.toks[i].r
	}
	return eof
}

// raw consumes one token, whatever it is.
func (p *parser) raw() rune {
	if p.pos >= len(p.toks) {
		return eof
	}
	p.pos++
	return p.toks[p.pos-1].r
}

// skipComments passes over whitespace and #-comments in COMMENTS mode.
func (p *parser) skipComments() {
	if p.flags&Comments == 0 {
		return
	}
	for p.pos < len(p.toks) {
		switch c := p.at(0); {
		case asciiSpace.has(c):
			p.pos++
		case c == '#':
			for p.pos < len(p.toks) && !p.endsComment(p.at(0)) {
				p.pos++
			}
		default:
			return
		}
	}
}

func (p *parser) endsComment(r rune) bool {
	if p.flags&UnixLines != 0 {
		return r == '\n'
	}
	return lineTerminator.has(r)
}

// peek is the next significant metacharacter: 0 for quoted text, eof at the end.
func (p *parser) peek() rune {
	p.skipComments()
	return p.at(0)
}

// read consumes the next significant token.
func (p *parser) read() rune {
	p.skipComments()
	return p.raw()
}

// accept consumes the next significant metacharacter if it is r.
func (p *parser) accept(r rune) bool {
	if p.peek() != r {
		return false
	}
	p.pos++
	return true
}

// alternation parses branches up to a closing parenthesis or the end.
func (p *parser) alternation() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("groups are nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	var branches []*node
	for {
		n, err := p.sequence()
		if err != nil {
			return nil, err
		}
		branches = append(branches, n)
		if !p.accept('|') {
			break
		}
	}
	if len(branches) == 1 {
		return branches[0], nil
	}
	return &node{op: opAlternate, subs: branches}, nil
}

// sequence parses quantified atoms up to |, ) or the end.
func (p *parser) sequence() (*node, error) {
	seq := &node{op: opConcat}
	for {
		switch c := p.peek(); c {
		case '|', ')', eof:
			if len(seq.subs) == 1 {
				return seq.subs[0], nil
			}
			return seq, nil
		case '*', '+', '?':
			return nil, p.fail("dangling quantifier %c", c)
		}
		atom, err := p.atom()
		if err != nil {
			return nil, err
		}
		if atom == nil { // a flag group such as (?i)
			continue
		}
		if atom, err = p.quantified(atom); err != nil {
			return nil, err
		}
		seq.subs = append(seq.subs, atom)
	}
}

// atom parses one unquantified element; nil stands for a flag group.
func (p *parser) atom() (*node, error) {
	col := p.col()
	switch p.peek() {
	case '(':
		return p.parenthesis()
	case '[':
		p.pos++
		s, err := p.class(true)
		if err != nil {
			return nil, err
		}
		return p.setNode(s, col)
	case '\\':
		return p.escapeAtom()
	case '^':
		p.pos++
		if p.flags&Multiline != 0 {
			return &node{op: opBeginLine, flags: p.flags, col: col}, nil
		}
		return &node{op: opBegin, col: col}, nil
	case '$':
		p.pos++
		if p.flags&Multiline != 0 {
			return &node{op: opEndLine, flags: p.flags, col: col}, nil
		}
		return &node{op: opEndOrBreak, flags: p.flags, col: col}, nil
	case '.':
		p.pos++
		return p.setNode(p.dot(), col)
	case '{':
		// Java reads an empty atom here and lets the quantifier apply to it.
		return &node{op: opEmpty, col: col}, nil
	}
	return p.setNode(foldSingle(p.raw(), p.flags), col)
}

func (p *parser) dot() runeSet {
	switch {
	case p.flags&DotAll != 0:
		return anyRune
	case p.flags&UnixLines != 0:
		return runesOf('\n').negate()
	}
	return lineTerminator.negate()
}

// setNode makes a set node and keeps the sum of all sets bounded.
func (p *parser) setNode(s runeSet, col int) (*node, error) {
	if p.spans += len(s); p.spans > maxSetSpans || len(s) > maxClassSpans {
		return nil, p.failAt(col, "the character classes of the pattern are too large")
	}
	return &node{op: opSet, set: s.minus(surrogates), col: col}, nil
}

// quantified parses a quantifier, if one follows, and applies it to atom.
func (p *parser) quantified(atom *node) (*node, error) {
	if atom.lineBreak && p.peek() != 0 && strings.ContainsRune("?*+{", p.peek()) {
		// In a loop, and only there, Java's \R never gives back the \n of \r\n.
		atom = &node{op: opAtomic, subs: []*node{atom}, col: atom.col}
	}
	rep := &node{op: opRepeat, subs: []*node{atom}, col: p.col()}
	switch p.peek() {
	case '?':
		rep.min, rep.max = 0, 1
	case '*':
		rep.min, rep.max = 0, unlimited
	case '+':
		rep.min, rep.max = 1, unlimited
	case '{':
		if err := p.counts(rep); err != nil {
			return nil, err
		}
	default:
		return atom, nil
	}
	p.pos++
	if p.accept('?') {
		rep.greed = lazy
	} else if p.accept('+') {
		return &node{op: opAtomic, subs: []*node{rep}, col: rep.col}, nil
	}
	return rep, nil
}

// counts parses {n}, {n,} or {n,m} up to, not including, the closing brace.
func (p *parser) counts(rep *node) error {
	col := p.col()
	p.pos++
	if !isDigit(p.at(0)) {
		return p.failAt(col, "illegal repetition: { must be followed by a number, or be escaped")
	}
	var ok bool
	if rep.min, ok = p.number(); !ok {
		return p.failAt(col, "illegal repetition range")
	}
	rep.max = rep.min
	if p.accept(',') {
		rep.max = unlimited
		if p.peek() != '}' {
			if rep.max, ok = p.number(); !ok || rep.max < rep.min {
				return p.failAt(col, "illegal repetition range")
			}
		}
	}
	if p.peek() != '}' {
		return p.failAt(col, "unclosed counted closure")
	}
	return nil
}

// number reads decimal digits; it reports false beyond Java's int range.
func (p *parser) number() (int, bool) {
	n := 0
	for isDigit(p.peek()) {
		if n = n*10 + int(p.raw()-'0'); n > 1<<31-1 {
			return 0, false
		}
	}
	return n, true
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }
