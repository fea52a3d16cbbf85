// Package charset finds character sets by the names that Java knows and turns
// streams of bytes in them into UTF-8.
package charset

import (
	"fmt"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// Replacement is what stands in decoded text for bytes that mean nothing in
// their character set: U+FFFD, in UTF-8.
const Replacement = "\uFFFD"

// Charset is a character set. The zero value is UTF-8.
type Charset struct {
	decode, encode encoding.Encoding // nil for UTF-8
}

// Lookup returns the character set of this name: any IANA name or alias, and
// those of Java's own names that occur in configurations ("Cp1252", "UTF8",
// "MS932"). Case does not count.
func Lookup(name string) (Charset, error) {
	key := strings.ToLower(strings.TrimSpace(name))
	if c, ok := javaNames[key]; ok {
		return c, nil
	}
	// Cp1250 to Cp1258 are Java's historical names of windows-1250 to 1258.
	if n, ok := strings.CutPrefix(key, "cp125"); ok {
		key = "windows-125" + n
	}
	// ISO8859_15, ISO8859-15 and 8859_15 are all ISO-8859-15.
	if _, n, ok := strings.Cut(strings.ReplaceAll(key, "_", "-"), "8859-"); ok && !strings.Contains(n, ":") {
		key = "iso-8859-" + n
	}
	e, err := ianaindex.IANA.Encoding(key)
	if err != nil || e == nil {
		return Charset{}, fmt.Errorf("unknown character set %q", name)
	}
	return both(e), nil
}

func both(e encoding.Encoding) Charset { return Charset{decode: e, encode: e} }

var (
	utf16 = both(unicode.UTF16(unicode.BigEndian, unicode.UseBOM))
	// Java reads a byte order mark of UTF-32 but never writes one.
	utf32any = Charset{
		decode: utf32.UTF32(utf32.BigEndian, utf32.UseBOM),
		encode: utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM),
	}
)

// javaNames are the names that the IANA index does not know or gives another
// meaning.
var javaNames = map[string]Charset{
	"utf-8": {}, "utf8": {}, "unicode-1-1-utf-8": {},
	"utf-16": utf16, "utf16": utf16, "utf_16": utf16, "unicode": utf16,
	"utf-16be": both(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)),
	"utf-16le": both(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)),
	"utf-32":   utf32any, "utf32": utf32any, "utf_32": utf32any,
	"utf-32be": both(utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)),
	"utf-32le": both(utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)),
	"latin1":   both(charmap.ISO8859_1),
	"cp437":    both(charmap.CodePage437),
	"cp850":    both(charmap.CodePage850),
	"cp852":    both(charmap.CodePage852),
	"cp866":    both(charmap.CodePage866),
	"sjis":     both(japanese.ShiftJIS), "ms932": both(japanese.ShiftJIS), "windows-31j": both(japanese.ShiftJIS),
	"euc_jp": both(japanese.EUCJP), "euc-jp": both(japanese.EUCJP),
	"euc_kr": both(korean.EUCKR), "euc-kr": both(korean.EUCKR), "ms949": both(korean.EUCKR),
	"ms936": both(simplifiedchinese.GBK), "gbk": both(simplifiedchinese.GBK), "gb18030": both(simplifiedchinese.GB18030),
	"big5": both(traditionalchinese.Big5), "ms950": both(traditionalchinese.Big5),
	"ascii": asciiCharset(), "us-ascii": asciiCharset(), "ascii7": asciiCharset(),
}

func asciiCharset() Charset {
	e, err := ianaindex.IANA.Encoding("US-ASCII")
	if err != nil || e == nil {
		panic("charset: the library lost US-ASCII")
	}
	return both(e)
}

// IsUTF8 reports whether c is UTF-8, which needs no decoding.
func (c Charset) IsUTF8() bool { return c.decode == nil }
