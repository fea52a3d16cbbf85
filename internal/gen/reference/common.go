package reference

import (
	"fmt"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/config"
)

// common is what all components of a kind share.
type common struct {
	kind    component.Kind
	heading string // the kind in the plural
	prefix  string // what precedes the component's keys
	about   string
	fields  any // the properties, nil if there is only the type
}

// commons are in the order of the flow.
var commons = []common{
	{component.KindSource, "sources", "<agent>.sources.<source>.",
		"Listed in `<agent>.sources`.", config.SourceCommon{}},
	{component.KindInterceptor, "interceptors", "<agent>.sources.<source>.interceptors.<interceptor>.",
		"Listed in the `interceptors` of a source, in the order in which they see the events.", interceptorCommon{}},
	{component.KindSelector, "channel selectors", "<agent>.sources.<source>.selector.",
		"A source without one replicates: every channel gets every event.", selectorCommon{}},
	{component.KindChannel, "channels", "<agent>.channels.<channel>.",
		"Listed in `<agent>.channels`.", config.ChannelCommon{}},
	{component.KindProcessor, "sink processors", "<agent>.sinkgroups.<group>.processor.",
		"One for each sink group. Groups are listed in `<agent>.sinkgroups`; the sinks of a group in `<agent>.sinkgroups.<group>.sinks`. A sink in no group works alone.", processorCommon{}},
	{component.KindSink, "sinks", "<agent>.sinks.<sink>.",
		"Listed in `<agent>.sinks`.", config.SinkCommon{}},
	{component.KindSerializer, "serializers", "<agent>.sinks.<sink>.<key>.",
		"Named by a property of a sink, such as `sink.serializer = avro_event`. The serializer's own properties stand below that key: `sink.serializer.compressionCodec = snappy`.", nil},
}

// These kinds have no more in common than a type.
type (
	interceptorCommon struct {
		Type string `flume:"type,required" doc:"The type of the interceptor: a short name or the class name of its builder."`
	}
	selectorCommon struct {
		Type string `flume:"type" default:"replicating" doc:"The type of the channel selector: a short name or Flume's class name."`
	}
	processorCommon struct {
		Type string `flume:"type" default:"default" doc:"The type of the sink processor: a short name or Flume's class name."`
	}
)

func commonOf(k component.Kind) common {
	for _, c := range commons {
		if c.kind == k {
			return c
		}
	}
	panic(fmt.Sprintf("reference: kind %q has no description", k))
}

// anchor is the heading's name within a page, as code hosts make it.
func (c common) anchor() string { return strings.ReplaceAll(c.heading, " ", "-") }

// schema returns the common properties, none where there is no struct of them.
func (c common) schema() (*component.Schema, error) {
	if c.fields == nil {
		return &component.Schema{}, nil
	}
	s, err := component.SchemaOf(c.fields)
	if err != nil {
		return nil, fmt.Errorf("describing the properties of all %s: %w", c.heading, err)
	}
	return s, nil
}
