package javaregex

import "regexp"

// linearEngine runs a pattern on package regexp.
type linearEngine struct {
	whole     *regexp.Regexp // anchored at both ends, without groups
	groups    program        // anchored at both ends, with groups
	variants  [3]variant     // by the lineBreak that ends the input
	dollar    bool           // the variants differ
	nullable  bool
	prefilter *prefilter
}

// variant is the set of programs for inputs with one kind of ending.
type variant struct {
	find  *regexp.Regexp // search without groups
	first program        // search from the start of the input
	next  program        // search from the second code point of its input on
}

// program is a compiled pattern with the way back to the pattern's groups.
type program struct {
	re      *regexp.Regexp
	groups  []int
	markers []int
}

func newLinearEngine(root *node, groups int, a *analysis) (*linearEngine, error) {
	e := &linearEngine{dollar: a.tailDollar, nullable: root.nullable(), prefilter: newPrefilter(root)}
	c := linearCompiler{root: root, groups: groups, a: a}
	e.whole = c.compile(noBreak, false, `\A(?:`, `)\z`).re
	e.groups = c.compile(noBreak, true, `\A(?:`, `)\z`)
	for i := range e.variants {
		if i > 0 && !a.tailDollar {
			e.variants[i] = e.variants[0]
			continue
		}
		end := lineBreak(i)
		e.variants[i].find = c.search(end)
		e.variants[i].first = c.compile(end, true, "", "")
		if a.context {
			// The code point before the search start is kept in view for
			// \b, and keeps ^ from matching.
			e.variants[i].next = c.compile(end, true, `\A(?s:.)(?s:.*?)(`, `)`)
		}
	}
	return e, c.err
}

// linearCompiler compiles forms of one pattern and keeps the first error.
type linearCompiler struct {
	root   *node
	groups int
	a      *analysis
	err    error
}

func (c *linearCompiler) compile(end lineBreak, captures bool, prefix, suffix string) program {
	return c.compileNode(c.root, end, captures, prefix, suffix)
}

// search compiles the program behind Find, where only the fact of a match counts.
func (c *linearCompiler) search(end lineBreak) *regexp.Regexp {
	return c.compileNode(trimSearch(c.root), end, false, "", "").re
}

func (c *linearCompiler) compileNode(n *node, end lineBreak, captures bool, prefix, suffix string) program {
	e := emitter{dialect: re2Dialect, captures: captures, dollar: end, tail: c.a.tail}
	out := e.emit(n, c.groups, prefix, suffix)
	re, err := regexp.Compile(out.text)
	if err != nil && c.err == nil {
		c.err = err
	}
	return program{re, out.groups, out.markers}
}

// trimSearch drops from the ends of a pattern what can always match empty and so
// never decides whether there is a match, such as the .* in ".*error.*".
func trimSearch(n *node) *node {
	subs := []*node{n}
	if n.op == opConcat {
		subs = n.subs
	}
	optional := func(n *node) bool { return n.op == opRepeat && n.min == 0 }
	for len(subs) > 0 && optional(subs[0]) {
		subs = subs[1:]
	}
	for len(subs) > 0 && optional(subs[len(subs)-1]) {
		subs = subs[:len(subs)-1]
	}
	return &node{op: opConcat, subs: subs}
}

func (e *linearEngine) variant(b []byte) *variant {
	if !e.dollar {
		return &e.variants[0]
	}
	return &e.variants[finalBreak(b)]
}

func (e *linearEngine) find(b []byte) bool {
	if f := e.prefilter; f != nil {
		if !f.passes(b) {
			return false
		}
		if f.exact {
			return true
		}
	}
	return e.variant(b).find.Match(b)
}

// submatch appends the offsets of the first match in b at or after from. The
// offsets are mapped through offsets, if that is not nil.
func (e *linearEngine) submatch(dst []int, b []byte, from int, offsets []int) ([]int, bool) {
	v := e.variant(b)
	if from == 0 {
		if f := e.prefilter; f != nil && !f.passes(b) {
			return dst, false
		}
		return v.first.submatch(dst, b, 0, offsets)
	}
	if v.next.re == nil { // no regard for what is in front
		return v.first.submatch(dst, b[from:], from, offsets)
	}
	before := from - 1
	for before > 0 && b[before]&0xC0 == 0x80 {
		before--
	}
	return v.next.submatch(dst, b[before:], before, offsets)
}

func (e *linearEngine) wholeSubmatch(dst []int, b []byte, offsets []int) ([]int, bool) {
	return e.groups.submatch(dst, b, 0, offsets)
}

// submatch runs the program over b, which starts at offset base of the input.
func (p *program) submatch(dst []int, b []byte, base int, offsets []int) ([]int, bool) {
	loc := p.re.FindSubmatchIndex(b)
	if loc == nil {
		return dst, false
	}
	end := loc[1]
	for _, m := range p.markers {
		if loc[2*m] >= 0 {
			end = loc[2*m]
		}
	}
	for i, g := range p.groups {
		lo, hi := -1, -1
		if (i == 0 || g > 0) && loc[2*g] >= 0 {
			// A group around $ can reach over the terminator that $ passed.
			lo, hi = base+min(loc[2*g], end), base+min(loc[2*g+1], end)
			if offsets != nil {
				lo, hi = offsets[lo], offsets[hi]
			}
		}
		dst = append(dst, lo, hi)
	}
	return dst, true
}
