// Package regexfilter is the interceptor that drops events by their bodies.
package regexfilter

import (
	_ "embed"
	"time"

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
		Type: "regex_filter",
		Aliases: []string{
			"org.apache.flume.interceptor.RegexFilteringInterceptor$Builder",
			"org.apache.flume.interceptor.RegexFilteringInterceptor",
		},
		Summary: "Keeps or drops the events in whose body a regular expression matches.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the interceptor.
type Config struct {
	Regex         string        `flume:"regex" default:".*" doc:"A Java regular expression; it may match anywhere in the body."`
	ExcludeEvents bool          `flume:"excludeEvents" default:"false" doc:"Whether to drop the events that match and keep the others, instead of the other way round."`
	MatchTimeout  time.Duration `flume:"matchTimeout" unit:"ms" default:"1000" min:"1" doc:"How long an expression that needs backtracking may work on one event. One that takes longer leaves the event in."`
}

// Check tries the pattern and finds filters that let nothing or everything pass.
func (c Config) Check(r *component.Report) {
	regex.Check(r, "regex", c.Regex)
	switch {
	case c.Regex != ".*":
	case c.ExcludeEvents:
		r.Warn("regex", "matches every event, and excludeEvents drops what matches: no event is left", "give the expression of the events to drop")
	default:
		r.Advise("regex", "matches every event: nothing is filtered", "give the expression of the events to keep")
	}
}

type filter struct {
	re      *javaregex.Regexp
	exclude bool
	slow    *regex.Watch
}

var _ flow.Interceptor = (*filter)(nil)

// New returns the interceptor.
func New(cfg Config, env component.Env) (flow.Interceptor, error) {
	re, err := regex.Compile("regex", cfg.Regex, cfg.MatchTimeout)
	if err != nil {
		return nil, err
	}
	return &filter{
		re: re, exclude: cfg.ExcludeEvents,
		slow: regex.NewWatch(env.Log,
			env.Metrics.OwnCounter("regex_filter_timeouts", "Events that regex_filter kept because matching them took too long."),
			"matching takes too long on some events, they are kept",
			"matching is quick enough again"),
	}, nil
}

// Intercept implements flow.Interceptor.
func (f *filter) Intercept(b *event.Batch) error {
	slow := 0
	var reason error
	b.Filter(func(e *event.Event) bool {
		found, err := f.re.Find(e.Body)
		if err != nil {
			slow++
			reason = err
			return true // an event too many is better than one too few
		}
		return found != f.exclude
	})
	f.slow.Batch(slow, reason)
	return nil
}
