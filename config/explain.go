package config

import (
	"fmt"
	"io"
	"strings"

	"github.com/flume-go/flume/component"
)

// Explain writes every value in force below path, where it came from and what it
// means. path is a component ("a1.sinks.k1", also "sinks.k1" or "k1"), or empty
// for the whole agent. It returns an error when nothing is there.
func (t *Topology) Explain(w io.Writer, path string) error {
	path = strings.TrimPrefix(strings.Trim(path, "."), t.Agent+".")
	if path == t.Agent {
		path = ""
	}
	found := false
	var names []string
	for _, d := range t.decoded() {
		name := strings.TrimPrefix(strings.TrimSuffix(d.Scope.Prefix, "."), t.Agent+".")
		names = append(names, name)
		_, short, _ := strings.Cut(name, ".")
		if path != "" && name != path && short != path && !strings.HasPrefix(name, path+".") && !strings.HasPrefix(short, path+".") {
			continue
		}
		if found {
			fmt.Fprintln(w)
		}
		found = true
		explain(w, d)
	}
	if found {
		return nil
	}
	if near := component.Nearest(path, names); near != "" {
		return fmt.Errorf("agent %s has no component %q; did you mean %q?", t.Agent, path, near)
	}
	return fmt.Errorf("agent %s has no component %q; it has %s", t.Agent, path, strings.Join(names, ", "))
}

// decoded returns every decoded part in the order of the flow.
func (t *Topology) decoded() []*component.Decoded {
	var out []*component.Decoded
	add := func(d *component.Decoded) {
		if d != nil {
			out = append(out, d)
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
		add(g.Processor)
	}
	return out
}

func explain(w io.Writer, d *component.Decoded) {
	fmt.Fprintf(w, "%s  (%s %s)\n", strings.TrimSuffix(d.Scope.Prefix, "."), d.Entry.Kind, d.Entry.Info.Type)
	if d.Entry.Info.Summary != "" {
		fmt.Fprintf(w, "  %s\n", d.Entry.Info.Summary)
	}
	width := 0
	for _, e := range d.Effective {
		width = max(width, len(e.Key)-len(d.Scope.Prefix))
	}
	for _, e := range d.Effective {
		fmt.Fprintf(w, "  %-*s = %s\n", width, strings.TrimPrefix(e.Key, d.Scope.Prefix), shown(e))
		fmt.Fprintf(w, "  %*s   %s\n", width, "", origin(e))
		if e.Field.Doc != "" {
			fmt.Fprintf(w, "  %*s   %s\n", width, "", e.Field.Doc)
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
