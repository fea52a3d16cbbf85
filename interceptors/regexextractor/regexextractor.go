// Package regexextractor is the interceptor that sets headers to parts of the
// body.
package regexextractor

import (
	_ "embed"
	"fmt"
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
		Type: "regex_extractor",
		Aliases: []string{
			"org.apache.flume.interceptor.RegexExtractorInterceptor$Builder",
			"org.apache.flume.interceptor.RegexExtractorInterceptor",
		},
		Summary: "Sets headers to what the groups of a regular expression match in the body.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the interceptor.
type Config struct {
	Regex        string        `flume:"regex,required" doc:"A Java regular expression; its first match in the body counts."`
	Serializers  []Serializer  `flume:"serializers,required" doc:"Names for what follows, separated by white space: the first belongs to group 1 of the expression, the second to group 2, and so on."`
	MatchTimeout time.Duration `flume:"matchTimeout" unit:"ms" default:"1000" min:"1" doc:"How long an expression that needs backtracking may work on one event. One that takes longer leaves the event unchanged."`
}

// Check tries the pattern and counts its groups.
func (c Config) Check(r *component.Report) {
	re := regex.Check(r, "regex", c.Regex)
	if re == nil {
		return
	}
	if n := re.NumGroups(); n < len(c.Serializers) {
		for _, s := range c.Serializers[n:] {
			r.Warn("serializers", fmt.Sprintf("no group is left for %[2]s, the expression has %[1]d", n, s.ID),
				"add a group (round brackets) to regex, or remove the serializer")
		}
	}
}

type extractor struct {
	re     *javaregex.Regexp
	fields []field // by group, from group 1
	slow   *regex.Watch
	misfit *regex.Watch
}

var _ flow.Interceptor = (*extractor)(nil)

// New returns the interceptor.
func New(cfg Config, env component.Env) (flow.Interceptor, error) {
	re, err := regex.Compile("regex", cfg.Regex, cfg.MatchTimeout)
	if err != nil {
		return nil, err
	}
	x := &extractor{
		re: re,
		slow: regex.NewWatch(env.Log,
			env.Metrics.OwnCounter("regex_extractor_timeouts", "Events that regex_extractor left unchanged because matching them took too long."),
			"matching takes too long on some events, they are left unchanged",
			"matching is quick enough again"),
		misfit: regex.NewWatch(env.Log,
			env.Metrics.OwnCounter("regex_extractor_unparsable", "Texts that regex_extractor set no header to because they do not fit its date pattern."),
			"some texts do not fit the date pattern, their events go on without the header",
			"all texts fit the date pattern again"),
	}
	for _, s := range cfg.Serializers {
		if len(x.fields) == re.NumGroups() {
			break
		}
		f, err := s.field()
		if err != nil {
			return nil, fmt.Errorf("property serializers.%s.pattern: %w", s.ID, err)
		}
		x.fields = append(x.fields, f)
	}
	return x, nil
}

// Intercept implements flow.Interceptor.
func (x *extractor) Intercept(b *event.Batch) error {
	var slow, misfit int
	var slowErr, misfitErr error
	var room [32]int // for 15 groups without an allocation
	offsets := room[:0]
	events := b.Events()
	for i := range events {
		e := &events[i]
		var err error
		if offsets, err = x.re.FindSubmatchIndex(offsets[:0], e.Body); err != nil {
			slow++
			slowErr = err
			continue
		}
		if len(offsets) == 0 {
			continue
		}
		for g := range x.fields {
			from, to := offsets[2*g+2], offsets[2*g+3]
			if from < 0 {
				continue // the group took no part in the match
			}
			if err := x.fields[g].set(b, e, e.Body[from:to]); err != nil {
				misfit++
				misfitErr = err
			}
		}
	}
	x.slow.Batch(slow, slowErr)
	x.misfit.Batch(misfit, misfitErr)
	return nil
}
