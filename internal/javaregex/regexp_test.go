package javaregex

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/internal/invariants"
)

func mustCompile(t testing.TB, pattern string, opts ...Option) *Regexp {
	t.Helper()
	re, err := Compile(pattern, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return re
}

func TestLinear(t *testing.T) {
	for pattern, want := range map[string]bool{
		`.*`: true, `^(\S+) (\d{3})$`: true, `(?i)error|warn`: true, `[a-z&&[^b]]+`: true, `\p{javaLowerCase}+`: true,
		`\Qa.b\E\z`: true, `(?s)(.*)`: true, `a\Rb`: true, `a{1000}`: true,
		`\bfoo`: false, `(?m)^a`: false, `a++`: false, `(?=a)`: false, `(a)\1`: false, `(a*)*`: false, `$a`: false, `a{1001}`: false,
	} {
		if got := mustCompile(t, pattern).Linear(); got != want {
			t.Errorf("%s: Linear gives %v", pattern, got)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		pattern, in string
		flags       Flags
		want        bool
	}{
		{`ABC`, "xabcx", CaseInsensitive, true},
		{`É`, "é", CaseInsensitive, false},
		{`É`, "é", CaseInsensitive | UnicodeCase, true},
		{`a.b`, "a\nb", 0, false},
		{`a.b`, "a\nb", DotAll, true},
		{`a.b`, "a\rb", UnixLines, true},
		{`a.b`, "a.b", Literal, true},
		{`a.b`, "axb", Literal, false},
		{`a\E`, `a\E`, Literal, true},
		{`a b # c`, "ab", Comments, true},
		{`^b$`, "a\nb\nc", Multiline, true},
		{`^\w$`, "é", UnicodeCharacterClass, true},
	} {
		if got, err := mustCompile(t, c.pattern, WithFlags(c.flags)).Find([]byte(c.in)); got != c.want || err != nil {
			t.Errorf("%q with flags %b on %q: Find gives %v, %v", c.pattern, c.flags, c.in, got, err)
		}
	}
}

func TestTimeout(t *testing.T) {
	re := mustCompile(t, `^(?=x)(?:(?:x+x+)+)+y`, WithTimeout(50*time.Millisecond))
	in := []byte(strings.Repeat("x", 60))
	start := time.Now()
	if _, err := re.Find(in); !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), re.String()) {
		t.Errorf("Find gives error %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the match took %s", took)
	}
	tmpl, err := CompileTemplate(re, "z")
	if err != nil {
		t.Fatal(err)
	}
	out, changed, err := re.AppendReplaceAll([]byte("kept"), in, tmpl)
	if string(out) != "kept" || changed || !errors.Is(err, ErrTimeout) {
		t.Errorf("AppendReplaceAll gives %q, %v, %v", out, changed, err)
	}
}

func TestErrorNamesColumn(t *testing.T) {
	for pattern, col := range map[string]int{
		`ab\X`: 3, `é(?<=(b))`: 6, `a[b`: 2, `(a`: 2, `x**`: 3, `\p{Foo}`: 1, `a\N{DIGIT ONE}`: 2, `a)`: 2, `(?i)(b)\1`: 8,
		strings.Repeat("(", 300): 251,
	} {
		_, err := Compile(pattern)
		var e *Error
		if !errors.As(err, &e) || e.Col != col {
			t.Errorf("%q: error %v, want column %d", pattern, err, col)
		}
	}
}

func TestLimits(t *testing.T) {
	for name, pattern := range map[string]string{
		"length":  strings.Repeat("a", maxPatternBytes+1),
		"classes": strings.Repeat(`\p{L}`, 400),
		"utf8":    "a\xff",
	} {
		if _, err := Compile(pattern); err == nil {
			t.Errorf("%s: compiles", name)
		}
	}
}

