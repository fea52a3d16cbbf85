package regexextractor

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/interceptors/internal/interceptortest"
)

type settings = interceptortest.Settings

// with returns the settings of an extractor with this expression, setting the
// headers one, two and three, and more settings.
func with(regex, serializers string, more settings) settings {
	s := settings{"regex": regex, "serializers": serializers}
	for i, name := range []string{"one", "two", "three"} {
		id := "s" + string(rune('1'+i))
		if strings.Contains(serializers, id) {
			s["serializers."+id+".name"] = name
		}
	}
	maps.Copy(s, more)
	return s
}

func TestIntercept(t *testing.T) {
	for name, c := range map[string]struct {
		settings settings
		in, want []string
	}{
		"guide's case": {
			with(`(\d):(\d):(\d)`, "s1 s2 s3", nil),
			[]string{"1:2:3.4foobar5", "nothing|a=b"},
			[]string{"1:2:3.4foobar5|one=1|two=2|three=3", "nothing|a=b"},
		},
		"first match": {with(`(\d+)`, "s1", nil), []string{"a 12 b 34"}, []string{"a 12 b 34|one=12"}},
		"overwrites":  {with(`(\d+)`, "s1", nil), []string{"12|one=old|x=y", "z|one=old"}, []string{"12|one=12|x=y", "z|one=old"}},
		"surplus groups and serializers": {
			with(`(.)(.)`, "s1", nil), []string{"ab"}, []string{"ab|one=a"},
		},
		"surplus serializers": {with(`(.)`, "s1 s2", nil), []string{"ab"}, []string{"ab|one=a"}},
		"order is that of the list": {
			with(`(.)(.)`, "s2 s1", nil), []string{"ab"}, []string{"ab|two=a|one=b"},
		},
		"group that took no part": {
			with(`(?:(a)|(b))(c)`, "s1 s2 s3", nil), []string{"bc", "bc|one=old"}, []string{"bc|two=b|three=c", "bc|one=old|two=b|three=c"},
		},
		"group that is empty": {with(`x(\d*)`, "s1", nil), []string{"x"}, []string{"x|one="}},
		"look-ahead":          {with(`id=(?!0)(\w+)`, "s1", nil), []string{"id=0 id=7"}, []string{"id=0 id=7|one=7"}},
		"ill-formed bytes":    {with(`x(.*)y`, "s1", nil), []string{"xa\xff\x80y", "xäy"}, []string{"xa\xff\x80y|one=a\uFFFD\uFFFD", "xäy|one=ä"}},
		"pass through": {
			with(`(.)`, "s1", settings{"serializers.s1.type": "org.apache.flume.interceptor.RegexExtractorInterceptorPassThroughSerializer"}),
			[]string{"a"}, []string{"a|one=a"},
		},
		"default in small letters": {with(`(.)`, "s1", settings{"serializers.s1.type": "default"}), []string{"a"}, []string{"a|one=a"}},
		"date with its zone": {
			with(`\[(.*?)\]`, "s1", settings{"serializers.s1.type": millis, "serializers.s1.pattern": "dd/MMM/yyyy:HH:mm:ss Z"}),
			[]string{"x [10/Oct/2000:13:55:36 -0700] y"},
			[]string{"x [10/Oct/2000:13:55:36 -0700] y|one=971211336000"},
		},
		"empty batch": {with(`(.)`, "s1", nil), nil, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			b := interceptortest.Batch(c.in...)
			defer b.Release()
			if d := cmp.Diff(c.want, interceptortest.New(t, "regex_extractor", c.settings).Run(t, b)); d != "" {
				t.Error(d)
			}
		})
	}
}

// dates returns the settings of an extractor of a date and what follows it.
func dates() settings {
	return with(`^(?:\w+ )?(\d\S+ \S+)(.*)`, "s1 s2", settings{
		"serializers.s1.type": millis, "serializers.s1.pattern": "yyyy-MM-dd HH:mm", "serializers.s1.name": "timestamp",
	})
}

// The guide's example of a date, in the zone of the agent.
func TestDateInTheLocalZone(t *testing.T) {
	i := interceptortest.New(t, "org.apache.flume.interceptor.RegexExtractorInterceptor$Builder", dates())
	zone := time.Local
	defer func() { time.Local = zone }()
	for _, c := range []struct {
		zone *time.Location
		want string
	}{
		{time.UTC, "1350591180000"},
		{time.FixedZone("east", 2*3600), "1350583980000"},
	} {
		time.Local = c.zone
		b := interceptortest.Batch("2012-10-18 20:13 x")
		if got := i.Run(t, b)[0]; got != "2012-10-18 20:13 x|timestamp="+c.want+"|two= x" {
			t.Errorf("%s: %s", c.zone, got)
		}
		b.Release()
	}
}

