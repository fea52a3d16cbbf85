package javaregex

import (
	"sort"
	"unicode"
)

const maxRune = unicode.MaxRune

// span is a closed range of code points.
type span struct{ lo, hi rune }

// runeSet is a set of code points: sorted spans that neither overlap nor touch.
// Sets are values: no function changes its arguments, so sets may be shared.
type runeSet []span

// anyRune holds every code point.
var anyRune = runeSet{{0, maxRune}}

// setOf builds a set from spans in any order.
func setOf(spans ...span) runeSet {
	s := make([]span, 0, len(spans))
	for _, sp := range spans {
		if sp.lo <= sp.hi {
			s = append(s, sp)
		}
	}
	sort.Slice(s, func(i, j int) bool { return s[i].lo < s[j].lo })
	out := s[:0]
	for _, sp := range s {
		if n := len(out); n > 0 && sp.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, sp.hi)
			continue
		}
		out = append(out, sp)
	}
	return out
}

// runesOf builds a set of single code points.
func runesOf(rs ...rune) runeSet {
	spans := make([]span, len(rs))
	for i, r := range rs {
		spans[i] = span{r, r}
	}
	return setOf(spans...)
}

// tableSet builds the union of Unicode range tables.
func tableSet(tables ...*unicode.RangeTable) runeSet {
	var spans []span
	for _, t := range tables {
		for _, r := range t.R16 {
			spans = appendStrided(spans, rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			spans = appendStrided(spans, rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return setOf(spans...)
}

func appendStrided(spans []span, lo, hi, stride rune) []span {
	if stride == 1 {
		return append(spans, span{lo, hi})
	}
	for r := lo; r <= hi; r += stride {
		spans = append(spans, span{r, r})
	}
	return spans
}

func (s runeSet) has(r rune) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].hi >= r })
	return i < len(s) && s[i].lo <= r
}

func (s runeSet) union(t runeSet) runeSet {
	spans := make([]span, 0, len(s)+len(t))
	return setOf(append(append(spans, s...), t...)...)
}

func (s runeSet) negate() runeSet {
	out := make(runeSet, 0, len(s)+1)
	next := rune(0)
	for _, sp := range s {
		if sp.lo > next {
			out = append(out, span{next, sp.lo - 1})
		}
		next = sp.hi + 1
	}
	if next <= maxRune {
		out = append(out, span{next, maxRune})
	}
	return out
}

func (s runeSet) intersect(t runeSet) runeSet {
	var out runeSet
	for i, j := 0, 0; i < len(s) && j < len(t); {
		if lo, hi := max(s[i].lo, t[j].lo), min(s[i].hi, t[j].hi); lo <= hi {
			out = append(out, span{lo, hi})
		}
		if s[i].hi < t[j].hi {
			i++
		} else {
			j++
		}
	}
	return out
}

func (s runeSet) minus(t runeSet) runeSet { return s.intersect(t.negate()) }

// single returns the only member of s.
func (s runeSet) single() (rune, bool) {
	if len(s) == 1 && s[0].lo == s[0].hi {
		return s[0].lo, true
	}
	return 0, false
}

// surrogates never occur in decoded UTF-8 text, so sets are rid of them.
var surrogates = runeSet{{0xD800, 0xDFFF}}
