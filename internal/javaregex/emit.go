package javaregex

import (
	"fmt"
	"strings"
)

// dialect is the target of an emitter.
type dialect uint8

const (
	re2Dialect dialect = iota // package regexp
	netDialect                // package regexp2 without options
)

// emitter writes a syntax tree in a target dialect. All meaning is spelled out
// in sets and look-around, so no flag of the target is ever needed.
type emitter struct {
	dialect  dialect
	captures bool      // keep capturing groups
	dollar   lineBreak // re2: which terminator a tail $ may pass
	tail     map[*node]bool

	b       strings.Builder
	next    int   // number of the next capturing group in the target
	groups  []int // target group of each group of the pattern
	markers []int // re2: empty groups in front of passed terminators
}

// emitted is a pattern in a target dialect.
type emitted struct {
	text    string
	groups  []int
	markers []int
}

func (e *emitter) emit(root *node, groups int, prefix, suffix string) emitted {
	e.groups = make([]int, groups+1)
	e.next = 1
	e.b.WriteString(prefix)
	if strings.HasSuffix(prefix, "(") { // the whole match becomes a group
		e.groups[0] = e.next
		e.next++
	}
	e.node(root)
	e.b.WriteString(suffix)
	return emitted{e.b.String(), e.groups, e.markers}
}

func (e *emitter) node(n *node) {
	switch n.op {
	case opSet:
		e.set(n.set)
	case opConcat:
		for _, s := range n.subs {
			e.grouped(s, s.op == opAlternate)
		}
	case opAlternate:
		for i, s := range n.subs {
			if i > 0 {
				e.b.WriteByte('|')
			}
			e.node(s)
		}
	case opRepeat:
		e.repeat(n)
	case opCapture:
		if !e.captures {
			e.grouped(n.subs[0], true)
			return
		}
		e.groups[n.group] = e.next
		e.next++
		e.wrap("(", n.subs[0])
	case opAtomic:
		e.wrap("(?>", n.subs[0])
	case opLook:
		e.wrap(lookPrefix(n), n.subs[0])
	case opBackref:
		e.backref(n)
	default:
		e.anchor(n)
	}
}

func (e *emitter) wrap(open string, n *node) {
	e.b.WriteString(open)
	e.node(n)
	e.b.WriteByte(')')
}

// grouped writes n, in a non-capturing group if asked.
func (e *emitter) grouped(n *node, group bool) {
	if group {
		e.wrap("(?:", n)
		return
	}
	e.node(n)
}

func lookPrefix(n *node) string {
	switch {
	case n.behind && n.negative:
		return "(?<!"
	case n.behind:
		return "(?<="
	case n.negative:
		return "(?!"
	}
	return "(?="
}

func (e *emitter) repeat(n *node) {
	e.grouped(n.subs[0], n.subs[0].op != opSet)
	switch {
	case n.min == 0 && n.max == 1:
		e.b.WriteByte('?')
	case n.min == 0 && n.max == unlimited:
		e.b.WriteByte('*')
	case n.min == 1 && n.max == unlimited:
		e.b.WriteByte('+')
	case n.max == unlimited:
		fmt.Fprintf(&e.b, "{%d,}", n.min)
	default:
		fmt.Fprintf(&e.b, "{%d,%d}", n.min, n.max)
	}
	if n.greed == lazy {
		e.b.WriteByte('?')
	}
}

// backref writes a back-reference. The one to a group that does not exist, or
// exists only later in the pattern, never matches before that group does.
func (e *emitter) backref(n *node) {
	if n.group >= len(e.groups) {
		e.b.WriteString("(?!)")
		return
	}
	// Groups keep their numbers here: this dialect has no markers.
	fmt.Fprintf(&e.b, `\k<%d>`, n.group)
}

// Line terminators and word characters as the targets spell them.
const (
	breaks     = `\x{A}\x{D}\x{85}\x{2028}\x{2029}`
	netNoCRLF  = `(?<!\r)\n`
	netBeginLn = `(?!\z)(?<=\A|[\n\u0085\u2028\u2029]|\r(?!\n))`
)

