package load

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/flume-go/flume/property"
)

// resolve substitutes within definitions given as a properties text.
func resolve(text string, opts Options) (*Properties, property.Problems) {
	if opts.LookupEnv == nil {
		opts.LookupEnv = func(string) (string, bool) { return "", false }
	}
	if opts.FormatDate == nil {
		opts.FormatDate = func(pattern string, _ time.Time) (string, error) { return "<" + pattern + ">", nil }
	}
	m := merger{defs: make(map[string]*definition)}
	m.add("f", []byte(text))
	m.substitute(&opts)
	props := m.tidy()
	m.problems.Sort()
	return props, m.problems
}

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
}

// TestSubstituteLikeFlume compares with what commons-text made of the same texts;
// testdata/SubstituteOracle.java wrote the answers and has the same variables.
func TestSubstituteLikeFlume(t *testing.T) {
	keys := map[string]string{"a": "A", "b": "bb", "which": "HOME", "AB": "both", "a.b": "dotted", "empty": "", "k}": "odd"}
	opts := Options{
		LookupEnv: lookupIn(map[string]string{
			"HOME": "/home/x", "REF": "<${a}>", "DEEP": "${env:REF}${b}", "LOOP": "x${env:LOOP}", "PING": "${env:PONG}",
			"PONG": "${env:PING}", "UNDEF": "${nothing}", "ESC": "$${a}", "DOLLAR": "$",
		}),
		System: map[string]string{"prop": "P", "a": "sysA"},
	}
	file, err := os.Open("testdata/oracle.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	count := 0
	for lines := bufio.NewScanner(file); lines.Scan(); count++ {
		var want struct {
			In, Out string
			Failed  bool
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		defs := map[string]*definition{"subject": {Value: property.Value{Text: want.In, Raw: want.In}}}
		for k, v := range keys {
			defs[k] = &definition{Value: property.Value{Text: v, Raw: v}}
		}
		lookups, _ := opts.lookups()
		s := substituter{keys: []string{"subject"}, defs: defs, lookups: lookups}
		s.resolveAll()
		if failed := s.problems.HasErrors(); failed != want.Failed {
			t.Errorf("%s: problems %v, commons-text failed: %v", want.In, s.problems, want.Failed)
		} else if got := defs["subject"].Text; !failed && got != want.Out {
			t.Errorf("%s: got %s, commons-text %s", want.In, got, want.Out)
		}
	}
	if count < 1500 {
		t.Errorf("only %d texts compared", count)
	}
}

func TestSubstitute(t *testing.T) {
	opts := Options{
		LookupEnv: lookupIn(map[string]string{"PORT": "4141", "EMPTY": "", "both": "environment"}),
		System:    map[string]string{"x": "1", "user.name": "given"},
		Version:   "9.9",
	}
	tests := []struct{ name, text, want, origin string }{
		{"environment", "v=${env:PORT}", "4141", "environment variable PORT"},
		{"system property", "v=<${sys:x}>", "<1>", "system property x"},
		{"given beats built in", "v=${sys:user.name}", "given", "system property user.name"},
		{"key before", "foo=f\nv=${foo}", "f", "key foo"},
		{"key after", "v=${foo}\nfoo=f", "f", "key foo"},
		{"chain in any order", "v=${x}\nz=end\nx=${y}\ny=${z}", "end", "key x"},
		{"several origins", "v=${foo}${env:PORT}${foo}\nfoo=f", "f4141f", "key foo, environment variable PORT"},
		{"many origins", "v=${a}${b}${c}${d}${e}\na=1\nb=2\nc=3\nd=4\ne=5", "12345", "key a, key b, key c, key d, …"},
		{"blanks of a key's value stay inside", "v=<${foo}>\nfoo=f\\u0020", "<f >", "key foo"},
		{"recursive name", "PROD_BIND=10.0.0.1\nv=${${sys:x}_BIND}\n1_BIND=10.0.0.2", "10.0.0.2", "system property x, key 1_BIND"},
		{"date", "v=${date:yyyy-MM-dd}", "<yyyy-MM-dd>", "date yyyy-MM-dd"},
		{"platform", "v=${java:runtime}", "Flume in Go (version 9.9, ", "platform text runtime"},
		{"fallback to the plain name does not refer to itself", "PORTS=${env:PORTS}", "${env:PORTS}", ""},
		{"escaped text in a key stays text", "v=${foo}\nfoo=$${x}\nx=1", "${x}", "key foo"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			props, problems := resolve(tt.text, opts)
			if problems.HasErrors() {
				t.Fatal(problems)
			}
			key := "v"
			if strings.HasPrefix(tt.text, "PORTS") {
				key = "PORTS"
			}
			v, _ := props.Get(key)
			if v.Text != tt.want && !(strings.HasSuffix(tt.want, ", ") && strings.HasPrefix(v.Text, tt.want)) || v.Origin != tt.origin {
				t.Errorf("got %q from %q, want %q from %q", v.Text, v.Origin, tt.want, tt.origin)
			}
		})
	}
}

func TestSubstitutePlatform(t *testing.T) {
	for _, name := range []string{"version", "runtime", "vm", "os", "hardware", "locale"} {
		props, problems := resolve("v=${java:"+name+"}", Options{})
		if v, _ := props.Get("v"); len(problems) > 0 || strings.Contains(v.Text, "$") {
			t.Errorf("java:%s = %q, problems %v", name, v.Text, problems)
		}
	}
}

func TestSubstituteSystemProperties(t *testing.T) {
	env := lookupIn(map[string]string{"HOME": "/home/f", "USER": "f"})
	for _, name := range []string{
		"user.home", "user.name", "user.dir", "java.io.tmpdir", "os.name", "os.arch", "file.separator", "path.separator", "file.encoding",
	} {
		props, problems := resolve("v=x${sys:"+name+"}", Options{LookupEnv: env})
		if v, _ := props.Get("v"); len(problems) > 0 || len(v.Text) < 2 || strings.Contains(v.Text, "$") {
			t.Errorf("sys:%s = %q, problems %v", name, v.Text, problems)
		}
	}
}

func TestSubstituteEnvResolver(t *testing.T) {
	opts := Options{
		LookupEnv: lookupIn(map[string]string{"NC_PORT": "6667", "foo": "environment", "SELF": "s"}),
		System:    map[string]string{"propertiesImplementation": "org.apache.flume.node.EnvVarResolverProperties"},
	}
	props, problems := resolve("port=${NC_PORT}\nfoo=key\nv=${foo}\nSELF=${SELF}", opts)
	for key, want := range map[string]string{"port": "6667", "v": "key", "SELF": "s"} {
		if v, _ := props.Get(key); v.Text != want {
			t.Errorf("%s = %q, want %q", key, v.Text, want)
		}
	}
	if len(problems) > 0 {
		t.Error(problems)
	}
	opts.System = nil
	if props, problems = resolve("port=${NC_PORT}", opts); len(problems) != 1 {
		t.Errorf("without the switch: %v, problems %v", props, problems)
	}
}

func TestSubstituteProblems(t *testing.T) {
	opts := Options{FormatDate: func(string, time.Time) (string, error) { return "", errors.New("unknown letter b") }}
	tests := []struct{ name, text, want string }{
		{"itself", "a=x${a}", "f:1:3: a: refers to itself: a (f:1:1) → a; break the circle"},
		{"cycle", "v=${a}\na=${b}\n b = ${c:-d}\nc=${a}", "f:4:3: c: refers to itself: a (f:2:1) → b (f:3:2) → c (f:4:1) → a; break the circle"},
		{"undefined key", "a = ${nope}", "f:1:5: warning: a: ${nope} is not defined and stays as written; define the key nope, write a default as in ${nope:-value}, or $${nope} for the text itself"},
		{"undefined variable", "a=${env:P}", "f:1:3: warning: a: ${env:P} is not defined and stays as written; set the environment variable P, or write a default as in ${env:P:-value}"},
		{"undefined property", "a=${sys:p}", "f:1:3: warning: a: ${sys:p} is not defined and stays as written; set it with -Dp=…, or write a default as in ${sys:p:-value}"},
		{"unknown prefix", "a=${const:X}", "f:1:3: warning: a: ${const:X} is not defined and stays as written; the prefix const is unknown; write ${env:…} or ${sys:…}, or define the key X"},
		{"only the inner one", "a=${x${y}}", "f:1:3: warning: a: ${y} is not defined and stays as written; define the key y, write a default as in ${y:-value}, or $${y} for the text itself"},
		{"reported once", "a=${y}${y}", "f:1:3: warning: a: ${y} is not defined and stays as written; define the key y, write a default as in ${y:-value}, or $${y} for the text itself"},
		{"default excuses", "a=${x${y}:-d}${}%{h}$1", ""},
		{"filter", "a1.configfilters=f0 f1\na=${f1['k']}${f0[\"k-_9\"]}${f1[k]}", ""},
		{"filter listed by a reference", "a1.configfilters=${n}\nn=f1\na=${f1['k']}", ""},
		{"undeclared filter", "a=${f1['k']}", "f:1:3: warning: a: ${f1['k']} is not defined and stays as written; declare the config filter f1 in <agent>.configfilters"},
		{"no filter", "a1.configfilters=f1\na=${f1['k]}", "f:2:3: warning: a: ${f1['k]} is not defined and stays as written; define the key f1['k], write a default as in ${f1['k]:-value}, or $${f1['k]} for the text itself"},
		{"date pattern", "a=${date:b}", "f:1:3: a: ${date:b} makes no sense: unknown letter b; correct the reference"},
		{"platform name", "a=${java:b}", "f:1:3: a: ${java:b} makes no sense: java knows version, runtime, vm, os, hardware and locale; correct the reference"},
		{"empty", "a=\nb=x", "f:1:1: advice: a: has no value and is ignored; give it a value or remove it"},
		{"empty after substitution", "a=${x:-} ", "f:1:1: warning: a: has no value after substitution and is ignored; give it a value or remove it"},
		{"no closing brace", "b=${c}\nc=x\na = ${capacity", `f:3:5: warning: a: has a "${" without its closing brace, which stays as written, with all references after it; write ${name}`},
		{"no closing brace before others", "a=${x ${y}\ny=1", `f:1:3: warning: a: has a "${" without its closing brace, which stays as written, with all references after it; write ${name}`},
		{"braces of other kinds", "a=$x {y} $( }", ""},
		{"no-break space in a key", "a.type\u00a0= x", "f:1:1: warning: a.type\u00a0: has a character that is not seen, U+00A0 (no-break space), which does not count as a blank; delete it, or type a blank in its place"},
		{"mark of the byte order, of a file joined to another", "a=x\n\ufeffb=y", "f:2:1: warning: \\ufeffb: has a character that is not seen, U+FEFF (byte order mark), which does not count as a blank; delete it, or type a blank in its place"},
		{"zero-width space behind a value", "a = x\u200b", "f:1:5: warning: a: has a character that is not seen, U+200B (zero-width space), which does not count as a blank; delete it, or type a blank in its place"},
		{"no-break space in a value", "a = x\u00a0y", ""},
		{"no key", "=x", "f:1:1: warning: a value without a key is ignored; write key = value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, problems := resolve(tt.text, opts); problems.Error() != tt.want {
				t.Errorf("got:\n%v\nwant:\n%s", problems, tt.want)
			}
		})
	}
}

