package pseudotxn

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

func decode(t *testing.T, settings property.Settings) *component.Decoded {
	t.Helper()
	e, ok := component.Lookup(component.KindChannel, "org.apache.flume.channel.PseudoTxnMemoryChannel")
	if !ok {
		t.Fatal("the class name is not registered")
	}
	return component.Decode(e, settings, component.Scope{Prefix: "a1.channels.c1."})
}

func open(t *testing.T, settings property.Settings) (flow.Channel, *metrics.Set) {
	t.Helper()
	set := metrics.NewSet(metrics.KindChannel, "c1")
	ch, err := component.New[flow.Channel](decode(t, settings), component.Env{Log: slog.New(slog.DiscardHandler), Metrics: set}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ch.Close(context.Background()) })
	return ch, set
}

func put(ch flow.Channel, n int) error {
	b := event.NewBatch()
	defer b.Release()
	for range n {
		b.AppendCopy([]byte("x"))
	}
	return ch.Put(context.Background(), b)
}

func TestDefaultsAndUselessProperty(t *testing.T) {
	if d := decode(t, nil); d.Config != (Config{Capacity: 50, KeepAlive: 3 * time.Second}) || len(d.Problems) > 0 {
		t.Errorf("defaults are %+v (%v)", d.Config, d.Problems)
	}
	d := decode(t, property.Settings{"keep-alive": {Text: "5"}})
	if len(d.Problems) != 1 || d.Problems[0].Severity != property.Advice {
		t.Errorf("keep-alive is not said to have no effect: %v", d.Problems)
	}
}

// A put waits for as long as it takes.
func TestPutWaitsWithoutLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, _ := open(t, nil)
		if err := put(ch, 50); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- put(ch, 1) }()
		<-time.After(1000 * time.Hour)
		if len(done) > 0 {
			t.Fatalf("after 1000 hours the put returned %v", <-done)
		}
		d, err := ch.Take(t.Context(), 50)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Ack(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

// Sources do not cut their batches for this channel: it takes larger ones, one
// at a time.
func TestBatchLargerThanTheChannel(t *testing.T) {
	ch, _ := open(t, property.Settings{"capacity": {Text: "10"}})
	if err := put(ch, 100); err != nil {
		t.Fatal(err)
	}
	d, err := ch.Take(t.Context(), 1000)
	if err != nil || d.Batch().Len() != 100 {
		t.Fatalf("took %v, %v; want 100 events", d, err)
	}
}

func TestMetricsAreFlumes(t *testing.T) {
	ch, set := open(t, nil)
	if err := put(ch, 2); err != nil {
		t.Fatal(err)
	}
	if size, capacity := set.Gauge("ChannelSize").Value(), set.Gauge("ChannelCapacity").Value(); size != 2 || capacity != 0 {
		t.Errorf("ChannelSize %d, ChannelCapacity %d; want 2 and, as in Flume, 0", size, capacity)
	}
}
