package javaregex

import (
	"strings"
	"sync"
	"unicode"
)

// The sets behind Java's predefined classes and POSIX names.
var (
	asciiDigit = setOf(span{'0', '9'})
	asciiLow   = setOf(span{'a', 'z'})
	asciiUp    = setOf(span{'A', 'Z'})
	asciiAlpha = setOf(span{'a', 'z'}, span{'A', 'Z'})
	asciiWord  = setOf(span{'a', 'z'}, span{'A', 'Z'}, span{'0', '9'}, span{'_', '_'})
	asciiSpace = setOf(span{'\t', '\r'}, span{' ', ' '})
	asciiPunct = setOf(span{'!', '/'}, span{':', '@'}, span{'[', '`'}, span{'{', '~'})
	horizontal = setOf(span{'\t', '\t'}, span{' ', ' '}, span{0xA0, 0xA0}, span{0x1680, 0x1680},
		span{0x180E, 0x180E}, span{0x2000, 0x200A}, span{0x202F, 0x202F}, span{0x205F, 0x205F}, span{0x3000, 0x3000})
	vertical       = setOf(span{'\n', '\r'}, span{0x85, 0x85}, span{0x2028, 0x2029})
	lineTerminator = runesOf('\n', '\r', 0x85, 0x2028, 0x2029)
)

var posixSets = map[string]runeSet{
	"ASCII":  {{0, 0x7F}},
	"Alnum":  asciiAlpha.union(asciiDigit),
	"Alpha":  asciiAlpha,
	"Blank":  runesOf(' ', '\t'),
	"Cntrl":  setOf(span{0, 0x1F}, span{0x7F, 0x7F}),
	"Digit":  asciiDigit,
	"Graph":  {{'!', '~'}},
	"Lower":  asciiLow,
	"Print":  {{' ', '~'}},
	"Punct":  asciiPunct,
	"Space":  asciiSpace,
	"Upper":  asciiUp,
	"XDigit": setOf(span{'0', '9'}, span{'a', 'f'}, span{'A', 'F'}),
	"L1":     {{0, 0xFF}},
	"all":    anyRune,
}

// unicodeSets holds the larger sets; they are built once, on first use.
type unicodeSets struct {
	assigned, alphabetic, lower, upper, title, letterOrDigit runeSet
	word, graph, print, blank, cased                         runeSet
}

var uni = sync.OnceValue(func() *unicodeSets {
	u := &unicodeSets{
		assigned:      tableSet(unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.C).minus(tableSet(unicode.Cn)),
		alphabetic:    tableSet(unicode.L, unicode.Nl, unicode.Other_Alphabetic),
		lower:         tableSet(unicode.Ll, unicode.Other_Lowercase),
		upper:         tableSet(unicode.Lu, unicode.Other_Uppercase),
		title:         tableSet(unicode.Lt),
		letterOrDigit: tableSet(unicode.L, unicode.Nd),
		blank:         tableSet(unicode.Zs).union(runesOf('\t')),
		cased:         tableSet(unicode.Lu, unicode.Ll, unicode.Lt),
	}
	u.word = u.alphabetic.union(tableSet(unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control))
	u.graph = u.assigned.minus(tableSet(unicode.Z, unicode.Cc, unicode.Cs))
	u.print = u.graph.union(u.blank).minus(tableSet(unicode.Cc))
	return u
})

