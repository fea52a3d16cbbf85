// Package component is where the parts of an agent are registered and where a
// property tree becomes the typed configuration of one of them.
//
// A component is a folder: a Config struct whose tags say all there is to say
// about its properties, a constructor, and an init function that registers both.
// Decoding, defaults, ranges, suggestions for typos, documentation and JSON
// Schema all derive from that one struct; no property name is spelled twice.
package component

import (
	"fmt"
	"log/slog"
	"reflect"
	"sort"
	"strings"
	"sync"

	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
)

// Kind is the kind of a component, in the words of configuration files.
type Kind string

// The kinds, in the order of the flow.
const (
	KindSource      Kind = "source"
	KindInterceptor Kind = "interceptor"
	KindSelector    Kind = "channel selector"
	KindChannel     Kind = "channel"
	KindProcessor   Kind = "sink processor"
	KindSink        Kind = "sink"
	KindSerializer  Kind = "serializer"
)

// Kinds lists all kinds in the order of the flow.
var Kinds = []Kind{KindSource, KindInterceptor, KindSelector, KindChannel, KindProcessor, KindSink, KindSerializer}

// Info describes a registered type to people.
type Info struct {
	// Type is the name that configuration files use, e.g. "netcat". Where Flume
	// has no alias for a class, a name of ours in the same style.
	Type string
	// Aliases are further names: Flume's fully qualified class name first.
	Aliases []string
	// Summary is one sentence, for lists.
	Summary string
	// Readme is the component's README.md (go:embed), the text of its reference page.
	Readme string
}

// Env is what a component gets besides its configuration.
type Env struct {
	Agent   string       // name of the agent
	Name    string       // name of the component in the configuration
	Log     *slog.Logger // has the component's name already
	Metrics *metrics.Set // counters under this component's name
	FS      vfs.FS       // the only way to files
}

// Entry is a registered type.
type Entry struct {
	Kind   Kind
	Info   Info
	Schema *Schema

	config reflect.Type
	build  func(config any, env Env, more any) (any, error)
}

// Package returns the import path of the folder that the type comes from: the
// one that declares its Config struct.
func (e *Entry) Package() string { return e.config.PkgPath() }

// registry holds every registered type; filled by init functions.
var registry = struct {
	sync.RWMutex
	byName map[Kind]map[string]*Entry
}{byName: map[Kind]map[string]*Entry{}}

// register enters a type. It panics on mistakes of programmers: they show at
// the first start of any program or test that imports the component.
func register(kind Kind, info Info, config reflect.Type, build func(any, Env, any) (any, error)) {
	schema, err := schemaOf(config)
	if err != nil {
		panic(fmt.Sprintf("component: %s %q: %v", kind, info.Type, err))
	}
	e := &Entry{Kind: kind, Info: info, Schema: schema, config: config, build: build}
	registry.Lock()
	defer registry.Unlock()
	names := registry.byName[kind]
	if names == nil {
		names = map[string]*Entry{}
		registry.byName[kind] = names
	}
	all := append([]string{info.Type}, info.Aliases...)
	for _, n := range all {
		if n = strings.ToLower(n); names[n] != nil {
			panic(fmt.Sprintf("component: %s %q is registered twice", kind, n))
		}
	}
	for _, n := range all {
		names[strings.ToLower(n)] = e
	}
}

// RegisterSource registers a type of source.
func RegisterSource[C any](info Info, make func(C, Env) (flow.Source, error)) {
	registerPlain(KindSource, info, make)
}

// RegisterInterceptor registers a type of interceptor.
func RegisterInterceptor[C any](info Info, make func(C, Env) (flow.Interceptor, error)) {
	registerPlain(KindInterceptor, info, make)
}

// RegisterChannel registers a type of channel.
func RegisterChannel[C any](info Info, make func(C, Env) (flow.Channel, error)) {
	registerPlain(KindChannel, info, make)
}

// RegisterSink registers a type of sink.
func RegisterSink[C any](info Info, make func(C, Env) (flow.Sink, error)) {
	registerPlain(KindSink, info, make)
}

// RegisterSerializer registers a type of event serializer.
func RegisterSerializer[C any](info Info, make func(C, Env) (flow.Encoding, error)) {
	registerPlain(KindSerializer, info, make)
}

// RegisterSelector registers a type of channel selector. channels are the names
// of the source's channels; the selector's plans speak of their indexes.
func RegisterSelector[C any](info Info, make func(cfg C, env Env, channels []string) (flow.Selector, error)) {
	register(KindSelector, info, reflect.TypeFor[C](), func(cfg any, env Env, more any) (any, error) {
		return make(cfg.(C), env, more.([]string))
	})
}

// RegisterProcessor registers a type of sink processor. sinks are the members of
// the group in the order of the file.
func RegisterProcessor[C any](info Info, make func(cfg C, env Env, sinks []flow.Member) (flow.Sink, error)) {
	register(KindProcessor, info, reflect.TypeFor[C](), func(cfg any, env Env, more any) (any, error) {
		return make(cfg.(C), env, more.([]flow.Member))
	})
}

func registerPlain[C, T any](kind Kind, info Info, make func(C, Env) (T, error)) {
	register(kind, info, reflect.TypeFor[C](), func(cfg any, env Env, _ any) (any, error) {
		return make(cfg.(C), env)
	})
}

// Lookup returns the type of this name or alias. Case does not count, as in Flume.
func Lookup(kind Kind, name string) (*Entry, bool) {
	registry.RLock()
	defer registry.RUnlock()
	e, ok := registry.byName[kind][strings.ToLower(name)]
	return e, ok
}

// All returns the registered types of one kind, sorted by type name.
func All(kind Kind) []*Entry {
	registry.RLock()
	defer registry.RUnlock()
	seen := map[*Entry]bool{}
	var out []*Entry
	for _, e := range registry.byName[kind] {
		if !seen[e] {
			seen[e] = true
			out = append(out, e)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Info.Type < out[j].Info.Type })
	return out
}

// names returns every type name and alias of a kind, for suggestions.
func names(kind Kind) []string {
	var out []string
	for _, e := range All(kind) {
		out = append(out, e.Info.Type)
		out = append(out, e.Info.Aliases...)
	}
	return out
}