func TestTextThatIsNoDateLeavesTheHeaderOut(t *testing.T) {
	i := interceptortest.New(t, "regex_extractor", dates())
	for range 2 {
		b := interceptortest.Batch("2012-13-99 20:13 y", "2012-99-18 secret z|timestamp=1")
		if d := cmp.Diff([]string{"2012-13-99 20:13 y|two= y", "2012-99-18 secret z|timestamp=1|two= z"}, i.Run(t, b)); d != "" {
			t.Error(d)
		}
		b.Release()
	}
	if n := i.Counter("regex_extractor_unparsable"); n != 4 {
		t.Errorf("counted %d", n)
	}
	if log := i.Log.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "yyyy-MM-dd HH:mm") || strings.Contains(log, "secret") {
		t.Errorf("want one line that names the pattern and quotes no event, got %s", log)
	}
}

func TestEventThatTakesTooLongIsUnchanged(t *testing.T) {
	i := interceptortest.New(t, "regex_extractor", with(`((a|aa)+)(?<!x)b`, "s1", settings{"matchTimeout": "10"}))
	endless := strings.Repeat("a", 200)
	b := interceptortest.Batch("aab", endless, "ab")
	defer b.Release()
	if d := cmp.Diff([]string{"aab|one=aa", endless, "ab|one=a"}, i.Run(t, b)); d != "" {
		t.Error(d)
	}
	if n := i.Counter("regex_extractor_timeouts"); n != 1 {
		t.Errorf("counted %d", n)
	}
	if log := i.Log.String(); strings.Count(log, "left unchanged") != 1 || strings.Contains(log, endless) {
		t.Errorf("logged %s", log)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		settings settings
		want     []string
	}{
		{with(`(.)(.)`, "s1 s2", nil), nil},
		{nil, []string{"error: regex: is required", "error: serializers: is required"}},
		{with(`(.)`, "s1 s2 s3", nil), []string{
			"warning: serializers: no group is left for s2, the expression has 1",
			"warning: serializers: no group is left for s3, the expression has 1",
		}},
		{with(`(.`, "s1", nil), []string{"error: regex: is not a usable regular expression: column "}},
		{with(``, "s1", nil), []string{"error: regex: is required"}},
		{with(`(.)(?=x)`, "s1", nil), []string{"advice: regex: is matched by backtracking"}},
		{settings{"regex": "(.)", "serializers": "s1"}, []string{"error: serializers.s1.name: is required"}},
		{with(`(.)`, "s1", settings{"serializers.s1.type": "millis"}), []string{`error: serializers.s1.type: "millis" is none of DEFAULT, org.`}},
		{with(`(.)`, "s1", settings{"serializers.s1.type": millis}), []string{"error: serializers.s1.pattern: is required by this type"}},
		{with(`(.)`, "s1", settings{"serializers.s1.type": millis, "serializers.s1.pattern": "yyyy-JJ"}), []string{"error: serializers.s1.pattern: compiling date pattern"}},
		{with(`(.)`, "s1", settings{"serializers.s1.pattern": "yyyy"}), []string{"warning: serializers.s1.pattern: has no effect with the type DEFAULT"}},
		{with(`(.)`, "s1", settings{"serializers.s1.nam": "x"}), []string{`warning: serializers.s1.nam: unknown property, it has no effect; did you mean "serializers.s1.name"?`}},
	} {
		interceptortest.ExpectProblems(t, "regex_extractor", c.settings, c.want...)
	}
}

func BenchmarkIntercept(bench *testing.B) {
	line := []byte(`192.0.2.1 - - [10/Oct/2025:13:55:36 +0000] "GET /index.html HTTP/1.1" 200 2326 "-" "` + strings.Repeat("m", 420) + `"`)
	for name, s := range map[string]settings{
		"text": with(`^(\S+) \S+ \S+ \[`, "s1", nil),
		"date": with(`^\S+ \S+ \S+ \[(.*?)\]`, "s1", settings{"serializers.s1.type": millis, "serializers.s1.pattern": "dd/MMM/yyyy:HH:mm:ss Z"}),
	} {
		bench.Run(name, func(bench *testing.B) {
			i := interceptortest.New(bench, "regex_extractor", s)
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
