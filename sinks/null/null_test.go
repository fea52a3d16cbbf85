package null

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/property"
)

func build(t *testing.T, props property.Settings, out *bytes.Buffer) flow.Sink {
	t.Helper()
	e, ok := component.Lookup(component.KindSink, "org.apache.flume.sink.NullSink")
	if !ok {
		t.Fatal("null is not registered")
	}
	d := component.Decode(e, props, component.Scope{})
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	if n, _, ok := d.BatchSize(false); !ok || n != 100 {
		t.Errorf("batch size %d, %v", n, ok)
	}
	s, err := component.New[flow.Sink](d, component.Env{Log: slog.New(slog.NewTextHandler(out, nil))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func deliver(t *testing.T, s flow.Sink, n int) {
	t.Helper()
	b := event.NewBatch()
	defer b.Release()
	for range n {
		b.AppendCopy(nil)
	}
	if err := s.Deliver(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

// pass lets time pass in a bubble.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's clock
}

// totals returns what was logged.
func totals(out *bytes.Buffer) string {
	var list []string
	for line := range strings.Lines(out.String()) {
		_, total, _ := strings.Cut(strings.TrimSpace(line), "events=")
		list = append(list, total)
	}
	return strings.Join(list, " ")
}

func TestLogsWhenPassingMultiples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := build(t, property.Settings{"logEveryNEvents": {Text: "10"}}, &out)
		for _, n := range []int{4, 5, 1, 0, 9, 25, 5} {
			deliver(t, s, n)
			pass(pause)
		}
		if got := totals(&out); got != "10 44" {
			t.Errorf("logged at %s, want 10 and 44", got)
		}
	})
}

func TestLogsOncePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := build(t, property.Settings{"logEveryNEvents": {Text: "10"}}, &out)
		for range 2500 { // 100 events each 10 ms
			deliver(t, s, 100)
			pass(pause / 100)
		}
		if got := strings.Fields(totals(&out)); len(got) != 25 || got[0] != "100" || got[1] != "10100" || got[24] != "240100" {
			t.Errorf("logged at %v, want 100 10100 … 240100", got)
		}
		// The end of the flood is told with the next batch, which passes no multiple.
		pass(pause)
		out.Reset()
		deliver(t, s, 1)
		deliver(t, s, 1)
		if got := totals(&out); got != "250001" {
			t.Errorf("logged at %s, want 250001", got)
		}
	})
}

func TestDefaultIsTenThousand(t *testing.T) {
	var out bytes.Buffer
	s := build(t, nil, &out)
	deliver(t, s, 9999)
	if out.Len() > 0 {
		t.Errorf("logged too early: %s", &out)
	}
	deliver(t, s, 1)
	if !strings.Contains(out.String(), "events=10000") {
		t.Errorf("logged %q", &out)
	}
}

func TestBadProperties(t *testing.T) {
	e, _ := component.Lookup(component.KindSink, "null")
	for _, key := range []string{"batchSize", "logEveryNEvents"} {
		d := component.Decode(e, property.Settings{key: {Text: "0"}}, component.Scope{})
		if !d.Failed() {
			t.Errorf("%s = 0 is accepted", key)
		}
	}
}
