// Package static is the interceptor that sets a header to a fixed value.
package static

import (
	_ "embed"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/interceptors/internal/stamp"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterInterceptor(component.Info{
		Type: "static",
		Aliases: []string{
			"org.apache.flume.interceptor.StaticInterceptor$Builder",
			"org.apache.flume.interceptor.StaticInterceptor",
		},
		Summary: "Sets a header to a fixed value.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the interceptor.
type Config struct {
	Key              string `flume:"key" default:"key" doc:"The header to set."`
	Value            string `flume:"value" default:"value" doc:"The value to set it to."`
	PreserveExisting bool   `flume:"preserveExisting" default:"true" doc:"Whether an event that has the header keeps its value."`
}

// Check finds a header that was hardly meant.
func (c Config) Check(r *component.Report) {
	if !r.Given("key") && !r.Given("value") {
		r.Advise("key", "is not set, nor is value: every event gets the header key with the value value", "name the header and its value")
	}
}

type interceptor struct{ cfg Config }

var _ flow.Interceptor = interceptor{}

// New returns the interceptor.
func New(cfg Config, _ component.Env) (flow.Interceptor, error) { return interceptor{cfg}, nil }

// Intercept implements flow.Interceptor.
func (i interceptor) Intercept(b *event.Batch) error {
	stamp.All(b, i.cfg.Key, i.cfg.Value, i.cfg.PreserveExisting)
	return nil
}
