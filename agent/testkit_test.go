package agent

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/flume-go/flume/channels/direct"
	"github.com/flume-go/flume/channels/memory"
	_ "github.com/flume-go/flume/channels/pseudotxn"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	_ "github.com/flume-go/flume/processors/defaultproc"
	_ "github.com/flume-go/flume/processors/failover"
	_ "github.com/flume-go/flume/processors/loadbalance"
	"github.com/flume-go/flume/property"
	_ "github.com/flume-go/flume/selectors/loadbalancing"
	_ "github.com/flume-go/flume/selectors/replicating"
	_ "github.com/flume-go/flume/sources/netcat"
)

// Components for tests: a source that emits what a test hands it, a sink that
// collects, an interceptor that marks. All instances of one bench share it.

func init() {
	component.RegisterSource(component.Info{Type: "testsource"}, func(cfg sourceConfig, env component.Env) (flow.Source, error) {
		if cfg.Knob == "unbuildable" {
			return nil, errors.New("this knob cannot be built")
		}
		return &testSource{benches.get(cfg.Bench)}, nil
	})
	component.RegisterSink(component.Info{Type: "testsink"}, func(cfg sinkConfig, env component.Env) (flow.Sink, error) {
		return &testSink{name: env.Name, bench: benches.get(cfg.Bench), cfg: cfg}, nil
	})
	component.RegisterChannel(component.Info{Type: "testgate"}, func(cfg gateConfig, env component.Env) (flow.Channel, error) {
		inner, err := memory.New(memory.Config{Capacity: cfg.Capacity, TransactionCapacity: cfg.Transaction, KeepAlive: cfg.KeepAlive}, env)
		return &gateChannel{Channel: inner, bench: benches.get(cfg.Bench)}, err
	})
	component.RegisterInterceptor(component.Info{Type: "testmark"}, func(cfg markConfig, _ component.Env) (flow.Interceptor, error) {
		return markInterceptor{cfg.Value}, nil
	})
}

type sourceConfig struct {
	Bench string `flume:"bench,required" doc:"The bench."`
	Knob  string `flume:"knob" doc:"Any value; a change restarts the source."`
}

type sinkConfig struct {
	Bench  string        `flume:"bench,required" doc:"The bench."`
	Batch  int           `flume:"batchSize,batch" default:"10" doc:"Batch size."`
	Fail   int           `flume:"fail" default:"0" doc:"Fail every so many deliveries."`
	Reject int           `flume:"reject" default:"0" doc:"Reject for good one of so many events; 0: none."`
	Stuck  bool          `flume:"stuck" default:"false" doc:"Never deliver."`
	After  int           `flume:"after" default:"0" doc:"Deliver this many batches before getting stuck."`
	Hang   bool          `flume:"hang" default:"false" doc:"Deliver nothing until cancelled."`
	Slow   time.Duration `flume:"slow" unit:"ms" default:"0" doc:"Time of a delivery."`
}

type gateConfig struct {
	Bench       string        `flume:"bench,required" doc:"The bench."`
	Capacity    int           `flume:"capacity" default:"100" doc:"Most events."`
	Transaction int           `flume:"transactionCapacity,transaction" default:"100" doc:"Most events of a transaction."`
	KeepAlive   time.Duration `flume:"keep-alive" unit:"s" default:"3" doc:"How long a put waits."`
}

// gateChannel is a memory channel that can be opened only while its bench lets it.
type gateChannel struct {
	flow.Channel
	bench *bench
}

var errShut = errors.New("the gate is shut")

func (c *gateChannel) Open(ctx context.Context) error {
	if c.bench.shut.Load() {
		return errShut
	}
	return c.Channel.Open(ctx)
}

func (c *gateChannel) Inherit(old flow.Channel) error {
	return c.Channel.(flow.Heir).Inherit(old.(*gateChannel).Channel)
}

func (c *gateChannel) Volatile() bool { return true }

func (c *gateChannel) Stats() flow.Stats {
	s := c.Channel.Stats()
	if c.bench.refuses.Load() {
		s.Refuses = errNoRoom
	}
	return s
}

var errNoRoom = errors.New("there is no room")

type markConfig struct {
	Value string `flume:"value" doc:"Value of the header mark."`
}

type markInterceptor struct{ value string }

func (m markInterceptor) Intercept(b *event.Batch) error {
	for i := range b.Events() {
		b.SetHeader(b.At(i), "mark", m.value)
	}
	return nil
}

