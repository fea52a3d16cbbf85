package regex

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/metrics"
)

// quiet is how long nothing must have gone wrong before a trouble counts as
// over. It keeps a stream in which every tenth event is bad from being logged as
// a hundred troubles.
const quiet = time.Minute

// Watch counts the events that an interceptor could not treat as configured, and
// logs one line when that begins and one when it has been over for a minute. The
// error is shown in the first; it must not quote events. Safe for concurrent use.
type Watch struct {
	log     *slog.Logger
	count   *metrics.Counter
	trouble string // the line when it begins: what happens to the events
	relief  string // the line when it is over

	on   atomic.Bool
	mu   sync.Mutex
	last time.Time // when events were last counted
	seen int       // events since it began
}

// NewWatch returns a watch over the events counted in count.
func NewWatch(log *slog.Logger, count *metrics.Counter, trouble, relief string) *Watch {
	return &Watch{log: log, count: count, trouble: trouble, relief: relief}
}

// Batch is called once for each batch with the number of bad events in it and
// the error of one of them. Without any it costs one atomic load.
func (w *Watch) Batch(events int, err error) {
	if events == 0 && !w.on.Load() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	switch {
	case events > 0:
		w.count.Add(events)
		w.seen += events
		w.last = now
		if !w.on.Swap(true) {
			w.log.Warn(w.trouble, "error", err)
		}
	case w.on.Load() && now.Sub(w.last) >= quiet:
		w.on.Store(false)
		w.log.Info(w.relief, "events", w.seen)
		w.seen = 0
	}
}
