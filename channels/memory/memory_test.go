package memory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

func decode(t testing.TB, settings map[string]string) *component.Decoded {
	t.Helper()
	e, ok := component.Lookup(component.KindChannel, "org.apache.flume.channel.MemoryChannel")
	if !ok {
		t.Fatal("the class name is not registered")
	}
	given := property.Settings{}
	line := 0
	for k, v := range settings {
		line++
		given[k] = property.Value{Text: v, Raw: v, At: property.Position{File: "a.conf", Line: line, Col: 1}}
	}
	return component.Decode(e, given, component.Scope{Prefix: "a1.channels.c1."})
}

// open opens a channel of these properties; it is closed at the end of the test.
func open(t testing.TB, settings map[string]string) (flow.Channel, *metrics.Set) {
	t.Helper()
	d := decode(t, settings)
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	set := metrics.NewSet(metrics.KindChannel, "c1")
	env := component.Env{Name: "c1", Log: slog.New(slog.DiscardHandler), Metrics: set, FS: vfs.NewMem(1)}
	ch, err := component.New[flow.Channel](d, env, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ch.Close(context.Background()) })
	return ch, set
}

func put(ch flow.Channel, sizes ...int) error {
	b := event.NewBatch()
	defer b.Release()
	for _, n := range sizes {
		b.AppendCopy(make([]byte, n))
	}
	return ch.Put(context.Background(), b)
}

func takeAll(t *testing.T, ch flow.Channel, limit int) {
	t.Helper()
	d, err := ch.Take(context.Background(), limit)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Ack(); err != nil {
		t.Fatal(err)
	}
}

func TestValueRules(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings map[string]string
		want     Config
		warnings int
	}{
		{"defaults", nil, Config{Capacity: 100, TransactionCapacity: 100, KeepAlive: 3 * time.Second, BufferPercentage: 20}, 0},
		{"bad values are replaced, as in Flume",
			map[string]string{"capacity": "many", "transactionCapacity": "-1", "keep-alive": "3s", "byteCapacityBufferPercentage": "a fifth"},
			Config{Capacity: 100, TransactionCapacity: 100, KeepAlive: 3 * time.Second, BufferPercentage: 20}, 4},
		{"no Java int", map[string]string{"capacity": "2147483648"},
			Config{Capacity: 100, TransactionCapacity: 100, KeepAlive: 3 * time.Second, BufferPercentage: 20}, 1},
		{"all of the memory for headers", map[string]string{"byteCapacityBufferPercentage": "100"},
			Config{Capacity: 100, TransactionCapacity: 100, KeepAlive: 3 * time.Second, BufferPercentage: 100}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := decode(t, c.settings)
			if d.Config != c.want {
				t.Errorf("decoded to %+v, want %+v", d.Config, c.want)
			}
			if d.Failed() || len(d.Problems) != c.warnings {
				t.Errorf("want %d warnings, got: %v", c.warnings, d.Problems)
			}
		})
	}
}

func TestTransactionMustFitIntoCapacity(t *testing.T) {
	for _, c := range []struct {
		settings map[string]string
		key      string
	}{
		{map[string]string{"capacity": "50"}, "capacity"},
		{map[string]string{"transactionCapacity": "1000"}, "transactionCapacity"},
		{map[string]string{"capacity": "10", "transactionCapacity": "11"}, "transactionCapacity"},
	} {
		d := decode(t, c.settings)
		if len(d.Problems) != 1 || !d.Failed() {
			t.Fatalf("%v: want one error, got %v", c.settings, d.Problems)
		}
		p := d.Problems[0]
		if p.Key != "a1.channels.c1."+c.key || p.At.Line == 0 || p.Remedy == "" {
			t.Errorf("%v: the problem does not point at %s or has no remedy: %s", c.settings, c.key, p)
		}
	}
}

func TestSlots(t *testing.T) {
	for _, c := range []struct {
		bytes      int64
		percentage int
		want       int64
	}{
		{2000, 20, 16},
		{1000, 0, 10},
		{1099, 0, 10},
		{124, 20, math.MaxInt32}, // not one slot: no limit
		{125, 20, 1},
		{0, 20, math.MaxInt32},
		{-1, 20, math.MaxInt32},
		{1000, 100, math.MaxInt32},
		{1000, 150, math.MaxInt32},
		{math.MaxInt64, 20, math.MaxInt32},
		{1000, -50, 15},
	} {
		if got := slots(c.bytes, c.percentage); got != c.want {
			t.Errorf("slots(%d, %d) = %d, want %d", c.bytes, c.percentage, got, c.want)
		}
	}
}

