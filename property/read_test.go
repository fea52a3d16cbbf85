package property

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// TestReadLikeJava compares Read with what java.util.Properties made of the same
// input; testdata/PropertiesOracle.java wrote the answers.
func TestReadLikeJava(t *testing.T) {
	file, err := os.Open("testdata/oracle.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	count := 0
	for lines.Scan() {
		count++
		var want struct {
			In      []byte
			Entries [][2]string
			Failed  bool
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatalf("line %d: %v", count, err)
		}
		entries, problems := Read("f", want.In)
		if problems.HasErrors() != want.Failed {
			t.Errorf("%q: problems %v, Java failed: %v", want.In, problems, want.Failed)
		}
		var got [][2]string
		for _, e := range entries {
			got = append(got, [2]string{e.Key, e.Value.Text})
		}
		if want.Failed && len(got) >= len(want.Entries) {
			got = got[:len(want.Entries)] // Java read no further
		}
		if diff := cmp.Diff(want.Entries, got); diff != "" && len(want.Entries)+len(got) > 0 {
			t.Errorf("%q: Java (-) and Read (+) differ:\n%s", want.In, diff)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if count < 1000 {
		t.Errorf("only %d inputs compared", count)
	}
}

func pos(line, col int) Position { return Position{File: "f", Line: line, Col: col} }

func TestReadPositions(t *testing.T) {
	tests := []struct {
		name, text      string
		entry           int
		key, at         Position
		tidyKey, tidyAt Position
	}{
		{"plain", "a=b", 0, pos(1, 1), pos(1, 3), pos(1, 1), pos(1, 3)},
		{"blanks", "\n  a  =  b", 0, pos(2, 3), pos(2, 9), pos(2, 3), pos(2, 9)},
		{"after comment and CR LF", "# c\r\n\r\nx=1\r\ny : 2", 1, pos(4, 1), pos(4, 5), pos(4, 1), pos(4, 5)},
		{"CR alone ends a line", "x=1\ry=2", 1, pos(2, 1), pos(2, 3), pos(2, 1), pos(2, 3)},
		{"value on the next line", "a = \\\n   b", 0, pos(1, 1), pos(2, 4), pos(1, 1), pos(2, 4)},
		{"after a continued value", "a = b \\\r\n c\nd=e", 1, pos(3, 1), pos(3, 3), pos(3, 1), pos(3, 3)},
		{"separator on the next line", "a\\\n  = b", 0, pos(1, 1), pos(2, 5), pos(1, 1), pos(2, 5)},
		{"key starts after a continuation", "\\\n  a=b", 0, pos(2, 3), pos(2, 5), pos(2, 3), pos(2, 5)},
		{"columns are characters", "é€=😀 x\n😀😀=é", 1, pos(2, 1), pos(2, 4), pos(2, 1), pos(2, 4)},
		{"byte order mark has no column", "\ufeffa=b", 0, pos(1, 1), pos(1, 3), pos(1, 1), pos(1, 3)},
		{"no value", "a\nb", 0, pos(1, 1), pos(1, 2), pos(1, 1), pos(1, 2)},
		{"escaped blanks are trimmed", `\ a=\t\u0020b`, 0, pos(1, 1), pos(1, 5), pos(1, 3), pos(1, 13)},
		{"value is an escape", `a=\u0041`, 0, pos(1, 1), pos(1, 3), pos(1, 1), pos(1, 3)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			entries, problems := Read("f", []byte(tt.text))
			if len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			e := entries[tt.entry]
			tidy := e.Trimmed()
			got := []Position{e.Value.Key, e.Value.At, tidy.Value.Key, tidy.Value.At}
			want := []Position{tt.key, tt.at, tt.tidyKey, tt.tidyAt}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("key, value, trimmed key, trimmed value:\n%s", diff)
			}
		})
	}
}

func TestReadProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"malformed escape", "a=1\nb=x\\u12", `f:2:4: b: malformed escape: \u is not followed by four hexadecimal digits; write \uXXXX, or \\u for a backslash and the letter u`},
		{"lone surrogate", `b=x\uD800y`, `f:1:4: warning: b: half of a surrogate pair is no character and becomes U+FFFD; write both halves, for example \uD83D\uDE00`},
		{"ISO-8859-1", "# x\nname = \xe9t\xe9\n", `f:2:8: warning: byte 0xE9 is not UTF-8, so the whole text is read as ISO-8859-1; save the file as UTF-8, or write the character as a \uXXXX escape`},
		{"column counts characters", "x=\u00e9\u00e9 \xff", `f:1:6: warning: byte 0xFF is not UTF-8, so the whole text is read as ISO-8859-1; save the file as UTF-8, or write the character as a \uXXXX escape`},
		{"too large", strings.Repeat("a", MaxSize+1), "f: is larger than 16 MiB and was not read; give the path of a properties file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := Read("f", []byte(tt.text))
			if got := problems.Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestReadGoesOnAfterError(t *testing.T) {
	entries, problems := Read("f", []byte("a=\\uZZ\nb=2\nc=\\u1\n"))
	if len(problems) != 2 || !problems.HasErrors() {
		t.Errorf("problems = %v, want two errors", problems)
	}
	if len(entries) != 3 || entries[0].Value.Text != "uZZ" || entries[1].Value.Text != "2" {
		t.Errorf("entries = %+v", entries)
	}
}

func TestReadLatin1(t *testing.T) {
	entries, _ := Read("f", []byte("a=\xe9\xa0b"))
	if got := entries[0].Value.Text; got != "é\u00a0b" {
		t.Errorf("value = %q", got)
	}
}

func TestTrimmed(t *testing.T) {
	entries, _ := Read("f", []byte("a\\ =\\t b\\u0001 \u00a0\\ \n"))
	got := entries[0].Trimmed()
	if got.Key != "a" || got.Value.Text != "b\u0001 \u00a0" || got.Value.Raw != got.Value.Text {
		t.Errorf("trimmed = %+v", got)
	}
}

func TestDuplicates(t *testing.T) {
	entries, _ := Read("f", []byte("a=1\nb=2\na =3\n\\ta=4\n"))
	want := "f:3:1: warning: a: is defined again and replaces the definition at f:1:1; remove one of the two\n" +
		"f:4:3: warning: a: is defined again and replaces the definition at f:3:1; remove one of the two"
	if got := Duplicates(entries).Error(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestEscape(t *testing.T) {
	tests := []struct{ key, value, want string }{
		{"a.b", "c d", "a.b=c d"},
		{"a b=c:d#e", " x =:#!", `a\ b\=c\:d\#e=\ x =:#!`},
		{"#", "=\t\n\r\f\\", `\#=\=\t\n\r\f\\`},
		{"é", "€😀\x00\x7f", `\u00E9=\u20AC\uD83D\uDE00\u0000\u007F`},
	}
	for _, tt := range tests {
		if got := Escape(tt.key, tt.value); got != tt.want {
			t.Errorf("Escape(%q, %q) = %s, want %s", tt.key, tt.value, got, tt.want)
		}
	}
}

// FuzzRead checks that Read never panics, keeps positions inside the text, and
// that Escape writes what Read reads.
func FuzzRead(f *testing.F) {
	f.Add([]byte("a=b\n"))
	f.Add([]byte("# c\r\na\\ b : c \\\r\n  d\\uD83D\\uDE00\\u12\n\\"))
	f.Add([]byte("\xff=\xe9\\\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, problems := Read("f", data)
		if again, _ := Read("f", data); !slices.Equal(again, entries) {
			t.Error("reading twice gives different entries")
		}
		lines := textLines(data)
		check := func(p Position) {
			if p.Line < 1 || p.Line > len(lines) || p.Col < 1 || p.Col > lines[p.Line-1]+1 {
				t.Errorf("position %v is outside the text", p)
			}
		}
		for _, p := range problems {
			check(p.At)
		}
		var text bytes.Buffer
		for _, e := range entries {
			check(e.Value.Key)
			check(e.Value.At)
			check(e.Trimmed().Value.At)
			text.WriteString(Escape(e.Key, e.Value.Text) + "\n")
		}
		back, problems := Read("f", text.Bytes())
		if len(problems) > 0 || len(back) != len(entries) {
			t.Fatalf("read back %d of %d entries, problems %v", len(back), len(entries), problems)
		}
		for i, e := range back {
			if e.Key != entries[i].Key || e.Value.Text != entries[i].Value.Text {
				t.Errorf("wrote %q = %q, read %q = %q", entries[i].Key, entries[i].Value.Text, e.Key, e.Value.Text)
			}
		}
	})
}

// textLines returns the number of characters of each line of data, bytes where
// data is not UTF-8.
func textLines(data []byte) []int {
	text := string(data)
	count := func(line string) int { return len(line) }
	if utf8.Valid(data) {
		count = utf8.RuneCountInString
	}
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\x00\n"), "\r", "\n")
	var counts []int
	for line := range strings.SplitSeq(text, "\n") {
		counts = append(counts, count(line))
	}
	return counts
}
