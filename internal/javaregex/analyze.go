package javaregex

// precondition is what an input must be for the linear-time program to mean
// the same as Java's pattern. Inputs that fail it go to the backtracking engine.
type precondition uint8

const (
	// needASCII: \b is about ASCII letters in one engine, all letters in Java.
	needASCII precondition = 1 << iota
	// needPlainLines: line anchors agree only when \n is the sole terminator,
	// does not end the input, and the input is not empty.
	needPlainLines
	// needNoFinalBreak: $ in the middle of a pattern is taken for \z.
	needNoFinalBreak
)

// analysis says how a pattern can be run in linear time.
type analysis struct {
	linear     bool         // some input can be run in linear time
	needs      precondition // which inputs
	tailDollar bool         // $ or \Z stands where nothing follows it
	context    bool         // the match depends on text before its start
	tail       map[*node]bool
}

// maxLinearSize bounds the program of the linear-time engine, whose repeats are
// written out.
const maxLinearSize = 8000

// analyze decides whether and when root can run in linear time.
func analyze(root *node) *analysis {
	a := &analysis{linear: root.size() <= maxLinearSize, tail: map[*node]bool{}}
	a.markTail(root)
	root.visit(func(n *node) bool {
		a.inspect(n)
		return true
	})
	return a
}

func (a *analysis) inspect(n *node) {
	switch n.op {
	case opAtomic, opLook, opBackref, opLastMatch:
		a.linear = false
	case opRepeat:
		// When the body can be empty, engines differ on which empty
		// iteration ends the loop and what its groups then hold.
		if n.max != 0 && n.max != 1 && n.subs[0].nullable() {
			a.linear = false
		}
	case opBegin:
		a.context = true
	case opWordBound, opNotBound:
		a.context = true
		a.needs |= needASCII
	case opBeginLine, opEndLine:
		a.context = true
		a.needs |= needASCII | needPlainLines
	case opEndOrBreak:
		if a.tail[n] {
			a.tailDollar = true
		} else {
			a.needs |= needNoFinalBreak
		}
	}
}

// markTail records each $ and \Z after which nothing of the pattern follows.
// Such an anchor can consume the final line terminator without harm, and so be
// expressed without look-ahead.
func (a *analysis) markTail(n *node) {
	switch n.op {
	case opEndOrBreak:
		a.tail[n] = true
	case opConcat:
		if len(n.subs) > 0 {
			a.markTail(n.subs[len(n.subs)-1])
		}
	case opAlternate:
		for _, s := range n.subs {
			a.markTail(s)
		}
	case opCapture:
		a.markTail(n.subs[0])
	case opRepeat:
		if n.max == 1 {
			a.markTail(n.subs[0])
		}
	}
}

// meets reports whether b satisfies the precondition.
func (need precondition) meets(b []byte) bool {
	if need == 0 {
		return true
	}
	if need&needPlainLines != 0 && (len(b) == 0 || b[len(b)-1] == '\n') {
		return false
	}
	if need&needNoFinalBreak != 0 && finalBreak(b) != noBreak {
		return false
	}
	if need&needASCII != 0 {
		for _, c := range b {
			if c >= 0x80 || c == '\r' && need&needPlainLines != 0 {
				return false
			}
		}
	}
	return true
}

// lineBreak is the line terminator an input ends in.
type lineBreak uint8

const (
	noBreak     lineBreak = iota
	singleBreak           // one of \n \r U+0085 U+2028 U+2029
	crlfBreak             // \r\n
)

func finalBreak(b []byte) lineBreak {
	n := len(b)
	if n == 0 {
		return noBreak
	}
	switch b[n-1] {
	case '\n':
		if n > 1 && b[n-2] == '\r' {
			return crlfBreak
		}
		return singleBreak
	case '\r':
		return singleBreak
	case 0x85:
		if n > 1 && b[n-2] == 0xC2 {
			return singleBreak
		}
	case 0xA8, 0xA9:
		if n > 2 && b[n-2] == 0x80 && b[n-3] == 0xE2 {
			return singleBreak
		}
	}
	return noBreak
}

// checkBacktrack refuses what the backtracking engine would run with another
// meaning than Java.
func checkBacktrack(root *node, p *parser) error {
	c := backtrackCheck{p: p}
	c.walk(root, surroundings{certain: true})
	if root.nullable() {
		root.visit(func(n *node) bool {
			if n.op == opLastMatch {
				c.refuse(n, `\G in a pattern that can match empty text is not supported`)
			}
			return true
		})
	}
	return c.err
}

type backtrackCheck struct {
	p   *parser
	err error
}

// surroundings is what encloses a node, as far as its groups are concerned.
type surroundings struct {
	look    bool // in a look-around or atomic group
	certain bool // every match passes here, so no stale text can stay in a group
	behind  bool
	not     bool
}

func (c *backtrackCheck) refuse(n *node, format string, args ...any) {
	if c.err == nil {
		c.err = c.p.failAt(n.col, format, args...)
	}
}

func (c *backtrackCheck) walk(n *node, in surroundings) {
	switch n.op {
	case opCapture:
		switch {
		case in.behind:
			c.refuse(n, "a capturing group inside look-behind is not supported; use (?:…)")
		case in.not:
			c.refuse(n, "a capturing group inside negative look-around is not supported; use (?:…)")
		case in.look && !in.certain:
			c.refuse(n, "a capturing group that may not take part, inside look-ahead or an atomic group, is not supported; use (?:…)")
		}
	case opBackref:
		if n.flags&CaseInsensitive != 0 {
			c.refuse(n, "a case-insensitive back-reference is not supported")
		}
		if in.behind {
			c.refuse(n, "a back-reference inside look-behind is not supported")
		}
	case opAtomic:
		if in.behind {
			c.refuse(n, "an atomic group or possessive quantifier inside look-behind is not supported")
		}
		in.look = true
	case opLook:
		in.look = true
		in.behind = in.behind || n.behind
		in.not = in.not || n.negative
	case opAlternate:
		in.certain = false
	case opRepeat:
		if n.min == 0 {
			in.certain = false
			if n.max != 0 && n.max != 1 && n.subs[0].maxLen() == 0 && n.subs[0].contains(opCapture) {
				c.refuse(n, "a capturing group in an optional loop over nothing but empty text is not supported; use (?:…)")
			}
		}
	}
	for _, s := range n.subs {
		c.walk(s, in)
	}
}
