package sourcetest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

const (
	patience  = 10 * time.Second // for what must happen
	soon      = 2 * time.Second  // for the end of Run
	lingering = time.Minute      // for what must not happen after it, where time costs nothing
)

// host is where listening sources listen.
const host = "127.0.0.1"

// Subject is a source that is being checked, as its clients see it.
type Subject struct {
	// Properties are those that it was made with.
	Properties map[string]string
	// Address is where a running source listens, as its log tells: the
	// attribute "address" of a record.
	Address string

	source flow.Source
	ledger *ledger
	out    *outlet
	told   *addressHandler

	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned err
	err    error
}

// Acked says that a client was told that this event is stored. Safe for
// concurrent use.
func (s *Subject) Acked(id uint64) { s.ledger.ack(id) }

// Refused says that a client was told that this event is not stored, or that it
// will not be told anything. Safe for concurrent use.
func (s *Subject) Refused(id uint64) { s.ledger.note(func() { s.ledger.refused[id] = true }) }

// rig is what one rule works with. Its methods are for the rule's goroutine.
type rig struct {
	t    testing.TB
	h    *Harness
	rule string

	closed  context.Context //nolint:containedctx // ends with the rule
	end     context.CancelFunc
	s       *Subject // the latest subject
	clients []Client
	next    uint64 // id of the next event
}

func newRig(t testing.TB, h *Harness, rule string) *rig {
	r := &rig{t: t, h: h, rule: rule}
	r.closed, r.end = context.WithCancel(context.Background())
	return r
}

// close ends whatever the rule left running and looks at the batches.
func (r *rig) close() {
	r.end()
	if r.s != nil && r.s.cancel != nil {
		r.s.cancel()
		if !r.returned(r.h.Grace + soon) {
			r.t.Errorf("broken rule: %s\nRun does not return", quietRule)
		}
	}
	for _, c := range r.clients {
		c.Close()
	}
	if r.s != nil {
		r.h.linger()
		r.s.out.verify()
		r.s.ledger.mu.Lock()
		defer r.s.ledger.mu.Unlock()
		if faults := r.s.ledger.faults; len(faults) > 0 {
			r.t.Errorf("broken rule: %s\n%s", faults[0].rule, faults[0].text)
		}
	}
}

// fatalf fails the test: a fault that was noted explains more than its consequence.
func (r *rig) fatalf(format string, args ...any) {
	r.t.Helper()
	if r.s != nil {
		r.s.ledger.mu.Lock()
		faults := r.s.ledger.faults
		r.s.ledger.faults = nil
		r.s.ledger.mu.Unlock()
		if len(faults) > 0 {
			r.t.Fatalf("broken rule: %s\n%s", faults[0].rule, faults[0].text)
		}
	}
	r.t.Fatalf("broken rule: %s\n%s", r.rule, fmt.Sprintf(format, args...))
}

// make constructs a source through the registry, to bring n events if it makes
// them up. It becomes r.s.
func (r *rig) make(n int, settings ...map[string]string) {
	r.t.Helper()
	all := map[string]string{}
	if r.h.Settings != nil {
		maps.Copy(all, r.h.Settings(r.t))
	}
	if r.h.Listen != nil {
		maps.Copy(all, r.h.Listen(host, 0))
	}
	if r.h.Total != nil {
		maps.Copy(all, r.h.Total(n))
	}
	for _, m := range settings {
		maps.Copy(all, m)
	}
	given := property.Settings{}
	for k, v := range all {
		given[k] = property.Value{Text: v, Raw: v}
	}
	entry, _ := component.Lookup(component.KindSource, r.h.Type)
	decoded := component.Decode(entry, given, component.Scope{Prefix: "a1.sources.r1."})
	if decoded.Failed() {
		r.t.Fatalf("the harness gives properties that the source refuses:\n%v", decoded.Problems)
	}
	told := &addressHandler{Handler: slog.DiscardHandler, addresses: make(chan string, 100)}
	source, err := component.New[flow.Source](decoded, component.Env{
		Agent: "a1", Name: "r1", Log: slog.New(told),
		Metrics: metrics.NewSet(metrics.KindSource, "r1"), FS: vfs.NewMem(1),
	}, nil)
	if err != nil {
		r.t.Fatalf("making the source: %v", err)
	}
	if r.h.wrap != nil {
		source = r.h.wrap(source)
	}
	r.s = &Subject{Properties: all, source: source, ledger: newLedger(), told: told}
	r.s.out = &outlet{h: r.h, ledger: r.s.ledger, closed: r.closed, play: always}
	r.s.out.batch, _, _ = decoded.BatchSize(false)
}

// run runs r.s in the background.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.runUnder(ctx, cancel)
}

// runUnder runs r.s until ctx, which cancel ends.
func (r *rig) runUnder(ctx context.Context, cancel context.CancelFunc) {
	s := r.s
	s.cancel, s.done = cancel, make(chan struct{})
	s.ledger.note(func() { s.ledger.running = true })
	go func(done chan struct{}) {
		defer close(done)
		s.err = r.openAndRun(ctx)
		s.ledger.note(func() {
			s.ledger.running = false
			if s.ledger.inside > 0 {
				s.ledger.fault(quietRule, "Run has returned while %d calls of Emit are under way", s.ledger.inside)
			}
		})
	}(s.done)
}

