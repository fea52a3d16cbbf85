package javaregex

// op is the kind of a syntax node.
type op uint8

const (
	opEmpty      op = iota
	opSet           // one code point of node.set
	opConcat        // all of node.subs in order
	opAlternate     // the first of node.subs that leads to a match
	opRepeat        // node.subs[0], node.min to node.max times
	opCapture       // node.subs[0] as group node.group
	opAtomic        // node.subs[0], never entered again
	opLook          // look-around over node.subs[0]
	opBackref       // the text of group node.group
	opBegin         // \A, and ^ outside MULTILINE
	opEnd           // \z
	opEndOrBreak    // \Z, and $ outside MULTILINE
	opBeginLine     // ^ in MULTILINE
	opEndLine       // $ in MULTILINE
	opWordBound     // \b
	opNotBound      // \B
	opLastMatch     // \G
)

// unlimited is the max of a repeat without an upper bound.
const unlimited = -1

// greed says how a repeat chooses and whether it gives back.
type greed uint8

const (
	greedy greed = iota
	lazy
)

// node is one node of a parsed pattern. Flags such as case-insensitivity are
// already worked into the sets; what is left in flags concerns anchors only.
type node struct {
	op        op
	greed     greed
	behind    bool // opLook: look-behind
	negative  bool // opLook: must not match
	lineBreak bool // opAlternate: this is \R
	flags     Flags
	group     int
	min, max  int
	col       int // 1-based column of the construct in the pattern
	set       runeSet
	subs      []*node
}

// nullable reports whether n can match the empty string.
func (n *node) nullable() bool {
	switch n.op {
	case opSet:
		return false
	case opConcat:
		for _, s := range n.subs {
			if !s.nullable() {
				return false
			}
		}
		return true
	case opAlternate:
		for _, s := range n.subs {
			if s.nullable() {
				return true
			}
		}
		return false
	case opRepeat:
		return n.min == 0 || n.subs[0].nullable()
	case opCapture, opAtomic:
		return n.subs[0].nullable()
	}
	return true // anchors, look-around, back-references, the empty node
}

// maxLen is the greatest number of code points n can match, or unlimited.
func (n *node) maxLen() int {
	switch n.op {
	case opSet:
		return 1
	case opConcat:
		total := 0
		for _, s := range n.subs {
			m := s.maxLen()
			if m == unlimited {
				return unlimited
			}
			total = saturate(total + m)
		}
		return total
	case opAlternate:
		most := 0
		for _, s := range n.subs {
			m := s.maxLen()
			if m == unlimited {
				return unlimited
			}
			most = max(most, m)
		}
		return most
	case opRepeat:
		m := n.subs[0].maxLen()
		if n.max == unlimited || m == unlimited {
			return unlimited
		}
		return saturate(m * n.max)
	case opCapture, opAtomic:
		return n.subs[0].maxLen()
	case opBackref:
		return unlimited
	}
	return 0
}

// lengthCap keeps sums and products of lengths far from overflow.
const lengthCap = 1 << 30

func saturate(n int) int { return min(n, lengthCap) }

// size estimates the number of instructions n compiles to once its repeats are
// written out, which is what the linear-time engine does.
func (n *node) size() int {
	switch n.op {
	case opConcat, opAlternate:
		total := 1
		for _, s := range n.subs {
			total = saturate(total + s.size())
		}
		return total
	case opRepeat:
		times := n.max
		if times == unlimited {
			times = n.min + 1
		}
		return saturate(min(times, 1<<15)*min(n.subs[0].size(), 1<<15) + 1)
	case opCapture, opAtomic, opLook:
		return saturate(n.subs[0].size() + 2)
	case opSet:
		return 1 + len(n.set)/4
	}
	return 1
}

// visit calls f for n and, while f returns true, for what is below.
func (n *node) visit(f func(*node) bool) {
	if !f(n) {
		return
	}
	for _, s := range n.subs {
		s.visit(f)
	}
}

// contains reports whether n or a node below has one of the kinds.
func (n *node) contains(kinds ...op) bool {
	found := false
	n.visit(func(m *node) bool {
		for _, k := range kinds {
			found = found || m.op == k
		}
		return !found
	})
	return found
}
