package config_test

import (
	"context"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/property"
)

// The types of the tests. They are decoded and never built.

type sourceConfig struct {
	Bind  string `flume:"bind" default:"0.0.0.0" doc:"The address."`
	Port  int    `flume:"port" default:"0" min:"0" max:"65535" doc:"The port." alias:"thePort"`
	Batch int    `flume:"batchSize,batch" default:"20" min:"1" doc:"The batch size." alias:"batch-size"`
}

// Claims implements component.Claimer.
func (c sourceConfig) Claims() []component.Claim {
	if c.Port == 0 {
		return nil
	}
	return []component.Claim{{What: "TCP port", ID: strconv.Itoa(c.Port), Host: c.Bind, Key: "port"}}
}

type channelConfig struct {
	Transaction int    `flume:"transactionCapacity,transaction" default:"100" min:"1" doc:"The transaction's size."`
	Dir         string `flume:"dataDir" doc:"The directory."`
}

// Claims implements component.Claimer.
func (c channelConfig) Claims() []component.Claim {
	if c.Dir == "" {
		return nil
	}
	return []component.Claim{{What: "directory", ID: c.Dir, Key: "dataDir"}}
}

type sinkConfig struct {
	Host     string `flume:"host,required" doc:"The host."`
	Batch    int    `flume:"batchSize,batch" default:"100" min:"1" doc:"The batch size."`
	Password string `flume:"password" secret:"true" doc:"The password."`
}

type rowsConfig struct {
	Format  component.Serializer `flume:"format" doc:"The format."`
	Columns []columnConfig       `flume:"columns" doc:"The columns."`
}

type columnConfig struct {
	Name string `flume:",name"`
	Path string `flume:"path,required" doc:"Where the value is."`
}

type jsonConfig struct {
	Indent int `flume:"indent" default:"2" doc:"The indent."`
}

type bareConfig struct{}

type interceptorConfig struct {
	Header string `flume:"header,required" doc:"The header."`
}

type mappingConfig struct {
	Mapping map[string]string `flume:"mapping.*" doc:"Channels by value."`
}

// Channels implements config.Naming.
func (c mappingConfig) Channels() map[string][]string {
	out := map[string][]string{}
	for k, v := range c.Mapping {
		out["mapping."+k] = strings.Fields(v)
	}
	return out
}

type oneConfig struct{}

// Members implements config.Sized.
func (oneConfig) Members() (lo, hi int) { return 1, 1 }

type manyConfig struct{}

// Members implements config.Sized.
func (manyConfig) Members() (lo, hi int) { return 2, 0 }

type choosyConfig struct {
	First string `flume:"first" doc:"The sink that comes first."`
}

// Check implements component.Checker.
func (c choosyConfig) Check(r *component.Report) {
	if sinks := r.Sinks(); len(sinks) > 0 && sinks[0] != c.First {
		r.Warn("first", "is not the first of "+strings.Join(sinks, ", "), "change the order")
	}
}

type none struct{}

func (none) Run(context.Context, flow.Emitter) error          { return nil }
func (none) Deliver(context.Context, *event.Batch) error      { return nil }
func (none) Intercept(*event.Batch) error                     { return nil }
func (none) Select(*event.Batch, *flow.Plan) error            { return nil }
func (none) Open(context.Context) error                       { return nil }
func (none) Close(context.Context) error                      { return nil }
func (none) Put(context.Context, *event.Batch) error          { return nil }
func (none) Take(context.Context, int) (flow.Delivery, error) { return nil, flow.ErrClosed }
func (none) NewEncoder(io.Writer, bool) (flow.Encoder, error) { return nil, flow.ErrClosed }
func (none) Stats() flow.Stats                                { return flow.Stats{} }

func init() {
	component.RegisterSource(component.Info{Type: "lines", Aliases: []string{"org.apache.flume.test.LinesSource"}, Summary: "Takes lines."},
		func(sourceConfig, component.Env) (flow.Source, error) { return none{}, nil })
	component.RegisterInterceptor(component.Info{Type: "mark", Summary: "Marks events."},
		func(interceptorConfig, component.Env) (flow.Interceptor, error) { return none{}, nil })
	component.RegisterSelector(component.Info{Type: "replicating", Summary: "Copies events."},
		func(bareConfig, component.Env, []string) (flow.Selector, error) { return none{}, nil })
	component.RegisterSelector(component.Info{Type: "mapping", Summary: "Sorts events."},
		func(mappingConfig, component.Env, []string) (flow.Selector, error) { return none{}, nil })
	component.RegisterChannel(component.Info{Type: "queue", Summary: "Keeps events."},
		func(channelConfig, component.Env) (flow.Channel, error) { return none{}, nil })
	component.RegisterSink(component.Info{Type: "out", Aliases: []string{"org.apache.flume.test.OutSink"}, Summary: "Sends events."},
		func(sinkConfig, component.Env) (flow.Sink, error) { return none{}, nil })
	component.RegisterSink(component.Info{Type: "bare", Summary: "Has no batch size."},
		func(bareConfig, component.Env) (flow.Sink, error) { return none{}, nil })
	component.RegisterSink(component.Info{Type: "rows", Summary: "Writes rows."},
		func(rowsConfig, component.Env) (flow.Sink, error) { return none{}, nil })
	component.RegisterSerializer(component.Info{Type: "json", Summary: "Writes objects."},
		func(jsonConfig, component.Env) (flow.Encoding, error) { return none{}, nil })
	component.RegisterProcessor(component.Info{Type: "default", Summary: "Uses the only sink."},
		func(oneConfig, component.Env, []flow.Member) (flow.Sink, error) { return none{}, nil })
	component.RegisterProcessor(component.Info{Type: "choosy", Summary: "Looks at its sinks."},
		func(choosyConfig, component.Env, []flow.Member) (flow.Sink, error) { return none{}, nil })
	component.RegisterProcessor(component.Info{Type: "many", Summary: "Uses several sinks."},
		func(manyConfig, component.Env, []flow.Member) (flow.Sink, error) { return none{}, nil })
}

// model reads a configuration; line 1 is the first that is not empty.
func model(t *testing.T, text string) *config.Model {
	t.Helper()
	entries, problems := property.Read("x.conf", []byte(strings.TrimLeft(text, "\n")))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var props load.Properties
	for _, e := range entries {
		props.Set(e.Key, e.Value)
	}
	return config.NewModel(&props)
}

func build(t *testing.T, text string, lenient bool) *config.Topology {
	t.Helper()
	return config.Build(model(t, text), "a1", lenient)
}

// said returns the problems as a user reads them, without those that are advice
// unless advice is set.
func said(ps property.Problems, advice bool) string {
	var lines []string
	for _, p := range ps {
		if advice || p.Severity > property.Advice {
			lines = append(lines, p.String())
		}
	}
	return strings.Join(lines, "\n")
}