// laughs defines a value that doubles with each of n keys.
func laughs(n int) string {
	text := "k0=" + strings.Repeat("x", 100) + "\n"
	for i := range n {
		text += fmt.Sprintf("k%d=${k%d}${k%d}\n", i+1, i, i)
	}
	return text
}

func TestSubstituteBounds(t *testing.T) {
	chain := ""
	for i := range 100 {
		chain += fmt.Sprintf("k%d=${k%d}\n", i, i+1)
	}
	wide := func(string) (string, bool) { return strings.Repeat("${env:X}", 2), true }
	level := 0
	growing := func(string) (string, bool) { // each lookup leads to two others, and to no text
		level++
		return fmt.Sprintf("${env:A%d}${env:B%d}", level, level), level < 1<<20
	}
	tests := []struct {
		name, text, want string
		env              func(string) (string, bool)
	}{
		{"doubling", laughs(20), "longer than 1048576 bytes", nil},
		{"chain", chain + "k100=x", "nested deeper than 64", nil},
		{"nesting", "a=" + strings.Repeat("${a", 70) + strings.Repeat("}", 70), "nested deeper than 64", nil},
		{"environment refers to itself", "a=${env:X}", "refers to itself", wide},
		{"environment never ends", "a=${env:X}", "nested deeper than 64", growing},
		{"references", "a=" + strings.Repeat("${x:-}", 10001), "more than 10000 references", nil},
		{"escapes", "a=" + strings.Repeat("$${", 10001) + strings.Repeat("}", 10001), "more than 10000 references", nil},
		{"long with reference", "a=${x}" + strings.Repeat("y", 1<<20), "longer than 1048576 bytes", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := resolve(tt.text, Options{LookupEnv: tt.env})
			if !problems.HasErrors() || !strings.Contains(problems.Error(), tt.want) {
				t.Errorf("problems = %.300v, want one with %q", problems, tt.want)
			}
		})
	}
	t.Run("total", func(t *testing.T) {
		text := "x=" + strings.Repeat("y", 1<<19) + "\n"
		for i := range 130 {
			text += fmt.Sprintf("k%d=${x}\n", i)
		}
		if _, problems := resolve(text, Options{}); !strings.Contains(problems.Error(), "all values together") {
			t.Errorf("problems = %.300v", problems)
		}
	})
}

