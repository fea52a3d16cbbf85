package config

import (
	"fmt"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/property"
)

// unlisted reports the components of a that have properties, and that its lists
// do not have.
func (m *Model) unlisted(a *Agent) {
	for _, section := range sections {
		for _, d := range a.Declared[section] {
			if d.Listed || m.otherAgent(a, section, d) {
				continue
			}
			m.problems[a.Name] = append(m.problems[a.Name], d.unlisted(a, section, a.meant(section, d)))
		}
	}
}

// unlisted is the warning about d; meant, if not empty, is what its key was most
// likely to be.
func (d *Declared) unlisted(a *Agent, section, meant string) property.Problem {
	p := property.Problem{
		Severity: property.Warning, At: d.At, Key: strings.TrimSuffix(d.Prefix, "."),
		What:   fmt.Sprintf("is not listed in %s.%s and has no effect", a.Name, section),
		Remedy: fmt.Sprintf("add %s to %s.%s, or remove its properties", d.Name, a.Name, section),
	}
	if meant != "" {
		p.Remedy = fmt.Sprintf("did you mean %q?", meant)
	}
	return p
}

// meant returns the component without properties that those of d are meant for,
// most likely: one of a near name, or of the same name in another section.
func (a *Agent) meant(section string, d *Declared) string {
	if near := component.Nearest(d.Name, a.unsettled(section)); near != "" {
		return near
	}
	for _, s := range sections {
		if other := a.find(s, d.Name); other != nil && other.Listed && len(other.Settings) == 0 {
			return strings.TrimSuffix(other.Prefix, ".")
		}
	}
	return ""
}

// unsettled returns the names of listed components without settings.
func (a *Agent) unsettled(section string) []string {
	var out []string
	for _, d := range a.listed(section) {
		if len(d.Settings) == 0 {
			out = append(out, d.Name)
		}
	}
	return out
}

// otherAgent reports that d is in the list of another agent, whose name is near,
// and has no properties there: one of the two names is a mistake, most likely of
// the agent that has fewer keys.
func (m *Model) otherAgent(a *Agent, section string, d *Declared) bool {
	var names []string
	for name, o := range m.agents {
		if l := o.find(section, d.Name); o != a && l != nil && l.Listed && (len(l.Settings) == 0 || !a.lists) {
			names = append(names, name)
		}
	}
	other := m.agents[component.Nearest(a.Name, names)]
	if other == nil {
		return false
	}
	listed := other.find(section, d.Name)
	var p property.Problem
	if a.keys <= other.keys {
		a.misspelt = a.misspelt || !a.lists
		p = d.unlisted(a, section, strings.TrimSuffix(listed.Prefix, "."))
	} else {
		other.misspelt = other.misspelt || !other.settles()
		p = property.Problem{
			Severity: property.Warning, At: listed.At, Key: other.Name + "." + section,
			What:   fmt.Sprintf("lists %q, whose properties are those of agent %q, and not listed there", d.Name, a.Name),
			Remedy: fmt.Sprintf("did you mean %q?", a.Name+"."+section),
		}
	}
	// Whichever of them is asked for.
	m.problems[a.Name] = append(m.problems[a.Name], p)
	m.problems[other.Name] = append(m.problems[other.Name], p)
	return true
}

// settles reports whether any component of a has a property.
func (a *Agent) settles() bool {
	for _, ds := range a.Declared {
		for _, d := range ds {
			if len(d.Settings) > 0 {
				return true
			}
		}
	}
	return false
}
