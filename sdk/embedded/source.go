package embedded

import (
	"context"
	"strconv"
	"sync"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

const sourceType = "embedded"

func init() {
	component.RegisterSource(component.Info{
		Type:    sourceType,
		Aliases: []string{"org.apache.flume.agent.embedded.EmbeddedSource"},
		Summary: "Takes the events that the program around an embedded agent puts.",
	}, func(cfg sourceConfig, _ component.Env) (flow.Source, error) {
		f := waiting.take(cfg.Instance)
		if f == nil {
			return nil, errNoProgram
		}
		return f, nil
	})
}

// sourceConfig has no properties of users.
type sourceConfig struct {
	Instance string `flume:"instance" doc:"Number of the program's agent, which the agent sets."`
}

// waiting are the sources of agents that are being started. A configuration is text, and
// cannot have them.
var waiting feeds

type feeds struct {
	mu     sync.Mutex
	last   int
	byName map[string]*feed
}

// feedOf makes the source of a topology the one that is returned. It is built once.
func (w *feeds) feedOf(t *config.Topology) *feed {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	f := &feed{name: strconv.Itoa(w.last), running: make(chan struct{})}
	if w.byName == nil {
		w.byName = map[string]*feed{}
	}
	w.byName[f.name] = f
	t.Sources[0].Decoded.Config = sourceConfig{Instance: f.name}
	return f
}

func (w *feeds) take(name string) *feed {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.byName[name]
	delete(w.byName, name)
	return f
}

// feed is a source whose events are put by calls.
type feed struct {
	name    string        // while it waits
	running chan struct{} // closed when puts can begin
	once    sync.Once

	mu      sync.RWMutex // held by puts for reading
	emitter flow.Emitter // nil: not running
}

var _ flow.Source = (*feed)(nil)

// Run implements flow.Source. When it returns no put is under way.
func (f *feed) Run(ctx context.Context, out flow.Emitter) error {
	f.set(out)
	f.once.Do(func() { close(f.running) })
	<-ctx.Done()
	f.set(nil)
	return nil
}

func (f *feed) set(out flow.Emitter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.emitter = out
}

func (f *feed) put(ctx context.Context, b *event.Batch) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.emitter == nil {
		return ErrNotStarted
	}
	return f.emitter.Emit(ctx, b)
}
