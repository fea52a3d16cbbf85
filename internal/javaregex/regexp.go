package javaregex

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// DefaultTimeout is the time a single match may take in the backtracking engine
// unless [WithTimeout] says otherwise. Ordinary matches take microseconds; the
// limit is generous so that a stalled machine does not look like a bad pattern.
const DefaultTimeout = time.Second

// ErrTimeout is wrapped by the error of a match that ran out of time.
var ErrTimeout = errors.New("the match took too long")

// Flags are java.util.regex.Pattern's match flags.
type Flags uint16

// The flags, with the letter that turns them on inside a pattern.
const (
	UnixLines             Flags = 1 << iota // (?d): \n is the only line terminator
	CaseInsensitive                         // (?i): ASCII letters match in either case
	Comments                                // (?x): whitespace and #-comments are ignored
	Multiline                               // (?m): ^ and $ match at line terminators
	Literal                                 // the pattern is plain text
	DotAll                                  // (?s): . matches line terminators
	UnicodeCase                             // (?u): (?i) is about all letters
	UnicodeCharacterClass                   // (?U): \d \w \s and POSIX names are about all scripts
)

var inlineFlags = map[rune]Flags{
	'd': UnixLines,
	'i': CaseInsensitive,
	'x': Comments,
	'm': Multiline,
	's': DotAll,
	'u': UnicodeCase,
	'U': UnicodeCharacterClass | UnicodeCase,
}

// Error says why a pattern was not accepted.
type Error struct {
	Pattern string
	Col     int    // 1-based, in code points
	Reason  string // what is wrong there
}

// Error implements the error interface.
func (e *Error) Error() string {
	return "compiling regular expression " + strconv.Quote(e.Pattern) + ": column " + strconv.Itoa(e.Col) + ": " + e.Reason
}

// Option changes how a pattern is compiled.
type Option func(*options)

type options struct {
	flags   Flags
	timeout time.Duration
}

// WithFlags turns on match flags for the whole pattern.
func WithFlags(f Flags) Option {
	return func(o *options) {
		if f&UnicodeCharacterClass != 0 {
			f |= UnicodeCase
		}
		o.flags |= f
	}
}

// WithTimeout limits the time of a single match in the backtracking engine. The
// engine's clock ticks every 100 ms, so a match may run about 0.2 s longer. A
// limit that is not positive means [DefaultTimeout].
func WithTimeout(d time.Duration) Option {
	return func(o *options) { o.timeout = d }
}

// Regexp is a compiled pattern. It is immutable and safe for concurrent use.
type Regexp struct {
	pattern string
	groups  int
	names   map[string]int
	needs   precondition
	linear  *linearEngine    // nil when no input can be run in linear time
	back    *backtrackEngine // nil when every input can
}

// Compile parses a pattern of Java's dialect. Its error is an [*Error] when the
// pattern is at fault.
func Compile(pattern string, opts ...Option) (*Regexp, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if o.timeout <= 0 {
		o.timeout = DefaultTimeout
	}
	root, p, err := parse(pattern, o.flags)
	if err != nil {
		return nil, err
	}
	re := &Regexp{pattern: pattern, groups: p.groups, names: p.names}
	a := analyze(root)
	if a.linear {
		// An error means a limit of package regexp, such as the greatest
		// repeat count; the other engine has none of these.
		if engine, err := newLinearEngine(root, p.groups, a); err == nil {
			re.linear, re.needs = engine, a.needs
		}
	}
	if re.linear == nil || re.needs != 0 {
		if err := checkBacktrack(root, p); err != nil {
			return nil, err
		}
		if re.back, err = newBacktrackEngine(root, p.groups, o.timeout); err != nil {
			return nil, fmt.Errorf("compiling regular expression %q for backtracking: %w", pattern, err)
		}
	}
	return re, nil
}

// String returns the pattern as given to [Compile].
func (re *Regexp) String() string { return re.pattern }

// NumGroups returns the number of capturing groups, the whole match not counted.
func (re *Regexp) NumGroups() int { return re.groups }

// GroupIndex returns the number of a named group, or false if there is none.
func (re *Regexp) GroupIndex(name string) (int, bool) {
	i, ok := re.names[name]
	return i, ok
}

// Linear reports whether every input is matched in time linear in its length.
// If so, no method ever returns an error.
func (re *Regexp) Linear() bool { return re.back == nil }

// Find reports whether the pattern matches anywhere in b, as Matcher.find.
func (re *Regexp) Find(b []byte) (bool, error) {
	if re.runsLinear(b) {
		return re.linear.find(validUTF8(b)), nil
	}
	_, ok, err := re.backtrack(nil, b, false)
	return ok, err
}

// Matches reports whether the pattern matches all of b, as Matcher.matches.
func (re *Regexp) Matches(b []byte) (bool, error) {
	if re.runsLinear(b) {
		return re.linear.whole.Match(validUTF8(b)), nil
	}
	_, ok, err := re.backtrack(nil, b, true)
	return ok, err
}

// FindSubmatchIndex appends to dst the offsets of the first match: start and end
// of the whole match, then of each group, -1 for a group that took no part. It
// returns dst unchanged if there is no match.
func (re *Regexp) FindSubmatchIndex(dst []int, b []byte) ([]int, error) {
	if re.runsLinear(b) {
		text, offsets := sanitize(b)
		dst, _ = re.linear.submatch(dst, text, 0, offsets)
		return dst, nil
	}
	dst, _, err := re.backtrack(dst, b, false)
	return dst, err
}

// MatchesSubmatchIndex is [Regexp.FindSubmatchIndex] for a match of all of b.
func (re *Regexp) MatchesSubmatchIndex(dst []int, b []byte) ([]int, error) {
	if re.runsLinear(b) {
		text, offsets := sanitize(b)
		dst, _ = re.linear.wholeSubmatch(dst, text, offsets)
		return dst, nil
	}
	dst, _, err := re.backtrack(dst, b, true)
	return dst, err
}

// runsLinear reports whether b is matched in linear time.
func (re *Regexp) runsLinear(b []byte) bool {
	return re.linear != nil && re.needs.meets(b)
}

// backtrack runs the backtracking engine once over b.
func (re *Regexp) backtrack(dst []int, b []byte, whole bool) ([]int, bool, error) {
	dst, ok, err := re.back.submatch(dst, b, whole)
	if err != nil {
		err = re.matchError(err)
	}
	return dst, ok, err
}

func (re *Regexp) matchError(err error) error {
	return fmt.Errorf("matching regular expression %q: %w; rewrite it so that it has fewer ways to match the same text", re.pattern, err)
}
