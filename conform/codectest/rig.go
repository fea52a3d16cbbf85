package codectest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/conform/internal/batches"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/invariants"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// wrapper replaces the encoders of an encoding.
type wrapper func(make func(io.Writer, bool) (flow.Encoder, error), w io.Writer, resumed bool) (flow.Encoder, error)

// rig is what one rule works with: an encoding. Its methods are for the rule's
// goroutine, but for those that return an error.
type rig struct {
	t        testing.TB
	h        *Harness
	rule     string
	encoding flow.Encoding
	next     int // number of the next event
}

func newRig(t testing.TB, h *Harness, rule string) *rig {
	t.Helper()
	given := property.Settings{}
	for k, v := range h.Settings {
		given[k] = property.Value{Text: v, Raw: v}
	}
	entry, _ := component.Lookup(component.KindSerializer, h.Type)
	decoded := component.Decode(entry, given, component.Scope{Prefix: "a1.sinks.k1.serializer."})
	if decoded.Failed() {
		t.Fatalf("the harness gives properties that the serializer refuses:\n%v", decoded.Problems)
	}
	env := component.Env{
		Agent: "a1", Name: "k1", Log: slog.New(slog.DiscardHandler),
		Metrics: metrics.NewSet(metrics.KindSink, "k1"), FS: h.FS,
	}
	if env.FS == nil {
		env.FS = vfs.NewMem(1)
	}
	encoding, err := component.New[flow.Encoding](decoded, env, nil)
	if err != nil {
		t.Fatalf("making the serializer: %v", err)
	}
	return &rig{t: t, h: h, rule: rule, encoding: encoding}
}

func (r *rig) fatalf(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("broken rule: %s\n%s", r.rule, fmt.Sprintf(format, args...))
}

// must ends the rule if err is not nil.
func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.fatalf("%v", err)
	}
}

// batch is events on their way to an encoder, with what has to be read of them.
type batch struct {
	*event.Batch
	want []event.Event
}

// batch returns n new events.
func (r *rig) batch(n int) batch {
	b := batch{Batch: event.NewBatch()}
	for range n {
		r.add(&b, []byte(text(r.next)), []event.Header{{Key: "id", Value: strconv.Itoa(r.next)}, {Key: "host", Value: "web1"}})
		r.next++
	}
	return b
}

// text is the body of the event of this number: a line of varying length.
func text(n int) string { return "event " + strconv.Itoa(n) + strings.Repeat(" abc", n%60) }

// add appends an event that the encoder can write.
func (r *rig) add(b *batch, body []byte, headers []event.Header) {
	e := b.AppendCopy(body)
	for _, h := range headers {
		b.SetHeader(e, h.Key, h.Value)
	}
	b.want = append(b.want, e.Clone())
	if r.h.Prepare != nil {
		r.h.Prepare(b.Batch, e)
	}
}

// pen is an encoder at work on a stream.
type pen struct {
	*rig
	disk *disk
	enc  flow.Encoder
	held []event.Event // what the stream has to hold since the last flush
	open []event.Event // what was encoded since
	good int           // length of the stream at the last flush
}

// start returns a pen at the beginning of a new stream.
func (r *rig) start() *pen {
	r.t.Helper()
	p, err := r.tryStart(newDisk())
	r.must(err)
	return p
}

func (r *rig) tryStart(d *disk) (*pen, error) {
	enc, err := r.encoder(d, false)
	if err != nil {
		return nil, fmt.Errorf("making an encoder: %w", err)
	}
	if _, ok := enc.(flow.Rewinder); ok != r.h.Rewinds {
		return nil, fmt.Errorf("it is %v that the encoder is a flow.Rewinder; the harness says %v", ok, r.h.Rewinds)
	}
	return &pen{rig: r, disk: d, enc: enc, good: len(d.content)}, nil
}

func (r *rig) encoder(w io.Writer, resumed bool) (flow.Encoder, error) {
	if r.h.wrap != nil {
		return r.h.wrap(r.encoding.NewEncoder, w, resumed)
	}
	return r.encoding.NewEncoder(w, resumed)
}

