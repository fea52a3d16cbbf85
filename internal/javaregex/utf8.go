package javaregex

import "unicode/utf8"

// replacement is U+FFFD in UTF-8.
const replacement = "\uFFFD"

// validUTF8 returns b, or a copy in which each ill-formed sequence is U+FFFD.
func validUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	text, _ := sanitize(b)
	return text
}

// sanitize is validUTF8 with a map from offsets in the result to offsets in b.
// The map is nil when they are the same.
func sanitize(b []byte) (text []byte, offsets []int) {
	if utf8.Valid(b) {
		return b, nil
	}
	text = make([]byte, 0, len(b)+2*len(replacement))
	offsets = make([]int, 0, cap(text)+1)
	for i := 0; i < len(b); {
		r, size := decodeRune(b[i:])
		text = utf8.AppendRune(text, r)
		for len(offsets) < len(text) {
			offsets = append(offsets, i)
		}
		i += size
	}
	return text, append(offsets, len(b))
}

// decodeRune decodes one code point the way Java's UTF-8 decoder does: where
// the input is ill-formed it gives U+FFFD and the number of bytes that Java
// replaces by it.
func decodeRune(b []byte) (rune, int) {
	r, size := utf8.DecodeRune(b)
	if r != utf8.RuneError || size != 1 {
		return r, size
	}
	switch c := b[0]; {
	case 0xE0 <= c && c <= 0xEF:
		return utf8.RuneError, illFormed3(b)
	case 0xF0 <= c && c <= 0xF4:
		return utf8.RuneError, illFormed4(b)
	}
	return utf8.RuneError, 1
}

func continues(b []byte, i int) bool { return i < len(b) && b[i]&0xC0 == 0x80 }

// illFormed3 is the length of an ill-formed sequence with the lead byte of a
// three-byte one. An encoded surrogate is one sequence of three.
func illFormed3(b []byte) int {
	switch {
	case !continues(b, 1) || b[0] == 0xE0 && b[1] < 0xA0:
		return 1
	case !continues(b, 2):
		return 2
	}
	return 3
}

// illFormed4 is illFormed3 for the lead byte of a four-byte sequence.
func illFormed4(b []byte) int {
	switch {
	case !continues(b, 1) || b[0] == 0xF0 && b[1] < 0x90 || b[0] == 0xF4 && b[1] > 0x8F:
		return 1
	case !continues(b, 2):
		return 2
	}
	return 3
}