func TestLookupTable(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "t.properties", "e=org.apache.commons.text.lookup.DefaultStringLookup.ENVIRONMENT\n"+
		"B64 = org.apache.commons.text.lookup.DefaultStringLookup.BASE64_DECODER\n"+
		"b=org.apache.commons.text.lookup.DefaultStringLookup.BASE64_ENCODER\n"+
		"u=org.apache.commons.text.lookup.DefaultStringLookup.URL_ENCODER\n"+
		"d=org.apache.commons.text.lookup.DefaultStringLookup.URL_DECODER\n")
	opts := Options{
		LookupEnv: lookupIn(map[string]string{"X": "x"}),
		System:    map[string]string{"lookups": "t.properties"},
		ConfDir:   dir,
	}
	tests := []struct{ in, want, origin string }{
		{"${e:X}", "x", "environment variable X"},
		{"${b64:c2VjcmV0}", "secret", "base64 decoding"},
		{"${b:secret}", "c2VjcmV0", "base64 encoding"},
		{"${u:a b&c}", "a+b%26c", "URL encoding"},
		{"${d:a+b%26c}", "a b&c", "URL decoding"},
		{"${env:X}", "${env:X}", ""},
	}
	for _, tt := range tests {
		props, problems := resolve("v="+tt.in, opts)
		if v, _ := props.Get("v"); v.Text != tt.want || v.Origin != tt.origin || problems.HasErrors() {
			t.Errorf("%s = %q from %q, want %q from %q; problems %v", tt.in, v.Text, v.Origin, tt.want, tt.origin, problems)
		}
	}
	if _, problems := resolve("v=${b64:sec!ret}", opts); !problems.HasErrors() || strings.Contains(problems.Error(), "sec!ret") {
		t.Errorf("problems = %v, want an error without the text", problems)
	}

	write(t, dir, "bad.properties", "c = org.apache.commons.text.lookup.DefaultStringLookup.SCRIPT\nx=com.example.Lookup")
	opts.System["lookups"] = dir + "/bad.properties"
	if _, problems := resolve("v=1", opts); len(problems) != 2 || problems[0].At.Line != 1 || problems[0].At.Col != 5 || !problems.HasErrors() {
		t.Errorf("problems = %v", problems)
	}
	opts.System["lookups"] = "missing.properties"
	if _, problems := resolve("v=1", opts); !problems.HasErrors() {
		t.Error("a missing table is no problem")
	}
	opts.System = nil
	write(t, dir, "lookups.properties", "e=org.apache.commons.text.lookup.DefaultStringLookup.ENVIRONMENT\n")
	if props, _ := resolve("v=${e:X}", opts); props.values["v"].Text != "x" {
		t.Errorf("v = %q with the table of the configuration directory", props.values["v"].Text)
	}
}

