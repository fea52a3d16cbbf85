package searchreplace

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/interceptors/internal/interceptortest"
)

type settings = interceptortest.Settings

func TestIntercept(t *testing.T) {
	for name, c := range map[string]struct {
		settings settings
		in, want []string
	}{
		"all matches":  {settings{"searchPattern": "a", "replaceString": "bc"}, []string{"a-a|h=a", "x", ""}, []string{"bc-bc|h=a", "x", ""}},
		"delete":       {settings{"searchPattern": "^[A-Z]+ "}, []string{"INFO x", "x"}, []string{"x", "x"}},
		"groups":       {settings{"searchPattern": "(\\d+)/(?<m>\\d+)", "replaceString": "${m}.$1 \\$"}, []string{"on 3/7"}, []string{"on 7.3 $"}},
		"guide's case": {settings{"searchPattern": "The quick brown ([a-z]+) jumped over the lazy ([a-z]+)", "replaceString": "The hungry $2 ate the careless $1"}, []string{"The quick brown fox jumped over the lazy dog"}, []string{"The hungry dog ate the careless fox"}},
		"look-behind":  {settings{"searchPattern": "(?<=password=)\\S+", "replaceString": "*"}, []string{"u=1 password=xyz z"}, []string{"u=1 password=* z"}},
		"empty match":  {settings{"searchPattern": "x*", "replaceString": "-"}, []string{"abc"}, []string{"-a-b-c-"}},
		"much longer":  {settings{"searchPattern": "x", "replaceString": strings.Repeat("y", 100)}, []string{"xxx", "b", "xxxx"}, []string{strings.Repeat("y", 300), "b", strings.Repeat("y", 400)}},
		"all deleted":  {settings{"searchPattern": ".*"}, []string{"abc"}, []string{""}},
		"ill-formed bytes stay without a match": {
			settings{"searchPattern": "z", "replaceString": "-"}, []string{"a\xff\xc3b"}, []string{"a\xff\xc3b"},
		},
		"ill-formed bytes stay beside a match": {
			settings{"searchPattern": "b", "replaceString": "-"}, []string{"a\xff\xc3b\x80ä"}, []string{"a\xff\xc3-\x80ä"},
		},
		"ill-formed bytes can be matched": {
			settings{"searchPattern": `\uFFFD`, "replaceString": "?"}, []string{"a\xffb"}, []string{"a?b"},
		},
		"Latin-1": {
			settings{"searchPattern": "ä", "replaceString": "ö", "charset": "ISO-8859-1"}, []string{"a\xe4\xfc", "b\xfc", "plain"}, []string{"a\xf6\xfc", "b\xfc", "plain"},
		},
		"ASCII in Latin-1": {
			settings{"searchPattern": "l(.)", "replaceString": "$1ü", "charset": "latin1"}, []string{"plain"}, []string{"pa\xfcin"},
		},
		"ASCII to ASCII in Latin-1": {
			settings{"searchPattern": "l", "replaceString": "L", "charset": "latin1"}, []string{"plain", "x", "l"}, []string{"pLain", "x", "L"},
		},
		"UTF-16": {
			settings{"searchPattern": "b", "replaceString": "ü", "charset": "UTF-16LE"}, []string{"a\x00b\x00", "c\x00"}, []string{"a\x00\xfc\x00", "c\x00"},
		},
		"Shift JIS": {
			settings{"searchPattern": "日(.)", "replaceString": "$1", "charset": "Shift_JIS"}, []string{"x\x93\xfa\x96\x7b"}, []string{"x\x96\x7b"},
		},
		"cut character in Shift JIS stays without a match": {
			settings{"searchPattern": "日", "charset": "Shift_JIS"}, []string{"x\x93"}, []string{"x\x93"},
		},
		"empty batch": {settings{"searchPattern": "x"}, nil, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			b := interceptortest.Batch(c.in...)
			defer b.Release()
			i := interceptortest.New(t, "search_replace", c.settings)
			if d := cmp.Diff(c.want, i.Run(t, b)); d != "" {
				t.Error(d)
			}
		})
	}
}

// New bodies stand behind one another in the batch's memory: none may reach into
// the next, and none may be memory that the next batch uses, too.
func TestBodiesAreApart(t *testing.T) {
	i := interceptortest.New(t, "org.apache.flume.interceptor.SearchAndReplaceInterceptor$Builder", settings{"searchPattern": "a", "replaceString": "bb"})
	one, two := interceptortest.Batch("a1", "a2", "x", "a3"), interceptortest.Batch("a4")
	defer one.Release()
	got := i.Run(t, one)
	i.Run(t, two)
	two.Release()
	_ = append(one.At(0).Body, "overwritten"...)
	if d := cmp.Diff([]string{"bb1", "bb2", "x", "bb3"}, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(got, interceptortest.Show(one)); d != "" {
		t.Error(d)
	}
}

func TestEventThatTakesTooLongIsUnchanged(t *testing.T) {
	for _, cs := range []string{"UTF-8", "ISO-8859-1"} {
		i := interceptortest.New(t, "search_replace", settings{"searchPattern": `(a|aa)+(?<!x)b`, "replaceString": "-", "matchTimeout": "10", "charset": cs})
		endless := "aab" + strings.Repeat("a", 200)
		b := interceptortest.Batch("aab", "c", endless)
		if d := cmp.Diff([]string{"-", "c", endless}, i.Run(t, b)); d != "" {
			t.Error(cs, d)
		}
		b.Release()
		if n := i.Counter("search_replace_timeouts"); n != 1 {
			t.Errorf("%s: counted %d", cs, n)
		}
		if log := i.Log.String(); strings.Count(log, "left unchanged") != 1 || strings.Contains(log, endless) {
			t.Errorf("%s: logged %s", cs, log)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		settings settings
		want     []string
	}{
		{settings{"searchPattern": "(a)", "replaceString": "$1$1"}, nil},
		{nil, []string{"error: searchPattern: is required"}},
		{settings{"searchPattern": ""}, []string{"error: searchPattern: is required"}},
		{settings{"searchPattern": "(a"}, []string{"error: searchPattern: is not a usable regular expression: column "}},
		{settings{"searchPattern": "a", "replaceString": "$1"}, []string{"error: replaceString: compiling replacement \"$1\" for regular expression \"a\": column 1: there is no group 1"}},
		{settings{"searchPattern": "a", "replaceString": "5$"}, []string{"error: replaceString: "}},
		{settings{"searchPattern": "a", "replaceString": "${n}"}, []string{"error: replaceString: "}},
		{settings{"searchPattern": "a", "charset": "utf-9"}, []string{`error: charset: unknown character set "utf-9"`}},
		{settings{"searchPattern": "(a)\\1"}, []string{"advice: searchPattern: is matched by backtracking"}},
	} {
		interceptortest.ExpectProblems(t, "search_replace", c.settings, c.want...)
	}
}
