// Package config turns the properties of a Flume configuration into a typed,
// checked topology.
//
//	load.Properties ─▶ Model (agents, declared components) ─▶ Topology (typed structs, wiring) ─▶ package agent
//
// Every step keeps the places of keys and values, and collects problems instead
// of stopping at the first. Packages load and filter, below this one, read and
// substitute; package component decodes.
package config

import (
	"fmt"
	"sort"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/property"
)

// The sections of an agent, as keys spell them.
const (
	sectionSources  = "sources"
	sectionChannels = "channels"
	sectionSinks    = "sinks"
	sectionGroups   = "sinkgroups"
	sectionFilters  = "configfilters"
)

var sections = []string{sectionSources, sectionChannels, sectionSinks, sectionGroups, sectionFilters}

// Declared is a component that a configuration lists, or has settings for.
type Declared struct {
	Name     string
	Prefix   string            // "a1.sources.r1."
	At       property.Position // where it is listed, or its first setting if it is not
	Listed   bool              // in the agent's list: only these run
	Settings property.Settings
}

func (d *Declared) scope() component.Scope { return component.Scope{Prefix: d.Prefix, At: d.At} }

// Agent is all that a configuration says of one agent.
type Agent struct {
	Name string
	At   property.Position // its first key
	// Declared components by section ("sources", …), in the order of the list,
	// then those that are not listed.
	Declared map[string][]*Declared
}

// listed returns the listed components of a section.
func (a *Agent) listed(section string) []*Declared {
	var out []*Declared
	for _, d := range a.Declared[section] {
		if d.Listed {
			out = append(out, d)
		}
	}
	return out
}

// Model is a configuration by agents.
type Model struct {
	agents   map[string]*Agent
	problems map[string]property.Problems // by agent; "" for what belongs to none
}

// NewModel sorts properties into agents. Keys that Flume would ignore are
// reported with the agent they name.
func NewModel(props *load.Properties) *Model {
	m := &Model{agents: map[string]*Agent{}, problems: map[string]property.Problems{}}
	lists := map[string]property.Value{} // "a1.sources" → the list
	for key, v := range props.All() {
		m.enter(key, v, lists)
	}
	for _, a := range m.agents {
		for _, s := range sections {
			m.arrange(a, s, lists[a.Name+"."+s])
		}
	}
	return m
}

// Agents returns the names of the agents, sorted.
func (m *Model) Agents() []string {
	names := make([]string, 0, len(m.agents))
	for n := range m.agents {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Agent returns the agent of this name, nil if the configuration has none.
func (m *Model) Agent(name string) *Agent { return m.agents[name] }

// Problems returns what was found wrong with the keys of one agent, and with
// those that belong to no agent.
func (m *Model) Problems(agent string) property.Problems {
	return append(append(property.Problems(nil), m.problems[""]...), m.problems[agent]...)
}

func (m *Model) warn(agent string, v property.Value, key, what, remedy string) {
	m.problems[agent] = append(m.problems[agent], property.Problem{Severity: property.Warning, At: v.Key, Key: key, What: what, Remedy: remedy})
}

// enter files one key under its agent.
func (m *Model) enter(key string, v property.Value, lists map[string]property.Value) {
	name, rest, dotted := strings.Cut(key, ".")
	if !dotted {
		// A variable for ${…}. Flume calls it ignored, but it is how variables are made.
		m.problems[""] = append(m.problems[""], property.Problem{
			Severity: property.Advice, At: v.Key, Key: key,
			What: "belongs to no agent and serves as a variable only", Remedy: "write <agent>." + key + " if it is meant for an agent",
		})
		return
	}
	if name == "" || rest == "" {
		m.warn("", v, key, "is not of the form <agent>.<section>…, it has no effect", "write <agent>.sources, <agent>.channels, …")
		return
	}
	a := m.agents[name]
	if a == nil {
		a = &Agent{Name: name, At: v.Key, Declared: map[string][]*Declared{}}
		m.agents[name] = a
	}
	section, tail, deep := strings.Cut(rest, ".")
	if !isSection(section) {
		remedy := "known are " + strings.Join(sections, ", ")
		if near := component.Nearest(section, sections); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", name+"."+near+strings.TrimPrefix(rest, section))
		}
		m.warn(name, v, key, fmt.Sprintf("%q is not a section of an agent, the property has no effect", section), remedy)
		return
	}
	if !deep {
		lists[key] = v
		return
	}
	comp, setting, ok := strings.Cut(tail, ".")
	if !ok || comp == "" || setting == "" {
		m.warn(name, v, key, "names a component but none of its properties, it has no effect", fmt.Sprintf("write %s.%s.%s.type = … or the like", name, section, comp))
		return
	}
	d := a.find(section, comp)
	if d == nil {
		d = &Declared{Name: comp, Prefix: name + "." + section + "." + comp + ".", At: v.Key, Settings: property.Settings{}}
		a.Declared[section] = append(a.Declared[section], d)
	}
	d.Settings[setting] = v
}

func isSection(s string) bool {
	for _, known := range sections {
		if s == known {
			return true
		}
	}
	return false
}

func (a *Agent) find(section, name string) *Declared {
	for _, d := range a.Declared[section] {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// arrange puts a section in the order of its list.
func (m *Model) arrange(a *Agent, section string, list property.Value) {
	var ordered []*Declared
	seen := map[string]bool{}
	for _, name := range strings.Fields(list.Text) {
		if seen[name] {
			m.warn(a.Name, list, a.Name+"."+section, fmt.Sprintf("lists %q twice", name), "remove one")
			continue
		}
		seen[name] = true
		d := a.find(section, name)
		if d == nil {
			d = &Declared{Name: name, Prefix: a.Name + "." + section + "." + name + ".", Settings: property.Settings{}}
		}
		d.At, d.Listed = list.At, true
		ordered = append(ordered, d)
	}
	for _, d := range a.Declared[section] {
		if seen[d.Name] {
			continue
		}
		ordered = append(ordered, d)
		remedy := fmt.Sprintf("add %s to %s.%s, or remove its properties", d.Name, a.Name, section)
		if near := component.Nearest(d.Name, unsettled(ordered)); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		m.problems[a.Name] = append(m.problems[a.Name], property.Problem{
			Severity: property.Warning, At: d.At, Key: strings.TrimSuffix(d.Prefix, "."),
			What: fmt.Sprintf("is not listed in %s.%s and has no effect", a.Name, section), Remedy: remedy,
		})
	}
	a.Declared[section] = ordered
}

// unsettled returns the names of listed components without settings: what an
// unlisted one was most likely meant to be.
func unsettled(ds []*Declared) []string {
	var out []string
	for _, d := range ds {
		if d.Listed && len(d.Settings) == 0 {
			out = append(out, d.Name)
		}
	}
	return out
}
