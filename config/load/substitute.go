package load

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flume-go/flume/property"
)

// Bounds of substitution. Configurations stay far below; they stop texts that
// grow with every reference.
const (
	maxValue      = 1 << 20  // bytes of one value
	maxTotal      = 64 << 20 // bytes of all values with references
	maxDepth      = 64       // references within references
	maxReferences = 10000    // references met while resolving one value
)

// errBroken says that a value cannot be resolved; its problem is reported.
var errBroken = errors.New("broken reference")

// definition is a property on its way through substitution.
type definition struct {
	property.Value       // Text and Raw are untrimmed
	state          state // how far it is
	origins        []string
	replaced       property.Position // the definition before this one
}

type state int

const (
	untouched state = iota
	resolving       // on the stack: a reference to it now is a cycle
	resolved
	broken
)

// substituter resolves the references of all definitions.
type substituter struct {
	keys    []string
	defs    map[string]*definition
	lookups map[string]lookup
	// lookupEnv finds plain names that are no keys; nil without
	// -DpropertiesImplementation.
	lookupEnv func(string) (string, bool)
	problems  property.Problems

	stack      []string // what is being resolved, outermost first
	owner      string   // key whose text is being expanded
	references int      // met since the outermost key began
	total      int
	unresolved []reference
}

// reference is a ${name} that stays as written.
type reference struct{ key, name string }

// resolveAll resolves every definition; those with an Error keep their text.
func (s *substituter) resolveAll() {
	for _, key := range s.keys {
		s.references = 0
		_, _ = s.resolveKey(key) // the error is among the problems
		s.reportUnclosed(key)
	}
	s.reportUnresolved()
}

// resolveKey returns the final text of a key that is defined.
func (s *substituter) resolveKey(key string) (string, error) {
	d := s.defs[key]
	switch d.state {
	case resolved:
		return d.Text, nil
	case broken:
		return "", errBroken
	case resolving:
		return "", s.cycle(key)
	}
	if !strings.Contains(d.Raw, "${") {
		d.state = resolved
		return d.Text, nil
	}
	outer := s.owner
	s.owner = key
	d.state = resolving
	s.stack = append(s.stack, key)
	text, err := s.expand(d.Raw, 0)
	if err == nil {
		if s.total += len(text); s.total > maxTotal {
			err = s.fail(fmt.Sprintf("all values together are larger than %d MiB after substitution", maxTotal>>20), "use fewer references")
		}
	}
	s.stack = s.stack[:len(s.stack)-1]
	s.owner = outer
	if err != nil {
		d.state = broken
		return "", err
	}
	d.Text, d.state = text, resolved
	d.Origin = origin(d.origins)
	return text, nil
}

// origin joins the origins of a value; there may be many.
func origin(origins []string) string {
	const shown = 4
	if len(origins) > shown {
		return strings.Join(origins[:shown], ", ") + ", …"
	}
	return strings.Join(origins, ", ")
}

// expand replaces the references in text, as commons-text does: inside out,
// $${x} yields ${x}, and what a variable or a default holds is expanded in turn.
func (s *substituter) expand(text string, depth int) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	if depth >= maxDepth || len(s.stack) > maxDepth {
		return "", s.fail(fmt.Sprintf("references are nested deeper than %d", maxDepth), "use fewer levels")
	}
	if len(text) > maxValue {
		return "", s.tooLong()
	}
	ends := closings(text)
	var out strings.Builder
	done := 0 // text[:done] is in out
	for pos := 0; pos < len(text); {
		next := strings.Index(text[pos:], "${")
		if next < 0 {
			break
		}
		pos += next
		end, ok := ends[pos]
		if !ok {
			break // a reference without end hides all after it
		}
		if s.references++; s.references > maxReferences {
			return "", s.fail(fmt.Sprintf("leads to more than %d references", maxReferences), "use fewer references")
		}
		if pos > 0 && text[pos-1] == '$' {
			out.WriteString(text[done : pos-1])
			done = pos
			pos += 2 // what is inside counts
			continue
		}
		value, ok, err := s.reference(text[pos+2:end], depth)
		if err != nil {
			return "", err
		}
		if ok {
			out.WriteString(text[done:pos])
			out.WriteString(value)
			done = end + 1
		}
		if out.Len()+len(text)-done > maxValue {
			return "", s.tooLong()
		}
		pos = end + 1
	}
	out.WriteString(text[done:])
	return out.String(), nil
}

