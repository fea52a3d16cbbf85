package removeheader

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/interceptors/internal/interceptortest"
)

type settings = interceptortest.Settings

func TestIntercept(t *testing.T) {
	in := []string{"a|h1=1|h2=2|H1=3|other=4", "b", "c|h2=2"}
	for name, c := range map[string]struct {
		settings settings
		in, want []string
	}{
		"withName":          {settings{"withName": "h1"}, in, []string{"a|h2=2|H1=3|other=4", "b", "c|h2=2"}},
		"fromList":          {settings{"fromList": "h1 ,\t h2,,"}, in, []string{"a|H1=3|other=4", "b", "c"}},
		"own separator":     {settings{"fromList": "h1;h2", "fromListSeparator": ";"}, in, []string{"a|H1=3|other=4", "b", "c"}},
		"not the separator": {settings{"fromList": "h1;h2"}, in, in},
		"Java's separator":  {settings{"fromList": "h1xxh2", "fromListSeparator": "x++"}, in, []string{"a|H1=3|other=4", "b", "c"}},
		"whole name":        {settings{"matching": "h|H1"}, in, []string{"a|h1=1|h2=2|other=4", "b", "c|h2=2"}},
		"any case":          {settings{"matching": "(?i)h\\d"}, in, []string{"a|other=4", "b", "c"}},
		"all three":         {settings{"withName": "h1", "fromList": "other", "matching": "H.*"}, in, []string{"a|h2=2", "b", "c|h2=2"}},
		"look-ahead":        {settings{"matching": "(?!h).*"}, in, []string{"a|h1=1|h2=2", "b", "c|h2=2"}},
		"nothing given":     {nil, in, in},
		"empty batch":       {settings{"matching": ".*"}, nil, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			i := interceptortest.New(t, "remove_header", c.settings)
			for range 2 { // the second time with answers remembered
				b := interceptortest.Batch(c.in...)
				if d := cmp.Diff(c.want, i.Run(t, b)); d != "" {
					t.Error(d)
				}
				b.Release()
			}
		})
	}
}

func TestNamesWithoutEndAreNotAllRemembered(t *testing.T) {
	i := interceptortest.New(t, "org.apache.flume.interceptor.RemoveHeaderInterceptor$Builder", settings{"matching": ".*[02468]"})
	m := i.Interceptor.(*interceptor).matching
	for n := range 3 * maxKnown {
		b := interceptortest.Batch(fmt.Sprintf("a|h%d=x", n))
		want := fmt.Sprintf("a|h%d=x", n)
		if n%2 == 0 {
			want = "a"
		}
		if got := i.Run(t, b)[0]; got != want {
			t.Fatalf("header %d: %s", n, got)
		}
		b.Release()
	}
	if n := len(*m.known.Load()); n != maxKnown {
		t.Errorf("%d names are remembered, the bound is %d", n, maxKnown)
	}
}

func TestConcurrentBatches(t *testing.T) {
	i := interceptortest.New(t, "remove_header", settings{"matching": "drop.*"})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for n := range 100 {
				b := interceptortest.Batch(fmt.Sprintf("a|drop%d=x|keep%d=y", n%(10+g), n))
				if err := i.Intercept(b); err != nil {
					t.Error(err)
				}
				if got, want := interceptortest.Show(b)[0], fmt.Sprintf("a|keep%d=y", n); got != want {
					t.Errorf("%s, want %s", got, want)
				}
				b.Release()
			}
		})
	}
	wg.Wait()
}

func TestNameThatTakesTooLongIsKept(t *testing.T) {
	i := interceptortest.New(t, "remove_header", settings{"matching": `(a|aa)+(?<!x)b`})
	name := strings.Repeat("a", 200)
	b := interceptortest.Batch("x|" + name + "=1|aab=2")
	defer b.Release()
	if d := cmp.Diff([]string{"x|" + name + "=1"}, i.Run(t, b)); d != "" {
		t.Error(d)
	}
	if n := i.Counter("remove_header_timeouts"); n != 1 {
		t.Errorf("counted %d", n)
	}
	if !strings.Contains(i.Log.String(), "such headers are kept") {
		t.Errorf("logged %q", i.Log)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		settings settings
		want     []string
	}{
		{settings{"withName": "h"}, nil},
		{nil, []string{"warning: withName: is not set, nor is fromList or matching: no header is removed"}},
		{settings{"withName": "h", "fromListSeparator": ","}, []string{"warning: fromListSeparator: has no effect without fromList"}},
		{settings{"fromList": "h", "fromListSeparator": "("}, []string{"error: fromListSeparator: compiling regular expression"}},
		{settings{"matching": "a[b"}, []string{"error: matching: is not a usable regular expression: column "}},
		{settings{"matching": "(?=a).*"}, []string{"advice: matching: is matched by backtracking"}},
		{settings{"withname": "h"}, []string{"warning: withName: is not set", "warning: withname: unknown property"}},
	} {
		interceptortest.ExpectProblems(t, "remove_header", c.settings, c.want...)
	}
}
