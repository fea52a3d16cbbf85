// Package timestamp is the interceptor that sets a header to the time at which
// events arrived.
package timestamp

import (
	_ "embed"
	"strconv"
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
		Type: "timestamp",
		Aliases: []string{
			"org.apache.flume.interceptor.TimestampInterceptor$Builder",
			"org.apache.flume.interceptor.TimestampInterceptor",
		},
		Summary: "Sets a header to the time at which the event arrived.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the interceptor.
type Config struct {
	HeaderName       string `flume:"headerName" default:"timestamp" doc:"The header to set to the time in milliseconds since 1970."`
	PreserveExisting bool   `flume:"preserveExisting" default:"false" doc:"Whether an event that has the header keeps its value."`
}

type interceptor struct{ cfg Config }

var _ flow.Interceptor = interceptor{}

// New returns the interceptor.
func New(cfg Config, _ component.Env) (flow.Interceptor, error) { return interceptor{cfg}, nil }

// Intercept implements flow.Interceptor. The clock is read once for the batch,
// and all its events share one text.
func (i interceptor) Intercept(b *event.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	var digits [20]byte
	now := b.String(strconv.AppendInt(digits[:0], time.Now().UnixMilli(), 10))
	stamp.All(b, i.cfg.HeaderName, now, i.cfg.PreserveExisting)
	return nil
}
