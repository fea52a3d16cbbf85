package channeltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// rig is what one rule works with: a file system and the channels on it. Its
// methods are for the rule's goroutine.
type rig struct {
	t    tester
	h    *Harness
	rule string
	fs   vfs.FS

	ctx      context.Context // ends with the rule
	cancel   context.CancelFunc
	puts     sync.WaitGroup
	channels []flow.Channel

	ch     flow.Channel // the latest channel
	set    *metrics.Set // its metrics
	config *component.Decoded
	next   uint64 // id of the next event
}

func newRig(t tester, h *Harness, rule string) *rig {
	r := &rig{t: t, h: h, rule: rule, fs: vfs.FS(vfs.NewMem(1))}
	if h.FS != nil {
		r.fs = h.FS()
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// close ends whatever the rule left running.
func (r *rig) close() {
	r.cancel()
	for _, ch := range r.channels {
		if err := ch.Close(context.Background()); err != nil {
			r.t.Errorf("closing the channel: %v", err)
		}
	}
	r.puts.Wait()
}

// make constructs a channel through the registry, on the rig's file system. It
// becomes r.ch.
func (r *rig) make(settings ...map[string]string) flow.Channel {
	r.t.Helper()
	entry, _ := component.Lookup(component.KindChannel, r.h.Type)
	given := property.Settings{}
	for k, v := range merge(append([]map[string]string{r.h.Settings}, settings...)...) {
		given[k] = property.Value{Text: v, Raw: v}
	}
	r.config = component.Decode(entry, given, component.Scope{Prefix: "a1.channels.c1."})
	if r.config.Failed() {
		r.t.Fatalf("the harness gives properties that the channel refuses:\n%v", r.config.Problems)
	}
	r.set = metrics.NewSet(metrics.KindChannel, "c1")
	env := component.Env{Agent: "a1", Name: "c1", Log: slog.New(slog.DiscardHandler), Metrics: r.set, FS: r.fs}
	ch, err := component.New[flow.Channel](r.config, env, nil)
	if err != nil {
		r.t.Fatalf("making the channel: %v", err)
	}
	if r.h.wrap != nil {
		ch = r.h.wrap(ch)
	}
	r.channels = append(r.channels, ch)
	r.ch = ch
	return ch
}

// open makes a channel and opens it.
func (r *rig) open(settings ...map[string]string) {
	r.t.Helper()
	r.make(settings...)
	r.reopen()
}

// reopen opens r.ch.
func (r *rig) reopen() {
	r.t.Helper()
	if err := r.ch.Open(r.ctx); err != nil {
		r.t.Fatalf("opening the channel: %v", err)
	}
}

// shut closes r.ch.
func (r *rig) shut() {
	r.t.Helper()
	if err := r.ch.Close(r.ctx); err != nil {
		r.t.Fatalf("closing the channel: %v", err)
	}
}

// settle returns when everything waits.
func (r *rig) settle() {
	if !r.h.Sockets {
		synctest.Wait()
		return
	}
	flow.Sleep(context.Background(), 50*time.Millisecond)
}

// bodyOf is the body of the event with this id: of several lengths, none of
// them a multiple of something.
func bodyOf(id uint64) []byte {
	return append(strconv.AppendUint([]byte("event "), id, 10), bytes.Repeat([]byte{byte('a' + id%26)}, int(id%7)*61)...)
}

// batch makes a batch of n new events, with ids counting up.
func (r *rig) batch(n int) (*event.Batch, []uint64) {
	b := event.NewBatch()
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = r.next
		fill(b, r.next)
		r.next++
	}
	return b, ids
}

func fill(b *event.Batch, id uint64) {
	e := b.AppendCopy(bodyOf(id))
	b.SetHeader(e, "id", b.String(strconv.AppendUint(nil, id, 10)))
}

// idOf returns the id of e, an error if e is not as it was put.
func idOf(e *event.Event) (uint64, error) {
	text, _ := e.Header("id")
	id, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("an event has the header id=%q", text)
	case !bytes.Equal(e.Body, bodyOf(id)):
		return 0, fmt.Errorf("event %d has the body %q, not %q as it was put", id, e.Body, bodyOf(id))
	}
	return id, nil
}