func TestTemplate(t *testing.T) {
	re := mustCompile(t, `(?<y>\d+)-(\d+)`)
	for _, c := range []struct{ template, want string }{
		{`$2/$1`, "<02/2024>"}, {`${y}`, "<2024>"}, {`$11`, "<20241>"}, {`\$1\\`, `<$1\>`}, {`é\é$0`, "<éé2024-02>"}, {``, "<>"},
	} {
		tmpl, err := CompileTemplate(re, c.template)
		if err != nil {
			t.Errorf("%q: %v", c.template, err)
			continue
		}
		out, changed, err := re.AppendReplaceAll([]byte("<"), []byte("2024-02"), tmpl)
		if string(out)+">" != c.want || !changed || err != nil {
			t.Errorf("%q gives %q, %v, %v, want %q", c.template, out, changed, err, c.want)
		}
	}
	for _, bad := range []string{`$`, `$x`, `$3`, `${`, `${}`, `${z}`, `${y`, `\`, `${1}`} {
		if _, err := CompileTemplate(re, bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	for _, pattern := range []string{`a(.)b`, `a(.)b(?!x)`} {
		re := mustCompile(t, pattern)
		in := []byte("\xffxa\xe2\x82b")
		loc, err := re.FindSubmatchIndex([]int{7}, in)
		if got := fmt.Sprint(loc); got != "[7 2 6 3 5]" || err != nil {
			t.Errorf("%s: FindSubmatchIndex gives %v, %v", pattern, got, err)
		}
		tmpl, err := CompileTemplate(re, "[$1]")
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := re.AppendReplaceAll(nil, in, tmpl)
		if string(out) != "\xffx[\xe2\x82]" || err != nil {
			t.Errorf("%s: AppendReplaceAll gives %q, %v", pattern, out, err)
		}
	}
}

// TestDecode compares with Java's decoder; see testdata/Decode.java.
func TestDecode(t *testing.T) {
	f, err := os.Open("testdata/decode.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := 0
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
		source, want, _ := strings.Cut(s.Text(), " ")
		b, err := hex.DecodeString(source)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		d := decode(b)
		for _, r := range d.runes {
			got += fmt.Sprintf("%x,", r)
		}
		d.release()
		if got != want {
			t.Errorf("%s decodes to %s, in Java to %s", source, got, want)
		}
		text, offsets := sanitize(b)
		if string(text) != string(d.runes) || offsets != nil && len(offsets) != len(text)+1 {
			t.Errorf("%s: sanitize gives %q with %d offsets", source, text, len(offsets))
		}
	}
	if lines < 1000 {
		t.Errorf("only %d lines", lines)
	}
}

func TestFindDoesNotAllocate(t *testing.T) {
	in := []byte(strings.Repeat("some log line ", 36))
	for _, pattern := range []string{`ERROR`, `ERROR|WARN`, `.*`, `^(\S+) \[(\d+)\]$`, `(?i)error`} {
		re := mustCompile(t, pattern)
		if n := testing.AllocsPerRun(100, func() { _, _ = re.Find(in); _, _ = re.Matches(in) }); n != 0 && !invariants.Enabled {
			t.Errorf("%s: %v allocations", pattern, n)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{`(a+)+$`, `[a-z&&[^b]]`, `(?x) a # b`, `\Q[\E\p{L}`, `(?<n>a)\k<n>`, `a{2,3}+?`, `(?<=a|bb)c`, `(?m)^$|\b`} {
		f.Add(s, "aab\nbb é\xff")
	}
	f.Fuzz(func(t *testing.T, pattern, in string) {
		if len(pattern) > 200 || len(in) > 200 {
			return
		}
		start := time.Now()
		re, err := Compile(pattern, WithTimeout(10*time.Millisecond))
		if err != nil {
			return
		}
		ok, err := re.Find([]byte(in))
		loc, err2 := re.FindSubmatchIndex(nil, []byte(in))
		if err == nil && err2 == nil && ok != (loc != nil) {
			t.Errorf("%q on %q: Find gives %v, FindSubmatchIndex %v", pattern, in, ok, loc)
		}
		if loc != nil && len(loc) != 2*re.NumGroups()+2 {
			t.Errorf("%q: %d offsets for %d groups", pattern, len(loc), re.NumGroups())
		}
		tmpl, err := CompileTemplate(re, "<$0>")
		if err != nil {
			t.Fatal(err)
		}
		if _, changed, err := re.AppendReplaceAll(nil, []byte(in), tmpl); err == nil && err2 == nil && changed != (loc != nil) {
			t.Errorf("%q on %q: AppendReplaceAll reports %v", pattern, in, changed)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%q on %q took %s", pattern, in, took)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	line := []byte(strings.Repeat("2024-01-02 03:04:05 INFO some words in a log line ", 11)[:512])
	hit := append([]byte(nil), line...)
	copy(hit[480:], "ERROR")
	for _, pattern := range []string{`ERROR`, `ERROR|WARN|FATAL`, `.*ERROR.*`, `(?i)error|warn`, `(\S+) ERROR`, `\[(\d+)\]$`} {
		re := mustCompile(b, pattern)
		for name, in := range map[string][]byte{"miss": line, "hit": hit} {
			b.Run(pattern+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := re.Find(in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
