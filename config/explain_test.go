package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/property"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// explained is an agent with values of every origin.
func explained(t *testing.T) *config.Topology {
	t.Helper()
	entries, problems := property.Read("x.conf", []byte(`a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = lines
a1.sources.r1.channels = c1
a1.sources.r1.port = 44444
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = mark
a1.sources.r1.interceptors.i1.header = seen
a1.channels.c1.type = queue
a1.sinks.k1.type = out
a1.sinks.k1.channel = c1
a1.sinks.k1.password = open sesame
a1.sinks.k1.host = h
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var props load.Properties
	for _, e := range entries {
		v := e.Value
		if e.Key == "a1.sinks.k1.host" {
			v.Origin = "environment variable HOST"
		}
		props.Set(e.Key, v)
	}
	top := config.Build(config.NewModel(&props), "a1", false)
	if top.Problems.HasErrors() {
		t.Fatal(top.Problems)
	}
	return top
}

func TestExplain(t *testing.T) {
	top := explained(t)
	for name, path := range map[string]string{"agent": "", "sink": "a1.sinks.k1", "source": "r1"} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := top.Explain(&b, path); err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", "explain-"+name+".txt"), b.String())
			if strings.Contains(b.String(), "sesame") {
				t.Error("a secret is shown")
			}
		})
	}
}

// TestExplainPaths has the ways to say what is meant.
func TestExplainPaths(t *testing.T) {
	top := explained(t)
	explain := func(path string) string {
		var b strings.Builder
		if err := top.Explain(&b, path); err != nil {
			return err.Error()
		}
		return b.String()
	}
	for _, same := range []string{"sinks.k1", "k1", "a1.sinks.k1.", "a1.k1"} {
		if got := explain(same); got != explain("a1.sinks.k1") {
			t.Errorf("%q explains:\n%s", same, got)
		}
	}
	if got := explain("a1"); got != explain("") {
		t.Errorf("a1 explains:\n%s", got)
	}
	if got := explain("r1.interceptors.i1"); !strings.HasPrefix(got, "a1.sources.r1.interceptors.i1  (interceptor mark)") || strings.Contains(got, "port") {
		t.Errorf("the interceptor:\n%s", got)
	}
	for path, want := range map[string]string{
		"sinks.k2": `agent a1 has no component "sinks.k2"; did you mean "sinks.k1"?`,
		"zzzzzzzz": `agent a1 has no component "zzzzzzzz"; it has sources.r1, sources.r1.interceptors.i1, sources.r1.selector, channels.c1, sinks.k1`,
	} {
		if got := explain(path); got != want {
			t.Errorf("%q: %s", path, got)
		}
	}
}

// TestExplainProperty has single properties, of components and of what is in them.
func TestExplainProperty(t *testing.T) {
	top := build(t, `
a1.sources = r1
a1.channels = c1
a1.sinks = k1 k2
a1.sinkgroups = g1
a1.sources.r1.type = lines
a1.sources.r1.channels = c1
a1.sources.r1.batch-size = 7
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = mark
a1.sources.r1.interceptors.i1.header = seen
a1.sources.r1.selector.type = mapping
a1.sources.r1.selector.mapping.DE = c1
a1.channels.c1.type = queue
a1.sinks.k1.type = rows
a1.sinks.k1.channel = c1
a1.sinks.k1.format = json
a1.sinks.k1.format.indent = 4
a1.sinks.k1.columns = id
a1.sinks.k1.columns.id.path = user.id
a1.sinks.k2.type = bare
a1.sinks.k2.channel = c1
a1.sinkgroups.g1.sinks = k1 k2
a1.sinkgroups.g1.processor.type = many
`, false)
	if top.Problems.HasErrors() {
		t.Fatal(top.Problems)
	}
	for path, want := range map[string]string{
		"a1.sources.r1.port": `
a1.sources.r1.port = 0
                     default
                     The port.
`,
		"r1.batch-size": `
a1.sources.r1.batchSize = 7
                          set at x.conf:7:28
                          The batch size.
`,
		"r1.interceptors.i1.header": `
a1.sources.r1.interceptors.i1.header = seen
                                       set at x.conf:10:40
                                       The header.
`,
		"sources.r1.selector.mapping.DE": `
a1.sources.r1.selector.mapping.DE = c1
                                    set at x.conf:12:37
                                    Channels by value.
`,
		"k1.format": `
a1.sinks.k1.format        = json
                            set at x.conf:16:22
                            The format.
a1.sinks.k1.format.indent = 4
                            set at x.conf:17:29
                            The indent.
`,
		"k1.columns.id": `
a1.sinks.k1.columns.id.path = user.id
                              set at x.conf:19:31
                              Where the value is.
`,
		"g1.sinks": `
a1.sinkgroups.g1.sinks = k1 k2
                         set at x.conf:22:26
                         The sinks of the group, separated by white space.
`,
		"a1.sinkgroups.g1.processor.type": `
a1.sinkgroups.g1.processor.type = many
                                  set at x.conf:23:35
                                  The type of the sink processor: a short name or Flume's class name.
`,
		"r1.prot":                   `a1.sources.r1 (source lines) has no property "prot"; did you mean "port"?`,
		"r1.interceptors.i2":        `a1.sources.r1 (source lines) has no property "interceptors.i2"; did you mean "interceptors.i1"?`,
		"r1.interceptors.i1.haeder": `a1.sources.r1.interceptors.i1 (interceptor mark) has no property "haeder"; did you mean "header"?`,
		"k1.format.indnet":          `a1.sinks.k1 (sink rows) has no property "format.indnet"; did you mean "format.indent"?`,
		"g1.sink":                   `a1.sinkgroups.g1 (sink group) has no property "sink"; did you mean "sinks"?`,
		"c1.zzzzzzzz":               `a1.channels.c1 (channel queue) has no property "zzzzzzzz"; it has type, config, transactionCapacity, dataDir`,
	} {
		var b strings.Builder
		got := ""
		if err := top.Explain(&b, path); err != nil {
			got = err.Error()
		} else {
			got = "\n" + b.String()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	var b strings.Builder
	if err := top.Explain(&b, "r1.interceptors"); err != nil || !strings.HasPrefix(b.String(), "a1.sources.r1.interceptors = i1\n") || !strings.Contains(b.String(), "(interceptor mark)") {
		t.Errorf("a property with components below it: %v\n%s", err, &b)
	}
	b.Reset()
	if err := top.Explain(&b, "g1"); err != nil || !strings.Contains(b.String(), "a1.sinkgroups.g1  (sink group)\n") || !strings.Contains(b.String(), "(sink processor many)") {
		t.Errorf("a sink group: %v\n%s", err, &b)
	}
}

// TestExplainWhatIsBroken: what a check says of a component is the answer to the
// question what it is.
func TestExplainWhatIsBroken(t *testing.T) {
	const text = `
a1.sources = r1
a1.sinks = k1 k2 k3 k4
a1.sources.r1.type = linse
a1.sources.r1.channels = c1
a1.sources.r1.port = 1
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = mrak
a1.channels.c1.type = queue
a1.sinks.k1.channel = c1
a1.sinks.k2.type = rows
a1.sinks.k2.channel = c1
a1.sinks.k2.format = jsno
a1.sinks.k3.type = bare
a1.sinks.k3.channel = c1
a1.sinks.k9.type = bare
a1.channels = c1 c2
a1.sinkgroups = g1
a1.sinkgroups.g1.sinks = k7
a1.sinks.k4.type = bare
a1.sinks.k4.channel = c2
a1.channels.c2.type = quueu
`
	const (
		source   = `unknown source type "linse"; did you mean "lines"?`
		unlisted = `x.conf:15:1: warning: a1.sinks.k9: is not listed in a1.sinks and has no effect; add k9 to a1.sinks, or remove its properties`
	)
	for _, c := range []struct {
		path, want string
		lenient    bool
	}{
		{"a1.sources.r1", "a1.sources.r1  (source)\n  " + source + "\n  type         = linse\n", false},
		{"r1.channels", "a1.sources.r1.channels = c1\n", false},
		{"r1.port", "a1.sources.r1 (source) has properties only when its type is known: " + source, false},
		{"r1.interceptors.i1", "a1.sources.r1.interceptors.i1  (interceptor)\n  unknown interceptor type \"mrak\"; did you mean \"mark\"?\n", false},
		{"k1", "a1.sinks.k1  (sink)\n  It has no type.\n  type       = (not set)\n", false},
		{"k2.format", `there is nothing to explain at "k2.format": x.conf:12:22: a1.sinks.k2.format: unknown serializer type "jsno"; did you mean "json"?`, false},
		{"k9", `there is nothing to explain at "k9": ` + unlisted, false},
		{"a1.sinks.k9.type", `there is nothing to explain at "sinks.k9.type": ` + unlisted, false},
		{"k8", `agent a1 has no component "k8"; did you mean "k1"?`, false},
		{"r1", "a1.sources.r1 is left out because its configuration is broken (--lenient): x.conf:3:22: warning: a1.sources.r1.type: " + source, true},
		{"k4", "a1.sinks.k4 is left out because what it needs is left out (--lenient): see flume check", true},
		{"g1.sinks", "a1.sinkgroups.g1 is left out because its configuration is broken (--lenient): x.conf:18:26: warning: a1.sinkgroups.g1.sinks: there is no sink \"k7\"; did you mean \"k1\"?", true},
		{"sources.r1.port", "a1.sources.r1 is left out because its configuration is broken (--lenient): x.conf:3:22: warning: a1.sources.r1.type: " + source, true},
	} {
		var b strings.Builder
		got := ""
		if err := build(t, text, c.lenient).Explain(&b, c.path); err != nil {
			got = err.Error()
		} else {
			got = b.String()
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s (lenient: %v) is explained as\n%s\nwant\n%s", c.path, c.lenient, got, c.want)
		}
	}
}

// golden compares got with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", name, diff)
	}
}
