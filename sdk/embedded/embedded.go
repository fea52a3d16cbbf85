// Package embedded is a Flume agent inside a program: a channel, on the disk if need be,
// and the sinks that take from it.
//
//	a := embedded.New("app", embedded.Options{})
//	err := a.Configure(map[string]string{
//		"channel.type":          "file",
//		"channel.checkpointDir": "/var/lib/app/flume/checkpoint",
//		"channel.dataDirs":      "/var/lib/app/flume/data",
//		"sinks":                 "k1 k2",
//		"k1.type":               "avro",
//		"k1.hostname":           "collector1",
//		"k1.port":               "4141",
//		"k2.type":               "avro",
//		"k2.hostname":           "collector2",
//		"k2.port":               "4141",
//		"processor.type":        "failover",
//	})
//	…
//	err = a.Start(ctx)
//	…
//	err = a.Put(ctx, sdk.Event{Body: []byte("kept, whatever happens")})
//
// Properties have the names that Apache Flume's embedded agent gives them:
//
//	source.interceptors…  what is done to events before the channel
//	channel.type, …       the channel
//	sinks                 names of the sinks; not source, channel or processor
//	NAME.type, NAME.…     each sink
//	processor.type, …     how the sinks share the work. Without one, each takes what it can
//
// Where Apache Flume allows the channels memory and file, and the sink avro alone, any
// component will do that the program has in it: those, and the channel spillable, the sink
// thrift, all interceptors and sink processors come with this package. Others are
// imported for their effect, one by one or all of them:
//
//	import _ "github.com/flume-go/flume/all"
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/flume-go/flume/agent"
	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/pipeline"
	"github.com/flume-go/flume/sdk"
)

// Options are what an agent needs besides its properties.
type Options struct {
	// Log gets what the agent has to tell; nil is slog's default logger, which must not
	// end in the agent itself.
	Log *slog.Logger
	// StopLimit is how long Stop waits until sinks have delivered what is in a channel in
	// memory: 30 seconds.
	StopLimit time.Duration
}

// Errors of calls in the wrong state.
var (
	ErrNotConfigured = errors.New("the embedded agent has not been configured")
	ErrNotStarted    = errors.New("the embedded agent is not started")
	ErrStarted       = errors.New("the embedded agent is started already")
)

// Agent is an embedded agent. It is configured, started, and stopped in the end; after that
// it may be started again. Safe for concurrent use.
type Agent struct {
	name string
	o    Options

	change sync.Mutex // held by Configure, Start and Stop
	props  map[string]string

	mu      sync.Mutex
	running *run // nil: not started
}

// run is the time between a start and a stop.
type run struct {
	agent *agent.Agent
	feed  *feed
}

// New returns an agent. name is in its log and its counters.
func New(name string, o Options) *Agent {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Agent{name: name, o: o}
}

// Configure checks properties and keeps them for the next Start. The error tells all that
// is wrong with them; what is merely odd is logged.
func (a *Agent) Configure(props map[string]string) error {
	a.change.Lock()
	defer a.change.Unlock()
	if a.present() != nil {
		return ErrStarted
	}
	t, own, err := topologyOf(a.name, props)
	if err != nil {
		return fmt.Errorf("configuring the embedded agent %s: %w", a.name, err)
	}
	for _, p := range t.Problems {
		a.o.Log.Warn("embedded agent: " + p.String())
	}
	a.props = own
	return nil
}

// Start starts the agent. It returns an error if the channel cannot be opened, and else
// when events can be put. That sinks cannot connect is no error: they try again.
func (a *Agent) Start(ctx context.Context) error {
	a.change.Lock()
	defer a.change.Unlock()
	switch {
	case a.present() != nil:
		return ErrStarted
	case a.props == nil:
		return ErrNotConfigured
	}
	t, _, err := topologyOf(a.name, a.props)
	if err != nil {
		return fmt.Errorf("starting the embedded agent %s: %w", a.name, err)
	}
	r := &run{
		agent: agent.New(agent.Options{Name: a.name, Log: a.o.Log, FS: vfs.OS{}, StopLimit: a.o.StopLimit}),
		feed:  waiting.feedOf(t),
	}
	if err := r.start(ctx, t); err != nil {
		return fmt.Errorf("starting the embedded agent %s: %w", a.name, errors.Join(err, r.agent.Stop(context.WithoutCancel(ctx))))
	}
	a.set(r)
	return nil
}

// start starts the agent and waits for its source.
func (r *run) start(ctx context.Context, t *config.Topology) error {
	defer waiting.take(r.feed.name) // if it was not built
	if err := r.agent.Start(ctx, t); err != nil {
		return err
	}
	for _, s := range r.agent.Status() {
		if s.Kind == "channel" && s.State == pipeline.StateRetrying {
			return fmt.Errorf("opening the channel: %w", s.Error)
		}
	}
	select {
	case <-r.feed.running:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *Agent) present() *run {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.running
}

func (a *Agent) set(r *run) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running = r
}

// Put stores one event and returns nil when the channel has it: on the disk, if that is
// where the channel keeps its events. A full channel makes it wait for as long as the
// channel's keep-alive says.
func (a *Agent) Put(ctx context.Context, e sdk.Event) error {
	return a.PutAll(ctx, []sdk.Event{e})
}

// PutAll stores events. Up to the channel's transactionCapacity they are stored together
// or not at all; after an error about more of them, some may be stored.
func (a *Agent) PutAll(ctx context.Context, events []sdk.Event) error {
	r := a.present()
	if r == nil {
		return ErrNotStarted
	}
	if len(events) == 0 {
		return nil
	}
	b := event.NewBatch()
	defer b.Release()
	for i := range events {
		e := b.AppendCopy(events[i].Body) // the channel may keep the batch
		for k, v := range events[i].Headers {
			b.SetHeader(e, k, v)
		}
	}
	if err := r.feed.put(ctx, b); err != nil {
		return fmt.Errorf("putting %d events: %w", len(events), err)
	}
	return nil
}

// Waiting returns how many events the channel has that are not delivered, 0 before Start.
func (a *Agent) Waiting() int {
	r := a.present()
	if r == nil {
		return 0
	}
	n := 0
	for _, s := range r.agent.Status() {
		if s.Kind == "channel" {
			n += s.Events
		}
	}
	return n
}

// Stop stops the agent: nothing can be put any more, what is in a channel in memory is
// delivered, within the time that Options allow and ctx does. The error says what was
// lost. What a channel has on the disk stays there until the next start.
func (a *Agent) Stop(ctx context.Context) error {
	a.change.Lock()
	defer a.change.Unlock()
	r := a.present()
	if r == nil {
		return nil
	}
	a.set(nil)
	if err := r.agent.Stop(ctx); err != nil {
		return fmt.Errorf("stopping the embedded agent %s: %w", a.name, err)
	}
	return nil
}
