package javaregex

import "bytes"

// Bounds on the literals of a prefilter: beyond them scanning for each costs more
// than it saves.
const (
	maxLiterals      = 8
	minLiteralLength = 2
)

// prefilter is a set of literals one of which occurs in every match. Looking for
// them first turns away most lines many times faster than the engine, which has
// such a shortcut only for patterns that begin with a literal (BenchmarkFind: about
// a hundred times faster for an alternation that does not occur).
type prefilter struct {
	literals [][]byte
	exact    bool // any of the literals is a match by itself
}

// newPrefilter derives the prefilter of a pattern; nil if there is none.
func newPrefilter(root *node) *prefilter {
	r := required(trimSearch(root))
	if len(r.literals) == 0 {
		return nil
	}
	f := &prefilter{exact: r.exact}
	for _, l := range r.literals {
		if len(l) < minLiteralLength && !r.exact {
			return nil
		}
		f.literals = append(f.literals, []byte(l))
	}
	return f
}

func (f *prefilter) passes(b []byte) bool {
	for _, l := range f.literals {
		if bytes.Contains(b, l) {
			return true
		}
	}
	return false
}

// requirement is what is known of every match of a node: it contains one of the
// literals. If exact, the literals are all it can match.
type requirement struct {
	literals []string
	exact    bool
}

func required(n *node) requirement {
	switch n.op {
	case opEmpty:
		return requirement{[]string{""}, true}
	case opSet:
		if r, ok := n.set.single(); ok {
			return requirement{[]string{string(r)}, true}
		}
	case opCapture:
		return required(n.subs[0])
	case opRepeat:
		if n.min > 0 {
			r := required(n.subs[0])
			r.exact = r.exact && n.min == 1 && n.max == 1
			return r
		}
	case opAlternate:
		return requiredAny(n.subs)
	case opConcat:
		return requiredAll(n.subs)
	}
	return requirement{}
}

// requiredAny needs a requirement from every branch.
func requiredAny(branches []*node) requirement {
	out := requirement{exact: true}
	for _, b := range branches {
		r := required(b)
		if len(r.literals) == 0 || len(out.literals)+len(r.literals) > maxLiterals {
			return requirement{}
		}
		out.literals = append(out.literals, r.literals...)
		out.exact = out.exact && r.exact
	}
	return out
}

// requiredAll joins runs of exact parts and picks the most selective run.
func requiredAll(parts []*node) requirement {
	best := requirement{}
	run := requirement{[]string{""}, true}
	exact := true
	for _, p := range parts {
		r := required(p)
		if r.exact && len(run.literals)*len(r.literals) <= maxLiterals {
			run = requirement{cross(run.literals, r.literals), true}
			continue
		}
		exact = false
		best = better(best, run)
		best = better(best, r)
		if run = (requirement{[]string{""}, true}); r.exact {
			run = r
		}
	}
	best = better(best, run)
	best.exact = exact
	return best
}

func cross(a, b []string) []string {
	out := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out
}

// better is the requirement whose shortest literal is longer.
func better(a, b requirement) requirement {
	if shortest(b) > shortest(a) {
		return b
	}
	return a
}

func shortest(r requirement) int {
	if len(r.literals) == 0 {
		return 0
	}
	n := len(r.literals[0])
	for _, l := range r.literals {
		n = min(n, len(l))
	}
	return n
}