// FuzzSubstitute checks that substitution ends, stays in its bounds and leaves
// the rest of the configuration alone.
func FuzzSubstitute(f *testing.F) {
	f.Add("${a}", "${b}$${c}", "${env:${a}:-${b}}")
	f.Add("$${${a}", "}${", "${f['k']}")
	f.Fuzz(func(t *testing.T, a, b, env string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) || !utf8.ValidString(env) {
			return
		}
		text := property.Escape("a", a) + "\n" + property.Escape("b", b) + "\nplain=p\nref=${plain}\n"
		opts := Options{LookupEnv: func(name string) (string, bool) { return env, name != "" }, System: map[string]string{"s": env}}
		props, problems := resolve(text, opts)
		for key, v := range props.All() {
			if len(v.Text) > maxValue {
				t.Errorf("%s has %d bytes", key, len(v.Text))
			}
			if !strings.Contains(v.Raw, "${") && v.Text != v.Raw {
				t.Errorf("%s = %q became %q", key, v.Raw, v.Text)
			}
		}
		if v, _ := props.Get("ref"); v.Text != "p" {
			t.Errorf("ref = %q", v.Text)
		}
		for _, p := range problems {
			if p.At.Line < 1 || p.At.Line > 2 {
				t.Errorf("problem outside a and b: %v", p)
			}
		}
	})
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := dir + "/" + name
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
