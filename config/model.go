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

	keys     int  // in sections
	lists    bool // lists a component
	misspelt bool // all that it has belongs to another agent, most likely
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
	for _, name := range m.names(func(*Agent) bool { return true }) {
		m.unlisted(m.agents[name])
	}
	return m
}

// Agents returns the names of the agents, sorted. What has an agent's form and is
// a variable (kafka.brokers = …) or an agent's name misspelt, is left out, unless
// there is nothing else.
func (m *Model) Agents() []string {
	if names := m.names(func(a *Agent) bool { return a.keys > 0 && !a.misspelt }); len(names) > 0 {
		return names
	}
	return m.names(func(*Agent) bool { return true })
}

// names returns the names of those agents, sorted.
func (m *Model) names(those func(*Agent) bool) []string {
	names := make([]string, 0, len(m.agents))
	for n, a := range m.agents {
		if those(a) {
			names = append(names, n)
		}
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
		remedy := "write <agent>.sources, <agent>.channels, …"
		if whole := blankInKey(key, v); whole != "" {
			remedy = whole
		}
		m.warn("", v, key, "is not of the form <agent>.<section>…, it has no effect", remedy)
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
		if place, ok := misplaced[section]; ok {
			remedy = "write " + name + place
		}
		if near := component.Nearest(section, sections); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", name+"."+near+strings.TrimPrefix(rest, section))
		}
		m.warn(name, v, key, fmt.Sprintf("%q is not a section of an agent, the property has no effect", section), remedy)
		return
	}
	a.keys++
	if !deep {
		lists[key] = v
		return
	}
	comp, setting, ok := strings.Cut(tail, ".")
	if !ok || comp == "" || setting == "" {
		if comp == "" {
			comp = "<name>"
		}
		remedy := fmt.Sprintf("write %s.%s.%s.type = … or the like", name, section, comp)
		if whole := blankInKey(key, v); whole != "" {
			remedy = whole
		}
		m.warn(name, v, key, "names a component but none of its properties, it has no effect", remedy)
		return
	}
	d := a.find(section, comp)
	if d == nil {
		d = &Declared{Name: comp, Prefix: name + "." + section + "." + comp + ".", At: v.Key, Settings: property.Settings{}}
		a.Declared[section] = append(a.Declared[section], d)
	}
	d.Settings[setting] = v
}

// misplaced are the parts of components that people give to the agent.
var misplaced = map[string]string{
	"interceptors": ".sources.<source>.interceptors…",
	"interceptor":  ".sources.<source>.interceptors…",
	"selector":     ".sources.<source>.selector…",
	"processor":    ".sinkgroups.<group>.processor…",
}

// blankInKey says what to do if a blank ended a key too early, so that the rest of
// it became a part of the value.
func blankInKey(key string, v property.Value) string {
	rest, _, ok := strings.Cut(v.Raw, "=")
	rest = strings.TrimSpace(rest)
	if !ok || v.Secret || rest == "" || strings.ContainsAny(rest, " \t") {
		return ""
	}
	return fmt.Sprintf("write no blank in a name, nor after a dot: %q ends the key, and %q is taken for a part of the value", key+" ", rest)
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
	names, what, remedy := component.Names(list.Text, func(name string) bool { return a.find(section, name) != nil })
	if what != "" {
		m.problems[a.Name] = append(m.problems[a.Name], property.Problem{
			Severity: property.Error, At: list.At, Key: a.Name + "." + section, What: what, Remedy: remedy,
		})
	}
	a.lists = a.lists || len(names) > 0
	for _, name := range names {
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
		if !seen[d.Name] {
			ordered = append(ordered, d)
		}
	}
	a.Declared[section] = ordered
}
