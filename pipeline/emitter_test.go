package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

func TestEmitStoresInOrderAndCounts(t *testing.T) {
	ch := memory(t)
	drop := interceptFunc(func(b *event.Batch) error {
		b.Filter(func(e *event.Event) bool { return string(e.Body) != "1" })
		return nil
	})
	e, set := newEmitter(t, Route{
		Interceptors: []NamedInterceptor{{"i1", drop}}, Selector: toAll{}, Branches: []Branch{branch("c", ch, 100)},
	})
	if err := emit(t, e, "0", "1", "2"); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, ch); !slices.Equal(got, []string{"0", "2"}) {
		t.Errorf("stored %v", got)
	}
	for name, want := range map[string]int64{"EventReceivedCount": 3, "EventAcceptedCount": 3, "ChannelWriteFail": 0} {
		if got := set.Counter(name).Value(); got != want {
			t.Errorf("%s = %d, want %d (what interceptors drop counts as accepted)", name, got, want)
		}
	}
}

func TestEmitCutsBatchesToTheSmallestTransaction(t *testing.T) {
	a, b := memory(t, "capacity", "1000"), memory(t, "capacity", "1000", "transactionCapacity", "7")
	e, _ := newEmitter(t, Route{Selector: toAll{}, Branches: []Branch{branch("a", a, 100), branch("b", b, 7)}})
	want := numbers(50)
	if err := emit(t, e, want...); err != nil {
		t.Fatal(err)
	}
	for name, ch := range map[string]flow.Channel{"a": a, "b": b} {
		if got := contents(t, ch); !slices.Equal(got, want) {
			t.Errorf("channel %s holds %v", name, got)
		}
	}
}

func TestEmitGivesEachChannelItsShare(t *testing.T) {
	a, b := memory(t), memory(t)
	e, _ := newEmitter(t, Route{Selector: byFirstByte{}, Branches: []Branch{branch("a", a, 100), branch("b", b, 100)}})
	if err := emit(t, e, "0a", "0b", "1a", "0c", "1b"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(contents(t, a), " "); got != "0a 0b 0c" {
		t.Errorf("first channel holds %s", got)
	}
	if got := strings.Join(contents(t, b), " "); got != "1a 1b" {
		t.Errorf("second channel holds %s", got)
	}
}

func TestFullSecondChannelLeavesNothingInTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memory(t, "capacity", "1000"), memory(t, "capacity", "2", "transactionCapacity", "2")
		// The same order in every emit: whichever is reserved first, the other is the full one.
		for _, order := range [][]Branch{{branch("a", a, 0), branch("b", b, 0)}, {branch("b", b, 0), branch("a", a, 0)}} {
			e, _ := newEmitter(t, Route{Selector: toAll{}, Branches: order})
			if err := b.Put(t.Context(), batchOf("x", "y")); err != nil {
				t.Fatal(err)
			}
			err := emit(t, e, "1", "2")
			if !errors.Is(err, flow.ErrFull) || !strings.Contains(err.Error(), "channel b") {
				t.Errorf("error %v; want ErrFull that names channel b", err)
			}
			if n := a.Stats().Events; n != 0 {
				t.Errorf("channel a holds %d events of a batch that failed", n)
			}
			contents(t, b)
		}
	})
}

func TestSameBatchAgainGoesPastTheInterceptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := memory(t, "capacity", "1", "transactionCapacity", "1")
		seen := 0
		e, set := newEmitter(t, Route{
			Interceptors: []NamedInterceptor{{"i", interceptFunc(func(*event.Batch) error { seen++; return nil })}},
			Selector:     toAll{}, Branches: []Branch{branch("c", ch, 1)},
		})
		if err := emit(t, e, "filler"); err != nil {
			t.Fatal(err)
		}
		b := batchOf("x")
		defer b.Release()
		if err := e.Emit(t.Context(), b); !errors.Is(err, flow.ErrFull) {
			t.Fatalf("error %v, want ErrFull", err)
		}
		contents(t, ch)
		if err := e.Emit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if seen != 2 {
			t.Errorf("the interceptor saw %d batches, want filler and x once each", seen)
		}
		if got := set.Counter("EventReceivedCount").Value(); got != 2 {
			t.Errorf("EventReceivedCount %d, want 2: a second try receives nothing", got)
		}
	})
}

func TestEmitPartSaysHowFarItCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := memory(t, "capacity", "5", "transactionCapacity", "2")
		b := memory(t, "capacity", "100")
		e, set := newEmitter(t, Route{Selector: toAll{}, Branches: []Branch{branch("a", a, 2), branch("b", b, 0)}})
		batch := batchOf(numbers(9)...)
		defer batch.Release()
		stored, err := e.EmitPart(t.Context(), batch)
		if !errors.Is(err, flow.ErrFull) || stored != 4 {
			t.Errorf("stored %d, error %v; want 4 and ErrFull", stored, err)
		}
		for name, ch := range map[string]flow.Channel{"a": a, "b": b} {
			if got := contents(t, ch); !slices.Equal(got, numbers(4)) {
				t.Errorf("channel %s holds %v", name, got)
			}
		}
		if got := set.Counter("EventAcceptedCount").Value(); got != 4 {
			t.Errorf("EventAcceptedCount %d", got)
		}
	})
}