// property resolves the name inside \p{…}. caseless says that the pattern
// ignores case there, which widens the classes that tell cases apart.
// It reports false for a name Java does not know.
func property(name string, f Flags) (runeSet, bool) {
	caseless := f&CaseInsensitive != 0
	if key, value, ok := strings.Cut(name, "="); ok {
		switch strings.ToLower(key) {
		case "sc", "script":
			return script(value)
		case "blk", "block":
			return blockNamed(value)
		case "gc", "general_category":
			return category(value, caseless)
		}
		return nil, false
	}
	if rest, ok := strings.CutPrefix(name, "In"); ok {
		return blockNamed(rest)
	}
	if rest, ok := strings.CutPrefix(name, "Is"); ok {
		if s, ok := binaryProperty(rest, caseless); ok {
			return s, true
		}
		if s, ok := category(rest, caseless); ok {
			return s, true
		}
		return script(rest)
	}
	if f&UnicodeCharacterClass != 0 {
		if s, ok := unicodePOSIX(name, caseless); ok {
			return s, true
		}
	}
	return category(name, caseless)
}

// category resolves general categories and the names that share their table in
// Java: POSIX classes and the java… family.
func category(name string, caseless bool) (runeSet, bool) {
	if caseless {
		switch name {
		case "Lower", "Upper":
			return asciiAlpha, true
		case "Lu", "Ll", "Lt":
			return uni().cased, true
		}
	}
	if s, ok := posixSets[name]; ok {
		return s, true
	}
	if rest, ok := strings.CutPrefix(name, "java"); ok {
		return javaMethod(rest, caseless)
	}
	switch name {
	case "LC":
		return uni().cased, true
	case "LD":
		return uni().letterOrDigit, true
	case "Cn":
		return uni().assigned.negate(), true
	case "C":
		return tableSet(unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs).union(uni().assigned.negate()), true
	}
	if t, ok := unicode.Categories[name]; ok {
		return tableSet(t), true
	}
	return nil, false
}

// javaMethod resolves \p{javaXxx}, the set for which Character.isXxx is true.
// javaMirrored is left out: mirroring is not in the Unicode tables at hand.
func javaMethod(name string, caseless bool) (runeSet, bool) {
	u := uni()
	switch name {
	case "LowerCase", "UpperCase", "TitleCase":
		if caseless {
			return u.lower.union(u.upper).union(u.title), true
		}
		return map[string]runeSet{"LowerCase": u.lower, "UpperCase": u.upper, "TitleCase": u.title}[name], true
	case "Alphabetic":
		return u.alphabetic, true
	case "Ideographic":
		return tableSet(unicode.Ideographic), true
	case "Digit":
		return tableSet(unicode.Nd), true
	case "Defined":
		return u.assigned, true
	case "Letter":
		return tableSet(unicode.L), true
	case "LetterOrDigit":
		return u.letterOrDigit, true
	case "SpaceChar":
		return tableSet(unicode.Z), true
	case "Whitespace":
		breaking := tableSet(unicode.Z).minus(runesOf(0xA0, 0x2007, 0x202F))
		return breaking.union(setOf(span{'\t', '\r'}, span{0x1C, 0x1F})), true
	case "ISOControl":
		return setOf(span{0, 0x1F}, span{0x7F, 0x9F}), true
	}
	return identifierMethod(name)
}

// identifierMethod resolves the java… names about identifiers.
func identifierMethod(name string) (runeSet, bool) {
	ignorable := setOf(span{0, 8}, span{0xE, 0x1B}, span{0x7F, 0x9F}).union(tableSet(unicode.Cf))
	unicodeStart := tableSet(unicode.L, unicode.Nl, unicode.Other_ID_Start)
	marksAndDigits := tableSet(unicode.Nd, unicode.Mc, unicode.Mn)
	javaStart := tableSet(unicode.L, unicode.Nl, unicode.Sc, unicode.Pc)
	switch name {
	case "IdentifierIgnorable":
		return ignorable, true
	case "JavaIdentifierStart":
		return javaStart, true
	case "JavaIdentifierPart":
		return javaStart.union(marksAndDigits).union(ignorable), true
	case "UnicodeIdentifierStart":
		return unicodeStart, true
	case "UnicodeIdentifierPart":
		return unicodeStart.union(marksAndDigits).union(ignorable).
			union(tableSet(unicode.Pc, unicode.Other_ID_Continue)), true
	}
	return nil, false
}