// idsOf returns the ids of b.
func idsOf(b *event.Batch) ([]uint64, error) {
	ids := make([]uint64, b.Len())
	for i := range ids {
		var err error
		if ids[i], err = idOf(b.At(i)); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// pending is a put on its way.
type pending struct {
	ids    []uint64
	cancel context.CancelFunc
	done   chan struct{}
	err    error // set before done is closed
}

// returned reports whether the put has returned.
func (p *pending) returned() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// start puts n new events from another goroutine and returns when that put has
// returned or waits.
func (r *rig) start(n int) *pending {
	b, ids := r.batch(n)
	return r.startBatch(b, ids)
}

func (r *rig) startBatch(b *event.Batch, ids []uint64) *pending {
	ctx, cancel := context.WithCancel(r.ctx)
	p := &pending{ids: ids, cancel: cancel, done: make(chan struct{})}
	ch := r.ch
	r.puts.Go(func() {
		p.err = ch.Put(ctx, b)
		b.Release()
		close(p.done)
	})
	r.settle()
	return p
}

// wait returns the outcome of a put that is about to return.
func (r *rig) wait(p *pending) error {
	r.t.Helper()
	r.settle()
	if r.h.Sockets {
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
		}
	}
	if !p.returned() {
		r.fatalf("the put of events %v does not return", p.ids)
	}
	return p.err
}

// put stores n new events and returns their ids. Where a put lasts until the
// acknowledgement it is left waiting.
func (r *rig) put(n int) []uint64 {
	r.t.Helper()
	p := r.start(n)
	if r.h.EndToEnd && !p.returned() {
		return p.ids
	}
	if err := r.wait(p); err != nil {
		r.fatalf("putting %d events: %v", n, err)
	}
	return p.ids
}

// take takes up to limit events, of which there must be one.
func (r *rig) take(limit int) flow.Delivery {
	r.t.Helper()
	d, err := r.tryTake(10*time.Second, limit)
	if err != nil {
		r.fatalf("taking events that must be there: %v; stats %+v", err, r.ch.Stats())
	}
	if n := d.Batch().Len(); n < 1 || n > limit {
		r.fatalf("a take of at most %d events gave %d", limit, n)
	}
	return d
}

func (r *rig) tryTake(patience time.Duration, limit int) (flow.Delivery, error) {
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	return r.ch.Take(ctx, limit)
}

// nothing checks that no event can be taken.
func (r *rig) nothing(why string) {
	r.t.Helper()
	d, err := r.tryTake(100*time.Millisecond, 1000)
	if err == nil {
		r.fatalf("%s, and yet events %v can be taken", why, r.ids(d))
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		r.fatalf("%s; a take fails with %v, not with the error of its context", why, err)
	}
}

// ids returns the ids of a delivery's events.
func (r *rig) ids(d flow.Delivery) []uint64 {
	r.t.Helper()
	ids, err := idsOf(d.Batch())
	if err != nil {
		r.fatalf("taken: %v", err)
	}
	return ids
}

// ack acknowledges d.
func (r *rig) ack(d flow.Delivery) {
	r.t.Helper()
	if err := d.Ack(); err != nil {
		r.fatalf("acknowledging: %v", err)
	}
	r.settle()
}

// nack gives d back.
func (r *rig) nack(d flow.Delivery) {
	r.t.Helper()
	if err := d.Nack(); err != nil {
		r.fatalf("giving back: %v", err)
	}
	r.settle()
}

// drain takes n events in pieces of at most limit, acknowledges them, and checks
// that there are no more.
func (r *rig) drain(n, limit int) []uint64 {
	r.t.Helper()
	var got []uint64
	for len(got) < n {
		d := r.take(limit)
		got = append(got, r.ids(d)...)
		r.ack(d)
	}
	r.nothing("all events that should be there are acknowledged")
	return got
}

// same checks that got is want, in the same order if the channel keeps it.
func (r *rig) same(got, want []uint64) {
	r.t.Helper()
	if r.h.Unordered {
		got, want = slices.Clone(got), slices.Clone(want)
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(got, want) {
		r.fatalf("got events %v\nwant      %v", got, want)
	}
}

// number returns the value of a metric.
func (r *rig) number(name string) float64 {
	r.t.Helper()
	for _, m := range r.set.Metrics() {
		if m.Name == name && m.Number != nil {
			return m.Number()
		}
	}
	r.fatalf("the channel has no metric %s", name)
	return 0
}
