package javaregex

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// oracleCase is a line of testdata/oracle.jsonl, written by testdata/Oracle.java.
type oracleCase struct {
	Sample      string
	P, In       string
	Err, BadRep bool
	Find, Whole []int
	Rep         string
	Out         *string
	Left        *string
}

// refused lists the patterns that Java accepts and Compile refuses.
var refused = []string{
	`[a&&]`, `[a&&&b]`, `[abc&&[bc]&d]+`, `(ab)*+`, `(?<=a*)b`, `(?<=a+)b`, `\Ga?`, `((?=a))*a`,
	// Random ones, with a group in an optional loop over empty text.
	"1($(?<=\\b.))*?(\\d.?(?m:K(\\.\\W+?\\b)(?:-?K+?|\\.[ab]?\\.*))+){1,2}",
	"(?i:((?=𝒜{2}))*?.){2,}(?:(?<!b|ab)\\w*?|x\\Za{1,2})𝒜??",
	"(é)(((?!K\\W)){0,2}?)(((\\Wc).*(c\\.|\\.{2,}$\\w?)|(?<=é.)c(?<!b|ab))ab+|(?iu:\\d(-1+))[c\\n]*?)",
	".\\h?(((?<=[a-c]{1,2}))*?((b*?[1_b-z]\\w))ab)",
	"(\\A)*?1",
	"((?=(?<!b|ab)))*b{1,2}",
	"(?:(?:\\h+|(b^\\.+?)(?!1))-+?|(𝒜+|(ab{0,2}?)[__&&abb-zà-ü](\\W[\\p{Punct}1]{0,2}?|\\Rc𝒜{2,})).((?=[^&&x^a\\P{Lu}].))*?)\\S??.",
	`\X`, `\b{g}`, `\N{LATIN SMALL LETTER A}`, `(?i)(a)\1`, `(?<=(a))b`, `(?!(a))b`, `(?=(a)|b)`, `\p{javaMirrored}`,
}

func readOracle(t testing.TB) (cases []oracleCase, sample string) {
	t.Helper()
	f, err := os.Open("testdata/oracle.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var c oracleCase
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			t.Fatalf("%v in %s", err, s.Text())
		}
		if c.Sample != "" {
			sample = c.Sample
			continue
		}
		cases = append(cases, c)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return cases, sample
}

func TestOracle(t *testing.T) {
	cases, sample := readOracle(t)
	if len(cases) < 1500 {
		t.Fatalf("only %d cases", len(cases))
	}
	linear := 0
	seen := map[string]bool{}
	for _, c := range cases {
		re, err := Compile(c.P, WithTimeout(20*time.Second))
		if slices.Contains(refused, c.P) {
			seen[c.P] = true
			if err == nil {
				t.Errorf("%q: compiles, but is listed as refused", c.P)
			}
			continue
		}
		if (err != nil) != c.Err {
			t.Errorf("%q: Compile gives error %v, Java gives an error: %v", c.P, err, c.Err)
			continue
		}
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Col < 1 {
				t.Errorf("%q: the error has no column: %v", c.P, err)
			}
			continue
		}
		if re.Linear() {
			linear++
		}
		if c.Left != nil {
			compareLeft(t, re, sample, *c.Left)
			continue
		}
		compareMatch(t, re, c)
		compareReplace(t, re, c)
	}
	if len(seen) != len(refused) {
		t.Errorf("only %d of %d refused patterns are in the oracle: %v", len(seen), len(refused), seen)
	}
	t.Logf("%d cases, %d always linear", len(cases), linear)
}

func compareMatch(t *testing.T, re *Regexp, c oracleCase) {
	t.Helper()
	in := []byte(c.In)
	if ok, err := re.Find(in); err != nil || ok != (c.Find != nil) {
		t.Errorf("%q on %q: Find gives %v, %v", c.P, c.In, ok, err)
	}
	if ok, err := re.Matches(in); err != nil || ok != (c.Whole != nil) {
		t.Errorf("%q on %q: Matches gives %v, %v", c.P, c.In, ok, err)
	}
	if got, err := re.FindSubmatchIndex(nil, in); err != nil || !slices.Equal(got, c.Find) {
		t.Errorf("%q on %q: FindSubmatchIndex gives %v, %v, want %v", c.P, c.In, got, err, c.Find)
	}
	if got, err := re.MatchesSubmatchIndex(nil, in); err != nil || !slices.Equal(got, c.Whole) {
		t.Errorf("%q on %q: MatchesSubmatchIndex gives %v, %v, want %v", c.P, c.In, got, err, c.Whole)
	}
}

func compareReplace(t *testing.T, re *Regexp, c oracleCase) {
	t.Helper()
	tmpl, err := CompileTemplate(re, c.Rep)
	if err != nil {
		// Java notices a bad replacement only when it is used.
		if !c.BadRep && c.Find != nil {
			t.Errorf("%q: CompileTemplate(%q): %v", c.P, c.Rep, err)
		}
		return
	}
	if c.BadRep {
		t.Errorf("%q: CompileTemplate(%q) gives no error", c.P, c.Rep)
		return
	}
	out, changed, err := re.AppendReplaceAll(nil, []byte(c.In), tmpl)
	if c.Out == nil {
		return
	}
	if err != nil || string(out) != *c.Out || changed != (c.Find != nil) {
		t.Errorf("%q on %q: AppendReplaceAll(%q) gives %q, %v, %v, want %q", c.P, c.In, c.Rep, out, changed, err, *c.Out)
	}
}

func compareLeft(t *testing.T, re *Regexp, sample, want string) {
	t.Helper()
	tmpl, err := CompileTemplate(re, "")
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := re.AppendReplaceAll(nil, []byte(sample), tmpl)
	if err != nil || string(out) != want {
		t.Errorf("%q: %v: differs from Java in %s", re, err, difference(string(out), want))
	}
}

// difference names the code points that only one of two texts has.
func difference(got, want string) string {
	count := map[rune]int{}
	for _, r := range got {
		count[r]++
	}
	for _, r := range want {
		count[r]--
	}
	var diff []rune
	for r, n := range count {
		if n != 0 {
			diff = append(diff, r)
		}
	}
	slices.Sort(diff)
	if len(diff) > 40 {
		diff = diff[:40]
	}
	return strconv.QuoteToASCII(string(diff))
}
