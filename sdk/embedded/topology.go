package embedded

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/property"

	// What comes with the package.
	_ "github.com/flume-go/flume/channels/file"
	_ "github.com/flume-go/flume/channels/memory"
	_ "github.com/flume-go/flume/channels/spillable"
	_ "github.com/flume-go/flume/interceptors/host"
	_ "github.com/flume-go/flume/interceptors/regexextractor"
	_ "github.com/flume-go/flume/interceptors/regexfilter"
	_ "github.com/flume-go/flume/interceptors/removeheader"
	_ "github.com/flume-go/flume/interceptors/searchreplace"
	_ "github.com/flume-go/flume/interceptors/static"
	_ "github.com/flume-go/flume/interceptors/timestamp"
	_ "github.com/flume-go/flume/interceptors/uuid"
	_ "github.com/flume-go/flume/processors/defaultproc"
	_ "github.com/flume-go/flume/processors/failover"
	_ "github.com/flume-go/flume/processors/loadbalance"
	_ "github.com/flume-go/flume/selectors/replicating"
	_ "github.com/flume-go/flume/sinks/avro"
	_ "github.com/flume-go/flume/sinks/thrift"
)

var errNoProgram = errors.New("the source embedded is for agents inside a program; see package sdk/embedded")

// Names that properties begin with, beside those of sinks.
var sections = []string{"source", "channel", "processor"}

// agentKey is what the agent is called in the properties that package config sees. It
// must not have a dot, which names may have.
const agentKey = "embedded"

// names are the full names of an embedded agent's parts, as Apache Flume makes them.
type names struct{ source, channel, group string }

func namesOf(agent string) names {
	bare := strings.NewReplacer(".", "_").Replace(strings.Join(strings.Fields(agent), ""))
	return names{source: "source-" + bare, channel: "channel-" + bare, group: "sink-group-" + bare}
}

// topologyOf makes the topology of properties. own is a copy of them.
func topologyOf(agent string, props map[string]string) (t *config.Topology, own map[string]string, err error) {
	n := namesOf(agent)
	sinks := strings.Fields(props["sinks"])
	if err := checkNames(props, sinks); err != nil {
		return nil, nil, err
	}
	all, err := n.properties(props, sinks)
	if err != nil {
		return nil, nil, err
	}
	t = config.Build(config.NewModel(all), agentKey, false)
	for i := range t.Problems {
		t.Problems[i].Key = n.short(t.Problems[i].Key)
	}
	if t.Problems.HasErrors() {
		return nil, nil, onlyErrors(t.Problems)
	}
	if typ := t.Sources[0].Decoded.Entry.Info.Type; typ != sourceType {
		return nil, nil, fmt.Errorf("source.type: %q is not possible, the source of an embedded agent is embedded", typ)
	}
	return t, maps.Clone(props), nil
}

// checkNames finds what the rest relies on.
func checkNames(props map[string]string, sinks []string) error {
	var errs []error
	for _, key := range append([]string{"channel.type"}, typesOf(sinks)...) {
		if props[key] == "" {
			errs = append(errs, fmt.Errorf("%s: is required", key))
		}
	}
	if len(sinks) == 0 {
		errs = append(errs, errors.New("sinks: is required; name the sinks, separated by white space"))
	}
	for _, s := range sinks {
		if slices.Contains(sections, strings.ToLower(s)) {
			errs = append(errs, fmt.Errorf("sinks: %q is no name for a sink, as properties begin with it; choose another", s))
		}
	}
	return errors.Join(errs...)
}

// properties are the properties of a whole agent.
func (n names) properties(props map[string]string, sinks []string) (*load.Properties, error) {
	all := new(load.Properties)
	set := func(key, text string) {
		all.Set(agentKey+"."+key, property.Value{Text: text, Raw: text})
	}
	list := strings.Join(sinks, " ")
	set("sources", n.source)
	set("channels", n.channel)
	set("sinks", list)
	set("sources."+n.source+".type", sourceType)
	set("sources."+n.source+".channels", n.channel)
	for _, s := range sinks {
		set("sinks."+s+".channel", n.channel)
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(props)) {
		text := props[key]
		first, rest, _ := strings.Cut(key, ".")
		switch {
		case key == "sinks":
		case rest == "":
			errs = append(errs, unknown(key, sinks))
		case slices.Contains(sinks, first):
			set("sinks."+key, text)
		case first == "source":
			set("sources."+n.source+"."+rest, text)
		case first == "channel":
			set("channels."+n.channel+"."+rest, text)
		case first == "processor":
			set("sinkgroups", n.group)
			set("sinkgroups."+n.group+".sinks", list)
			set("sinkgroups."+n.group+"."+key, text)
		default:
			errs = append(errs, unknown(key, sinks))
		}
	}
	return all, errors.Join(errs...)
}

func typesOf(sinks []string) []string {
	keys := make([]string, len(sinks))
	for i, s := range sinks {
		keys[i] = s + ".type"
	}
	return keys
}

// short is a key as it was given.
func (n names) short(key string) string {
	key = strings.TrimPrefix(key, agentKey+".")
	for _, r := range [][2]string{
		{"sources." + n.source, "source"}, {"channels." + n.channel, "channel"}, {"sinkgroups." + n.group + ".", ""}, {"sinks.", ""},
	} {
		if rest, ok := strings.CutPrefix(key, r[0]); ok {
			return r[1] + rest
		}
	}
	return key
}

func unknown(key string, sinks []string) error {
	first, rest, _ := strings.Cut(key, ".")
	known := append(slices.Clone(sections), sinks...)
	if near := component.Nearest(first, known); near != "" && rest != "" {
		return fmt.Errorf("%s: unknown property, did you mean %q?", key, near+"."+rest)
	}
	return fmt.Errorf("%s: unknown property; properties begin with source., channel., processor. or the name of a sink in sinks", key)
}

func onlyErrors(all property.Problems) property.Problems {
	var errs property.Problems
	for _, p := range all {
		if p.Severity == property.Error {
			errs = append(errs, p)
		}
	}
	return errs
}
