package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/config"
)

// sound is a configuration without any problem.
const sound = `
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = lines
a1.sources.r1.channels = c1
a1.channels.c1.type = queue
a1.sinks.k1.type = out
a1.sinks.k1.host = h
a1.sinks.k1.channel = c1
`

// TestBuildProblems changes the sound configuration and compares what is said
// about it. Added lines begin at 10.
func TestBuildProblems(t *testing.T) {
	tests := []struct {
		name   string
		add    string   // lines to add
		remove []string // keys to remove, where their lines become comments
		want   string
	}{
		{"sound", "", nil, ""},

		// One component.
		{"sink without type", "", []string{"a1.sinks.k1.type"},
			"x.conf:3:12: a1.sinks.k1.type: is required; set it: The type of the sink: a short name or Flume's class name."},
		{"class name", "a1.sources.r1.type = org.apache.flume.test.LinesSource", nil, ""},
		{"mistyped type", "a1.sources.r1.type = linse", nil,
			`x.conf:10:22: a1.sources.r1.type: unknown source type "linse"; did you mean "lines"?`},
		{"no type", "", []string{"a1.channels.c1.type"},
			"x.conf:2:15: a1.channels.c1: is listed and has no properties; write a1.channels.c1.type = … and what else it needs, or remove it from the list"},
		{"mistyped property", "a1.sinks.k1.hots = x", nil,
			`x.conf:10:1: warning: a1.sinks.k1.hots: unknown property, it has no effect; did you mean "host"?`},
		{"bad value", "a1.sources.r1.port = 70000", nil,
			"x.conf:10:22: a1.sources.r1.port: 70000 is more than 65535; give a whole number from 0 to 65535; without it, 0 is used"},

		// Wiring.
		{"source without channels", "", []string{"a1.sources.r1.channels"}, "" +
			"x.conf:1:14: a1.sources.r1.channels: is required; set it: The channels that the source writes to, separated by white space."},
		{"source with an unknown channel", "a1.sources.r1.channels = c1 c11", nil,
			`x.conf:10:26: a1.sources.r1.channels: there is no channel "c11"; did you mean "c1"?`},
		{"sink without channel", "", []string{"a1.sinks.k1.channel"}, "" +
			"x.conf:3:12: a1.sinks.k1.channel: is required; set it: The one channel that the sink takes events from.\n" +
			"x.conf:2:15: warning: a1.channels.c1: no sink takes from it: it will fill up and then hold up its sources; set the channel of a sink to c1"},
		{"sink with an unknown channel", "a1.sinks.k1.channel = elsewhere", nil, "" +
			"x.conf:2:15: warning: a1.channels.c1: no sink takes from it: it will fill up and then hold up its sources; set the channel of a sink to c1\n" +
			`x.conf:10:23: a1.sinks.k1.channel: there is no channel "elsewhere"; a1.channels has c1`},
		{"dead letters into the same channel", "a1.sinks.k1.deadLetter = c1", nil,
			"x.conf:10:26: a1.sinks.k1.deadLetter: is the channel that the sink takes from: a rejected event would come back at once; name another channel"},
		{"dead letters into nothing", "a1.sinks.k1.deadLetter = letters", nil,
			`x.conf:10:26: a1.sinks.k1.deadLetter: there is no channel "letters"; a1.channels has c1`},
		{"dead letters that nobody reads", "a1.channels = c1 c2\na1.channels.c2.type = queue\na1.sinks.k1.deadLetter = c2", nil,
			"x.conf:10:15: warning: a1.channels.c2: no sink takes from it: it will fill up and then hold up its sources; set the channel of a sink to c2"},
		{"unconnected channel", "a1.channels = c1 c2\na1.channels.c2.type = queue", nil,
			"x.conf:10:15: warning: a1.channels.c2: no source and no sink is connected to it; connect it or remove it from a1.channels"},

		{"comment behind the channels of a source", "a1.sources.r1.channels = c1   # the channel", nil,
			`x.conf:10:26: a1.sources.r1.channels: "# the channel" belongs to the value; a comment needs a line of its own`},
		{"channels joined to the next line", "a1.sources.r1.channels = c1 \\\n  a1.sources.r1.port = 5", nil,
			`x.conf:10:26: a1.sources.r1.channels: "a1.sources.r1.port = 5" belongs to the value; if it is the next line, remove the backslash that joins them`},
		{"commas between channels", "a1.sources.r1.channels = c1,", nil,
			`x.conf:10:26: a1.sources.r1.channels: "c1," is no name; write names without commas and quotes, and white space between them`},
		{"comment behind the channel of a sink", "a1.sinks.k1.channel = c1  # comment", nil,
			`x.conf:10:23: a1.sinks.k1.channel: "# comment" belongs to the value; a comment needs a line of its own`},
		{"quotes around the channel of a sink", `a1.sinks.k1.channel = "c1"`, nil,
			`x.conf:10:23: a1.sinks.k1.channel: "\"c1\"" is no name; write names without commas and quotes, and white space between them`},
		{"sink with two channels", "a1.sinks.k1.channel = c1 c2\na1.sources.r1.channels = c1", nil, "" +
			"x.conf:2:15: warning: a1.channels.c1: no sink takes from it: it will fill up and then hold up its sources; set the channel of a sink to c1\n" +
			"x.conf:10:23: a1.sinks.k1.channel: names 2 channels, and a sink takes from one; name one, and give each further channel a sink of its own"},
		{"dead letters into two channels", "a1.sinks.k1.deadLetter = c1 c2", nil,
			"x.conf:10:26: a1.sinks.k1.deadLetter: names 2 channels, and dead letters go to one; name one"},
		{"listed without properties", "a1.sinks = k1 k2", nil,
			"x.conf:10:12: a1.sinks.k2: is listed and has no properties; write a1.sinks.k2.type = … and what else it needs, or remove it from the list"},
		{"type in another case", "a1.sinks.k1.Type = out", []string{"a1.sinks.k1.type"},
			"x.conf:3:12: a1.sinks.k1.type: is required; rename Type (x.conf:10:1): upper and lower case differ in keys"},
		{"comment behind a type", "a1.sinks.k1.type = out # here", nil,
			`x.conf:10:20: a1.sinks.k1.type: unknown sink type "out # here"; "# here" belongs to the value: a comment needs a line of its own`},
		{"Java class", "a1.sinks.k1.type = com.example.Sink$1", nil,
			`x.conf:10:20: a1.sinks.k1.type: unknown sink type "com.example.Sink$1"; Java classes cannot be loaded; known types: bare, out, rows (flume components describes them)`},
		{"type of another kind", "a1.sinks.k1.type = lines", nil,
			`x.conf:10:20: a1.sinks.k1.type: unknown sink type "lines"; "lines" is a type of source`},

		// Interceptors and selectors.
		{"commas between interceptors", "a1.sources.r1.interceptors = i1, i2\na1.sources.r1.interceptors.i1.type = mark\na1.sources.r1.interceptors.i1.header = h\na1.sources.r1.interceptors.i2.type = mark\na1.sources.r1.interceptors.i2.header = h", nil,
			`x.conf:10:30: a1.sources.r1.interceptors: "i1," is no name; write names without commas and quotes, and white space between them`},
		{"comment behind the channels of a selector", "a1.sources.r1.selector.type = mapping\na1.sources.r1.selector.mapping.x = c1 # the default", nil,
			`x.conf:11:36: a1.sources.r1.selector.mapping.x: "# the default" belongs to the value; a comment needs a line of its own`},
		{"selector without .type", "a1.sources.r1.selector = mapping", nil,
			`x.conf:10:1: warning: a1.sources.r1.selector: unknown property, it has no effect; did you mean "selector.type"?`},
		{"interceptor", "a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = mark\na1.sources.r1.interceptors.i1.header = h", nil, ""},
		{"interceptor without a required property", "a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = mark", nil,
			"x.conf:10:30: a1.sources.r1.interceptors.i1.header: is required; set it: The header."},
		{"interceptor without type", "a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.header = h", nil,
			"x.conf:10:30: a1.sources.r1.interceptors.i1.type: is required; set it: The type of the interceptor: a short name or the class name of its builder."},
		{"interceptor listed twice", "a1.sources.r1.interceptors = i1 i1\na1.sources.r1.interceptors.i1.type = mark\na1.sources.r1.interceptors.i1.header = h", nil,
			`x.conf:10:30: warning: a1.sources.r1.interceptors: lists "i1" twice; remove one`},
		{"interceptor not listed", "a1.sources.r1.interceptors.i1.type = mark", nil,
			`x.conf:10:1: warning: a1.sources.r1.interceptors.i1.type: interceptor "i1" is not listed and has no effect; add i1 to a1.sources.r1.interceptors, or remove its properties`},
		{"selector", "a1.sources.r1.selector.type = mapping\na1.sources.r1.selector.mapping.x = c1", nil, ""},
		{"selector with another's channel", "a1.channels = c1 c2\na1.channels.c2.type = queue\na1.sources.r1.selector.type = mapping\na1.sources.r1.selector.mapping.x = c2", nil, "" +
			"x.conf:10:15: warning: a1.channels.c2: no source and no sink is connected to it; connect it or remove it from a1.channels\n" +
			`x.conf:13:36: a1.sources.r1.selector.mapping.x: "c2" is not a channel of source r1; did you mean "c1"?`},
		{"unknown selector", "a1.sources.r1.selector.type = mappings", nil,
			`x.conf:10:31: a1.sources.r1.selector.type: unknown channel selector type "mappings"; did you mean "mapping"?`},

		// Groups.
		{"group", "a1.sinks = k1 k2\na1.sinks.k2.type = bare\na1.sinks.k2.channel = c1\na1.sinkgroups = g1\na1.sinkgroups.g1.sinks = k1 k2\na1.sinkgroups.g1.processor.type = many", nil, ""},
		{"group with too few", "a1.sinkgroups = g1\na1.sinkgroups.g1.sinks = k1\na1.sinkgroups.g1.processor.type = many", nil,
			"x.conf:11:26: a1.sinkgroups.g1.sinks: processor many needs at least 2, the group has 1; change the list or processor.type"},
		{"group with too many", "a1.sinks = k1 k2\na1.sinks.k2.type = bare\na1.sinks.k2.channel = c1\na1.sinkgroups = g1\na1.sinkgroups.g1.sinks = k1 k2", nil,
			"x.conf:14:26: a1.sinkgroups.g1.sinks: processor default needs exactly 1, the group has 2; change the list or processor.type"},
		{"group without sinks", "a1.sinkgroups = g1\na1.sinkgroups.g1.processor.type = default", nil, "" +
			"x.conf:10:17: a1.sinkgroups.g1.sinks: is required; set it: The sinks of the group, separated by white space."},
		{"group without properties", "a1.sinkgroups = g1", nil,
			"x.conf:10:17: a1.sinkgroups.g1: is listed and has no properties; write a1.sinkgroups.g1.sinks = … and what else it needs, or remove it from the list"},
		{"group with an unknown sink", "a1.sinkgroups = g1\na1.sinkgroups.g1.sinks = k1 k9\na1.sinkgroups.g1.processor.type = default", nil,
			`x.conf:11:26: a1.sinkgroups.g1.sinks: there is no sink "k9"; did you mean "k1"?`},
		{"sink in two groups", "a1.sinkgroups = g1 g2\na1.sinkgroups.g1.sinks = k1\na1.sinkgroups.g2.sinks = k1", nil,
			`x.conf:12:26: a1.sinkgroups.g2.sinks: sink "k1" is in group "g1" already; a sink can be in one group only`},
		{"sink listed twice in a group", "a1.sinkgroups = g1\na1.sinkgroups.g1.sinks = k1 k1", nil,
			`x.conf:11:26: warning: a1.sinkgroups.g1.sinks: lists "k1" twice; remove one`},
		{"group over two channels", "a1.sinks = k1 k2\na1.sinks.k2.type = bare\na1.sinks.k2.channel = c2\na1.channels = c1 c2\na1.channels.c2.type = queue\na1.sources.r1.channels = c1 c2\na1.sinkgroups = g1\na1.sinkgroups.g1.sinks = k1 k2\na1.sinkgroups.g1.processor.type = many", nil,
			`x.conf:17:26: warning: a1.sinkgroups.g1.sinks: sink "k2" takes from channel "c2", but "k1" from "c1": each channel gets a group of its own; give the sinks of a group one channel`},

		{"comment behind the sinks of a group", "a1.sinkgroups = g1\na1.sinkgroups.g1.sinks = k1 ! one", nil,
			`x.conf:11:26: a1.sinkgroups.g1.sinks: "! one" belongs to the value; a comment needs a line of its own`},
		{"group with the properties of its processor", "a1.sinkgroups = g1\na1.sinkgroups.g1.sinks = k1\na1.sinkgroups.g1.type = many\na1.sinkgroups.g1.prio.k1 = 5", nil, "" +
			`x.conf:12:1: warning: a1.sinkgroups.g1.type: unknown property, it has no effect; did you mean "processor.type"?` + "\n" +
			`x.conf:13:1: warning: a1.sinkgroups.g1.prio.k1: unknown property, it has no effect; did you mean "processor.prio.k1"?`},
		{"processor that looks at its sinks", "a1.sinks = k1 k2\na1.sinks.k2.type = bare\na1.sinks.k2.channel = c1\na1.sinkgroups = g1\na1.sinkgroups.g1.sinks = k2 k1\na1.sinkgroups.g1.processor.type = choosy\na1.sinkgroups.g1.processor.first = k1", nil,
			`x.conf:16:36: warning: a1.sinkgroups.g1.processor.first: is not the first of k2, k1; change the order`},

		// Between components.
		{"sink's batch", "a1.sinks.k1.batchSize = 101", nil,
			"x.conf:10:25: a1.sinks.k1.batchSize: a batch of 101 does not fit channel c1, whose transactionCapacity is 100; lower it, or set a1.channels.c1.transactionCapacity = 101"},
		{"sink's batch that fits", "a1.sinks.k1.batchSize = 500\na1.channels.c1.transactionCapacity = 500", nil, ""},
		{"source's batch, by an alias", "a1.sources.r1.batch-size = 101", nil,
			"x.conf:10:28: a1.sources.r1.batchSize: a batch of 101 does not fit channel c1, whose transactionCapacity is 100; lower it, or set a1.channels.c1.transactionCapacity = 101"},
		{"default batch", "a1.channels.c1.transactionCapacity = 50", nil,
			"x.conf:3:12: a1.sinks.k1.batchSize: a batch of 100 does not fit channel c1, whose transactionCapacity is 50; lower it, or set a1.channels.c1.transactionCapacity = 100"},
		{"one port twice", "a1.sources = r1 r2\na1.sources.r1.port = 5\na1.sources.r2.type = lines\na1.sources.r2.channels = c1\na1.sources.r2.thePort = 5", nil,
			"x.conf:14:25: a1.sources.r2.port: TCP port 5 is also used by a1.sources.r1 (x.conf:11:22); give each its own"},
		{"one port on two addresses", "a1.sources = r1 r2\na1.sources.r1.port = 5\na1.sources.r1.bind = 127.0.0.1\na1.sources.r2.type = lines\na1.sources.r2.channels = c1\na1.sources.r2.port = 5\na1.sources.r2.bind = 127.0.0.2", nil, ""},
		{"localhost and its address", "a1.sources = r1 r2\na1.sources.r1.port = 5\na1.sources.r1.bind = LocalHost\na1.sources.r2.type = lines\na1.sources.r2.channels = c1\na1.sources.r2.port = 5\na1.sources.r2.bind = 127.0.0.1", nil,
			"x.conf:15:22: a1.sources.r2.port: TCP port 5 is also used by a1.sources.r1 (x.conf:11:22); give each its own"},
		{"localhost and its other address", "a1.sources = r1 r2\na1.sources.r1.port = 5\na1.sources.r1.bind = ::1\na1.sources.r2.type = lines\na1.sources.r2.channels = c1\na1.sources.r2.port = 5\na1.sources.r2.bind = localhost", nil,
			"x.conf:15:22: a1.sources.r2.port: TCP port 5 is also used by a1.sources.r1 (x.conf:11:22); give each its own"},
		{"one address written twice", "a1.sources = r1 r2\na1.sources.r1.port = 5\na1.sources.r1.bind = ::1\na1.sources.r2.type = lines\na1.sources.r2.channels = c1\na1.sources.r2.port = 5\na1.sources.r2.bind = 0:0:0:0:0:0:0:1", nil,
			"x.conf:15:22: a1.sources.r2.port: TCP port 5 is also used by a1.sources.r1 (x.conf:11:22); give each its own"},
		{"the two addresses of localhost", "a1.sources = r1 r2\na1.sources.r1.port = 5\na1.sources.r1.bind = 127.0.0.1\na1.sources.r2.type = lines\na1.sources.r2.channels = c1\na1.sources.r2.port = 5\na1.sources.r2.bind = ::1", nil,
			""},
		{"localhost and another address", "a1.sources = r1 r2\na1.sources.r1.port = 5\na1.sources.r1.bind = localhost\na1.sources.r2.type = lines\na1.sources.r2.channels = c1\na1.sources.r2.port = 5\na1.sources.r2.bind = 127.0.0.2", nil,
			""},
		{"a name that is not looked up", "a1.sources = r1 r2\na1.sources.r1.port = 5\na1.sources.r1.bind = localhost\na1.sources.r2.type = lines\na1.sources.r2.channels = c1\na1.sources.r2.port = 5\na1.sources.r2.bind = localhost.localdomain", nil,
			""},
		{"one port, one address for all", "a1.sources = r1 r2\na1.sources.r1.port = 5\na1.sources.r1.bind = 127.0.0.1\na1.sources.r2.type = lines\na1.sources.r2.channels = c1\na1.sources.r2.port = 5\na1.sources.r2.bind = ::", nil,
			"x.conf:15:22: a1.sources.r2.port: TCP port 5 is also used by a1.sources.r1 (x.conf:11:22); give each its own"},
		{"free ports", "a1.sources = r1 r2\na1.sources.r2.type = lines\na1.sources.r2.channels = c1", nil, ""},
		{"one directory twice", "a1.channels = c1 c2\na1.channels.c1.dataDir = /d\na1.channels.c2.type = queue\na1.channels.c2.dataDir = /d\na1.sources.r1.channels = c1 c2\na1.sinks = k1 k2\na1.sinks.k2.type = bare\na1.sinks.k2.channel = c2", nil,
			"x.conf:13:26: a1.channels.c2.dataDir: directory /d is also used by a1.channels.c1 (x.conf:11:26); give each its own"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.TrimLeft(sound, "\n")
			for _, key := range tt.remove {
				text = strings.Replace(text, key, "#", 1)
			}
			got := said(build(t, text+tt.add, false).Problems, false)
			if diff := cmp.Diff(strings.Split(tt.want, "\n"), strings.Split(got, "\n"), sorted()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// sorted compares lines whatever their order.
func sorted() cmp.Option {
	return cmp.Transformer("sorted", func(in []string) []string {
		out := slices.Clone(in)
		slices.Sort(out)
		return out
	})
}

func TestBuildTopology(t *testing.T) {
	top := build(t, `
a1.sources = r1
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sinkgroups = g1
a1.sources.r1.type = lines
a1.sources.r1.channels = c2 c1 c2
a1.sources.r1.interceptors = i2 i1
a1.sources.r1.interceptors.i1.type = mark
a1.sources.r1.interceptors.i1.header = one
a1.sources.r1.interceptors.i2.type = mark
a1.sources.r1.interceptors.i2.header = two
a1.channels.c1.type = queue
a1.channels.c2.type = queue
a1.channels.c2.transactionCapacity = 7
a1.sinks.k1.type = out
a1.sinks.k1.host = h
a1.sinks.k1.channel = c1
a1.sinks.k1.deadLetter = c2
a1.sinks.k1.batchSize = 3
a1.sinks.k2.type = bare
a1.sinks.k2.channel = c1
a1.sinkgroups.g1.sinks = k2 k1
a1.sinkgroups.g1.processor.type = many
`, false)
	if top.Problems.HasErrors() {
		// Sources and sinks of 20 and 100 events do not fit 7.
		if got := said(top.Problems, false); !strings.Contains(got, "does not fit channel c2") {
			t.Fatal(got)
		}
	}
	s := top.Sources[0]
	if diff := cmp.Diff([]string{"c2", "c1"}, s.Channels); diff != "" {
		t.Errorf("channels of r1: %s", diff)
	}
	if len(s.Interceptors) != 2 || s.Interceptors[0].Name != "i2" || s.Interceptors[1].Decoded.Config != (interceptorConfig{"one"}) {
		t.Errorf("interceptors: %+v", s.Interceptors)
	}
	if s.Selector.Entry.Info.Type != "replicating" {
		t.Errorf("selector %s", s.Selector.Entry.Info.Type)
	}
	if c := top.Channel("c2"); c == nil || c.Transaction != 7 {
		t.Errorf("channel c2: %+v", c)
	}
	k1, k2 := top.Sink("k1"), top.Sink("k2")
	if k1.Channel != "c1" || k1.DeadLetter != "c2" || k1.Batch != 3 || k2.Batch != 100 || k2.DeadLetter != "" {
		t.Errorf("sinks: %+v, %+v", k1, k2)
	}
	if g := top.GroupOf("k1"); g == nil || cmp.Diff([]string{"k2", "k1"}, g.Sinks) != "" {
		t.Errorf("group of k1: %+v", g)
	}
	if top.Channel("c9") != nil || top.Sink("k9") != nil || top.GroupOf("k9") != nil {
		t.Error("something that is not there was found")
	}
}

func TestBuildAdvice(t *testing.T) {
	top := build(t, "a1.channels = c1\na1.channels.c1.type = queue\na1.sinks = k1\na1.sinks.k1.type = bare\na1.sinks.k1.channel = c1\n", false)
	want := "x.conf:1:1: advice: a1.sources: the agent has no sources; list at least one, unless only what its channels hold is to be drained\n" +
		"x.conf:1:15: advice: a1.channels.c1: no source writes to it; only what it holds already is delivered"
	if diff := cmp.Diff(want, said(top.Problems, true)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBuildWithoutAgent(t *testing.T) {
	tests := []struct{ name, text, agent, want string }{
		{"near", sound, "al", `the configuration has no agent named "al"; did you mean "a1"?`},
		{"far", sound, "collector", `the configuration has no agent named "collector"; it has a1; choose one with --name`},
		{"only a misspelt part", "a1.sinks.k1.type = out\na2.sinks = k1\na2.sinks.k1.channel = c1", "a1", "" +
			"x.conf:1:1: warning: a1.sinks.k1: is not listed in a1.sinks and has no effect; did you mean \"a2.sinks.k1\"?\n" +
			`x.conf:1:1: a1.channels: the agent has no channels; did you mean the agent "a2"?`},
		{"none", "variable = 1", "a1", `the configuration has no agent named "a1"; it names no agent at all; keys are written <agent>.sources, <agent>.channels, …`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top := config.Build(model(t, tt.text), tt.agent, false)
			if got := said(top.Problems, false); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
