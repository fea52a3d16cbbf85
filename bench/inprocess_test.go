package bench

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/flume-go/flume/all"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/invariants"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/pipeline"
	"github.com/flume-go/flume/property"
)

const (
	batchEvents = 100
	bodyBytes   = 512
)

// line is a log line of bodyBytes with its newline.
var line = func() []byte {
	s := `192.168.7.31 - - [22/Nov/2026:14:08:40 +0000] "GET /api/v1/items/4711?page=2 HTTP/1.1" 200 5316 "-" "Mozilla/5.0" `
	return []byte(strings.Repeat(s, bodyBytes/len(s)+1)[:bodyBytes-1] + "\n")
}()

// rig is a pipeline in process: emitter, interceptors, channel, runner,
// null sink, as the agent puts them together.
type rig struct {
	emitter *pipeline.Emitter
	channel flow.Channel
	runner  *pipeline.SinkRunner
}

func decode[T any](tb testing.TB, kind component.Kind, typ, name string, more any, settings ...string) T {
	tb.Helper()
	e, ok := component.Lookup(kind, typ)
	if !ok {
		tb.Fatalf("no %s %s", kind, typ)
	}
	set := property.Settings{}
	for i := 0; i < len(settings); i += 2 {
		set[settings[i]] = property.Value{Text: settings[i+1]}
	}
	d := component.Decode(e, set, component.Scope{})
	if d.Failed() {
		tb.Fatal(d.Problems)
	}
	env := component.Env{Name: name, Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindChannel, name), FS: vfs.OS{}}
	c, err := component.New[T](d, env, more)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// newRig has a memory channel.
func newRig(tb testing.TB, interceptors ...pipeline.NamedInterceptor) *rig {
	tb.Helper()
	return newRigWith(tb, decode[flow.Channel](tb, component.KindChannel, "memory", "c1", nil, "capacity", "10000", "transactionCapacity", "1000"), interceptors...)
}

func newRigWith(tb testing.TB, channel flow.Channel, interceptors ...pipeline.NamedInterceptor) *rig {
	tb.Helper()
	return newRigTo(tb, channel, decode[flow.Sink](tb, component.KindSink, "null", "k1", nil), batchEvents, interceptors...)
}

// newRigTo has a sink that takes batches of that many events.
func newRigTo(tb testing.TB, channel flow.Channel, sink flow.Sink, batch int, interceptors ...pipeline.NamedInterceptor) *rig {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	r := &rig{channel: channel}
	if err := r.channel.Open(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	r.emitter = pipeline.NewEmitter(log, metrics.NewSet(metrics.KindSource, "r1"))
	err := r.emitter.Install(tb.Context(), pipeline.Route{
		Interceptors: interceptors,
		Selector:     decode[flow.Selector](tb, component.KindSelector, "replicating", "s", []string{"c1"}),
		Branches:     []pipeline.Branch{{Name: "c1", Channel: r.channel, Transaction: 1000}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	set := metrics.NewSet(metrics.KindSink, "k1")
	r.runner = &pipeline.SinkRunner{
		Name: "k1", Channel: r.channel, Batch: batch, Log: log, Sets: []*metrics.Set{set},
		Sink: pipeline.Reject("k1", pipeline.Measure(sink, set, batch), nil, log, set),
	}
	r.runner.Start()
	tb.Cleanup(func() {
		_ = r.runner.Stop(context.Background())
		_ = r.channel.Close(context.Background())
	})
	return r
}

// emit fills a batch as a line source does and emits it.
func (r *rig) emit(ctx context.Context) error {
	b := event.NewBatch()
	defer b.Release()
	buf := b.Reserve(batchEvents * bodyBytes)
	for i := range batchEvents {
		copy(buf[i*bodyBytes:], line)
	}
	block := b.Commit(batchEvents * bodyBytes)
	for i := range batchEvents {
		b.AppendLine(block[i*bodyBytes : (i+1)*bodyBytes])
	}
	return r.emitter.Emit(ctx, b)
}

func (r *rig) run(b *testing.B) {
	ctx := b.Context()
	b.ReportAllocs()
	for range b.N / batchEvents {
		if err := r.emit(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemoryToNull: one operation is one event, from the copy out of a read
// buffer to the acknowledgement of the sink's delivery, counters and all.
func BenchmarkMemoryToNull(b *testing.B) { newRig(b).run(b) }

// fileRig has a file channel, which syncs each batch, in a directory that is removed.
func fileRig(tb testing.TB) *rig {
	tb.Helper()
	dir := tb.TempDir()
	return newRigWith(tb, decode[flow.Channel](tb, component.KindChannel, "file", "c1", nil,
		"checkpointDir", filepath.Join(dir, "checkpoint"), "dataDirs", filepath.Join(dir, "data")))
}

// BenchmarkFileToNull is BenchmarkMemoryToNull through a file channel: one source that waits for
// the sync of each batch of batchEvents.
func BenchmarkFileToNull(b *testing.B) { fileRig(b).run(b) }

// BenchmarkThreeInterceptors is the same with timestamp, static and regex_filter
// before the channel; the difference to BenchmarkMemoryToNull is what they add.
func BenchmarkThreeInterceptors(b *testing.B) {
	newRig(b,
		pipeline.NamedInterceptor{Name: "i1", Interceptor: decode[flow.Interceptor](b, component.KindInterceptor, "timestamp", "i1", nil)},
		pipeline.NamedInterceptor{Name: "i2", Interceptor: decode[flow.Interceptor](b, component.KindInterceptor, "static", "i2", nil, "key", "dc", "value", "fra1")},
		pipeline.NamedInterceptor{Name: "i3", Interceptor: decode[flow.Interceptor](b, component.KindInterceptor, "regex_filter", "i3", nil, "regex", `ERROR|FATAL`, "excludeEvents", "true")},
	).run(b)
}

// TestAllocationBudget holds the path from emitter to sink to 0.02 allocations
// per event.
func TestAllocationBudget(t *testing.T) { testAllocations(t, newRig(t), 200, 0.02) }

// TestDurableAllocationBudget holds that through a file channel to 0.15 per event in batches of
// 100: what there is belongs to the batch.
func TestDurableAllocationBudget(t *testing.T) { testAllocations(t, fileRig(t), 20, 0.15) }

func testAllocations(t *testing.T, r *rig, batches int, budget float64) {
	t.Helper()
	if invariants.Enabled {
		t.Log("builds that poison memory never reuse it: nothing to measure")
		return
	}
	allocs := testing.AllocsPerRun(20, func() {
		for range batches {
			if err := r.emit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
	perEvent := allocs / float64(batches*batchEvents)
	t.Logf("%.4f allocations per event", perEvent)
	if perEvent > budget {
		t.Errorf("%.4f allocations per event, the budget is %v", perEvent, budget)
	}
}
