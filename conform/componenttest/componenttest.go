// Package componenttest checks what every registered type of component owes its
// users, whatever it does: a name, documentation that is current, an example
// that works, help with typing errors, a constructor that only constructs.
//
// Types are found in the registry, so that none can be forgotten; each rule is a
// sentence, which a failure quotes. What a source, channel or sink does with
// events is the matter of the suites of these kinds, and that a component has
// one is a rule, too.
package componenttest

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/gen/reference"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// rule is one thing that every type must do.
type rule struct {
	name  string
	text  string
	check func(t *testing.T, s *subject)
}

// rules in the order in which someone who writes a component meets them.
var rules = []rule{
	{"Name", "A type's name has lower-case letters, digits and '_'; its first alias is the class name in Apache Flume, if it has one there.", checkName},
	{"Documentation", "The summary and the text of each property are sentences, and no key is declared twice.", checkDocumentation},
	{"Defaults", "Without any settings the only complaints are about what is required.", checkDefaults},
	{"Typo", "A mistyped key is reported with the key that was meant.", checkTypo},
	{"SecretNamed", "A property whose name says that it is a secret is tagged as one.", checkSecretNamed},
	{"SecretMasked", "The value of a secret appears neither among the values in force nor in any message.", checkSecretMasked},
	{"Readme", "README.md is embedded, its property table is current and its links lead somewhere.", checkReadme},
	{"Example", "example.conf is a complete agent a1 that uses the type and that a check has nothing against.", checkExample},
	{"NewOnlyChecks", "A constructor touches no file, opens no descriptor and starts no goroutine.", checkNew},
	{"Lifecycle", "Close works without Open and twice, Open again after Close; nothing is left behind.", checkLifecycle},
	{"Suite", "conform_test.go runs the suite of the component's kind.", checkSuite},
}

// Run checks every registered type. root is the module's root. The caller
// imports the components.
func Run(t *testing.T, root string) {
	all, err := reference.Components(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no component is registered; import package all")
	}
	for _, c := range all {
		s := &subject{Component: c, root: root, all: all}
		t.Run(strings.ReplaceAll(string(c.Entry.Kind), " ", "_")+"/"+c.Entry.Info.Type, func(t *testing.T) {
			for _, r := range rules {
				t.Run(r.name, func(t *testing.T) {
					defer func() {
						if t.Failed() {
							t.Logf("rule: %s", r.text)
						}
					}()
					r.check(t, s)
				})
			}
		})
	}
}

// subject is a type under test.
type subject struct {
	reference.Component
	root string
	all  []reference.Component
}

// topology loads the component's example.conf as the program does.
func (s *subject) topology(t *testing.T) *config.Topology {
	t.Helper()
	if s.Example == "" {
		t.Fatalf("%s has no example.conf", s.Folder)
	}
	loader, err := load.New(load.Options{
		Agent:     "a1",
		Files:     []string{filepath.Join(s.root, s.Folder, "example.conf")},
		LookupEnv: func(string) (string, bool) { return "", false },
		Log:       slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer loader.Close()
	result, err := loader.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	top := config.Build(config.NewModel(result.Properties), "a1", false)
	top.Problems = append(result.Problems, top.Problems...)
	return top
}

// configured returns the type's configuration in its example, with what its
// constructor needs besides.
func (s *subject) configured(t *testing.T) (d *component.Decoded, more any) {
	t.Helper()
	top := s.topology(t)
	for _, src := range top.Sources {
		if s.is(src.Decoded) {
			return src.Decoded, nil
		}
		if s.is(src.Selector) {
			return src.Selector, src.Channels
		}
		for _, i := range src.Interceptors {
			if s.is(i.Decoded) {
				return i.Decoded, nil
			}
		}
	}
	for _, c := range top.Channels {
		if s.is(c.Decoded) {
			return c.Decoded, nil
		}
	}
	for _, g := range top.Groups {
		if s.is(g.Processor) {
			members := make([]flow.Member, len(g.Sinks))
			for i, name := range g.Sinks {
				members[i] = flow.Member{Name: name, Sink: new(idleSink)}
			}
			return g.Processor, members
		}
	}
	for _, k := range top.Sinks {
		if s.is(k.Decoded) {
			return k.Decoded, nil
		}
		if d := s.serializer(k.Decoded); d != nil {
			return d, nil
		}
	}
	t.Fatalf("%s/example.conf does not use the %s %s", s.Folder, s.Entry.Kind, s.Entry.Info.Type)
	return nil, nil
}

func (s *subject) is(d *component.Decoded) bool { return d != nil && d.Entry == s.Entry }

// serializer returns the type's configuration below the key of d that names it,
// nil if there is none.
func (s *subject) serializer(d *component.Decoded) *component.Decoded {
	if d == nil {
		return nil
	}
	for _, v := range d.Effective {
		if v.Field.Kind != component.FieldComponent {
			continue
		}
		if e, ok := component.Lookup(v.Field.Refers, v.Text); ok && e == s.Entry {
			key := strings.TrimPrefix(v.Key, d.Scope.Prefix)
			return component.Decode(e, d.Settings.Sub(key), component.Scope{Prefix: v.Key + ".", At: d.Scope.At})
		}
	}
	return nil
}

// make constructs the component of the example on a file system.
func (s *subject) make(t *testing.T, files vfs.FS) any {
	t.Helper()
	d, more := s.configured(t)
	if d.Failed() {
		t.Fatalf("%s/example.conf: %v", s.Folder, d.Problems)
	}
	c, err := construct(d, component.Env{
		Agent: "a1", Name: "x1", FS: files,
		Log:     slog.New(slog.DiscardHandler),
		Metrics: metrics.NewSet(metrics.KindSource, "x1"),
	}, more)
	if err != nil {
		t.Fatalf("constructing %s %s: %v", s.Entry.Kind, s.Entry.Info.Type, err)
	}
	return c
}

func construct(d *component.Decoded, env component.Env, more any) (any, error) {
	switch d.Entry.Kind {
	case component.KindSource:
		return component.New[flow.Source](d, env, more)
	case component.KindInterceptor:
		return component.New[flow.Interceptor](d, env, more)
	case component.KindSelector:
		return component.New[flow.Selector](d, env, more)
	case component.KindChannel:
		return component.New[flow.Channel](d, env, more)
	case component.KindProcessor, component.KindSink:
		return component.New[flow.Sink](d, env, more)
	case component.KindSerializer:
		return component.New[flow.Encoding](d, env, more)
	default:
		return nil, fmt.Errorf("kind %q has no constructor here", d.Entry.Kind)
	}
}

// decode decodes settings as if they stood in the type's place.
func (s *subject) decode(settings map[string]string) *component.Decoded {
	in := property.Settings{}
	for k, v := range settings {
		in[k] = property.Value{Text: v, Raw: v, Key: property.Position{File: "test.conf", Line: 1, Col: 1}, At: property.Position{File: "test.conf", Line: 1, Col: 9}}
	}
	return component.Decode(s.Entry, in, component.Scope{Prefix: "a1.x.x1.", At: property.Position{File: "test.conf", Line: 1}})
}
