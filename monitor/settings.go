package monitor

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/flume-go/flume/component"
)

// settings reads properties by name and remembers which names there are and what
// was wrong. Their values stand on the command line, not in the configuration
// file, so that there are no lines to point at.
type settings struct {
	prefix string
	given  map[string]string
	log    *slog.Logger
	names  []string
	errs   []error
}

func newSettings(prefix string, given map[string]string, log *slog.Logger) *settings {
	return &settings{prefix: prefix, given: given, log: log}
}

// known says that there is a property of this name.
func (s *settings) known(name string) { s.names = append(s.names, name) }

// text returns the value without spaces around it, or def if there is none.
func (s *settings) text(name, def string) string {
	s.known(name)
	if v := strings.TrimSpace(s.given[name]); v != "" {
		return v
	}
	return def
}

// maxSecret is the most bytes of a file with a secret: more is some other file.
const maxSecret = 4096

// secret returns the value of name, or the content of the file that the property
// fileName names, without white space around it.
func (s *settings) secret(name, fileName string) string {
	value, file := s.text(name, ""), s.text(fileName, "")
	switch {
	case file == "":
		return value
	case value != "":
		s.fail(fileName, fmt.Sprintf("%s%s is given, too; remove one of the two", s.prefix, name))
		return ""
	}
	text, err := readSmall(file)
	switch value = strings.TrimSpace(string(text)); {
	case err != nil:
		s.fail(fileName, fmt.Sprintf("reading the value of %s%s: %v", s.prefix, name, err))
	case len(text) > maxSecret:
		s.fail(fileName, fmt.Sprintf("%s has more than %d bytes; it must hold nothing but the value of %s%s", file, maxSecret, s.prefix, name))
	case value == "":
		s.fail(fileName, fmt.Sprintf("%s is empty; write the value of %s%s into it", file, s.prefix, name))
	default:
		return value
	}
	return ""
}

// readSmall returns a file's content, at most one byte more than maxSecret.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSecret+1))
}

// number returns a whole number from lo to hi.
func (s *settings) number(name string, def, lo, hi int) int {
	v := s.text(name, "")
	if v == "" {
		return def
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < lo || n > hi {
		s.fail(name, fmt.Sprintf("%q is not a whole number from %d to %d", v, lo, hi))
		return def
	}
	return n
}

// flag returns whether the value is "true" in any case. Whatever else it says is
// false, as in Flume, but for that it is logged.
func (s *settings) flag(name string) bool {
	v := s.text(name, "false")
	on := strings.EqualFold(v, "true")
	if !on && !strings.EqualFold(v, "false") {
		s.log.Warn("property is neither true nor false and taken for false", "property", s.prefix+name, "value", v)
	}
	return on
}

func (s *settings) fail(name, what string) {
	s.errs = append(s.errs, fmt.Errorf("%s%s: %s", s.prefix, name, what))
}

// finish logs the properties that no one asked for and returns what was wrong.
func (s *settings) finish() error {
	var unknown []string
	for name := range s.given {
		if !slices.Contains(s.names, name) {
			unknown = append(unknown, name)
		}
	}
	sort.Strings(unknown)
	for _, name := range unknown {
		hint := "remove it"
		if near := component.Nearest(name, s.names); near != "" {
			hint = "did you mean " + s.prefix + near + "?"
		}
		s.log.Warn("unknown property is ignored", "property", s.prefix+name, "remedy", hint)
	}
	return errors.Join(s.errs...)
}
