package javaregex

import (
	"sync"
	"unicode"
)

// javaFold is the comparison key of Java's case-insensitive matching with
// UNICODE_CASE: upper case first, then lower case, one code point at a time.
func javaFold(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }

// cased lists every code point that a simple case mapping changes, ascending.
var cased = sync.OnceValue(func() []rune {
	var out []rune
	for _, cr := range unicode.CaseRanges {
		for r := rune(cr.Lo); r <= rune(cr.Hi); r++ {
			if unicode.ToUpper(r) != r || unicode.ToLower(r) != r {
				out = append(out, r)
			}
		}
	}
	return out
})

// foldSingle is the set a literal code point matches under the flags.
func foldSingle(r rune, f Flags) runeSet {
	switch {
	case f&CaseInsensitive == 0:
		return runesOf(r)
	case f&UnicodeCase != 0:
		key := javaFold(r)
		out := []rune{r, key}
		for _, c := range cased() {
			if javaFold(c) == key {
				out = append(out, c)
			}
		}
		return runesOf(out...)
	case r < 0x80:
		return runesOf(r, asciiLower(r), asciiUpper(r))
	}
	return runesOf(r)
}

// foldRange is the set a class range matches under the flags.
func foldRange(lo, hi rune, f Flags) runeSet {
	spans := []span{{lo, hi}}
	in := func(r rune) bool { return lo <= r && r <= hi }
	switch {
	case f&CaseInsensitive == 0:
	case f&UnicodeCase != 0:
		for _, c := range cased() {
			if up := unicode.ToUpper(c); in(up) || in(unicode.ToLower(up)) {
				spans = append(spans, span{c, c})
			}
		}
	default:
		for c := rune('A'); c <= 'z'; c++ {
			if in(asciiUpper(c)) || in(asciiLower(c)) {
				spans = append(spans, span{c, c})
			}
		}
	}
	return setOf(spans...)
}

func asciiLower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

func asciiUpper(r rune) rune {
	if 'a' <= r && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}