// binaryProperty resolves \p{IsXxx} for Unicode's binary properties; their
// names are compared without regard to case.
func binaryProperty(name string, caseless bool) (runeSet, bool) {
	u := uni()
	name = strings.ToUpper(name)
	switch name {
	case "LOWERCASE", "UPPERCASE", "TITLECASE":
		if caseless {
			return u.lower.union(u.upper).union(u.title), true
		}
		return map[string]runeSet{"LOWERCASE": u.lower, "UPPERCASE": u.upper, "TITLECASE": u.title}[name], true
	case "ALPHABETIC":
		return u.alphabetic, true
	case "LETTER":
		return tableSet(unicode.L), true
	case "IDEOGRAPHIC":
		return tableSet(unicode.Ideographic), true
	case "WHITE_SPACE", "WHITESPACE":
		return tableSet(unicode.White_Space), true
	case "CONTROL":
		return tableSet(unicode.Cc), true
	case "PUNCTUATION":
		return tableSet(unicode.P), true
	case "HEX_DIGIT", "HEXDIGIT":
		return hexDigits(), true
	case "ASSIGNED":
		return u.assigned, true
	case "NONCHARACTER_CODE_POINT", "NONCHARACTERCODEPOINT":
		return tableSet(unicode.Noncharacter_Code_Point), true
	case "DIGIT":
		return tableSet(unicode.Nd), true
	case "ALNUM":
		return u.alphabetic.union(tableSet(unicode.Nd)), true
	case "BLANK":
		return u.blank, true
	case "GRAPH":
		return u.graph, true
	case "PRINT":
		return u.print, true
	case "WORD":
		return u.word, true
	case "JOIN_CONTROL", "JOINCONTROL":
		return tableSet(unicode.Join_Control), true
	}
	return nil, false
}

func hexDigits() runeSet { return tableSet(unicode.Nd, unicode.Hex_Digit) }

// unicodePOSIX resolves POSIX names under UNICODE_CHARACTER_CLASS.
func unicodePOSIX(name string, caseless bool) (runeSet, bool) {
	switch strings.ToUpper(name) {
	case "ALPHA":
		return uni().alphabetic, true
	case "LOWER":
		return binaryProperty("LOWERCASE", caseless)
	case "UPPER":
		return binaryProperty("UPPERCASE", caseless)
	case "SPACE":
		return tableSet(unicode.White_Space), true
	case "PUNCT":
		return tableSet(unicode.P), true
	case "XDIGIT":
		return hexDigits(), true
	case "ALNUM", "CNTRL", "DIGIT", "BLANK", "GRAPH", "PRINT":
		if strings.EqualFold(name, "CNTRL") {
			name = "CONTROL"
		}
		return binaryProperty(name, caseless)
	}
	return nil, false
}

// script resolves a script by its name or four-letter code, in any case.
func script(name string) (runeSet, bool) {
	name = strings.ToUpper(name)
	if full, ok := scriptCodes[name]; ok {
		name = full
	}
	if name == "UNKNOWN" {
		all := make([]*unicode.RangeTable, 0, len(unicode.Scripts))
		for _, t := range unicode.Scripts {
			all = append(all, t)
		}
		return tableSet(all...).negate(), true
	}
	for n, t := range unicode.Scripts {
		if strings.EqualFold(n, name) {
			return tableSet(t), true
		}
	}
	return nil, false
}

var blockSeparators = strings.NewReplacer(" ", "", "_", "", "-", "")

// blockNamed resolves a Unicode block; case, spaces, hyphens and underscores of
// the name do not matter.
func blockNamed(name string) (runeSet, bool) {
	name = strings.ToUpper(blockSeparators.Replace(name))
	for _, b := range blocks {
		for n := range strings.SplitSeq(b.names, " ") {
			if n == name {
				return runeSet{{b.lo, b.hi}}, true
			}
		}
	}
	return nil, false
}
