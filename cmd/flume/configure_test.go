package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/property"
)

// TestLenientFilters: what a config filter cannot find stops an agent, unless it is
// told to go on as Flume does.
func TestLenientFilters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.conf")
	writeFile(t, path, plain+"a1.configfilters = f1 f2\na1.configfilters.f1.type = external\na1.configfilters.f1.command = false\n"+
		"a1.sources.r1.interceptors = i\na1.sources.r1.interceptors.i.type = static\na1.sources.r1.interceptors.i.value = ${f1['key']}\n")
	for lenient, want := range map[bool]property.Severity{false: property.Error, true: property.Warning} {
		loader, err := load.New(load.Options{Agent: "a1", Files: []string{path}})
		if err != nil {
			t.Fatal(err)
		}
		result, err := loader.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		problems := topologyOf(t.Context(), "a1", result, lenient).Problems
		if got := problems.Worst(); got != want {
			t.Errorf("lenient %v: the worst is %v, want %v: %v", lenient, got, want, problems)
		}
		for _, words := range []string{"filter f2 has no type", "the reference stays as written"} {
			if !strings.Contains(problemText(problems), words) {
				t.Errorf("lenient %v: nothing says %q: %v", lenient, words, problems)
			}
		}
		loader.Close()
	}
}

func problemText(ps property.Problems) string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// TestFormatDate is ${date:…}.
func TestFormatDate(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	if got, err := formatDate("yyyy-MM-dd'T'HH", at); err != nil || got != "2026-03-04T05" {
		t.Errorf("formatted %q, %v", got, err)
	}
	if _, err := formatDate("yyyy-b", at); err == nil || !strings.Contains(err.Error(), "column 6") {
		t.Errorf("a pattern that makes no sense: %v", err)
	}
}
