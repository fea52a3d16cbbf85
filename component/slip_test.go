package component_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/component"
)

// FuzzNames splits any text into names, and says so whenever it takes anything
// else than white space for their end.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"r1 r2", "r1, r2;r3", `"r1 r2"`, "r1 # it", "# none", "r1 a1.sinks = k1", "a.b= =", "“r1”\u00a0r2", ",", "x =a.b=c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		names, what, remedy := component.Names(text, func(string) bool { return false })
		if (what == "") != (remedy == "") {
			t.Errorf("%q: what %q, remedy %q", text, what, remedy)
		}
		if what == "" && !slices.Equal(names, strings.Fields(text)) {
			t.Errorf("%q gives %q without a word", text, names)
		}
		for _, name := range names {
			if strings.TrimSpace(name) == "" || strings.ContainsAny(name, ",;\"'") || !strings.Contains(text, name) {
				t.Errorf("%q gives the name %q", text, name)
			}
		}
		// The parts of what was said to be good are good.
		for _, good := range []string{"r1", "5", ""} {
			slip := component.Slip(text, func(s string) bool { return s == good })
			if slip != "" && (good == "" || !strings.Contains(text, good)) {
				t.Errorf("%q: %s", text, slip)
			}
		}
	})
}
