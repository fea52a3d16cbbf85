package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	_ "github.com/flume-go/flume/channels/memory"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

var discard = slog.New(slog.DiscardHandler)

// memory returns an open memory channel with these settings ("capacity", "5", …).
func memory(t *testing.T, settings ...string) flow.Channel {
	t.Helper()
	set := property.Settings{"byteCapacity": {Text: "1000000000"}}
	for i := 0; i < len(settings); i += 2 {
		set[settings[i]] = property.Value{Text: settings[i+1]}
	}
	e, ok := component.Lookup(component.KindChannel, "memory")
	if !ok {
		t.Fatal("the memory channel is not registered")
	}
	d := component.Decode(e, set, component.Scope{})
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	ch, err := component.New[flow.Channel](d, component.Env{Name: "c", Log: discard, Metrics: metrics.NewSet(metrics.KindChannel, "c"), FS: vfs.OS{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ch.Close(context.Background()) })
	return ch
}

// toAll gives everything to every channel.
type toAll struct{ optional []int }

func (s toAll) Select(_ *event.Batch, plan *flow.Plan) error {
	for i := range plan.Required() {
		if slices.Contains(s.optional, i) {
			plan.AllOptional(i)
		} else {
			plan.All(i)
		}
	}
	return nil
}

// byFirstByte sends an event to the channel that its body's first digit names.
type byFirstByte struct{}

func (byFirstByte) Select(b *event.Batch, plan *flow.Plan) error {
	for i := range b.Events() {
		plan.Add(int(b.At(i).Body[0]-'0'), i)
	}
	return nil
}

type interceptFunc func(*event.Batch) error

func (f interceptFunc) Intercept(b *event.Batch) error { return f(b) }

// batchOf makes a batch of these bodies.
func batchOf(bodies ...string) *event.Batch {
	b := event.NewBatch()
	for _, s := range bodies {
		b.AppendCopy([]byte(s))
	}
	return b
}

func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}

func emit(t *testing.T, e *Emitter, bodies ...string) error {
	t.Helper()
	b := batchOf(bodies...)
	defer b.Release()
	return e.Emit(t.Context(), b)
}

// contents takes all that is in a channel.
func contents(t *testing.T, ch flow.Channel) []string {
	t.Helper()
	var out []string
	for ch.Stats().Events > 0 {
		d, err := ch.Take(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range d.Batch().Events() {
			out = append(out, string(e.Body))
		}
		if err := d.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func branch(name string, ch flow.Channel, transaction int) Branch {
	return Branch{Name: name, Channel: ch, Transaction: transaction}
}

func newEmitter(t *testing.T, r Route) (*Emitter, *metrics.Set) {
	t.Helper()
	set := metrics.NewSet(metrics.KindSource, "r")
	e := NewEmitter(discard, set)
	if err := e.Install(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return e, set
}

// scriptedSink answers deliveries by a script and keeps what it accepted.
type scriptedSink struct {
	mu     sync.Mutex
	answer func(bodies []string) error
	got    []string
	calls  int
}

func (s *scriptedSink) Deliver(_ context.Context, b *event.Batch) error {
	var bodies []string
	for _, e := range b.Events() {
		bodies = append(bodies, string(e.Body))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.answer != nil {
		if err := s.answer(bodies); err != nil {
			rejected := flow.Rejected(err)
			for i, body := range bodies {
				if rejected != nil && !slices.Contains(rejected, i) {
					s.got = append(s.got, body)
				}
			}
			return err
		}
	}
	s.got = append(s.got, bodies...)
	return nil
}

func (s *scriptedSink) delivered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

var errScripted = errors.New("scripted failure")

// pass lets time pass in a bubble and waits until everything has reacted.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's clock
	synctest.Wait()
}
