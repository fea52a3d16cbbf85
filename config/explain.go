package config

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/property"
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

// nothingAt says that there is nothing at path and why, or what was meant, most
// likely.
func (t *Topology) nothingAt(path string, parts []part) error {
	if len(parts) == 0 {
		return fmt.Errorf("agent %s has nothing to explain:\n%w", t.Agent, t.Problems)
	}
	if d, ok := t.droppedAt(path); ok {
		p, own := t.trouble(d)
		if !own {
			return fmt.Errorf("%s.%s is left out because what it needs is left out (--lenient): see flume check", t.Agent, d)
		}
		return fmt.Errorf("%s.%s is left out because its configuration is broken (--lenient): %s", t.Agent, d, p)
	}
	if p, ok := t.trouble(path); ok {
		return fmt.Errorf("there is nothing to explain at %q: %s", path, p)
	}
	names := make([]string, len(parts))
	shorts := make([]string, len(parts))
	var owner *part
	for i := range parts {
		p := &parts[i]
		names[i], shorts[i] = p.name, p.short()
		// An interceptor stands below its source: the longest name is the owner.
		if _, ok := p.inside(path); ok && (owner == nil || len(p.name) > len(owner.name)) {
			owner = p
		}
	}
	if owner == nil {
		return unknown(fmt.Sprintf("agent %s has no component", t.Agent), path, names, shorts)
	}
	if owner.untyped {
		return fmt.Errorf("%s.%s (%s) has properties only when its type is known: %s", t.Agent, owner.name, owner.what, owner.summary)
	}
	rest, _ := owner.inside(path)
	keys := owner.keys()
	for _, n := range names {
		if sub, ok := strings.CutPrefix(n, owner.name+"."); ok {
			keys = append(keys, sub)
		}
	}
	return unknown(fmt.Sprintf("%s.%s (%s) has no property", t.Agent, owner.name, owner.what), rest, keys, nil)
}

// droppedAt returns the component ("sinks.k1") that path leads to, if a lenient
// build left it out.
func (t *Topology) droppedAt(path string) (name string, ok bool) {
	for _, d := range t.Dropped {
		d, _, _ = strings.Cut(d, " (") // a remark
		i := strings.LastIndexByte(d, ' ')
		short := d[i+1:]
		name = strings.ReplaceAll(d[:i], " ", "") + "s." + short // "sink group g1": "sinkgroups.g1"
		if within(path, name) || within(path, short) {
			return name, true
		}
	}
	return "", false
}

// trouble returns the worst problem with what is at path, below or around it, if
// there is any.
func (t *Topology) trouble(path string) (worst property.Problem, found bool) {
	for _, p := range t.Problems {
		key, ok := strings.CutPrefix(p.Key, t.Agent+".")
		_, short, _ := strings.Cut(key, ".")
		if !ok || !(within(path, key) || within(path, short) || within(key, path)) {
			continue
		}
		if !found || p.Severity > worst.Severity {
			worst, found = p, true
		}
	}
	return worst, found
}

// unknown says that there is no name among the known ones. others are further
// names for them.
func unknown(what, name string, known, others []string) error {
	if near := component.Nearest(name, slices.Concat(known, others)); near != "" {
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
	untyped bool // what stands below it is not known
}

func (t *Topology) part(prefix, what, summary string, values []component.Effective) part {
	name := strings.TrimPrefix(strings.TrimSuffix(prefix, "."), t.Agent+".")
	return part{prefix: prefix, name: name, what: what, summary: summary, values: values}
}

// parts returns what there is to explain in the order of the flow.
func (t *Topology) parts() []part {
	var out []part
	add := func(d *component.Decoded, prefix ...string) {
		if d != nil {
			out = append(out, t.part(d.Scope.Prefix, fmt.Sprintf("%s %s", d.Entry.Kind, d.Entry.Info.Type), d.Entry.Info.Summary, d.Effective))
			return
		}
		at := strings.Join(append([]string{t.Agent}, prefix...), ".") + "."
		if u, ok := t.untyped[at]; ok {
			p := t.part(at, string(u.kind), u.why, u.values)
			p.untyped = true
			out = append(out, p)
		}
	}
	for _, s := range t.Sources {
		add(s.Decoded, sectionSources, s.Name)
		for _, i := range s.Interceptors {
			add(i.Decoded, sectionSources, s.Name, "interceptors", i.Name)
		}
		add(s.Selector, sectionSources, s.Name, "selector")
	}
	for _, c := range t.Channels {
		add(c.Decoded, sectionChannels, c.Name)
	}
	for _, s := range t.Sinks {
		add(s.Decoded, sectionSinks, s.Name)
	}
	for _, g := range t.Groups {
		out = append(out, t.part(g.prefix, "sink group", "Sinks that stand in for one another.", g.values))
		add(g.Processor, sectionGroups, g.Name, "processor")
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
