// Package removeheader is the interceptor that removes headers by their names.
package removeheader

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/interceptors/internal/regex"
	"github.com/flume-go/flume/internal/javaregex"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterInterceptor(component.Info{
		Type: "remove_header",
		Aliases: []string{
			"org.apache.flume.interceptor.RemoveHeaderInterceptor$Builder",
			"org.apache.flume.interceptor.RemoveHeaderInterceptor",
		},
		Summary: "Removes headers by name, list of names or regular expression.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the interceptor. Pointers tell what is not given
// from what is empty.
type Config struct {
	WithName          string  `flume:"withName" doc:"The name of a header to remove."`
	FromList          *string `flume:"fromList" doc:"Names of headers to remove, separated as fromListSeparator says."`
	FromListSeparator string  `flume:"fromListSeparator" default:"\\s*,\\s*" doc:"What separates the names in fromList: a Java regular expression."`
	Matching          *string `flume:"matching" doc:"A Java regular expression: headers are removed whose whole name it matches."`
}

// Check tries the patterns and finds an interceptor without work.
func (c Config) Check(r *component.Report) {
	if c.WithName == "" && c.FromList == nil && c.Matching == nil {
		r.Warn("withName", "is not set, nor is fromList or matching: no header is removed", "say which headers to remove")
	}
	if c.Matching != nil {
		regex.Check(r, "matching", *c.Matching)
	}
	if c.FromList == nil {
		if r.Given("fromListSeparator") {
			r.Warn("fromListSeparator", "has no effect without fromList", "give the list or remove the separator")
		}
		return
	}
	// That the separator is slow does not matter: it is used once.
	if _, err := split(*c.FromList, c.FromListSeparator); err != nil {
		r.Error("fromListSeparator", err.Error(), "correct the expression; it is read by Java's rules")
	}
}

// split cuts a list at every match of a Java regular expression. Empty names are
// left out; no header has one.
func split(list, separator string) ([]string, error) {
	re, err := javaregex.Compile(separator)
	if err != nil {
		return nil, err
	}
	// No name can have a NUL, so it can mark the cuts.
	cut, err := javaregex.CompileTemplate(re, "\x00")
	if err != nil {
		return nil, err
	}
	marked, _, err := re.AppendReplaceAll(nil, []byte(list), cut)
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(marked), func(c rune) bool { return c == 0 }), nil
}

type interceptor struct {
	names    map[string]bool // to be removed; true for all
	matching *matcher        // nil without
	slow     *regex.Watch
}

var _ flow.Interceptor = (*interceptor)(nil)

// New returns the interceptor.
func New(cfg Config, env component.Env) (flow.Interceptor, error) {
	i := &interceptor{names: map[string]bool{}}
	if cfg.WithName != "" {
		i.names[cfg.WithName] = true
	}
	if cfg.FromList != nil {
		names, err := split(*cfg.FromList, cfg.FromListSeparator)
		if err != nil {
			return nil, fmt.Errorf("property fromListSeparator: %w", err)
		}
		for _, n := range names {
			i.names[n] = true
		}
	}
	if cfg.Matching != nil {
		re, err := regex.Compile("matching", *cfg.Matching, 0)
		if err != nil {
			return nil, err
		}
		i.matching = newMatcher(re)
		i.slow = regex.NewWatch(env.Log,
			env.Metrics.OwnCounter("remove_header_timeouts", "Headers that remove_header kept because matching their name took too long."),
			"matching a header's name takes too long, such headers are kept",
			"matching the names of headers is quick enough again")
	}
	return i, nil
}

// Intercept implements flow.Interceptor.
func (i *interceptor) Intercept(b *event.Batch) error {
	if i.matching == nil {
		remove(b, func(name string) bool { return i.names[name] })
		return nil
	}
	m := i.matching.begin()
	remove(b, func(name string) bool { return i.names[name] || m.matches(name) })
	m.end()
	i.slow.Batch(m.failed, m.err)
	return nil
}

func remove(b *event.Batch, drop func(string) bool) {
	events := b.Events()
	for n := range events {
		if len(events[n].Headers) > 0 {
			events[n].RemoveHeaders(drop)
		}
	}
}
