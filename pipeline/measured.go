package pipeline

import (
	"context"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

// Measured counts what a sink is given and what becomes of it. Embedded so that
// a processor sees one Sink.
type Measured struct {
	sink  flow.Sink
	batch int

	attempt, success    *metrics.Counter
	underflow, complete *metrics.Counter
	writeFail, unknown  *metrics.Counter
	latency             *metrics.Histogram
}

// Measure returns sink with Flume's sink counters kept in set. batch is the
// sink's batch size.
func Measure(sink flow.Sink, set *metrics.Set, batch int) *Measured {
	set.Counter("BatchEmptyCount")
	set.Counter("ChannelReadFail")
	return &Measured{
		sink: sink, batch: batch,
		attempt:   set.Counter("EventDrainAttemptCount"),
		success:   set.Counter("EventDrainSuccessCount"),
		underflow: set.Counter("BatchUnderflowCount"),
		complete:  set.Counter("BatchCompleteCount"),
		writeFail: set.Counter("EventWriteFail"),
		unknown:   set.OwnCounter("deliveries_unknown", "Deliveries that were sent but not answered; their events may be delivered twice."),
		latency:   set.OwnHistogram("deliver_seconds", "Time that the destination took for a batch.", metrics.LatencyBounds),
	}
}

// Deliver implements flow.Sink.
func (m *Measured) Deliver(ctx context.Context, b *event.Batch) error {
	start := m.begin(b.Len())
	err := m.sink.Deliver(ctx, b)
	m.end(start, b.Len(), err)
	return err
}

// begin counts a batch of n events that is about to be delivered.
func (m *Measured) begin(n int) (start time.Time) {
	m.attempt.Add(n)
	if n < m.batch {
		m.underflow.Add(1)
	} else {
		m.complete.Add(1)
	}
	return time.Now()
}

// end counts what has become of it.
func (m *Measured) end(start time.Time, n int, err error) {
	switch {
	case err == nil:
		m.success.Add(n)
		m.latency.ObserveSince(start)
	case flow.ClassOf(err) == flow.ClassReject && flow.Rejected(err) != nil:
		m.success.Add(n - len(flow.Rejected(err)))
	case flow.ClassOf(err) == flow.ClassShutdown:
	default:
		m.writeFail.Add(1)
		if flow.ClassOf(err) == flow.ClassUnknown {
			m.unknown.Add(1)
		}
	}
}

// Window implements flow.Sender.
func (m *Measured) Window() int { return windowOf(m.sink) }

// Send implements flow.Sender.
func (m *Measured) Send(ctx context.Context, b *event.Batch) (flow.Sending, error) {
	start := m.begin(b.Len())
	sending, err := send(ctx, m.sink, b)
	if err != nil {
		m.end(start, b.Len(), err)
		return nil, err
	}
	return &measuredSending{sending, m, start, b.Len()}, nil
}

// measuredSending is a batch under way that is counted when it ends.
type measuredSending struct {
	flow.Sending
	sink  *Measured
	start time.Time
	n     int
}

// Wait implements flow.Sending.
func (s *measuredSending) Wait(ctx context.Context) error {
	err := s.Sending.Wait(ctx)
	s.sink.end(s.start, s.n, err)
	return err
}

// Open opens the sink if it has something to open.
func (m *Measured) Open(ctx context.Context) error { return openSink(ctx, m.sink) }

// Close closes the sink if it has something to close.
func (m *Measured) Close(ctx context.Context) error { return closeSink(ctx, m.sink) }

func openSink(ctx context.Context, s flow.Sink) error {
	if l, ok := s.(flow.Lifecycle); ok {
		return l.Open(ctx)
	}
	return nil
}

func closeSink(ctx context.Context, s flow.Sink) error {
	if l, ok := s.(flow.Lifecycle); ok {
		return l.Close(ctx)
	}
	return nil
}
