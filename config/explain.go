package config

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/flume-go/flume/component"
)

// Explain writes every value in force below path, where it came from and what it
// means. path is a component ("a1.sinks.k1", also "sinks.k1" or "k1"), one of its
// properties ("a1.sinks.k1.serializer", with what stands below it), or empty for
// the whole agent. It returns an error when nothing is there.
func (t *Topology) Explain(w io.Writer, path string) error {
	path = strings.TrimPrefix(strings.Trim(path, "."), t.Agent+".")
	if path == t.Agent {
		path = ""
	}
	parts := t.parts()
	found := false
	for _, p := range parts {
		whole, values := p.under(path), p.below(path)
		if !whole && len(values) == 0 {
			continue
		}
		if found {
			fmt.Fprintln(w)
		}
		found = true
		if whole {
			p.explain(w)
		} else {
			explain(w, "", "", values)
		}
	}
	if found {
		return nil
	}
	return t.nothingAt(path, parts)
}

// nothingAt says that there is nothing at path and what was meant, most likely.
func (t *Topology) nothingAt(path string, parts []part) error {
	var names []string
	var owner *part
	for i := range parts {
		p := &parts[i]
		names = append(names, p.name)
		// An interceptor stands below its source: the longest name is the owner.
		if _, ok := p.inside(path); ok && (owner == nil || len(p.name) > len(owner.name)) {
			owner = p
		}
	}
	if owner == nil {
		return unknown(fmt.Sprintf("agent %s has no component", t.Agent), path, names)
	}
	rest, _ := owner.inside(path)
	keys := owner.keys()
	for _, n := range names {
		if sub, ok := strings.CutPrefix(n, owner.name+"."); ok {
			keys = append(keys, sub)
		}
	}
	return unknown(fmt.Sprintf("%s.%s (%s) has no property", t.Agent, owner.name, owner.what), rest, keys)
}

func unknown(what, name string, known []string) error {
	if near := component.Nearest(name, known); near != "" {
		return fmt.Errorf("%s %q; did you mean %q?", what, name, near)
	}
	return fmt.Errorf("%s %q; it has %s", what, name, strings.Join(known, ", "))
}

// part is a component, or a sink group, with its values.
type part struct {
	prefix  string // of its keys: "a1.sources.r1."
	name    string // "sources.r1"
	what    string // "source netcat"
	summary string
	values  []component.Effective
}

func (t *Topology) part(prefix, what, summary string, values []component.Effective) part {
	name := strings.TrimPrefix(strings.TrimSuffix(prefix, "."), t.Agent+".")
	return part{prefix: prefix, name: name, what: what, summary: summary, values: values}
}

// parts returns what there is to explain in the order of the flow.
func (t *Topology) parts() []part {
	var out []part
	add := func(d *component.Decoded) {
		if d != nil {
			out = append(out, t.part(d.Scope.Prefix, fmt.Sprintf("%s %s", d.Entry.Kind, d.Entry.Info.Type), d.Entry.Info.Summary, d.Effective))
		}
	}
	for _, s := range t.Sources {
		add(s.Decoded)
		for _, i := range s.Interceptors {
			add(i.Decoded)
		}
		add(s.Selector)
	}
	for _, c := range t.Channels {
		add(c.Decoded)
	}
	for _, s := range t.Sinks {
		add(s.Decoded)
	}
	for _, g := range t.Groups {
		out = append(out, t.part(g.prefix, "sink group", "Sinks that stand in for one another.", g.values))
		add(g.Processor)
	}
	return out
}

// short is the name without its section: "r1".
func (p *part) short() string {
	_, short, _ := strings.Cut(p.name, ".")
	return short
}

// inside returns path relative to the part, if it leads into it.
func (p *part) inside(path string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(path, p.name+"."); ok {
		return rest, true
	}
	return strings.CutPrefix(path, p.short()+".")
}

// under reports whether path is the part or stands above it.
func (p *part) under(path string) bool {
	return path == "" || within(p.name, path) || within(p.short(), path)
}

// below returns the part's values at and below path.
func (p *part) below(path string) (values []component.Effective) {
	rest, ok := p.inside(path)
	if !ok {
		return nil
	}
	for i := range p.values {
		if e := &p.values[i]; slices.ContainsFunc(p.names(e), func(key string) bool { return within(key, rest) }) {
			values = append(values, *e)
		}
	}
	return values
}

func within(name, path string) bool { return name == path || strings.HasPrefix(name, path+".") }

// keys returns the keys of all values, relative to the part.
func (p *part) keys() []string {
	var out []string
	for i := range p.values {
		out = append(out, p.names(&p.values[i])[0])
	}
	return out
}

// names returns the names of a value relative to the part: its key, then aliases.
func (p *part) names(e *component.Effective) []string {
	key := strings.TrimPrefix(e.Key, p.prefix)
	out := []string{key}
	if above, ok := strings.CutSuffix(key, e.Field.Key); ok {
		for _, a := range e.Field.Aliases {
			out = append(out, above+a)
		}
	}
	return out
}

func (p *part) explain(w io.Writer) {
	fmt.Fprintf(w, "%s  (%s)\n", strings.TrimSuffix(p.prefix, "."), p.what)
	if p.summary != "" {
		fmt.Fprintf(w, "  %s\n", p.summary)
	}
	explain(w, "  ", p.prefix, p.values)
}

// explain writes values, their keys without prefix.
func explain(w io.Writer, indent, prefix string, values []component.Effective) {
	width := 0
	for _, e := range values {
		width = max(width, len(e.Key)-len(prefix))
	}
	for _, e := range values {
		fmt.Fprintf(w, "%s%-*s = %s\n", indent, width, strings.TrimPrefix(e.Key, prefix), shown(e))
		fmt.Fprintf(w, "%s%*s   %s\n", indent, width, "", origin(e))
		if e.Field.Doc != "" {
			fmt.Fprintf(w, "%s%*s   %s\n", indent, width, "", e.Field.Doc)
		}
	}
}

func shown(e component.Effective) string {
	if e.Unset {
		return "(not set)"
	}
	if e.Field.Unit != "" && e.Text != "" && e.Field.Kind != component.FieldString {
		return e.Text + " " + e.Field.Unit
	}
	if e.Text == "" {
		return "(empty)"
	}
	return e.Text
}

func origin(e component.Effective) string {
	switch {
	case !e.Given && e.Unset:
		return "no default"
	case !e.Given:
		return "default"
	case e.Setting.Origin != "":
		return fmt.Sprintf("set at %s, from %s", e.Setting.At, e.Setting.Origin)
	default:
		return "set at " + e.Setting.At.String()
	}
}