// The body of each event takes up whole slots of 100 bytes, an empty one one.
func TestBytesAreCountedInSlots(t *testing.T) {
	for _, c := range []struct {
		size, fit int
	}{{0, 16}, {1, 16}, {100, 16}, {101, 8}, {405, 3}, {1600, 1}} {
		t.Run(fmt.Sprint(c.size), func(t *testing.T) {
			ch, _ := open(t, map[string]string{"byteCapacity": "2000", "keep-alive": "0"})
			for i := range c.fit {
				if err := put(ch, c.size); err != nil {
					t.Fatalf("event %d of %d: %v", i+1, c.fit, err)
				}
			}
			err := put(ch, c.size)
			if !errors.Is(err, flow.ErrFull) || !strings.Contains(err.Error(), "bytes are in use") {
				t.Errorf("one more returned %v", err)
			}
			takeAll(t, ch, 1)
			if err := put(ch, c.size); err != nil {
				t.Errorf("after an acknowledgement: %v", err)
			}
		})
	}
}

func TestFullNamesWhatIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, _ := open(t, map[string]string{"capacity": "4", "transactionCapacity": "4"})
		if err := put(ch, 1, 1, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := ch.Take(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		err := put(ch, 1, 1)
		want := "storing 2 events: channel is full after waiting 3s: 3 of 4 events are in use, 2 of them by sinks; make sinks faster or the capacity larger"
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})
}

// A batch above the byte limit is in memory already: the empty channel takes it.
func TestBatchAboveTheByteLimitIsStoredAlone(t *testing.T) {
	ch, _ := open(t, map[string]string{"byteCapacity": "1000", "byteCapacityBufferPercentage": "0", "keep-alive": "0"})
	if err := put(ch, 600, 600); err != nil {
		t.Fatalf("the channel is empty: %v", err)
	}
	if err := put(ch, 1); !errors.Is(err, flow.ErrFull) {
		t.Errorf("the channel holds more than its limit, a put returned %v", err)
	}
	takeAll(t, ch, 1)
	if err := put(ch, 5000); !errors.Is(err, flow.ErrFull) {
		t.Errorf("the channel is not empty, a put of 5000 bytes returned %v", err)
	}
	takeAll(t, ch, 1)
	if err := put(ch, 5000); err != nil {
		t.Errorf("the channel is empty again: %v", err)
	}
}

func TestTooLargeForATransactionIsFatal(t *testing.T) {
	ch, _ := open(t, map[string]string{"transactionCapacity": "2"})
	err := put(ch, 1, 1, 1)
	if flow.ClassOf(err) != flow.ClassFatal || !strings.Contains(err.Error(), "transaction capacity of 2") {
		t.Errorf("a put of 3 events returned %v (class %v)", err, flow.ClassOf(err))
	}
}

func TestTakeIsBoundedByTheTransaction(t *testing.T) {
	ch, _ := open(t, map[string]string{"transactionCapacity": "2"})
	for range 3 {
		if err := put(ch, 1); err != nil {
			t.Fatal(err)
		}
	}
	d, err := ch.Take(t.Context(), 100)
	if err != nil || d.Batch().Len() != 2 {
		t.Fatalf("took %v, %v; want 2 events", d, err)
	}
	if err := d.Ack(); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Take(t.Context(), 0); err == nil {
		t.Error("a take of no events returned nil")
	}
}

func TestDefaultByteCapacityFollowsTheHeap(t *testing.T) {
	t.Setenv("FLUME_MAX_HEAP", "12500") // × 0.8 × 0.8 = 80 slots
	ch, _ := open(t, map[string]string{"keep-alive": "0"})
	if err := put(ch, 8000); err != nil {
		t.Fatal(err)
	}
	if err := put(ch, 1); !errors.Is(err, flow.ErrFull) || !strings.Contains(err.Error(), "8000 of 8000 bytes") {
		t.Errorf("the 81st slot: %v", err)
	}
}

