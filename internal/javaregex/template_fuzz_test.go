package javaregex

import (
	"strings"
	"testing"
)

// FuzzTemplate replaces by any template: it is refused, or gives what its parts
// stand for and leaves what lies between the matches alone.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"<$0>", "$1$2", "${n}", `\$1 \\`, "$", `\`, "$9", "${x}", "plain", "$11"} {
		f.Add(s, "one, two")
	}
	re, err := Compile(`(?<n>[a-z])([a-z]*)`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, template, in string) {
		tmpl, err := CompileTemplate(re, template)
		if err != nil {
			return
		}
		out, changed, err := re.AppendReplaceAll([]byte("before "), []byte(in), tmpl)
		if err != nil {
			t.Fatalf("replacing in %q: %v", in, err)
		}
		if !strings.HasPrefix(string(out), "before ") {
			t.Errorf("what was there became %q", out)
		}
		if matches := strings.ContainsFunc(in, func(r rune) bool { return 'a' <= r && r <= 'z' }); matches != changed {
			t.Errorf("%q: changed %v", in, changed)
		}
		if !strings.ContainsAny(template, `$\`) && changed {
			want := replaceRuns(in, template)
			if got := string(out[len("before "):]); got != want {
				t.Errorf("%q with %q gives %q, want %q", in, template, got, want)
			}
		}
	})
}

// replaceRuns replaces each run of small letters, byte by byte.
func replaceRuns(in, by string) string {
	var b strings.Builder
	inside := false
	for i := range len(in) {
		letter := 'a' <= in[i] && in[i] <= 'z'
		switch {
		case letter && !inside:
			b.WriteString(by)
		case !letter:
			b.WriteByte(in[i])
		}
		inside = letter
	}
	return b.String()
}
