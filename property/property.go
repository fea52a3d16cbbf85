// Package property holds the small vocabulary in which configuration is
// spoken everywhere else: a value and the place it came from, a set of settings
// of one component, and a problem found in them.
//
// It imports nothing of ours, so that the reader of files, the decoder of
// component structs and the agent can share it. The reader of Java's
// .properties text lives here too (read.go).
package property

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Position is a place in a configuration source. Line and Col count from 1;
// Col counts characters (code points), as editors do. The zero Position means
// "not from any file".
type Position struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
}

// IsZero reports whether p names no place.
func (p Position) IsZero() bool { return p == Position{} }

// String gives "file:line:col", shorter where parts are unknown.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
	}
}

// Value is one configured value with the places of its key and of itself.
type Value struct {
	// Text is the value in force: escapes, substitutions and filters applied.
	Text string
	// Raw is the value as written, before substitution. Equal to Text when
	// nothing was substituted.
	Raw string
	// Key is where the key starts, At where the value starts.
	Key, At Position
	// Origin tells how Text came about when it is not simply what the file
	// says, e.g. "environment variable PORT" or "config filter f1".
	Origin string
	// Secret says that Text must never be shown or logged, whatever the
	// component thinks of it: it came out of a config filter.
	Secret bool
}

// Settings are the properties of one component, by key relative to the
// component: for "a1.sinks.k1.hdfs.path" the key is "hdfs.path".
type Settings map[string]Value

// Sub returns the settings whose key starts with prefix + ".", with that
// prefix removed.
func (s Settings) Sub(prefix string) Settings {
	out := Settings{}
	prefix += "."
	for k, v := range s {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" {
			out[rest] = v
		}
	}
	return out
}

// Keys returns the keys, sorted.
func (s Settings) Keys() []string {
	keys := make([]string, 0, len(s))
	for k := range s {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Equal reports whether both hold the same keys with the same texts;
// positions do not count.
func (s Settings) Equal(o Settings) bool {
	if len(s) != len(o) {
		return false
	}
	for k, v := range s {
		w, ok := o[k]
		if !ok || v.Text != w.Text {
			return false
		}
	}
	return true
}

// Severity says what a problem does to the agent.
type Severity int

const (
	// Advice is about something that works as written but is seldom wanted,
	// such as a harmful default of Flume. Nothing fails because of it.
	Advice Severity = iota
	// Warning is about something written that has no effect, or probably not
	// the intended one. The agent runs; a check fails.
	Warning
	// Error stops the agent from starting (and a reload from happening).
	Error
)

// String gives "advice", "warning" or "error".
func (s Severity) String() string {
	switch s {
	case Advice:
		return "advice"
	case Warning:
		return "warning"
	default:
		return "error"
	}
}

// MarshalText makes severities readable in JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Problem is one thing wrong with a configuration: where it is, the full key
// it concerns, what is wrong and what to do about it.
type Problem struct {
	Severity Severity `json:"severity"`
	At       Position `json:"at"`
	Key      string   `json:"key,omitempty"`
	What     string   `json:"what"`
	Remedy   string   `json:"remedy,omitempty"`
}

// String gives "file:line:col: key: what; remedy". Characters that are not
// printable, which might do something to a terminal, are escaped.
func (p Problem) String() string {
	var b strings.Builder
	if !p.At.IsZero() {
		b.WriteString(p.At.String())
		b.WriteString(": ")
	}
	if p.Severity != Error {
		b.WriteString(p.Severity.String())
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key)
		b.WriteString(": ")
	}
	b.WriteString(p.What)
	if p.Remedy != "" {
		b.WriteString("; ")
		b.WriteString(p.Remedy)
	}
	return Printable(b.String())
}

// Printable returns s with characters that are not printable written as Go's
// escapes.
func Printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) || r == '\u00a0' {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// Problems is what a check found, in the order of Sort.
type Problems []Problem

// HasErrors reports whether any problem is an Error.
func (ps Problems) HasErrors() bool { return ps.Worst() == Error }

// Worst returns the highest severity among ps, Advice if there is none.
func (ps Problems) Worst() Severity {
	worst := Advice
	for _, p := range ps {
		worst = max(worst, p.Severity)
	}
	return worst
}

// Sort orders by file, line and column; problems without a place come last.
func (ps Problems) Sort() {
	sort.SliceStable(ps, func(i, j int) bool {
		a, b := ps[i].At, ps[j].At
		if (a.Line == 0) != (b.Line == 0) {
			return b.Line == 0
		}
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Col < b.Col
	})
}

// Error makes Problems usable as an error: one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
