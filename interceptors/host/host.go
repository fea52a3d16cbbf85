// Package host is the interceptor that sets a header to the address or the name
// of the host that the agent runs on.
package host

import (
	"context"
	_ "embed"
	"log/slog"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/interceptors/internal/stamp"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterInterceptor(component.Info{
		Type: "host",
		Aliases: []string{
			"org.apache.flume.interceptor.HostInterceptor$Builder",
			"org.apache.flume.interceptor.HostInterceptor",
		},
		Summary: "Sets a header to the address or the name of the agent's host.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the interceptor.
type Config struct {
	HostHeader       string `flume:"hostHeader" default:"host" doc:"The header to set."`
	UseIP            bool   `flume:"useIP" default:"true" doc:"Whether to set the address of the host, in numbers, or else its full name."`
	PreserveExisting bool   `flume:"preserveExisting" default:"false" doc:"Whether an event that has the header keeps its value."`
}

// lookupTime bounds how long the start of the source waits for a name server.
const lookupTime = 10 * time.Second

type interceptor struct {
	cfg     Config
	log     *slog.Logger
	network network
	value   string // "" while it is not known: then the header is not set
}

var (
	_ flow.Interceptor = (*interceptor)(nil)
	_ flow.Lifecycle   = (*interceptor)(nil)
)

// New returns an interceptor that looks its host up when it is opened.
func New(cfg Config, env component.Env) (flow.Interceptor, error) {
	return &interceptor{cfg: cfg, log: env.Log, network: system{}}, nil
}

// Open finds the address or the name. Like Flume it goes on without, but says so:
// a header that is missing is better than events that stay where they are.
func (i *interceptor) Open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	var err error
	if i.cfg.UseIP {
		i.value, err = address(ctx, i.network)
	} else {
		i.value, err = fullName(ctx, i.network)
	}
	if err != nil {
		i.log.Warn("the host is not known, events go on without the header", "header", i.cfg.HostHeader, "error", err)
	}
	return nil
}

// Close implements flow.Lifecycle. There is nothing to close.
func (i *interceptor) Close(context.Context) error { return nil }

// Intercept implements flow.Interceptor.
func (i *interceptor) Intercept(b *event.Batch) error {
	if i.value != "" {
		stamp.All(b, i.cfg.HostHeader, i.value, i.cfg.PreserveExisting)
	}
	return nil
}
