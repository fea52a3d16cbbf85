// Package regex holds what the interceptors with regular expressions share: how a
// pattern is checked with the configuration, and what is counted and logged when
// a match takes too long.
package regex

import (
	"errors"
	"fmt"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/javaregex"
)

// Check compiles the pattern that key gives and reports what is wrong with it; it
// returns nil then. A pattern that may need backtracking gets an advice.
func Check(r *component.Report, key, pattern string) *javaregex.Regexp {
	re, err := javaregex.Compile(pattern)
	if err != nil {
		what := err.Error()
		var bad *javaregex.Error
		if errors.As(err, &bad) {
			what = fmt.Sprintf("is not a usable regular expression: column %d: %s", bad.Col, bad.Reason)
		}
		r.Error(key, what, `correct the pattern; it is read by Java's rules, and a properties file needs two backslashes to give it one`)
		return nil
	}
	if !re.Linear() {
		r.Advise(key, "is matched by backtracking, at least on some events: that is slower, and a match that takes too long is given up",
			"if that matters, do without look-around, back-references, possessive quantifiers, atomic groups, and \\b or inner anchors on text that is not ASCII")
	}
	return re
}

// Compile compiles the pattern that key gives. limit is the longest that one
// match may take; 0 is the default of package javaregex.
func Compile(key, pattern string, limit time.Duration) (*javaregex.Regexp, error) {
	re, err := javaregex.Compile(pattern, javaregex.WithTimeout(limit))
	if err != nil {
		return nil, fmt.Errorf("property %s: %w", key, err)
	}
	return re, nil
}