// closings finds for the start of each "${" its "}".
func closings(text string) map[int]int {
	ends := make(map[int]int)
	var open []int
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "${"):
			open = append(open, i)
			i++
		case text[i] == '}' && len(open) > 0:
			ends[open[len(open)-1]] = i
			open = open[:len(open)-1]
		}
	}
	return ends
}

// reference returns what stands for ${expr}, and whether anything does.
func (s *substituter) reference(expr string, depth int) (string, bool, error) {
	mark := len(s.unresolved)
	expr, err := s.expand(expr, depth+1)
	if err != nil {
		return "", false, err
	}
	name, fallback, hasFallback := strings.Cut(expr, ":-")
	if slices.Contains(s.stack, "${"+name+"}") {
		return "", false, s.cycle("${" + name + "}")
	}
	value, final, ok, err := s.find(name)
	if err != nil {
		return "", false, err
	}
	if !ok {
		if !hasFallback {
			if len(s.unresolved) == mark && name != "" {
				s.unresolved = append(s.unresolved, reference{s.owner, name})
			}
			return "", false, nil
		}
		value = fallback
	}
	s.unresolved = s.unresolved[:mark] // the name was good enough
	if final {
		return value, true, nil
	}
	s.stack = append(s.stack, "${"+name+"}")
	value, err = s.expand(value, depth+1)
	s.stack = s.stack[:len(s.stack)-1]
	return value, err == nil, err
}

// find looks a name up. final says that the value is not to be expanded again.
func (s *substituter) find(name string) (value string, final, ok bool, err error) {
	plain := name
	prefix, rest, prefixed := strings.Cut(name, ":")
	if prefixed {
		plain = rest
		if l, known := s.lookups[strings.ToLower(prefix)]; known {
			shown, from := name, l.origin+" "+rest
			if l.opaque {
				shown, from = prefix+":…", l.origin
			}
			value, ok, err = l.find(rest)
			if err != nil {
				return "", false, false, s.fail(fmt.Sprintf("${%s} makes no sense: %v", shorten(shown), err), "correct the reference")
			}
			if ok {
				s.origin(from)
				return value, false, true, nil
			}
		}
	}
	d, defined := s.defs[plain]
	cyclic := defined && d.state == resolving
	switch {
	case plain == "":
		return "", false, false, nil
	case defined && !(cyclic && (prefixed || s.lookupEnv != nil)):
		value, err = s.resolveKey(plain)
		s.origin("key " + plain)
		return value, true, err == nil, err
	case s.lookupEnv != nil:
		if value, ok = s.lookupEnv(plain); ok {
			s.origin("environment variable " + plain)
			return value, false, true, nil
		}
	}
	if cyclic && !prefixed {
		return "", false, false, s.cycle(plain)
	}
	return "", false, false, nil
}

// origin notes where a part of the owner's text came from.
func (s *substituter) origin(from string) {
	from = shorten(from)
	if d := s.defs[s.owner]; !slices.Contains(d.origins, from) {
		d.origins = append(d.origins, from)
	}
}

// shorten keeps messages readable: names may be results of substitution.
func shorten(name string) string {
	const most = 80
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}

// cycle reports that name, on the stack, is needed for itself.
func (s *substituter) cycle(name string) error {
	round := s.stack[slices.Index(s.stack, name):]
	steps := make([]string, 0, len(round)+1)
	for _, step := range round {
		if d, ok := s.defs[step]; ok {
			step = fmt.Sprintf("%s (%s)", step, d.Key)
		}
		steps = append(steps, step)
	}
	steps = append(steps, name)
	return s.fail("refers to itself: "+strings.Join(steps, " → "), "break the circle")
}

