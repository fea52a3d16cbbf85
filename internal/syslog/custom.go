package syslog

import (
	"errors"
	"fmt"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/javaregex"
	"github.com/flume-go/flume/internal/javatime"
)

// Format is the properties of a format of the user's, tried before those that
// are built in.
type Format struct {
	Regex      string `flume:"format.regex" doc:"Regular expression (Java's) for a whole message of another format, tried first. Its groups 1 to 5 are priority, version, timestamp, host and body."`
	Search     string `flume:"format.search" doc:"Regular expression for what is replaced in the timestamp of format.regex."`
	Replace    string `flume:"format.replace" doc:"What replaces it; $1 is its group 1."`
	DateFormat string `flume:"format.dateFormat" doc:"Pattern (of Java's SimpleDateFormat) of the timestamp of format.regex. Without, there is no timestamp header."`
}

// Custom is a Format that was compiled. Safe for concurrent use.
type Custom struct {
	regex   *javaregex.Regexp
	search  *javaregex.Regexp
	replace *javaregex.Template
	date    *javatime.Format
}

// formatError is the property that is at fault.
type formatError struct {
	key string
	err error
}

func (e *formatError) Error() string { return "property " + e.key + ": " + e.err.Error() }
func (e *formatError) Unwrap() error { return e.err }

// Check reports what does not compile.
func (f Format) Check(r *component.Report) {
	for _, p := range []struct{ key, value string }{
		{"format.search", f.Search}, {"format.replace", f.Replace}, {"format.dateFormat", f.DateFormat},
	} {
		if p.value != "" && f.Regex == "" {
			r.Warn(p.key, "has no effect without format.regex", "set format.regex, or remove it")
		}
	}
	c, err := f.Compile()
	var fault *formatError
	if errors.As(err, &fault) {
		r.Error(fault.key, fault.err.Error(), "correct it")
		return
	}
	if c != nil && c.regex.NumGroups() < 5 {
		r.Warn("format.regex", fmt.Sprintf("has %d groups", c.regex.NumGroups()), "make groups of priority, version, timestamp, host and body, in this order")
	}
}

// Compile returns nil without a format.
func (f Format) Compile() (*Custom, error) {
	if f.Regex == "" {
		return nil, nil
	}
	c := new(Custom)
	var err error
	if c.regex, err = javaregex.Compile(f.Regex); err != nil {
		return nil, &formatError{"format.regex", err}
	}
	if f.Search != "" {
		if c.search, err = javaregex.Compile(f.Search); err != nil {
			return nil, &formatError{"format.search", err}
		}
		if c.replace, err = javaregex.CompileTemplate(c.search, f.Replace); err != nil {
			return nil, &formatError{"format.replace", err}
		}
	}
	if f.DateFormat != "" {
		if c.date, err = javatime.CompileSimpleDateFormat(f.DateFormat); err != nil {
			return nil, &formatError{"format.dateFormat", err}
		}
	}
	return c, nil
}

// match sets the parser's fields if text is of this format. An expression that
// takes too long is one that does not match.
func (c *Custom) match(p *Parser, text []byte) bool {
	at, err := c.regex.MatchesSubmatchIndex(nil, text)
	if err != nil || at == nil {
		return false
	}
	f := &p.fields
	f.kind = kindCustom
	for i, part := range []*[]byte{&f.priority, &f.version, &f.time, &f.host, &f.body} {
		if from := 2 * (i + 1); from+1 < len(at) && at[from] >= 0 {
			*part = text[at[from]:at[from+1]]
		}
	}
	return true
}

// millis reads a timestamp of this format.
func (c *Custom) millis(stamp []byte, zone *time.Location) (int64, bool) {
	if c.date == nil {
		return 0, false
	}
	if c.search != nil {
		out, _, err := c.search.AppendReplaceAll(nil, stamp, c.replace)
		if err != nil {
			return 0, false
		}
		stamp = out
	}
	t, err := c.date.Parse(string(stamp), zone)
	if err != nil {
		return 0, false
	}
	return t.UnixMilli(), true
}
