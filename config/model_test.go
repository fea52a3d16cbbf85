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

// TestModelAgentsThatAreNone: variables and misspelt names are no agents to check.
func TestModelAgentsThatAreNone(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"variable", "a1.sources = r1\nkafka.brokers = h", []string{"a1"}},
		{"nothing else", "kafka.brokers = h", []string{"kafka"}},
		{"properties under a near name", "a1.sinks = k1\nal.sinks.k1.type = x", []string{"a1"}},
		{"list under a near name", "al.sinks = k1\na1.sinks.k1.type = x\na1.sinks.k1.channel = c", []string{"a1"}},
		{"without lists", "a1.sinks = k1\nother.sinks.k1.type = x", []string{"a1", "other"}},
		{"two", "a1.sinks = k1\na1.sinks.k1.type = x\na2.sinks = k1", []string{"a1", "a2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, model(t, tt.text).Agents()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
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
		{"comment behind a list", "a1.sources = r1 # the source\na1.sources.r1.type = x", `x.conf:1:14: a1.sources: "# the source" belongs to the value; a comment needs a line of its own`},
		{"commas in a list", "a1.sources = r1, r2\na1.sources.r1.type = x\na1.sources.r2.type = x", `x.conf:1:14: a1.sources: "r1," is no name; write names without commas and quotes, and white space between them`},
		{"names with signs in them", "a1.sources = r,1 #2\na1.sources.r,1.type = x\na1.sources.#2.type = x", ""},
		{"another section's", "a1.sinkgroups = g1\na1.sinks.g1.sinks = k1", `x.conf:2:1: warning: a1.sinks.g1: is not listed in a1.sinks and has no effect; did you mean "a1.sinkgroups.g1"?`},
		{"interceptors of the agent", "a1.interceptors.i1.type = host", `x.conf:1:1: warning: a1.interceptors.i1.type: "interceptors" is not a section of an agent, the property has no effect; write a1.sources.<source>.interceptors…`},
		{"blank in a name", "a1.sinks.my sink.type = logger", `x.conf:1:1: warning: a1.sinks.my: names a component but none of its properties, it has no effect; write no blank in a name, nor after a dot: "a1.sinks.my " ends the key, and "sink.type" is taken for a part of the value`},
		{"blank behind the agent", "a1. sources = r1", `x.conf:1:1: warning: a1.: is not of the form <agent>.<section>…, it has no effect; write no blank in a name, nor after a dot: "a1. " ends the key, and "sources" is taken for a part of the value`},
		{"dot at the end", "a1.sinks. = x", `x.conf:1:1: warning: a1.sinks.: names a component but none of its properties, it has no effect; write a1.sinks.<name>.type = … or the like`},
		{"properties under a near agent", "a1.sinks = k1\na1.sources = r1\nal.sinks.k1.type = x\na1.sources.r1.type = x", `x.conf:3:1: warning: al.sinks.k1: is not listed in al.sinks and has no effect; did you mean "a1.sinks.k1"?`},
		{"one property under a near agent", "a1.sinks = k1\na1.sinks.k1.type = x\na2.sinks.k1.channel = x", `x.conf:3:1: warning: a2.sinks.k1: is not listed in a2.sinks and has no effect; did you mean "a1.sinks.k1"?`},
		{"list under a near agent", "al.sinks = k1\na1.sinks.k1.type = x\na1.sinks.k1.channel = c1", `x.conf:1:12: warning: al.sinks: lists "k1", whose properties are those of agent "a1", and not listed there; did you mean "a1.sinks"?`},
		{"this agent is the mistake", "a1.sinks.k1.type = x\na2.sinks = k1\na2.sinks.k1.channel = c1", `x.conf:1:1: warning: a1.sinks.k1: is not listed in a1.sinks and has no effect; did you mean "a2.sinks.k1"?`},
		{"two whole agents", "a1.sinks = k1\na1.sinks.k1.type = x\na2.sinks = k1\na2.sinks.k1.type = x", ""},
		{"two agents, one with too much", "a1.sinks = k1\na1.sinks.k1.type = x\na2.sinks = k2\na2.sinks.k2.type = x\na2.sinks.k1.type = x", ""},
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
