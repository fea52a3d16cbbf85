package channeltool

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/javaregex"
)

// Validator says whether an event may stay in a channel. The event is valid during the call only.
type Validator func(*event.Event) bool

// validators are those that there are, with the property that each needs.
var validators = []struct {
	name, property string
	make           func(value string) (Validator, error)
}{
	{"noop", "", func(string) (Validator, error) { return func(*event.Event) bool { return true }, nil }},
	{"nonempty", "", func(string) (Validator, error) { return func(e *event.Event) bool { return len(e.Body) > 0 }, nil }},
	{"utf8", "", func(string) (Validator, error) { return func(e *event.Event) bool { return utf8.Valid(e.Body) }, nil }},
	{"maxsize", "maxSize", maxSize},
	{"regex", "regex", matching},
}

// maxSize accepts bodies of at most so many bytes.
func maxSize(value string) (Validator, error) {
	limit, err := strconv.Atoi(value)
	if err != nil || limit < 0 {
		return nil, fmt.Errorf("-DmaxSize=%s is not a number of bytes", value)
	}
	return func(e *event.Event) bool { return len(e.Body) <= limit }, nil
}

// matching accepts bodies in which a Java regular expression is found. What takes too long to match stays: a
// validator's doubts do not cost events.
func matching(value string) (Validator, error) {
	re, err := javaregex.Compile(value)
	if err != nil {
		return nil, fmt.Errorf("-Dregex=%s is not a usable regular expression: %w", value, err)
	}
	return func(e *event.Event) bool {
		found, err := re.Find(e.Body)
		return found || err != nil
	}, nil
}

// NewValidator returns the validator of a name; the empty name accepts everything, as do the names of Apache Flume's
// own no-op validator. Other Java classes are refused, as they cannot be run.
func NewValidator(name string, properties map[string]string) (Validator, error) {
	short := strings.ToLower(name[strings.LastIndexAny(name, ".$")+1:])
	if short == "" || short == "noopvalidator" || short == "noop_validator" {
		short = "noop"
	}
	var names []string
	for _, v := range validators {
		names = append(names, v.name)
	}
	if strings.Contains(name, ".") && short != "noop" {
		return nil, fmt.Errorf("event validator %s: Java classes cannot be run; use one of %s, or export the events, filter them, and send them again", name, strings.Join(names, ", "))
	}
	i := slices.Index(names, short)
	if i < 0 {
		if near := component.Nearest(short, names); near != "" {
			return nil, fmt.Errorf("there is no event validator %q; did you mean %q?", name, near)
		}
		return nil, fmt.Errorf("there is no event validator %q; use one of %s", name, strings.Join(names, ", "))
	}
	v := validators[i]
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		if key != v.property {
			return nil, fmt.Errorf("event validator %s has no property %q%s", v.name, key, itHas(v.property))
		}
	}
	value, given := properties[v.property]
	if v.property != "" && !given {
		return nil, fmt.Errorf("event validator %s needs -D%s=…", v.name, v.property)
	}
	return v.make(value)
}

// itHas names the property that a validator has, if it has one.
func itHas(property string) string {
	if property == "" {
		return ""
	}
	return "; it has -D" + property + "=…"
}
