package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestModelAgents(t *testing.T) {
	m := model(t, "b.sources = r1\na.sinks = k1\nhost = h\n")
	if diff := cmp.Diff([]string{"a", "b"}, m.Agents()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if m.Agent("host") != nil || m.Agent("b") == nil || m.Agent("b").At.Line != 1 {
		t.Errorf("agents: %+v, %+v", m.Agent("host"), m.Agent("b"))
	}
}

func TestModelProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"variable", "port = 1", "x.conf:1:1: advice: port: belongs to no agent and serves as a variable only; write <agent>.port if it is meant for an agent"},
		{"no agent", ".sources = r1", "x.conf:1:1: warning: .sources: is not of the form <agent>.<section>…, it has no effect; write <agent>.sources, <agent>.channels, …"},
		{"no section", "a1. = r1", "x.conf:1:1: warning: a1.: is not of the form <agent>.<section>…, it has no effect; write <agent>.sources, <agent>.channels, …"},
		{"mistyped section", "a1.source.r1.type = x", `x.conf:1:1: warning: a1.source.r1.type: "source" is not a section of an agent, the property has no effect; did you mean "a1.sources.r1.type"?`},
		{"unknown section", "a1.monitoring.x = 1", `x.conf:1:1: warning: a1.monitoring.x: "monitoring" is not a section of an agent, the property has no effect; known are sources, channels, sinks, sinkgroups, configfilters`},
		{"no property", "a1.sources = r1\na1.sources.r1 = x", "x.conf:2:1: warning: a1.sources.r1: names a component but none of its properties, it has no effect; write a1.sources.r1.type = … or the like"},
		{"listed twice", "a1.sources = r1 r1", `x.conf:1:1: warning: a1.sources: lists "r1" twice; remove one`},
		{"not listed", "a1.sources = r1\na1.sources.r1.type = x\na1.sources.r2.type = x", "x.conf:3:1: warning: a1.sources.r2: is not listed in a1.sources and has no effect; add r2 to a1.sources, or remove its properties"},
		{"listed under another name", "a1.sources = tail\na1.sources.tial.type = x", `x.conf:2:1: warning: a1.sources.tial: is not listed in a1.sources and has no effect; did you mean "tail"?`},
		{"another agent's", "a2.source.r1.type = x\na1.sources = r1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, said(model(t, tt.text).Problems("a1"), true)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestModelDeclared(t *testing.T) {
	m := model(t, "a1.sinks.k2.type = x\na1.sinks = k1 k2\na1.sinks.k3.hdfs.path = /p\na1.sinks.k1.type = y\n")
	type row struct {
		Name, Prefix string
		Listed       bool
		Line         int
		Keys         []string
	}
	var got []row
	for _, d := range m.Agent("a1").Declared["sinks"] {
		got = append(got, row{d.Name, d.Prefix, d.Listed, d.At.Line, d.Settings.Keys()})
	}
	want := []row{
		{"k1", "a1.sinks.k1.", true, 2, []string{"type"}},
		{"k2", "a1.sinks.k2.", true, 2, []string{"type"}},
		{"k3", "a1.sinks.k3.", false, 3, []string{"hdfs.path"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
