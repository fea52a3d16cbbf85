package property

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzEscape writes any key and value, which Read gives back.
func FuzzEscape(f *testing.F) {
	f.Add("a1.sources.r1.bind", "127.0.0.1")
	f.Add(" key with = and : # !", " value = \\ # !\t\n\r\f ")
	f.Add("", "\u00e9\U0001F600\x00")
	f.Add("\\u0041", "\\")
	f.Fuzz(func(t *testing.T, key, value string) {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return
		}
		line := Escape(key, value)
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q is not printable ASCII", line)
		}
		entries, problems := Read("f", []byte(line+"\nlast=1\n"))
		if len(problems) > 0 || len(entries) != 2 {
			t.Fatalf("%q gives %d entries and %v", line, len(entries), problems)
		}
		if e := entries[0]; e.Key != key || e.Value.Text != value {
			t.Errorf("%q gives %q = %q", line, e.Key, e.Value.Text)
		}
	})
}

// FuzzPrintable makes any text fit for a terminal and leaves what is alone.
func FuzzPrintable(f *testing.F) {
	f.Add("plain text, ünï©ode → too")
	f.Add("\x1b[31m\x00\u009b31m\xff\u202e\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := Printable(s)
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' }) {
			t.Errorf("%q becomes %q", s, got)
		}
		if again := Printable(got); again != got {
			t.Errorf("%q becomes %q and then %q", s, got, again)
		}
	})
}
