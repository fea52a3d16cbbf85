package regexfilter

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/interceptors/internal/interceptortest"
)

type settings = interceptortest.Settings

func TestIntercept(t *testing.T) {
	in := []string{"GET /a 200|n=1", "GET /b 500|n=2", "POST /a 200", ""}
	for name, c := range map[string]struct {
		settings settings
		in, want []string
	}{
		"defaults keep all":     {nil, in, in},
		"find":                  {settings{"regex": "/a"}, in, []string{"GET /a 200|n=1", "POST /a 200"}},
		"exclude":               {settings{"regex": "/a", "excludeEvents": "TRUE"}, in, []string{"GET /b 500|n=2", ""}},
		"anchors":               {settings{"regex": `^GET .* 5\d\d$`}, in, []string{"GET /b 500|n=2"}},
		"look-ahead":            {settings{"regex": `^(?!GET)`}, in, []string{"POST /a 200", ""}},
		"all dropped":           {settings{"regex": "nowhere"}, in, []string{}},
		"none dropped":          {settings{"regex": "nowhere", "excludeEvents": "true"}, in, in},
		"characters, not bytes": {settings{"regex": `^...$`}, []string{"äöü", "äö"}, []string{"äöü"}},
		"bytes that are not UTF-8": {
			settings{"regex": `^a.b$`}, []string{"a\xffb", "a\xff\xfeb"}, []string{"a\xffb"},
		},
		"empty batch": {settings{"regex": "x"}, nil, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			b := interceptortest.Batch(c.in...)
			defer b.Release()
			if d := cmp.Diff(c.want, interceptortest.New(t, "regex_filter", c.settings).Run(t, b)); d != "" {
				t.Error(d)
			}
		})
	}
}

// A view shares the events of another batch, which must not notice.
func TestFilteringAViewLeavesTheParent(t *testing.T) {
	b := interceptortest.Batch("a", "b", "c")
	defer b.Release()
	v := b.View(0, 3)
	defer v.Release()
	got := interceptortest.New(t, "org.apache.flume.interceptor.RegexFilteringInterceptor$Builder", settings{"regex": "b"}).Run(t, v)
	if d := cmp.Diff([]string{"b"}, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"a", "b", "c"}, interceptortest.Show(b)); d != "" {
		t.Error(d)
	}
}

func TestEventThatTakesTooLongIsKept(t *testing.T) {
	i := interceptortest.New(t, "regex_filter", settings{"regex": `(a|aa)+(?<!x)b`, "matchTimeout": "10"})
	endless := strings.Repeat("a", 200)
	for range 2 {
		b := interceptortest.Batch("aab", "c", endless)
		if d := cmp.Diff([]string{"aab", endless}, i.Run(t, b)); d != "" {
			t.Error(d)
		}
		b.Release()
	}
	if n := i.Counter("regex_filter_timeouts"); n != 2 {
		t.Errorf("counted %d", n)
	}
	if log := i.Log.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "(a|aa)+") || strings.Contains(log, endless) {
		t.Errorf("want one line that names the pattern and quotes no event, got %s", log)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		settings settings
		want     []string
	}{
		{settings{"regex": "ERROR"}, nil},
		{nil, []string{"advice: regex: matches every event: nothing"}},
		{settings{"excludeEvents": "true"}, []string{"warning: regex: matches every event, and excludeEvents"}},
		{settings{"regex": "(a"}, []string{"error: regex: is not a usable regular expression: column "}},
		{settings{"regex": "(?<=a)b"}, []string{"advice: regex: is matched by backtracking"}},
		{settings{"regexp": "a"}, []string{"advice: regex:", `warning: regexp: unknown property, it has no effect; did you mean "regex"?`}},
	} {
		interceptortest.ExpectProblems(t, "regex_filter", c.settings, c.want...)
	}
}

func BenchmarkIntercept(bench *testing.B) {
	line := []byte(`192.0.2.1 - - [10/Oct/2025:13:55:36 +0000] "GET /index.html HTTP/1.1" 200 2326 "-" "` + strings.Repeat("m", 420) + `"`)
	for name, pattern := range map[string]string{
		"literal": "ERROR", "status": `" 5\d\d `, "anchored": `^\S+ \S+ \S+ \[`, "look-ahead": `"(?!POST)[A-Z]+ `,
	} {
		bench.Run(name, func(bench *testing.B) {
			i := interceptortest.New(bench, "regex_filter", settings{"regex": pattern, "excludeEvents": "true"})
			bench.ReportAllocs()
			for bench.Loop() {
				b := event.NewBatch()
				for range 100 {
					b.Append(line)
				}
				if err := i.Intercept(b); err != nil {
					bench.Fatal(err)
				}
				b.Release()
			}
			bench.ReportMetric(float64(bench.Elapsed().Nanoseconds())/float64(bench.N)/100, "ns/event")
		})
	}
}