func (s *substituter) tooLong() error {
	return s.fail(fmt.Sprintf("is longer than %d bytes, or becomes so by substitution", maxValue), "use fewer references")
}

// fail reports an Error of the key being resolved.
func (s *substituter) fail(what, remedy string) error {
	s.problems = append(s.problems, property.Problem{
		Severity: property.Error,
		At:       s.defs[s.owner].At,
		Key:      s.owner,
		What:     what,
		Remedy:   remedy,
	})
	return errBroken
}

// reportUnresolved warns of references that stay as written, but for those
// that a declared config filter will take.
func (s *substituter) reportUnresolved() {
	filters := s.declaredFilters()
	reported := make(map[reference]bool)
	for _, ref := range s.unresolved {
		filter, key := filterReference(ref.name)
		if d := s.defs[ref.key]; d.state == broken || reported[ref] || key != "" && filters[filter] {
			continue
		}
		reported[ref] = true
		s.problems = append(s.problems, property.Problem{
			Severity: property.Warning,
			At:       s.defs[ref.key].At,
			Key:      ref.key,
			What:     fmt.Sprintf("${%s} is not defined and stays as written", shorten(ref.name)),
			Remedy:   s.define(shorten(ref.name), filter, key),
		})
	}
}

// reportUnclosed warns of a reference without end, which stays as written and
// hides those that follow it.
func (s *substituter) reportUnclosed(key string) {
	d := s.defs[key]
	if d.state == broken || !hasUnclosed(d.Raw) {
		return
	}
	// The text itself is not told: how much of it is a name, how much perhaps a
	// password, nobody knows.
	s.problems = append(s.problems, property.Problem{
		Severity: property.Warning,
		At:       d.At,
		Key:      key,
		What:     `has a "${" without its closing brace, which stays as written, with all references after it`,
		Remedy:   "write ${name}",
	})
}

// hasUnclosed reports whether a reference in text has no end.
func hasUnclosed(text string) bool {
	n := strings.Count(text, "${")
	return n > 0 && n > len(closings(text))
}

// define says how to define a name.
func (s *substituter) define(name, filter, key string) string {
	if key != "" {
		return fmt.Sprintf("declare the config filter %s in <agent>.configfilters", filter)
	}
	prefix, rest, prefixed := strings.Cut(name, ":")
	if !prefixed {
		return fmt.Sprintf("define the key %s, write a default as in ${%s:-value}, or $${%s} for the text itself", name, name, name)
	}
	switch _, known := s.lookups[strings.ToLower(prefix)]; {
	case !known:
		return fmt.Sprintf("the prefix %s is unknown; write ${env:…} or ${sys:…}, or define the key %s", prefix, rest)
	case strings.EqualFold(prefix, "env"):
		return fmt.Sprintf("set the environment variable %s, or write a default as in ${%s:-value}", rest, name)
	case strings.EqualFold(prefix, "sys"):
		return fmt.Sprintf("set it with -D%s=…, or write a default as in ${%s:-value}", rest, name)
	}
	return fmt.Sprintf("write a default as in ${%s:-value}", name)
}

// declaredFilters returns the config filters that any agent lists.
func (s *substituter) declaredFilters() map[string]bool {
	filters := make(map[string]bool)
	for _, key := range s.keys {
		if agent, ok := strings.CutSuffix(key, ".configfilters"); ok && !strings.Contains(agent, ".") {
			for name := range strings.FieldsSeq(s.defs[key].Text) {
				filters[name] = true
			}
		}
	}
	return filters
}

// filterReference takes f['k'], f["k"] or f[k] apart; key is empty if name is
// nothing of the kind.
func filterReference(name string) (filter, key string) {
	filter, key, ok := strings.Cut(name, "[")
	key, closed := strings.CutSuffix(key, "]")
	if !ok || !closed || filter == "" {
		return "", ""
	}
	for _, quote := range []string{"'", `"`} {
		if inner, ok := strings.CutPrefix(key, quote); ok {
			if key, ok = strings.CutSuffix(inner, quote); !ok {
				return "", ""
			}
			break
		}
	}
	for _, c := range key {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "", ""
		}
	}
	return filter, key
}
