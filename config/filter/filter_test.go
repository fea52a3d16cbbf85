package filter

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/property"
)

// parse makes properties of a text, without substitution.
func parse(t *testing.T, text string) *load.Properties {
	t.Helper()
	entries, problems := property.Read("f", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	props := &load.Properties{}
	for _, e := range entries {
		e = e.Trimmed()
		props.Set(e.Key, e.Value)
	}
	return props
}

func environment(name string) (string, bool) {
	v, ok := map[string]string{"KEY": "value", "my_key-1": "v1", "REF": "${f1['KEY']}", "EMPTY": ""}[name]
	return v, ok
}

// script writes an executable shell script and returns its path.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "filter.sh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

const declared = "a1.configfilters = f1 f.2\na1.configfilters.f1.type = ENV\n" +
	"a1.configfilters.f.2.type = org.apache.flume.configfilter.EnvironmentVariableConfigFilter\n"

func TestApplyReferences(t *testing.T) {
	tests := []struct{ text, want, origin string }{
		{`${f1['KEY']}`, "value", "config filter f1"},
		{`${f1["KEY"]}`, "value", "config filter f1"},
		{`${f1[KEY]}`, "value", "config filter f1"},
		{`x${f1['KEY']}y${f1[my_key-1]}z${f.2[KEY]}`, "xvalueyv1zvalue", "config filter f1, config filter f.2"},
		{`${f1['REF']}`, "${f1['KEY']}", "config filter f1"},
		{`${f1[EMPTY]}`, "", "config filter f1"},
		{`${f1['KEY"]}`, `${f1['KEY"]}`, ""},
		{`${f1['KEY]}`, `${f1['KEY]}`, ""},
		{`${f1['no.dot']}`, `${f1['no.dot']}`, ""},
		{`${f3['KEY']}`, `${f3['KEY']}`, ""},
		{`${KEY}`, "${KEY}", ""},
		{`$${f1[KEY]}`, "$value", "config filter f1"},
		{`${${f1[KEY]}}`, "${value}", "config filter f1"},
	}
	for _, tt := range tests {
		props := parse(t, declared+"a1.sinks.k1.password = "+tt.text)
		problems := Apply(t.Context(), "a1", props, Options{LookupEnv: environment})
		v, _ := props.Get("a1.sinks.k1.password")
		if v.Text != tt.want || v.Origin != tt.origin || v.Secret != (tt.origin != "") || v.Raw != tt.text {
			t.Errorf("%s: got %+v, want %q from %q", tt.text, v, tt.want, tt.origin)
		}
		if len(problems) > 0 {
			t.Errorf("%s: %v", tt.text, problems)
		}
	}
}

func TestApplyWhere(t *testing.T) {
	const ref = "${f1['KEY']}"
	replaced := map[string]bool{
		"a1.sources.r1.x": true, "a1.channels.c1.x.y": true, "a1.sinks.k1.x": true, "a1.sinkgroups.g1.x": true,
		"a1.sources": false, "a1.configfilters.f.2.x": false, "a1.sinks.k1": false, "a1.other.k1.x": false, "a2.sinks.k1.x": false, "x": false,
	}
	text := declared
	for key := range replaced {
		text += key + " = " + ref + "\n"
	}
	props := parse(t, text)
	Apply(t.Context(), "a1", props, Options{LookupEnv: environment})
	for key, want := range replaced {
		if v, _ := props.Get(key); (v.Text == "value") != want {
			t.Errorf("%s = %q, want it replaced: %v", key, v.Text, want)
		}
	}
}

func TestApplyKeepsEarlierOrigin(t *testing.T) {
	props := parse(t, declared)
	props.Set("a1.sinks.k1.x", property.Value{Text: "h${f1[KEY]}", Origin: "environment variable HOST"})
	Apply(t.Context(), "a1", props, Options{LookupEnv: environment})
	if v, _ := props.Get("a1.sinks.k1.x"); v.Text != "hvalue" || v.Origin != "environment variable HOST, config filter f1" {
		t.Errorf("got %+v", v)
	}
}

func TestApplyProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no filters", "a1.sinks.k1.x=${f1[KEY]}", ""},
		{"no type", "a1.configfilters = f1", "f:1:20: a1.configfilters: the config filter f1 has no type; set a1.configfilters.f1.type to env or external, or remove f1 from the list"},
		{"unknown type", "a1.configfilters=f1\na1.configfilters.f1.type=vault", `f:2:26: a1.configfilters.f1.type: "vault" is no known type of config filter; use env or external`},
		{"hadoop", "a1.configfilters=f1\na1.configfilters.f1.type=hadoop", "f:2:26: a1.configfilters.f1.type: the config filter for Hadoop credential stores is not available in this build; use the type env, or external with a program that reads the store"},
		{"undefined variable", "a1.configfilters=f1\na1.configfilters.f1.type=env\na1.sinks.k1.x=${f1['NO']}", "f:3:15: warning: a1.sinks.k1.x: ${f1['NO']}: the environment variable is not set and the reference stays as written; set NO"},
		{"no command", "a1.configfilters=f1\na1.configfilters.f1.type=external", "f:2:26: a1.configfilters.f1.command: is missing; give the program, with its path and arguments, that prints the secret"},
		{"charset", "a1.configfilters=f1\na1.configfilters.f1.type=external\na1.configfilters.f1.command=x\na1.configfilters.f1.charset = klingon", `f:4:31: a1.configfilters.f1.charset: "klingon" is no known character set; use UTF-8 or another name registered with IANA`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Apply(t.Context(), "a1", parse(t, tt.text), Options{LookupEnv: environment}).Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// external runs a script through Apply and returns the value and the problems.
func runExternal(t *testing.T, body, charset string) (property.Value, property.Problems) {
	t.Helper()
	text := "a1.configfilters = f1\na1.configfilters.f1.type = external\n" +
		"a1.configfilters.f1.command = " + script(t, body) + "  first  second\na1.sinks.k1.x = ${f1['my-key']}\n"
	if charset != "" {
		text += "a1.configfilters.f1.charset = " + charset + "\n"
	}
	props := parse(t, text)
	problems := Apply(t.Context(), "a1", props, Options{})
	v, _ := props.Get("a1.sinks.k1.x")
	return v, problems
}

func TestExternal(t *testing.T) {
	tests := []struct{ name, body, charset, want, problem string }{
		{"arguments", `echo "$1,$2,$3,$#"`, "", "first,second,my-key,3", ""},
		{"no end of line", "printf s3cret", "", "s3cret", ""},
		{"CR LF", `printf 's3cret\r\n'`, "", "s3cret", ""},
		{"empty line", "echo", "", "", ""},
		{"two lines", "echo s3cret; echo more", "", "s3cret", "it printed more than one line; only the first is used"},
		{"nothing", "true", "", "${f1['my-key']}", "it printed nothing; the reference stays as written"},
		{"exit status", "echo s3cret; echo ' no such key' >&2; exit 3", "", "${f1['my-key']}", "it ended with exit status 3 and said on stderr: no such key; the reference stays as written"},
		{"silent failure", "exit 1", "", "${f1['my-key']}", "it ended with exit status 1 and said on stderr: nothing; the reference stays as written"},
		{"too much", "exec head -c 2000000 /dev/zero", "", "${f1['my-key']}", "it printed more than 1048576 bytes; the reference stays as written"},
		{"much on stderr", "head -c 2000000 /dev/zero >&2; echo s3cret", "", "s3cret", ""},
		{"UTF-8", `printf 'gr\303\274n\n'`, "utf8", "grün", ""},
		{"ISO-8859-1", `printf 'gr\374n\200\n'`, "ISO-8859-1", "grün\u0080", ""},
		{"UTF-16", `printf '\000s\000\374\000\n'`, "UTF-16BE", "sü", ""},
		{"shift_jis", `printf '\202\240\n'`, "Shift_JIS", "あ", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, problems := runExternal(t, tt.body, tt.charset)
			if v.Text != tt.want {
				t.Errorf("value %q, want %q", v.Text, tt.want)
			}
			switch got := problems.Error(); {
			case tt.problem == "" && got != "":
				t.Errorf("problems %s", got)
			case !strings.Contains(got, tt.problem) || strings.Contains(got, "s3cret"):
				t.Errorf("problems %s, want %q and no secret", got, tt.problem)
			}
		})
	}
}

func TestExternalMissingProgram(t *testing.T) {
	props := parse(t, "a1.configfilters=f1\na1.configfilters.f1.type=external\na1.configfilters.f1.command=/no/such/program\na1.sinks.k1.x=${f1[k]}")
	problems := Apply(t.Context(), "a1", props, Options{})
	if !problems.HasErrors() || !strings.Contains(problems.Error(), "running it: ") {
		t.Errorf("problems %v", problems)
	}
}

func TestExternalRunsOncePerKey(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	text := "a1.configfilters=f1\na1.configfilters.f1.type=external\na1.configfilters.f1.command=" + script(t, `echo "$2" >> "$1"; echo v`) + " " + count +
		"\na1.sinks.k1.x=${f1[a]}${f1[a]}\na1.sinks.k2.x=${f1['a']}${f1[b]}\n"
	Apply(t.Context(), "a1", parse(t, text), Options{})
	got, err := os.ReadFile(count)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("a\nb\n", string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestExternalEnds(t *testing.T) {
	// The program's child keeps the pipe open longer than the program lives.
	f := external{command: []string{script(t, "sleep 60 & sleep 60")}, timeout: 50 * time.Millisecond}
	start := time.Now()
	if result := f.lookup(t.Context(), "k"); result.found || !strings.Contains(result.what, "it took longer than 50ms") {
		t.Errorf("slow program: %+v", result)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.timeout = time.Minute
	if result := f.lookup(ctx, "k"); result.found || !strings.Contains(result.what, "canceled") {
		t.Errorf("cancelled: %+v", result)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// FuzzApply checks that nothing but well-formed references to declared filters is
// replaced.
func FuzzApply(f *testing.F) {
	f.Add("${f1['KEY']}")
	f.Add("x${f1[KEY}${f1[\"KEY\"]}")
	f.Fuzz(func(t *testing.T, text string) {
		props := parse(t, declared)
		props.Set("a1.sinks.k1.x", property.Value{Text: text, Raw: text})
		Apply(t.Context(), "a1", props, Options{LookupEnv: func(string) (string, bool) { return "\x00", true }})
		v, _ := props.Get("a1.sinks.k1.x")
		if v.Secret != (v.Text != text) {
			t.Errorf("%q became %q, secret %v", text, v.Text, v.Secret)
		}
		for _, ref := range []string{"${f1[KEY]}", "${f1['KEY']}", `${f1["KEY"]}`} {
			if strings.Contains(v.Text, ref) {
				t.Errorf("%q became %q", text, v.Text)
			}
		}
	})
}
