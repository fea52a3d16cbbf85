package componenttest

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/gen/reference"
	"github.com/flume-go/flume/internal/gen/tree"
	"github.com/flume-go/flume/property"
)

var typeName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func checkName(t *testing.T, s *subject) {
	info := s.Entry.Info
	if !typeName.MatchString(info.Type) {
		t.Errorf("type %q", info.Type)
	}
	for i, a := range info.Aliases {
		if strings.HasPrefix(a, "org.apache.flume.") && i > 0 && !strings.HasPrefix(info.Aliases[0], "org.apache.flume.") {
			t.Errorf("alias %q comes after %q", a, info.Aliases[0])
		}
	}
}

func checkDocumentation(t *testing.T, s *subject) {
	if !sentence(s.Entry.Info.Summary) {
		t.Errorf("summary %q", s.Entry.Info.Summary)
	}
	seen := map[string]bool{}
	for _, f := range s.Entry.Schema.Flat() {
		if !sentence(f.Doc) {
			t.Errorf("property %s: %q", f.Key, f.Doc)
		}
		for _, k := range append([]string{f.Key}, f.Aliases...) {
			if seen[k] {
				t.Errorf("property %s is declared twice", k)
			}
			seen[k] = true
		}
	}
}

// sentence reports whether s looks like one: it begins with a capital, a digit, a
// sign or a value ("true: …") and ends with a full stop.
func sentence(s string) bool {
	word, _, _ := strings.Cut(s, " ")
	first, _ := utf8.DecodeRuneInString(word)
	return word != "" && (!unicode.IsLower(first) || strings.HasSuffix(word, ":")) && strings.HasSuffix(s, ".")
}

func checkDefaults(t *testing.T, s *subject) {
	for _, p := range s.decode(nil).Problems {
		if p.Severity == property.Error && p.What != "is required" {
			t.Error(p)
		}
	}
}

func checkTypo(t *testing.T, s *subject) {
	fields := s.Entry.Schema.Flat()
	keys := map[string]bool{}
	var claimed []string // prefixes below which every key is known
	for _, f := range fields {
		keys[f.Key] = true
		if p, ok := strings.CutSuffix(f.Key, "*"); ok {
			claimed = append(claimed, p)
		}
	}
	for _, f := range fields {
		typo := f.Key + f.Key[len(f.Key)-1:] // "portt"
		if keys[typo] || strings.ContainsAny(f.Key, "<*") || slices.ContainsFunc(claimed, func(p string) bool { return strings.HasPrefix(typo, p) }) {
			continue
		}
		problems := s.decode(map[string]string{typo: "1"}).Problems
		if !slices.ContainsFunc(problems, func(p property.Problem) bool {
			return p.Key == "a1.x.x1."+typo && strings.Contains(p.Remedy, `"`+f.Key+`"`)
		}) {
			t.Errorf("%s for %s is answered with:\n%v", typo, f.Key, problems)
		}
	}
}

var secretName = regexp.MustCompile(`(?i)(password|passwd|passphrase|secret|credential|api-?key|token)`)

// notSecret are keys that have a secret's name and are none: they name files or
// switch something.
var notSecret = regexp.MustCompile(`(?i)(file|path|url|provider|header|type)$`)

func checkSecretNamed(t *testing.T, s *subject) {
	for _, f := range s.Entry.Schema.Flat() {
		if secretName.MatchString(f.Key) && !notSecret.MatchString(f.Key) && f.Kind == component.FieldString && !f.Secret {
			t.Errorf("property %s", f.Key)
		}
	}
}

func checkSecretMasked(t *testing.T, s *subject) {
	const value = "Pa55-w0rd-of-test"
	for _, f := range s.Entry.Schema.Flat() {
		if !f.Secret {
			continue
		}
		key := strings.ReplaceAll(f.Key, "<name>", "g1")
		settings := map[string]string{key: value}
		if group, _, ok := strings.Cut(f.Key, ".<name>."); ok {
			settings[group] = "g1"
		}
		d := s.decode(settings)
		given := false
		for _, v := range d.Effective {
			given = given || (v.Given && v.Key == "a1.x.x1."+key)
			if strings.Contains(v.Text, value) {
				t.Errorf("property %s is shown as %q", v.Key, v.Text)
			}
		}
		if !given {
			t.Errorf("property %s was given and is not among the values in force", key)
		}
		if text := d.Problems.Error(); strings.Contains(text, value) {
			t.Errorf("property %s is told in a message:\n%s", key, text)
		}
	}
}

func checkReadme(t *testing.T, s *subject) {
	if s.Entry.Info.Readme != s.Readme {
		t.Errorf("Info.Readme is not the text of %s/README.md", s.Folder)
	}
	if !strings.HasPrefix(s.Readme, "# ") {
		t.Errorf("%s/README.md does not begin with a heading", s.Folder)
	}
	want, err := reference.Fill(s.Readme, reference.Entries(s.all, s.Folder))
	if err != nil {
		t.Fatalf("%s/README.md: %v", s.Folder, err)
	}
	if diff := cmp.Diff(want, s.Readme); diff != "" {
		t.Errorf("%s/README.md is not current, run make generate (-want +got):\n%s", s.Folder, diff)
	}
	for _, l := range reference.Links(s.Readme) {
		if _, err := os.Stat(filepath.Join(s.root, s.Folder, l)); err != nil {
			t.Errorf("%s/README.md links to %s: %v", s.Folder, l, err)
		}
	}
}

func checkExample(t *testing.T, s *subject) {
	for _, p := range s.topology(t).Problems {
		if p.Severity > property.Advice {
			t.Error(p)
		}
	}
	s.configured(t)
}

// suites are the packages of conform that prove what a kind of component does
// with events.
var suites = map[component.Kind]string{
	component.KindSource:     "sourcetest",
	component.KindChannel:    "channeltest",
	component.KindSink:       "sinktest",
	component.KindSerializer: "codectest",
}

func checkSuite(t *testing.T, s *subject) {
	suite, ok := suites[s.Entry.Kind]
	if !ok {
		return
	}
	name := filepath.Join(s.root, s.Folder, "conform_test.go")
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	runs := err == nil && tree.Calls(file, tree.Module+"/conform/"+suite, func(fn string) bool { return fn == "Run" })
	reason, waived := waivers[s.Folder]
	switch {
	case runs && waived:
		t.Errorf("%s runs its suite: remove its waiver (%s)", s.Folder, reason)
	case !runs && !waived:
		t.Errorf("%s does not call %s.Run", name, suite)
	case waived:
		t.Logf("waived: %s", reason)
	}
}
