package charset

import (
	"bytes"
	"strings"
	"testing"
)

// decodeAll decodes text in pieces of the given size.
func decodeAll(c Charset, text []byte, piece int) string {
	var out []byte
	d := c.NewDecoder()
	for len(text) > 0 {
		n := min(piece, len(text))
		dst := make([]byte, MaxDecoded(n))
		out = append(out, dst[:d.Decode(dst, text[:n])]...)
		text = text[n:]
	}
	dst := make([]byte, MaxDecoded(0))
	return string(append(out, dst[:d.Finish(dst)]...))
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"utf-8", "aü€😀", "aü€😀"},
		{"UTF8", "a\xffb", "a\uFFFDb"},
		{"utf-8", "\xe2\x82A\xf0\x9f\x98", "\uFFFDA\uFFFD"},
		{"ISO-8859-1", "gr\xfcn \x80", "grün \u0080"},
		{"latin1", "\xe9", "é"},
		{"ISO8859_15", "\xa4", "€"},
		{"8859_1", "\xe9", "é"},
		{"windows-1252", "\x80", "€"},
		{"Cp1252", "\x80", "€"},
		{"Cp850", "\x81", "ü"},
		{"IBM437", "\x81", "ü"},
		{"US-ASCII", "a\xe9", "a\uFFFD"},
		{"ASCII", "ok", "ok"},
		{"UTF-16", "\x00a\x20\xac", "a€"},
		{"UTF-16", "\xff\xfea\x00", "a"},
		{"UTF-16LE", "=\xd8\x00\xde", "😀"},
		{"UTF-16BE", "\x00a\xd8", "a\uFFFD"},
		{"UTF-32", "\x00\x01\xf6\x00", "😀"},
		{"Shift_JIS", "\x93\xfa", "日"},
		{"SJIS", "\x93\xfa", "日"},
		{"EUC-JP", "\xc6\xfc", "日"},
		{"ISO-2022-JP", "\x1b$BF|\x1b(Bx", "日x"},
		{"GBK", "\xc8\xd5", "日"},
		{"GB18030", "\x94\x39\xfc\x36", "😀"},
		{"Big5", "\xa4\xe9", "日"},
		{"EUC-KR", "\xc0\xcf", "일"},
		{"KOI8-R", "\xc1", "а"},
	} {
		cs, err := Lookup(c.name)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, piece := range []int{1, 2, 3, 100} {
			if got := decodeAll(cs, []byte(c.in), piece); got != c.want {
				t.Errorf("%s: %q in pieces of %d is %q, want %q", c.name, c.in, piece, got, c.want)
			}
		}
	}
}

func TestEncode(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"utf-8", "OKé", "OKé"},
		{"ISO-8859-1", "é", "\xe9"},
		{"UTF-16", "a", "\xfe\xff\x00a"},
		{"UTF-16LE", "a", "a\x00"},
		{"UTF-32", "a", "\x00\x00\x00a"},
		{"US-ASCII", "aéb", "a?b"},
	} {
		cs, err := Lookup(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := cs.NewEncoder().Append([]byte("> "), []byte(c.text)); string(got) != "> "+c.want {
			t.Errorf("%s: %q is %q, want %q", c.name, c.text, got, c.want)
		}
	}
}

// TestEncodeStream: the byte order mark is written once, and long text grows the slice.
func TestEncodeStream(t *testing.T) {
	cs, err := Lookup("UTF-16")
	if err != nil {
		t.Fatal(err)
	}
	e := cs.NewEncoder()
	got := e.Append(nil, []byte("a"))
	got = e.Append(got, []byte(strings.Repeat("b", 1000)))
	if want := "\xfe\xff\x00a" + strings.Repeat("\x00b", 1000); string(got) != want {
		t.Errorf("%d bytes %.20q, want %d", len(got), got, len(want))
	}
}

// TestEncodeWhole: each text stands by itself, whatever the encoder wrote before.
func TestEncodeWhole(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"UTF-16", "a", "\xfe\xff\x00a"},
		{"UTF-16", "", ""},
		{"ISO-8859-1", "é" + Replacement + "€.", "\xe9??."},
		{"ISO-2022-JP", "\u65e5", "\x1b$BF|\x1b(B"},
		{"Shift_JIS", Replacement, "?"},
		{"US-ASCII", strings.Repeat("é", 500), strings.Repeat("?", 500)},
	} {
		cs, err := Lookup(c.name)
		if err != nil {
			t.Fatal(err)
		}
		e := cs.NewEncoder()
		got := e.AppendWhole(e.Append(nil, []byte(c.text)), []byte(c.text))
		if !bytes.HasSuffix(got, []byte(c.want)) {
			t.Errorf("%s: the second %q ends in %q, want %q", c.name, c.text, got, c.want)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, name := range []string{"klingon-8", "", "iso-8859-99"} {
		if _, err := Lookup(name); err == nil || !strings.Contains(err.Error(), "unknown character set") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestIsUTF8(t *testing.T) {
	for name, want := range map[string]bool{"UTF-8": true, "utf8": true, "UTF-16": false, "us-ascii": false} {
		if cs, err := Lookup(name); err != nil || cs.IsUTF8() != want {
			t.Errorf("%s: IsUTF8 is %v, %v", name, cs.IsUTF8(), err)
		}
	}
}

// FuzzDecode: pieces make no difference, and the result is always UTF-8.
func FuzzDecode(f *testing.F) {
	names := []string{"utf-8", "utf-16", "utf-16le", "utf-32", "iso-8859-1", "cp1252", "us-ascii", "shift_jis",
		"euc-jp", "iso-2022-jp", "gbk", "gb18030", "big5", "euc-kr"}
	f.Add(0, 1, []byte("a\xe2\x82\xac\xff"))
	f.Add(1, 3, []byte("\xff\xfea\x00\x3d\xd8\x00\xde"))
	f.Add(9, 1, []byte("\x1b$BF|\x1b(Bx"))
	f.Add(11, 2, []byte("\x94\x39\xfc\x36\xff"))
	f.Fuzz(func(t *testing.T, which, piece int, text []byte) {
		if which < 0 || piece < 1 || len(text) > 1<<12 {
			return
		}
		name := names[which%len(names)]
		cs, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		whole, pieces := decodeAll(cs, text, len(text)+1), decodeAll(cs, text, piece)
		if whole != pieces {
			t.Fatalf("%s: %q is %q, but %q in pieces of %d", name, text, whole, pieces, piece)
		}
		if !bytes.Equal(bytes.ToValidUTF8([]byte(whole), nil), []byte(whole)) {
			t.Fatalf("%s: %q became %q, which is not UTF-8", name, text, whole)
		}
	})
}
