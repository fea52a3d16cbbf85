// Package filter applies config filters: the agent's own properties say where
// secrets come from, and references in other properties say where they go.
//
//	a1.configfilters = f1
//	a1.configfilters.f1.type = external
//	a1.configfilters.f1.command = /usr/bin/pass show
//	a1.sinks.k1.password = ${f1['kafka-password']}
//
// A reference is ${f1['key']}, ${f1["key"]} or ${f1[key]}, any number to a value,
// in the settings of sources, channels, sinks and sink groups. What a filter
// returns is not searched for references. It is a secret: its Value is marked so,
// and it appears in no message.
//
// Where Flume logs and goes on with the reference as text, Apply also
// reports a problem with its place. The order of filters plays no part: in
// Flume it is that of a hash map.
package filter

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/property"
)

// Options are what filters may use besides their settings.
type Options struct {
	// LookupEnv reads the environment for env filters; nil means os.LookupEnv.
	LookupEnv func(name string) (string, bool)
}

// filter finds the values of keys.
type filter interface {
	lookup(ctx context.Context, key string) answer
}

// answer is what a filter has for a key.
type answer struct {
	value string
	// severity, what and remedy make the problem to report; what is empty if
	// there is none.
	severity     property.Severity
	what, remedy string
	// found says that value is good, whatever there is to report.
	found bool
}

// reference matches ${filter['key']} with any filter; the quotes are compared
// afterwards.
var reference = regexp.MustCompile(`\$\{([^\s\[\]{}$]+)\[(['"]?)([-_a-zA-Z0-9]+)(['"]?)\]\}`)

// filtered are the kinds of components whose settings may have references.
var filtered = []string{"sources", "channels", "sinks", "sinkgroups"}

// Apply replaces the filter references in the settings of one agent's components
// and returns what is wrong with filters and references, in the order of
// Problems.Sort. A reference that cannot be replaced stays as it is. Filters that
// run programs run until ctx is done, at most 10 seconds each time, and once for
// each key.
func Apply(ctx context.Context, agent string, props *load.Properties, opts Options) property.Problems {
	if opts.LookupEnv == nil {
		opts.LookupEnv = os.LookupEnv
	}
	a := application{filters: map[string]filter{}, answers: map[[2]string]answer{}}
	a.declare(agent, props, opts)
	if len(a.filters) > 0 {
		for key, v := range props.All() {
			if isSetting(agent, key) && strings.Contains(v.Text, "${") {
				props.Set(key, a.replace(ctx, key, v))
			}
		}
	}
	a.problems.Sort()
	return a.problems
}

// isSetting reports whether key is <agent>.<kind>.<component>.<setting>.
func isSetting(agent, key string) bool {
	rest, ok := strings.CutPrefix(key, agent+".")
	if !ok {
		return false
	}
	for _, kind := range filtered {
		if setting, ok := strings.CutPrefix(rest, kind+"."); ok {
			component, name, ok := strings.Cut(setting, ".")
			return ok && component != "" && name != ""
		}
	}
	return false
}

// application is the state of one Apply.
type application struct {
	filters  map[string]filter
	answers  map[[2]string]answer // by filter and key
	problems property.Problems
}

// declare makes the filters that the agent lists.
func (a *application) declare(agent string, props *load.Properties, opts Options) {
	listKey := agent + ".configfilters"
	list, ok := props.Get(listKey)
	if !ok {
		return
	}
	for name := range strings.FieldsSeq(list.Text) {
		prefix := listKey + "." + name
		settings := props.Sub(prefix)
		kind, ok := settings["type"]
		if !ok {
			a.report(property.Error, list.At, listKey, fmt.Sprintf("the config filter %s has no type", name),
				fmt.Sprintf("set %s.type to env or external, or remove %s from the list", prefix, name))
			continue
		}
		f, problem := newFilter(kind.Text, settings, opts)
		if problem != nil {
			if problem.At.IsZero() {
				problem.At = kind.At
			}
			problem.Key = prefix + "." + problem.Key
			a.problems = append(a.problems, *problem)
			continue
		}
		a.filters[name] = f
	}
}

// newFilter makes a filter of a type, which is an alias in any case or the name of
// Flume's class. The problem's key is relative to the filter.
func newFilter(kind string, settings property.Settings, opts Options) (filter, *property.Problem) {
	const pkg = "org.apache.flume.configfilter."
	class := kind
	switch strings.ToLower(kind) {
	case "env":
		class = pkg + "EnvironmentVariableConfigFilter"
	case "external":
		class = pkg + "ExternalProcessConfigFilter"
	case "hadoop":
		class = pkg + "HadoopCredentialStoreConfigFilter"
	}
	problem := &property.Problem{Severity: property.Error, Key: "type"}
	switch class {
	case pkg + "EnvironmentVariableConfigFilter":
		return envFilter{opts.LookupEnv}, nil
	case pkg + "ExternalProcessConfigFilter":
		return newExternal(settings)
	case pkg + "HadoopCredentialStoreConfigFilter":
		problem.What = "the config filter for Hadoop credential stores is not available in this build"
		problem.Remedy = "use the type env, or external with a program that reads the store"
	default:
		problem.What = fmt.Sprintf("%q is no known type of config filter", kind)
		problem.Remedy = "use env or external"
	}
	return nil, problem
}

// replace returns v with its references replaced.
func (a *application) replace(ctx context.Context, key string, v property.Value) property.Value {
	used := map[string]bool{}
	v.Text = reference.ReplaceAllStringFunc(v.Text, func(match string) string {
		parts := reference.FindStringSubmatch(match)
		name, secret := parts[1], parts[3]
		f, ok := a.filters[name]
		if !ok || parts[2] != parts[4] {
			return match
		}
		result := a.ask(ctx, name, f, secret)
		if result.what != "" {
			a.report(result.severity, v.At, key, fmt.Sprintf("%s: %s", match, result.what), result.remedy)
		}
		if !result.found {
			return match
		}
		if origin := "config filter " + name; !used[origin] {
			used[origin] = true
			if v.Origin != "" {
				origin = ", " + origin
			}
			v.Origin += origin
		}
		v.Secret = true
		return result.value
	})
	return v
}

// ask asks a filter once for each key.
func (a *application) ask(ctx context.Context, name string, f filter, key string) answer {
	id := [2]string{name, key}
	result, ok := a.answers[id]
	if !ok {
		result = f.lookup(ctx, key)
		a.answers[id] = result
	}
	return result
}

func (a *application) report(severity property.Severity, at property.Position, key, what, remedy string) {
	a.problems = append(a.problems, property.Problem{Severity: severity, At: at, Key: key, What: what, Remedy: remedy})
}

// envFilter finds environment variables.
type envFilter struct {
	lookupEnv func(string) (string, bool)
}

func (f envFilter) lookup(_ context.Context, key string) answer {
	value, ok := f.lookupEnv(key)
	if !ok {
		return answer{
			severity: property.Warning,
			what:     "the environment variable is not set and the reference stays as written",
			remedy:   "set " + key,
		}
	}
	return answer{value: value, found: true}
}