func (e *emitter) anchor(n *node) {
	unix := n.flags&UnixLines != 0
	net := e.dialect == netDialect
	switch n.op {
	case opBegin:
		e.b.WriteString(`\A`)
	case opEnd:
		e.b.WriteString(`\z`)
	case opLastMatch:
		e.b.WriteString(`\G`)
	case opBeginLine:
		switch {
		case !net:
			e.b.WriteString(`(?m:^)`)
		case unix:
			e.b.WriteString(`(?:(?!\z)(?<=\A|\n))`)
		default:
			e.b.WriteString(`(?:` + netBeginLn + `)`)
		}
	case opEndLine:
		switch {
		case !net:
			e.b.WriteString(`(?m:$)`)
		case unix:
			e.b.WriteString(`(?=\n|\z)`)
		default:
			e.b.WriteString(`(?=` + netNoCRLF + `|[\r\u0085\u2028\u2029]|\z)`)
		}
	case opEndOrBreak:
		switch {
		case !net:
			e.tailDollar(n, unix)
		case unix:
			e.b.WriteString(`(?=\n?\z)`)
		default:
			e.b.WriteString(`(?=(?:\r\n|` + netNoCRLF + `|[\r\u0085\u2028\u2029])?\z)`)
		}
	case opWordBound, opNotBound:
		e.boundary(n)
	}
}

// tailDollar writes $ for the linear-time engine. When the input ends in a
// terminator the anchor may pass it, behind an empty group that tells where the
// match really ended.
func (e *emitter) tailDollar(n *node, unix bool) {
	if e.dollar == noBreak || !e.tail[n] {
		e.b.WriteString(`\z`)
		return
	}
	e.markers = append(e.markers, e.next)
	e.next++
	switch {
	case unix:
		e.b.WriteString(`()\n?\z`)
	case e.dollar == crlfBreak:
		e.b.WriteString(`()(?:\r\n)?\z`)
	default:
		e.b.WriteString(`()[` + breaks + `]?\z`)
	}
}

// boundary writes \b or \B. Java asks for letters and digits of any script, and
// lets combining marks continue a word.
func (e *emitter) boundary(n *node) {
	if e.dialect == re2Dialect {
		if n.op == opWordBound {
			e.b.WriteString(`\b`)
		} else {
			e.b.WriteString(`\B`)
		}
		return
	}
	base, word := `[\p{L}\p{Nd}]`, `[\p{L}\p{Nd}_]`
	if n.flags&UnicodeCharacterClass != 0 {
		word = classText(uni().word)
	}
	mark := `\p{Mn}`
	left := word + `|` + base + mark + `+`
	right := word + `|(?=` + mark + `)(?<=` + base + mark + `*)`
	if n.op == opWordBound {
		fmt.Fprintf(&e.b, `(?:(?<=%s)(?!%s)|(?<!%s)(?=%s))`, left, right, left, right)
	} else {
		fmt.Fprintf(&e.b, `(?:(?<=%s)(?=%s)|(?<!%s)(?!%s))`, left, right, left, right)
	}
}

// classText is a set in the backtracking dialect.
func classText(s runeSet) string {
	e := emitter{dialect: netDialect}
	e.set(s)
	return e.b.String()
}

// set writes a set of code points as a literal or a class.
func (e *emitter) set(s runeSet) {
	if r, ok := s.single(); ok {
		e.rune(r)
		return
	}
	full := s.union(surrogates)
	switch negated := full.negate(); {
	case len(s) == 0 && e.dialect == netDialect:
		e.b.WriteString(`(?!)`)
	case len(s) == 0:
		e.b.WriteString(`[^\x{0}-\x{10FFFF}]`)
	case len(negated) == 0 && e.dialect == netDialect:
		e.b.WriteString(`[\s\S]`)
	case len(negated) == 0:
		e.b.WriteString(`(?s:.)`)
	case len(negated) < len(s):
		e.spans("[^", negated)
	default:
		e.spans("[", s)
	}
}

func (e *emitter) spans(open string, s runeSet) {
	e.b.WriteString(open)
	for _, sp := range s {
		e.rune(sp.lo)
		if sp.hi > sp.lo {
			e.b.WriteByte('-')
			e.rune(sp.hi)
		}
	}
	e.b.WriteByte(']')
}

// rune writes one code point so that it stands for itself, in a class or not.
func (e *emitter) rune(r rune) {
	switch {
	case asciiWord.has(r):
		e.b.WriteRune(r)
	case ' ' <= r && r < 0x7F:
		e.b.WriteByte('\\')
		e.b.WriteRune(r)
	case e.dialect == re2Dialect:
		fmt.Fprintf(&e.b, `\x{%X}`, r)
	case r < 0x100:
		fmt.Fprintf(&e.b, `\x%02X`, r)
	case r < 0x10000:
		fmt.Fprintf(&e.b, `\u%04X`, r)
	default:
		e.b.WriteRune(r)
	}
}
