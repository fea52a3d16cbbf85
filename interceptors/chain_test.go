package interceptors_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	_ "github.com/flume-go/flume/interceptors/host"
	"github.com/flume-go/flume/interceptors/internal/interceptortest"
	_ "github.com/flume-go/flume/interceptors/regexextractor"
	_ "github.com/flume-go/flume/interceptors/regexfilter"
	_ "github.com/flume-go/flume/interceptors/removeheader"
	_ "github.com/flume-go/flume/interceptors/searchreplace"
	_ "github.com/flume-go/flume/interceptors/static"
	_ "github.com/flume-go/flume/interceptors/timestamp"
	_ "github.com/flume-go/flume/interceptors/uuid"
)

type settings = interceptortest.Settings

// accessLog fills b with lines of 512 bytes as a web server writes them; every
// tenth is an error.
func accessLog(b *event.Batch, lines int) {
	for i := range lines {
		status := 200
		if i%10 == 9 {
			status = 503
		}
		line := fmt.Appendf(nil, `192.0.2.%d - - [10/Oct/2025:13:55:36 +0000] "GET /static/page%d.html HTTP/1.1" %d 23%d "https://example.com/" "`, i%200, i, status, i)
		line = append(line, strings.Repeat("m", 510-len(line))...)
		b.AppendCopy(append(line, '"', '\n'))
	}
}

func chain(t testing.TB) []flow.Interceptor {
	return []flow.Interceptor{
		interceptortest.New(t, "timestamp", nil),
		interceptortest.New(t, "static", settings{"key": "datacenter", "value": "NYC_01"}),
		interceptortest.New(t, "regex_filter", settings{"regex": `" 5\d\d `, "excludeEvents": "true"}),
	}
}

func run(t testing.TB, chain []flow.Interceptor, b *event.Batch) {
	for _, i := range chain {
		if err := i.Intercept(b); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChain(t *testing.T) {
	b := event.NewBatch()
	defer b.Release()
	accessLog(b, 20)
	run(t, chain(t), b)
	if b.Len() != 18 {
		t.Errorf("%d events are left of 20 with 2 errors", b.Len())
	}
	for i := range b.Len() {
		e := b.At(i)
		if v, _ := e.Header("datacenter"); v != "NYC_01" || len(e.Headers) != 2 {
			t.Errorf("event %d has headers %v", i, e.Headers)
		}
	}
}

// The output of one is the input of the next: a body that search_replace wrote is
// what regex_extractor reads, whose header remove_header removes again.
func TestOrder(t *testing.T) {
	b := interceptortest.Batch("user=joe pw=secret|x=y")
	run(t, []flow.Interceptor{
		interceptortest.New(t, "search_replace", settings{"searchPattern": `pw=\S+`, "replaceString": "pw=*"}),
		interceptortest.New(t, "regex_extractor", settings{"regex": `user=(\w+) (.*)`, "serializers": "u r", "serializers.u.name": "user", "serializers.r.name": "rest"}),
		interceptortest.New(t, "remove_header", settings{"matching": "[x]|user"}),
	}, b)
	if d := cmp.Diff([]string{"user=joe pw=*|rest=pw=*"}, interceptortest.Show(b)); d != "" {
		t.Error(d)
	}
	b.Release()
}

// Every interceptor must cope with a batch out of which all events were dropped.
func TestAfterAllEventsWereDropped(t *testing.T) {
	for typ, s := range every {
		b := interceptortest.Batch("a", "b")
		run(t, []flow.Interceptor{
			interceptortest.New(t, "regex_filter", settings{"regex": ".", "excludeEvents": "true"}),
			interceptortest.New(t, typ, s),
		}, b)
		if b.Len() != 0 {
			t.Errorf("%s: %d events came back", typ, b.Len())
		}
		b.Release()
	}
}

var every = map[string]settings{
	"timestamp":       nil,
	"host":            nil,
	"static":          nil,
	"uuid":            nil,
	"remove_header":   {"matching": "static|x.*"},
	"search_replace":  {"searchPattern": `HTTP/1\.(\d)`, "replaceString": "http $1"},
	"regex_filter":    {"regex": `" 5\d\d `},
	"regex_extractor": {"regex": `^(\S+)`, "serializers": "s", "serializers.s.name": "client"},
}

// BenchmarkChain shows what timestamp, static and regex_filter add to an event of
// a batch of 100. The time of making the batch is measured by itself.
func BenchmarkChain(bench *testing.B) {
	source := event.NewBatch()
	accessLog(source, 100)
	defer source.Release()
	for name, chain := range map[string][]flow.Interceptor{"batch alone": nil, "timestamp+static+regex_filter": chain(bench)} {
		bench.Run(name, func(bench *testing.B) {
			bench.ReportAllocs()
			for bench.Loop() {
				b := event.NewBatch()
				for i := range source.Events() {
					b.Append(source.At(i).Body)
				}
				run(bench, chain, b)
				b.Release()
			}
			bench.ReportMetric(float64(bench.Elapsed().Nanoseconds())/float64(bench.N)/100, "ns/event")
		})
	}
}
