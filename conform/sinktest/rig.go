package sinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/conform/internal/batches"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/invariants"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// patience is how long a sink may take for what it must do.
const patience = 10 * time.Second

// errLate is the cause of the end of a context of the suite.
var errLate = errors.New("the suite's patience is at its end")

// rig is what one rule works with: a destination and a sink. Its methods are for
// the rule's goroutine.
type rig struct {
	t    testing.TB
	h    *Harness
	rule string
	dest Destination
	sink flow.Sink
	next int // id of the next event
}

func newRig(t testing.TB, h *Harness, rule string) *rig {
	t.Helper()
	r := &rig{t: t, h: h, rule: rule, dest: h.Destination(t)}
	r.make()
	return r
}

// make constructs the sink through the registry.
func (r *rig) make() {
	r.t.Helper()
	given := property.Settings{}
	for k, v := range maps.All(r.dest.Settings) {
		given[k] = property.Value{Text: v, Raw: v}
	}
	entry, _ := component.Lookup(component.KindSink, r.h.Type)
	decoded := component.Decode(entry, given, component.Scope{Prefix: "a1.sinks.k1."})
	if decoded.Failed() {
		r.t.Fatalf("the harness gives properties that the sink refuses:\n%v", decoded.Problems)
	}
	env := component.Env{
		Agent: "a1", Name: "k1", Log: slog.New(slog.DiscardHandler),
		Metrics: metrics.NewSet(metrics.KindSink, "k1"), FS: r.dest.FS,
	}
	if r.dest.Log != nil {
		env.Log = slog.New(r.dest.Log)
	}
	if env.FS == nil {
		env.FS = vfs.NewMem(1)
	}
	sink, err := component.New[flow.Sink](decoded, env, nil)
	if err != nil {
		r.t.Fatalf("making the sink: %v", err)
	}
	if r.h.wrap != nil {
		sink = r.h.wrap(sink)
	}
	r.sink = sink
}

// close ends whatever the rule left running.
func (r *rig) close() {
	r.behave(Take)
	if err := r.tryShut(); err != nil {
		r.t.Errorf("broken rule: %s\nclosing the sink: %v", r.rule, err)
	}
}

func (r *rig) fatalf(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("broken rule: %s\n%s", r.rule, fmt.Sprintf(format, args...))
}

func (r *rig) behave(b Behaviour) {
	if r.dest.Behave != nil {
		r.dest.Behave(b)
	}
}

func (r *rig) tryOpen() error {
	if l, ok := r.sink.(flow.Lifecycle); ok {
		return r.within(context.Background(), "Open", l.Open)
	}
	return nil
}

func (r *rig) open() {
	r.t.Helper()
	if err := r.tryOpen(); err != nil {
		r.fatalf("opening the sink: %v", err)
	}
}

func (r *rig) tryShut() error {
	if l, ok := r.sink.(flow.Lifecycle); ok {
		return r.within(context.Background(), "Close", l.Close)
	}
	return nil
}

func (r *rig) shut() {
	r.t.Helper()
	if err := r.tryShut(); err != nil {
		r.fatalf("closing the sink: %v", err)
	}
}

// within calls f with a context that ends when the suite loses its patience.
func (r *rig) within(ctx context.Context, what string, f func(context.Context) error) error {
	r.t.Helper()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLate)
	defer cancel()
	began := time.Now()
	err := f(ctx)
	if took := time.Since(began); took > 2*patience {
		r.fatalf("%s took %v, its context ended after %v", what, took, patience)
	}
	return err
}

// batch returns n new events with their ids.
func (r *rig) batch(n int) (*event.Batch, []int) {
	b, ids := event.NewBatch(), make([]int, n)
	for i := range ids {
		ids[i] = r.next
		r.next++
		r.add(b, []byte(text(ids[i])), map[string]string{"id": strconv.Itoa(ids[i])})
	}
	return b, ids
}

// add appends an event that the sink can deliver.
func (r *rig) add(b *event.Batch, body []byte, headers map[string]string) {
	e := b.AppendCopy(body)
	for _, k := range slices.Sorted(maps.Keys(headers)) {
		b.SetHeader(e, k, headers[k])
	}
	if r.h.Prepare != nil {
		r.h.Prepare(b, e)
	}
}

// try delivers b and checks that the sink leaves it alone; b stays the caller's.
func (r *rig) try(ctx context.Context, b *event.Batch) error {
	r.t.Helper()
	b.Seal()
	was := batches.Clone(b)
	err := r.within(ctx, "Deliver", func(ctx context.Context) error { return r.sink.Deliver(ctx, b) })
	if !slices.EqualFunc(was, b.Events(), batches.Same) {
		r.fatalf("the sink has changed the batch, or released it")
	}
	return err
}

// free releases b, of which nobody may hold a reference any more.
func (r *rig) free(b *event.Batch) {
	r.t.Helper()
	defer func() {
		if p := recover(); p != nil {
			r.fatalf("the sink released the batch: %v", p)
		}
	}()
	b.Release()
	if invariants.Enabled && batches.Alive(b) {
		r.fatalf("the sink keeps a reference on the batch")
	}
	batches.Scribble()
}

// deliver delivers n new events, which must succeed, and returns their ids.
func (r *rig) deliver(n int) []int {
	r.t.Helper()
	b, ids := r.batch(n)
	err := r.try(context.Background(), b)
	r.free(b)
	if err != nil {
		r.fatalf("delivering %d events: %v", n, err)
	}
	return ids
}

// content returns what the destination has.
func (r *rig) content() []event.Event {
	r.t.Helper()
	all, err := r.dest.Content()
	if err != nil {
		r.fatalf("reading what has arrived: %v", err)
	}
	return all
}

// arrived returns the ids of what the destination has.
func (r *rig) arrived() []int {
	r.t.Helper()
	var ids []int
	for _, e := range r.content() {
		digits, _, _ := bytes.Cut(bytes.TrimPrefix(e.Body, []byte("event ")), []byte(" "))
		id, err := strconv.Atoi(string(digits))
		if err != nil || string(e.Body) != text(id) {
			r.fatalf("nobody sent an event with the body %.200q that has arrived", e.Body)
		}
		if got, _ := e.Header("id"); r.h.Headers && got != strconv.Itoa(id) {
			r.fatalf("event %d has arrived with the header id=%q", id, got)
		}
		ids = append(ids, id)
	}
	return ids
}

// expect checks that these events have arrived, in this order.
func (r *rig) expect(want []int) {
	r.t.Helper()
	if r.dest.Content == nil {
		return
	}
	if got := r.arrived(); !slices.Equal(got, want) {
		r.fatalf("arrived are events %v\nwant               %v", got, want)
	}
}

// expectFirst checks that these events have arrived before all others.
func (r *rig) expectFirst(want []int) {
	r.t.Helper()
	if r.dest.Content == nil {
		return
	}
	if got := r.arrived(); len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		r.fatalf("arrived are events %v\nwant first         %v", got, want)
	}
}

// expectAfterErrors checks that these events have arrived, and where the harness
// allows it some of them more than once.
func (r *rig) expectAfterErrors(want []int) {
	r.t.Helper()
	if r.dest.Content == nil || !r.h.Duplicates {
		r.expect(want)
		return
	}
	// The last time that each arrived is the one that was acknowledged.
	got := r.arrived()
	var lasts []int
	for i, id := range got {
		if !slices.Contains(got[i+1:], id) {
			lasts = append(lasts, id)
		}
	}
	if !slices.Equal(lasts, want) {
		r.fatalf("arrived are, leaving out what was repeated, events %v\nwant %v", lasts, want)
	}
}
