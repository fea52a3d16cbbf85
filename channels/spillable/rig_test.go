package spillable

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// tester is *testing.T, *testing.B and *rapid.T.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func decode(settings map[string]string) (*component.Decoded, error) {
	e, ok := component.Lookup(component.KindChannel, "org.apache.flume.channel.SpillableMemoryChannel")
	if !ok {
		return nil, errors.New("the class name is not registered")
	}
	given := property.Settings{}
	line := 0
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		line++
		given[k] = property.Value{Text: settings[k], Raw: settings[k], At: property.Position{File: "a.conf", Line: line, Col: 1}}
	}
	return component.Decode(e, given, component.Scope{Prefix: "a1.channels.c1."}), nil
}

// rig is a channel on a file system, with what it logs and counts.
type rig struct {
	t    tester
	ch   *channel
	set  *metrics.Set
	logs bytes.Buffer
	next int // id of the next event
}

var dirs = map[string]string{"checkpointDir": "/c", "dataDirs": "/d", "maxFileSize": "65536", "minimumRequiredSpace": "1048576"}

// make makes a channel of these properties.
func (r *rig) make(fsys vfs.FS, settings map[string]string) {
	r.t.Helper()
	all := maps.Clone(dirs)
	maps.Copy(all, settings)
	d, err := decode(all)
	if err != nil || d.Failed() {
		r.t.Fatalf("decoding: %v\n%v", err, d.Problems)
	}
	r.set = metrics.NewSet(metrics.KindChannel, "c1")
	env := component.Env{Agent: "a1", Name: "c1", Log: slog.New(slog.NewTextHandler(&r.logs, nil)), Metrics: r.set, FS: fsys}
	ch, err := component.New[flow.Channel](d, env, nil)
	if err != nil {
		r.t.Fatalf("making the channel: %v", err)
	}
	r.ch = ch.(*channel)
}

// open makes a channel of these properties and opens it.
func (r *rig) open(fsys vfs.FS, settings map[string]string) {
	r.t.Helper()
	r.make(fsys, settings)
	r.must(r.ch.Open(context.Background()))
}

// newRig opens a channel that is closed at the end of the test.
func newRig(t testing.TB, fsys vfs.FS, settings map[string]string) *rig {
	t.Helper()
	r := &rig{t: t}
	r.open(fsys, settings)
	t.Cleanup(func() { _ = r.ch.Close(context.Background()) })
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%v", err)
	}
}

func (r *rig) close() {
	r.t.Helper()
	r.must(r.ch.Close(context.Background()))
}

// batch makes a batch of n new events, whose bodies are their ids, with spaces behind up to this size.
func (r *rig) batch(n, size int) *event.Batch {
	b := event.NewBatch()
	for range n {
		body := strconv.Itoa(r.next)
		b.AppendCopy([]byte(body + string(bytes.Repeat([]byte(" "), max(0, size-len(body))))))
		r.next++
	}
	return b
}

func (r *rig) tryPut(n, size int) error {
	b := r.batch(n, size)
	defer b.Release()
	return r.ch.Put(context.Background(), b)
}

func (r *rig) put(n int) {
	r.t.Helper()
	r.must(r.tryPut(n, 0))
}

// take takes up to limit events, nil if there are none.
func (r *rig) take(limit int) flow.Delivery {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	d, err := r.ch.Take(ctx, limit)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	r.must(err)
	return d
}

func (r *rig) ids(d flow.Delivery) []int {
	r.t.Helper()
	return r.idsOf(d.Batch(), 0, d.Batch().Len())
}

func (r *rig) idsOf(b *event.Batch, from, to int) []int {
	r.t.Helper()
	var ids []int
	for i := from; i < to; i++ {
		id, err := strconv.Atoi(string(bytes.TrimSpace(b.At(i).Body)))
		if err != nil {
			r.t.Fatalf("an event has the body %q", b.At(i).Body)
		}
		ids = append(ids, id)
	}
	return ids
}

// drain takes and acknowledges everything.
func (r *rig) drain() []int {
	r.t.Helper()
	var ids []int
	for {
		d := r.take(4)
		if d == nil {
			return ids
		}
		ids = append(ids, r.ids(d)...)
		r.must(d.Ack())
	}
}

// same checks that got is the ids from..to-1.
func (r *rig) same(got []int, from, to int) {
	r.t.Helper()
	var want []int
	for id := from; id < to; id++ {
		want = append(want, id)
	}
	if !slices.Equal(got, want) {
		r.t.Fatalf("got  %v\nwant %v", got, want)
	}
}

// number returns the value of a metric.
func (r *rig) number(name string) int {
	r.t.Helper()
	for _, m := range r.set.Metrics() {
		if m.Name == name && m.Number != nil {
			return int(m.Number())
		}
	}
	r.t.Fatalf("the channel has no metric %s", name)
	return 0
}

// places checks how many events are in memory and on the disk.
func (r *rig) places(memory, disk int) {
	r.t.Helper()
	if m, d := r.number("memory_events"), r.number("overflow_events"); m != memory || d != disk {
		r.t.Fatalf("%d events are in memory and %d on the disk, want %d and %d", m, d, memory, disk)
	}
}

// inMemoryIDs returns the events that a kill would lose.
func (r *rig) inMemoryIDs() []int {
	r.t.Helper()
	o, err := r.ch.current()
	r.must(err)
	o.mu.Lock()
	defer o.mu.Unlock()
	all := slices.Concat(o.returned, o.fresh.rest())
	for d := range o.deliveries {
		for _, p := range d.parts {
			all = append(all, p.run)
		}
	}
	var ids []int
	for _, e := range all {
		if e.place == inMemory {
			ids = append(ids, r.idsOf(e.batch, e.from, e.from+e.events)...)
		}
	}
	return ids
}