// bench is what the components of one test share.
type bench struct {
	in chan string // batches for the test sources: bodies with spaces between them

	mu        sync.Mutex
	delivered map[string][]visit
	starts    int // of test sources
	sinks     int // that are open

	shut    atomic.Bool  // gates of test channels
	refuses atomic.Bool  // test channels say that they refuse puts
	reload  atomic.Int64 // the number of the present one, for visits
}

// visit is one delivery of an event.
type visit struct {
	sink   string
	reload int64 // the latest that had begun
}

var benches = benchRegistry{byName: map[string]*bench{}}

type benchRegistry struct {
	mu     sync.Mutex
	byName map[string]*bench
}

func (r *benchRegistry) get(name string) *bench {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.byName[name]
	if b == nil {
		b = &bench{in: make(chan string), delivered: map[string][]visit{}}
		r.byName[name] = b
	}
	return b
}

func (b *bench) count(body string) int { return len(b.visits(body)) }

// visits returns the deliveries of one event.
func (b *bench) visits(body string) []visit {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.delivered[body]
}

func (b *bench) total() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.delivered)
}

type testSource struct{ bench *bench }

func (s *testSource) Run(ctx context.Context, out flow.Emitter) error {
	s.bench.mu.Lock()
	s.bench.starts++
	s.bench.mu.Unlock()
	for {
		select {
		case body := <-s.bench.in:
			b := event.NewBatch()
			for word := range strings.FieldsSeq(body) {
				b.AppendCopy([]byte(word))
			}
			err := flow.EmitUntilStored(ctx, out, b, nil)
			b.Release()
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

type testSink struct {
	name  string
	bench *bench
	cfg   sinkConfig
	calls int
}

func (s *testSink) Open(context.Context) error { return s.bench.open(1) }

func (s *testSink) Close(context.Context) error { return s.bench.open(-1) }

func (b *bench) open(sinks int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sinks += sinks
	return nil
}

// working returns how many sources were started, and how many sinks are open.
func (b *bench) working() (starts, sinks int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.starts, b.sinks
}

func (s *testSink) Deliver(ctx context.Context, b *event.Batch) error {
	s.calls++
	if s.cfg.Hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if s.cfg.Stuck && s.calls > s.cfg.After {
		return errors.New("stuck")
	}
	if s.cfg.Fail > 0 && s.calls%s.cfg.Fail == 0 {
		return errors.New("scripted failure")
	}
	if s.cfg.Slow > 0 && !flow.Sleep(ctx, s.cfg.Slow) {
		return ctx.Err()
	}
	s.bench.mu.Lock()
	defer s.bench.mu.Unlock()
	var rejected []int
	for i := range b.Events() {
		body := b.At(i).Body
		if s.cfg.Reject > 0 && int(crc32.ChecksumIEEE(body))%s.cfg.Reject == 0 {
			rejected = append(rejected, i)
			continue
		}
		s.bench.delivered[string(body)] = append(s.bench.delivered[string(body)], visit{s.name, s.bench.reload.Load()})
	}
	if rejected != nil {
		return flow.Reject(errors.New("scripted rejection"), rejected...)
	}
	return nil
}

// topologyOf reads a configuration text.
func topologyText(t *testing.T, text string) *config.Topology {
	t.Helper()
	spec := parse(t, text)
	if spec.Problems.HasErrors() {
		t.Fatal(spec.Problems)
	}
	return spec
}

func parse(t *testing.T, text string) *config.Topology {
	t.Helper()
	entries, problems := property.Read("test.conf", []byte(text))
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	var props load.Properties
	for _, e := range entries {
		e = e.Trimmed()
		props.Set(e.Key, e.Value)
	}
	return config.Build(config.NewModel(&props), "a1", false)
}

// newAgent returns an agent that is stopped at the end of the test.
func newAgent(t *testing.T, limit time.Duration) *Agent {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("FLUME_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	a := New(Options{Name: "a1", Log: log, FS: vfs.OS{}, StopLimit: limit})
	t.Cleanup(func() { _ = a.Stop(context.Background()) })
	return a
}

func start(t *testing.T, a *Agent, text string) {
	t.Helper()
	if err := a.Start(t.Context(), topologyText(t, text)); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition with a generous limit.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !ok() {
		if !flow.Sleep(ctx, 2*time.Millisecond) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// simple is a configuration of one source, one channel and one sink.
func simple(bench string, more ...string) string {
	return fmt.Sprintf(`
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = testsource
a1.sources.r1.bench = %[1]s
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = testsink
a1.sinks.k1.bench = %[1]s
a1.sinks.k1.channel = c1
%[2]s
`, bench, strings.Join(more, "\n"))
}