func TestBadHeapIsToldAtOpen(t *testing.T) {
	t.Setenv("FLUME_MAX_HEAP", "2g")
	ch, err := New(decode(t, nil).Config.(Config), component.Env{
		Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindChannel, "c1"), FS: vfs.NewMem(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "FLUME_MAX_HEAP") {
		t.Errorf("Open returned %v", err)
	}
}

func TestDefaultByteCapacityWithoutTheVariable(t *testing.T) {
	t.Setenv("FLUME_MAX_HEAP", "")
	fs := vfs.NewMem(1)
	if err := fs.MkdirAll("/proc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := vfs.ReplaceFile(fs, path.Join("/proc", "meminfo"), []byte("MemTotal: 50 kB\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ch, err := New(decode(t, map[string]string{"keep-alive": "0"}).Config.(Config), component.Env{
		Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindChannel, "c1"), FS: fs,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A quarter of 51,200 bytes × 0.8 × 0.8: 81 slots.
	if err := put(ch, 8100); err != nil {
		t.Fatal(err)
	}
	if err := put(ch, 1); !errors.Is(err, flow.ErrFull) || !strings.Contains(err.Error(), "of 8100 bytes") {
		t.Errorf("the 82nd slot: %v", err)
	}
}

// ChannelSize is the queue without what sinks have taken, as of the last commit
// or rollback; the fill percentage follows from it.
func TestSizeIsThatOfTheQueue(t *testing.T) {
	ch, set := open(t, map[string]string{"capacity": "6", "transactionCapacity": "3"})
	check := func(when string, size int64, fill string) {
		t.Helper()
		if got := set.Gauge("ChannelSize").Value(); got != size {
			t.Errorf("%s: ChannelSize %d, want %d", when, got, size)
		}
		for _, m := range set.Metrics() {
			if m.Name == "ChannelFillPercentage" && m.Text() != fill {
				t.Errorf("%s: ChannelFillPercentage %s, want %s", when, m.Text(), fill)
			}
		}
	}
	if got := set.Gauge("ChannelCapacity").Value(); got != 6 {
		t.Errorf("ChannelCapacity %d, want 6", got)
	}
	check("empty", 0, "0.0")
	if err := put(ch, 1, 1, 1); err != nil {
		t.Fatal(err)
	}
	check("three put", 3, "50.0")
	d, err := ch.Take(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	check("one taken", 3, "50.0")
	if err := put(ch, 1); err != nil {
		t.Fatal(err)
	}
	check("and another put", 3, "50.0")
	if err := d.Nack(); err != nil {
		t.Fatal(err)
	}
	check("and the one given back", 4, "66.66666666666666")
	takeAll(t, ch, 3)
	check("three delivered", 1, "16.666666666666664")
}

func TestTakeAttemptsCountTheMissingEvent(t *testing.T) {
	ch, set := open(t, nil)
	attempts := set.Counter("EventTakeAttemptCount")
	if err := put(ch, 1, 1, 1); err != nil {
		t.Fatal(err)
	}
	takeAll(t, ch, 2)
	if got := attempts.Value(); got != 2 {
		t.Errorf("two asked for, two given: %d attempts", got)
	}
	takeAll(t, ch, 2)
	if got := attempts.Value(); got != 4 {
		t.Errorf("two asked for, one given: %d attempts, want 2 more", got-2)
	}
}

func TestOwnGauges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, set := open(t, nil)
		value := func(name string) float64 {
			for _, m := range set.Metrics() {
				if m.Name == name {
					return m.Number()
				}
			}
			t.Fatalf("no metric %s", name)
			return 0
		}
		if bytes, age := value("bytes"), value("oldest_age_seconds"); bytes != 0 || age != 0 {
			t.Errorf("empty: %g bytes, %g s", bytes, age)
		}
		if err := put(ch, 250, 3); err != nil {
			t.Fatal(err)
		}
		<-time.After(7 * time.Second)
		if bytes, age := value("bytes"), value("oldest_age_seconds"); bytes != 253 || age != 7 {
			t.Errorf("7 s after a put: %g bytes, %g s", bytes, age)
		}
	})
}
