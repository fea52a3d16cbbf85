package intake

import (
	"log/slog"
	"net"
	"sync/atomic"

	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/internal/syslog"
	"github.com/flume-go/flume/metrics"
)

// Tally counts the messages of one batch before they are added to the counters.
type Tally struct{ invalid, incomplete int }

// Add counts a message.
func (t *Tally) Add(s syslog.Status) {
	switch s {
	case syslog.Invalid:
		t.invalid++
	case syslog.Incomplete:
		t.incomplete++
	}
}

// Watch counts and logs what sources of syslog messages have in common. Safe for
// concurrent use.
type Watch struct {
	log        *slog.Logger
	invalid    *metrics.Counter
	incomplete *metrics.Counter
	readFail   *metrics.Counter // for invalid messages; nil: they are no failures
	badInput   netio.LogLimit
	failing    atomic.Bool // the last emit failed
}

// NewWatch returns a watch for one source. In dialect Line an invalid message is
// a failure to read.
func NewWatch(d syslog.Dialect, log *slog.Logger, m *metrics.Set) *Watch {
	w := &Watch{
		log:        log,
		invalid:    m.OwnCounter("invalid_messages", "Messages that are no syslog messages; they are kept as they came."),
		incomplete: m.OwnCounter("incomplete_messages", "Messages whose end is missing: over eventSize, or cut off with their connection."),
	}
	if d == syslog.Line {
		w.readFail = m.Counter("EventReadFail")
	}
	return w
}

// Saw takes note of what one batch had from a client, nil if there are several.
func (w *Watch) Saw(t Tally, client net.Addr) {
	if t == (Tally{}) {
		return
	}
	w.invalid.Add(t.invalid)
	w.incomplete.Add(t.incomplete)
	if w.readFail != nil {
		w.readFail.Add(t.invalid)
	}
	ok, more := w.badInput.Allow()
	switch {
	case !ok:
	case client == nil:
		w.log.Warn("invalid or incomplete messages", "invalid", t.invalid, "incomplete", t.incomplete, "not-logged", more)
	default:
		w.log.Warn("invalid or incomplete messages", "invalid", t.invalid, "incomplete", t.incomplete, "client", client, "not-logged", more)
	}
}

// Failed logs the beginning of trouble downstream, once.
func (w *Watch) Failed(err error) {
	if !w.failing.Swap(true) {
		w.log.Warn("handing on messages fails; trying again", "error", err)
	}
}

// Emitted logs its end.
func (w *Watch) Emitted() {
	if w.failing.Load() && w.failing.Swap(false) {
		w.log.Info("handing on messages works again")
	}
}
