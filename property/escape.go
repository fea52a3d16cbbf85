package property

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// Escape returns the line "key=value" of a .properties text, without its end,
// from which Read, and any Java program, gets the same key and value back. It is
// pure ASCII, whatever the key and value hold.
func Escape(key, value string) string {
	var b strings.Builder
	escape(&b, key, true)
	b.WriteByte('=')
	escape(&b, value, false)
	return b.String()
}

// escape writes s. In a key every blank and separator is escaped, in a value
// only a blank at the start, which reading would skip.
func escape(b *strings.Builder, s string, key bool) {
	for i, r := range s {
		switch r {
		case '\t':
			b.WriteString(`\t`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\f':
			b.WriteString(`\f`)
		case '\\':
			b.WriteString(`\\`)
		case '=', ':', '#', '!':
			if key || i == 0 {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		case ' ':
			if key || i == 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(' ')
		default:
			escapeRune(b, r)
		}
	}
}

func escapeRune(b *strings.Builder, r rune) {
	switch {
	case r >= ' ' && r < 0x7F:
		b.WriteByte(byte(r))
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04X`, r)
	default:
		high, low := utf16.EncodeRune(r)
		fmt.Fprintf(b, `\u%04X\u%04X`, high, low)
	}
}