func TestOptionalChannelIsNeitherWaitedForNorFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memory(t), memory(t, "capacity", "1", "transactionCapacity", "1")
		e, set := newEmitter(t, Route{Selector: toAll{optional: []int{1}}, Branches: []Branch{branch("a", a, 0), branch("b", b, 0)}})
		start := time.Now()
		for _, body := range []string{"1", "2"} {
			if err := emit(t, e, body); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v for an optional channel", waited)
		}
		if a, b := a.Stats().Events, b.Stats().Events; a != 2 || b != 1 {
			t.Errorf("required holds %d, optional %d", a, b)
		}
		if got := set.OwnCounter("optional_events_refused", "").Value(); got != 1 {
			t.Errorf("%d refusals counted", got)
		}
	})
}

func TestEndedContextStoresWhatFits(t *testing.T) {
	ch := memory(t, "capacity", "1", "transactionCapacity", "1")
	e, _ := newEmitter(t, Route{Selector: toAll{}, Branches: []Branch{branch("c", ch, 1)}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := batchOf("x")
	defer b.Release()
	if err := e.Emit(ctx, b); err != nil {
		t.Errorf("a stopping source could not get rid of its batch: %v", err)
	}
	c := batchOf("y")
	defer c.Release()
	if err := e.Emit(ctx, c); err == nil {
		t.Error("a batch was accepted by a full channel")
	}
}

func TestInterceptorFailureNamesIt(t *testing.T) {
	ch := memory(t)
	for name, f := range map[string]interceptFunc{
		"error": func(*event.Batch) error { return errScripted },
		"panic": func(*event.Batch) error { panic("boom") },
	} {
		e, _ := newEmitter(t, Route{
			Interceptors: []NamedInterceptor{{"i7", f}}, Selector: toAll{}, Branches: []Branch{branch("c", ch, 0)},
		})
		err := emit(t, e, "x")
		if err == nil || (name == "error" && !strings.Contains(err.Error(), "i7")) {
			t.Errorf("%s: error %v", name, err)
		}
		if ch.Stats().Events != 0 {
			t.Errorf("%s: events of a failed batch are stored", name)
		}
	}
}

// TestRoutesChangeUnderLoad emits from many goroutines while the route changes
// and the channel is replaced: nothing is lost, doubled or stored unintercepted.
func TestRoutesChangeUnderLoad(t *testing.T) {
	const producers, each = 8, 200
	mark := func(version int) NamedInterceptor {
		value := fmt.Sprint("v", version)
		return NamedInterceptor{"mark", interceptFunc(func(b *event.Batch) error {
			for i := range b.Events() {
				b.SetHeader(b.At(i), "version", value)
			}
			return nil
		})}
	}
	ch := memory(t, "capacity", "50", "transactionCapacity", "10", "keep-alive", "30")
	e, _ := newEmitter(t, Route{Interceptors: []NamedInterceptor{mark(0)}, Selector: toAll{}, Branches: []Branch{branch("c", ch, 10)}})

	var mu sync.Mutex
	seen := map[string]int{}
	takeAll := func(ctx context.Context, ch flow.Channel) {
		for {
			d, err := ch.Take(ctx, 20)
			if err != nil {
				return
			}
			mu.Lock()
			for _, ev := range d.Batch().Events() {
				if _, ok := ev.Header("version"); !ok {
					t.Error("an event was stored without passing the interceptor")
				}
				seen[string(ev.Body)]++
			}
			mu.Unlock()
			if err := d.Ack(); err != nil {
				t.Error(err)
			}
		}
	}
	var emitting, taking sync.WaitGroup
	takeCtx, stopTaking := context.WithCancel(t.Context())
	taking.Go(func() { takeAll(takeCtx, ch) })
	for p := range producers {
		emitting.Go(func() {
			for i := range each {
				if err := emit(t, e, fmt.Sprintf("%d-%d-a", p, i), fmt.Sprintf("%d-%d-b", p, i)); err != nil {
					t.Errorf("emit: %v", err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { emitting.Wait(); close(done) }()
	for version := 1; ; version++ {
		select {
		case <-done:
			stopTaking()
			taking.Wait()
			takeRest(t, ch, seen)
			if want := producers * each * 2; len(seen) != want {
				t.Errorf("%d different events arrived, want %d", len(seen), want)
			}
			for body, n := range seen {
				if n != 1 {
					t.Errorf("event %s arrived %d times", body, n)
				}
			}
			return
		default:
		}
		if version%2 == 0 {
			if err := e.Install(t.Context(), Route{Interceptors: []NamedInterceptor{mark(version)}, Selector: toAll{}, Branches: []Branch{branch("c", ch, 10)}}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		// Replace the channel as a reload does.
		held := e.Hold()
		stopTaking()
		taking.Wait()
		if err := ch.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := held.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := held.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := memory(t, "capacity", "50", "transactionCapacity", "10", "keep-alive", "30")
		if err := next.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := next.(flow.Heir).Inherit(ch); err != nil {
			t.Fatal(err)
		}
		if err := next.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		ch = next
		takeCtx, stopTaking = context.WithCancel(t.Context()) //nolint:fatcontext // of the test each time
		ctx, current := takeCtx, ch
		taking.Go(func() { takeAll(ctx, current) })
		if err := e.Install(t.Context(), Route{Interceptors: []NamedInterceptor{mark(version)}, Selector: toAll{}, Branches: []Branch{branch("c", ch, 10)}}); err != nil {
			t.Fatal(err)
		}
	}
}

func takeRest(t *testing.T, ch flow.Channel, seen map[string]int) {
	t.Helper()
	for _, body := range contents(t, ch) {
		seen[body]++
	}
}