// try encodes b and checks that the encoder leaves it alone; b stays the caller's.
func (p *pen) try(b *event.Batch) error {
	b.Seal()
	was := batches.Clone(b)
	err := p.enc.Encode(b)
	if !slices.EqualFunc(was, b.Events(), batches.Same) {
		return errors.New("Encode has changed the batch, or released it")
	}
	return err
}

// free releases b, of which nobody may hold a reference any more.
func free(b *event.Batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the encoder released the batch: %v", p)
		}
	}()
	b.Release()
	if invariants.Enabled && batches.Alive(b) {
		return errors.New("the encoder keeps a reference on the batch")
	}
	batches.Scribble()
	return nil
}

// encode encodes b, which must succeed, and releases it.
func (p *pen) encode(b batch) error {
	if err := errors.Join(p.try(b.Batch), free(b.Batch)); err != nil {
		return fmt.Errorf("encoding %d events: %w", len(b.want), err)
	}
	p.open = append(p.open, b.want...)
	return nil
}

// flush flushes, which must succeed.
func (p *pen) flush() error {
	if err := p.enc.Flush(); err != nil {
		return fmt.Errorf("flushing: %w", err)
	}
	p.held, p.open, p.good = append(p.held, p.open...), nil, len(p.disk.content)
	return nil
}

// write encodes n new events and flushes.
func (p *pen) write(n int) {
	p.t.Helper()
	p.must(p.encode(p.batch(n)))
	p.must(p.flush())
}

// close closes the encoder and checks what the stream holds.
func (p *pen) close() {
	p.t.Helper()
	if err := p.enc.Close(); err != nil {
		p.fatalf("closing the encoder: %v", err)
	}
	p.held, p.open = append(p.held, p.open...), nil
	p.must(p.holds())
}

// back cuts the stream back to the last flush, as a sink does after an error.
func (p *pen) back() {
	p.disk.cut(p.good)
	p.open = nil
	p.enc.(flow.Rewinder).Rewind()
}

// holds checks that the stream holds just the events up to the last flush.
func (p *pen) holds() error {
	if p.h.Bytes != nil {
		return sameBytes(p.disk.content, p.h.Bytes, p.held)
	}
	got, err := p.h.Read(p.disk.content)
	if err != nil {
		return fmt.Errorf("reading the stream: %w", err)
	}
	if len(got) != len(p.held) {
		return fmt.Errorf("the stream has %d events, written were %d", len(got), len(p.held))
	}
	for i := range got {
		if !bytes.Equal(got[i].Body, p.held[i].Body) {
			return fmt.Errorf("event %d reads %.100q (%d bytes), written was %.100q (%d bytes)",
				i, got[i].Body, len(got[i].Body), p.held[i].Body, len(p.held[i].Body))
		}
		if diff := p.diffHeaders(got[i], p.held[i]); diff != "" {
			return fmt.Errorf("the headers of event %d read differently (-written +read):\n%.2000s", i, diff)
		}
	}
	return nil
}

// sameBytes checks that a stream is what stands for these events.
func sameBytes(stream []byte, of func(event.Event) []byte, events []event.Event) error {
	at := 0
	for i, e := range events {
		want := of(e)
		got := stream[at:min(at+len(want), len(stream))]
		if !bytes.Equal(got, want) {
			return fmt.Errorf("event %d stands in the stream as %.100q (%d bytes), want %.100q (%d bytes)", i, got, len(got), want, len(want))
		}
		at += len(want)
	}
	if at < len(stream) {
		return fmt.Errorf("behind the last event there is %.100q (%d bytes)", stream[at:], len(stream)-at)
	}
	return nil
}

// diffHeaders compares headers. Those that Prepare added do not count.
func (r *rig) diffHeaders(got, want event.Event) string {
	if !r.h.Headers {
		return ""
	}
	has, should := headerMap(got), headerMap(want)
	if r.h.Prepare != nil {
		maps.DeleteFunc(has, func(k, _ string) bool { _, ok := should[k]; return !ok })
	}
	return cmp.Diff(should, has)
}

func headerMap(e event.Event) map[string]string {
	m := map[string]string{}
	for _, h := range e.Headers {
		m[h.Key] = h.Value
	}
	return m
}
