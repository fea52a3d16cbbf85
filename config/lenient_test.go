package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/property"
)

// TestLenient breaks a part of an agent of two flows and looks at what is left.
func TestLenient(t *testing.T) {
	const two = `
a1.sources = r1 r2
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.type = lines
a1.sources.r1.channels = c1
a1.sources.r2.type = lines
a1.sources.r2.channels = c1 c2
a1.channels.c1.type = queue
a1.channels.c2.type = queue
a1.sinks.k1.type = out
a1.sinks.k1.host = h
a1.sinks.k1.channel = c1
a1.sinks.k2.type = out
a1.sinks.k2.host = h
a1.sinks.k2.channel = c2
`
	tests := []struct {
		name    string
		add     string
		dropped []string
		left    string // sources, channels, sinks, groups
	}{
		{"nothing broken", "", nil, "r1>c1 r2>c1,c2 | c1 c2 | k1 k2 | "},
		{"source of an unknown type", "a1.sources.r1.type = what", []string{"source r1"}, "r2>c1,c2 | c1 c2 | k1 k2 | "},
		{"bad value", "a1.sources.r1.port = -1", []string{"source r1"}, "r2>c1,c2 | c1 c2 | k1 k2 | "},
		{"channel and what hangs on it", "a1.channels.c1.type = what", []string{"channel c1", "source r1", "sink k1"}, "r2>c2 | c2 | k2 | "},
		{"one channel of a source is unknown", "a1.sources.r2.channels = c1 c9", nil, "r1>c1 r2>c1 | c1 c2 | k1 k2 | "},
		{"the only channel of a source is unknown", "a1.sources.r1.channels = c9", []string{"source r1"}, "r2>c1,c2 | c1 c2 | k1 k2 | "},
		{"sink without channel", "a1.sinks.k1.channel = c9", []string{"sink k1"}, "r1>c1 r2>c1,c2 | c1 c2 | k2 | "},
		{"comment behind the channels of a source", "a1.sources.r2.channels = c1 c2 # both", nil, "r1>c1 r2>c1,c2 | c1 c2 | k1 k2 | "},
		{"comment behind the channel of a sink", "a1.sinks.k1.channel = c1 # one", []string{"sink k1"}, "r1>c1 r2>c1,c2 | c1 c2 | k2 | "},
		{"comment behind the list of sources", "a1.sources = r1 # not r2", nil, "r1>c1 | c1 c2 | k1 k2 | "},
		{"interceptor", "a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = what", []string{"source r1"}, "r2>c1,c2 | c1 c2 | k1 k2 | "},
		{"selector", "a1.sources.r1.selector.type = what", []string{"source r1"}, "r2>c1,c2 | c1 c2 | k1 k2 | "},
		{"group whose processor is unknown", "a1.sinkgroups = g1\na1.sinkgroups.g1.sinks = k1 k2\na1.sinkgroups.g1.processor.type = what", []string{"sink group g1"}, "r1>c1 r2>c1,c2 | c1 c2 | k1 k2 | "},
		{"group that lost a member", "a1.sinks.k1.type = what\na1.sinkgroups = g1\na1.sinkgroups.g1.sinks = k1 k2\na1.sinkgroups.g1.processor.type = many", []string{"sink k1", "sink group g1 (its sinks run alone)"}, "r1>c1 r2>c1,c2 | c1 c2 | k2 | "},
		{"group that can go on", "a1.sinks.k1.type = what\na1.sinkgroups = g1\na1.sinkgroups.g1.sinks = k1 k2\na1.sinkgroups.g1.processor.type = default", []string{"sink k1"}, "r1>c1 r2>c1,c2 | c1 c2 | k2 | g1>k2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top := build(t, two+tt.add, true)
			if top.Problems.HasErrors() {
				t.Errorf("errors are left:\n%v", top.Problems)
			}
			if tt.name != "nothing broken" && top.Problems.Worst() != property.Warning {
				t.Errorf("nothing is said: %v", top.Problems)
			}
			if diff := cmp.Diff(tt.dropped, top.Dropped); diff != "" {
				t.Errorf("dropped: -want +got:\n%s", diff)
			}
			if got := sketch(top); got != tt.left {
				t.Errorf("left is %q, want %q", got, tt.left)
			}
		})
	}
}

// sketch draws a topology in one line.
func sketch(top *config.Topology) string {
	var sources, channels, sinks, groups []string
	for _, s := range top.Sources {
		sources = append(sources, s.Name+">"+strings.Join(s.Channels, ","))
	}
	for _, c := range top.Channels {
		channels = append(channels, c.Name)
	}
	for _, s := range top.Sinks {
		sinks = append(sinks, s.Name)
	}
	for _, g := range top.Groups {
		groups = append(groups, g.Name+">"+strings.Join(g.Sinks, ","))
	}
	return strings.Join([]string{strings.Join(sources, " "), strings.Join(channels, " "), strings.Join(sinks, " "), strings.Join(groups, " ")}, " | ")
}

// TestLenientHasLimits has configurations of which nothing can run.
func TestLenientHasLimits(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing is left", strings.ReplaceAll(sound, "= queue", "= what"), "nothing is left to run"},
		{"no channels at all", "a1.sources = r1\na1.sources.r1.type = lines\na1.sources.r1.channels = c1", "the agent has no channels"},
		{"no such agent", "b1.sources = r1", `the configuration has no agent named "a1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top := build(t, tt.text, true)
			if !top.Problems.HasErrors() || !strings.Contains(top.Problems.Error(), tt.want) {
				t.Errorf("problems:\n%v", top.Problems)
			}
		})
	}
}

// TestStrict makes sure that without lenient nothing is dropped and nothing is
// made less of.
func TestStrict(t *testing.T) {
	top := build(t, strings.ReplaceAll(sound, "= queue", "= what"), false)
	if !top.Problems.HasErrors() || len(top.Dropped) > 0 || len(top.Channels) != 1 {
		t.Errorf("dropped %v, channels %v, problems:\n%v", top.Dropped, top.Channels, top.Problems)
	}
}
