// Package searchreplace is the interceptor that replaces text in bodies.
package searchreplace

import (
	"bytes"
	_ "embed"
	"fmt"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/interceptors/internal/regex"
	"github.com/flume-go/flume/internal/charset"
	"github.com/flume-go/flume/internal/javaregex"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterInterceptor(component.Info{
		Type: "search_replace",
		Aliases: []string{
			"org.apache.flume.interceptor.SearchAndReplaceInterceptor$Builder",
			"org.apache.flume.interceptor.SearchAndReplaceInterceptor",
		},
		Summary: "Replaces what a regular expression finds in the body.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the interceptor.
type Config struct {
	SearchPattern string        `flume:"searchPattern,required" doc:"A Java regular expression; every match in the body is replaced."`
	ReplaceString string        `flume:"replaceString" doc:"What to put in the place of a match: $1 or ${name} for a group of the expression, a backslash before a character that stands for itself. Without it, matches are deleted."`
	Charset       string        `flume:"charset" default:"UTF-8" doc:"Character set of the bodies."`
	MatchTimeout  time.Duration `flume:"matchTimeout" unit:"ms" default:"1000" min:"1" doc:"How long an expression that needs backtracking may search for one match. One that takes longer leaves the event unchanged."`
}

// Check tries the pattern, the replacement and the character set.
func (c Config) Check(r *component.Report) {
	if _, err := charset.Lookup(c.Charset); err != nil {
		r.Error("charset", err.Error(), "give the name of one, such as UTF-8 or ISO-8859-1")
	}
	re := regex.Check(r, "searchPattern", c.SearchPattern)
	if re == nil {
		return
	}
	if _, err := javaregex.CompileTemplate(re, c.ReplaceString); err != nil {
		r.Error("replaceString", err.Error(), `refer to groups of searchPattern as $1 or ${name}; write \\$ in a properties file for a dollar sign`)
	}
}

type replacer struct {
	re      *javaregex.Regexp
	with    *javaregex.Template
	charset charset.Charset
	slow    *regex.Watch
}

var _ flow.Interceptor = (*replacer)(nil)

// New returns the interceptor.
func New(cfg Config, env component.Env) (flow.Interceptor, error) {
	re, err := regex.Compile("searchPattern", cfg.SearchPattern, cfg.MatchTimeout)
	if err != nil {
		return nil, err
	}
	with, err := javaregex.CompileTemplate(re, cfg.ReplaceString)
	if err != nil {
		return nil, fmt.Errorf("property replaceString: %w", err)
	}
	cs, err := charset.Lookup(cfg.Charset)
	if err != nil {
		return nil, fmt.Errorf("property charset: %w", err)
	}
	return &replacer{
		re: re, with: with, charset: cs,
		slow: regex.NewWatch(env.Log,
			env.Metrics.OwnCounter("search_replace_timeouts", "Events that search_replace left unchanged because searching them took too long."),
			"searching takes too long on some events, they are left unchanged",
			"searching is quick enough again"),
	}, nil
}

// Intercept implements flow.Interceptor.
func (r *replacer) Intercept(b *event.Batch) error {
	s, _ := buffers.Get().(*scratch)
	defer s.free()
	slow := 0
	var reason error
	events := b.Events()
	for i := range events {
		body, changed, err := r.replace(s, events[i].Body)
		switch {
		case err != nil:
			slow++
			reason = err
		case changed:
			b.SetBody(&events[i], b.Copy(body))
		}
	}
	r.slow.Batch(slow, reason)
	return nil
}

// replace returns the new form of body, in the memory of s, and whether there was
// a match. Of a body in UTF-8 nothing but the matches changes, ill-formed bytes
// included; one in another character set is encoded anew.
func (r *replacer) replace(s *scratch, body []byte) (out []byte, changed bool, err error) {
	if r.charset.IsUTF8() {
		s.out, changed, err = r.re.AppendReplaceAll(s.out[:0], body, r.with)
		return s.out, changed, err
	}
	s.decode(r.charset, body)
	s.out, changed, err = r.re.AppendReplaceAll(s.out[:0], s.text, r.with)
	if err != nil || !changed {
		return nil, false, err
	}
	if bytes.Equal(s.text, body) && ascii(s.out) {
		return s.out, true, nil // the set agrees with UTF-8, as nearly all do about ASCII
	}
	s.encoded = r.charset.NewEncoder().Append(s.encoded[:0], s.out)
	return s.encoded, true, nil
}