// openAndRun does what the pipeline does with a source.
func (r *rig) openAndRun(ctx context.Context) (err error) {
	if l, ok := r.s.source.(flow.Lifecycle); ok {
		if err := l.Open(ctx); err != nil {
			return fmt.Errorf("opening: %w", err)
		}
		defer func() {
			if failed := l.Close(context.WithoutCancel(ctx)); err == nil {
				err = failed
			}
		}()
	}
	return r.s.source.Run(ctx, r.s.out)
}

// start runs r.s and returns when clients can reach it.
func (r *rig) start() {
	r.t.Helper()
	r.run()
	if r.h.Listen == nil {
		return
	}
	select {
	case r.s.Address = <-r.s.told.addresses:
	case <-r.s.done:
		r.fatalf("Run returned %v before the source listened", r.s.err)
	case <-time.After(patience):
		r.fatalf("the source does not log the address that it listens on")
	}
}

// returned waits for the end of Run.
func (r *rig) returned(limit time.Duration) bool {
	select {
	case <-r.s.done:
		return true
	case <-time.After(limit):
		return false
	}
}

// ended reports whether Run has returned.
func (r *rig) ended() bool {
	select {
	case <-r.s.done:
		return true
	default:
		return false
	}
}

// stop tells r.s to stop and checks that it does, in time and without an error.
func (r *rig) stop(limit time.Duration) {
	r.t.Helper()
	r.s.cancel()
	if !r.returned(limit) {
		r.fatalf("Run has not returned %v after its context ended", limit)
	}
	if r.s.err != nil {
		r.fatalf("Run returned %v when its context had ended", r.s.err)
	}
}

// begin makes and starts a source that does as the script says, and returns the
// ids of n events on their way.
func (r *rig) begin(n int, play script) []uint64 {
	r.t.Helper()
	r.make(n)
	r.s.out.set(play)
	r.start()
	switch {
	case n == 0:
		return nil
	case makesUp(r.h):
		return r.ids(n)
	default:
		return r.send(r.client(), n)
	}
}

// client connects a new client.
func (r *rig) client() Client {
	r.t.Helper()
	c := r.h.Client(r.t, r.s)
	r.clients = append(r.clients, c)
	return c
}

// leave closes all clients.
func (r *rig) leave() {
	for _, c := range r.clients {
		c.Close()
	}
	r.clients = nil
}

// ids returns n new ids.
func (r *rig) ids(n int) []uint64 {
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = r.next
		r.next++
	}
	return ids
}

// send has a client generate n new events and returns their ids.
func (r *rig) send(c Client, n int) []uint64 {
	ids := r.ids(n)
	c.Generate(ids...)
	return ids
}

// await waits for something that must happen; ok is called with the ledger held.
func (r *rig) await(what string, ok func(l *ledger) bool) {
	r.t.Helper()
	if r.s.ledger.await(patience, func() bool { return ok(r.s.ledger) }) {
		return
	}
	select {
	case <-r.s.done:
		r.fatalf("waiting in vain for %s: Run has returned %v", what, r.s.err)
	default:
		r.fatalf("waiting in vain for %s", what)
	}
}

// awaitStored waits until all ids are stored.
func (r *rig) awaitStored(ids []uint64) {
	r.t.Helper()
	if !r.s.ledger.await(patience, func() bool { return r.s.ledger.has(ids) }) {
		got := r.s.ledger.snapshot()
		r.fatalf("of events %v these are stored: %v", ids, got)
	}
}

// awaitAcked waits until all ids are acknowledged, if the source does so.
func (r *rig) awaitAcked(ids []uint64) {
	r.t.Helper()
	if !r.h.Acks {
		return
	}
	l := r.s.ledger
	if !l.await(patience, func() bool { return !slices.ContainsFunc(ids, func(id uint64) bool { return !l.acked[id] }) }) {
		r.fatalf("events %v are stored and not acknowledged", l.unacked(ids))
	}
}

// unacked checks that none of ids is acknowledged.
func (r *rig) unacked(ids []uint64, why string) {
	r.t.Helper()
	if left := r.s.ledger.unacked(ids); len(left) < len(ids) {
		r.fatalf("%s, and %d of the events %v are acknowledged", why, len(ids)-len(left), ids)
	}
}

// exactly checks that these ids are stored and no others, in this order.
func (r *rig) exactly(want []uint64) {
	r.t.Helper()
	if got := r.s.ledger.snapshot(); !slices.Equal(got, want) {
		r.fatalf("stored are events %v\nwant              %v", got, want)
	}
}

// addressHandler takes the address from the log of a source that listens.
type addressHandler struct {
	slog.Handler
	addresses chan string
}

// Enabled implements slog.Handler.
func (h *addressHandler) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (h *addressHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler.
func (h *addressHandler) WithGroup(string) slog.Handler { return h }

// Handle passes on the attribute "address".
func (h *addressHandler) Handle(_ context.Context, rec slog.Record) error {
	rec.Attrs(func(a slog.Attr) bool {
		if a.Key != "address" {
			return true
		}
		text := a.Value.String()
		if _, _, err := net.SplitHostPort(text); err == nil {
			select {
			case h.addresses <- text:
			default: // a source that logs it a hundred times has been heard
			}
		}
		return false
	})
	return nil
}
