package direct

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

func open(t *testing.T, cfg Config) (flow.Channel, *metrics.Set) {
	t.Helper()
	set := metrics.NewSet(metrics.KindChannel, "c1")
	ch, err := New(cfg, component.Env{Name: "c1", Log: slog.New(slog.DiscardHandler), Metrics: set})
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ch.Close(context.Background()) })
	return ch, set
}

// put starts a put of events with these bodies; the channel gets its outcome.
func put(ch flow.Channel, bodies ...string) <-chan error {
	b := event.NewBatch()
	for _, s := range bodies {
		b.AppendCopy([]byte(s))
	}
	done := make(chan error, 1)
	go func() {
		defer b.Release()
		done <- ch.Put(context.Background(), b)
	}()
	synctest.Wait()
	return done
}

func take(t *testing.T, ch flow.Channel, limit int, want ...string) flow.Delivery {
	t.Helper()
	d, err := ch.Take(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	if d.Batch().Len() != len(want) {
		t.Fatalf("took %d events, want %q", d.Batch().Len(), want)
	}
	for i, s := range want {
		if got := string(d.Batch().At(i).Body); got != s {
			t.Fatalf("event %d is %q, want %q", i, got, s)
		}
	}
	return d
}

func settle(t *testing.T, f func() error) {
	t.Helper()
	if err := f(); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// Parts that come back are offered again before what was never offered, and
// before other puts.
func TestPartsComeBackInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, _ := open(t, Config{TransactionCapacity: 100})
		first := put(ch, "a", "b", "c", "d", "e")
		second := put(ch, "f")
		ab, cd := take(t, ch, 2, "a", "b"), take(t, ch, 2, "c", "d")
		settle(t, cd.Nack)
		settle(t, ab.Nack)
		settle(t, take(t, ch, 1, "a").Ack)
		settle(t, take(t, ch, 9, "b").Ack)
		settle(t, take(t, ch, 9, "c", "d").Ack)
		e := take(t, ch, 9, "e")
		settle(t, take(t, ch, 9, "f").Ack)
		if err := <-second; err != nil {
			t.Fatal(err)
		}
		if len(first) > 0 {
			t.Fatalf("the first put returned %v with an event at a sink", <-first)
		}
		settle(t, e.Ack)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
	})
}

func TestOutcomeOfAPutThatGivesUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(t *testing.T, ch flow.Channel)
		want   flow.Class
	}{
		{"nobody came", func(*testing.T, flow.Channel) {}, flow.ClassRetry},
		{"all given back", func(t *testing.T, ch flow.Channel) { settle(t, take(t, ch, 2, "a", "b").Nack) }, flow.ClassRetry},
		{"one with a sink", func(t *testing.T, ch flow.Channel) { take(t, ch, 1, "a") }, flow.ClassUnknown},
		{"one delivered", func(t *testing.T, ch flow.Channel) { settle(t, take(t, ch, 1, "a").Ack) }, flow.ClassUnknown},
		{"one delivered, one with a sink", func(t *testing.T, ch flow.Channel) {
			b := take(t, ch, 1, "a")
			take(t, ch, 1, "b")
			settle(t, b.Ack)
		}, flow.ClassUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ch, _ := open(t, Config{TransactionCapacity: 100, KeepAlive: 5 * time.Second})
				began := time.Now()
				done := put(ch, "a", "b")
				c.before(t, ch)
				err := <-done
				if !errors.Is(err, flow.ErrFull) || flow.ClassOf(err) != c.want {
					t.Errorf("the put returned %v (class %v), want class %v", err, flow.ClassOf(err), c.want)
				}
				if waited := time.Since(began); waited != 5*time.Second {
					t.Errorf("the put waited %v", waited)
				}
			})
		})
	}
}

// A put that is cut off says what was delivered, whatever the order.
func TestAPutThatGivesUpSaysWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, _ := open(t, Config{TransactionCapacity: 100})
		done := put(ch, "a", "b", "c", "d", "e")
		ab, c, d := take(t, ch, 2, "a", "b"), take(t, ch, 1, "c"), take(t, ch, 1, "d")
		settle(t, d.Ack)
		settle(t, ab.Nack)
		settle(t, take(t, ch, 1, "a").Ack)
		if err := ch.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := <-done
		some, ok := errors.AsType[flow.Partial](err)
		if !ok || !errors.Is(err, flow.ErrClosed) {
			t.Fatalf("the put returned %v", err)
		}
		if got, want := some.Missing(), []int{1, 2, 4}; !slices.Equal(got, want) {
			t.Errorf("events %v are said to be missing, want %v", got, want)
		}
		settle(t, c.Ack)
	})
}

// An idle sink waits; puts and takes of several goroutines pair up.
func TestSeveralTakesAndPuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, set := open(t, Config{TransactionCapacity: 100})
		for range 3 {
			go func() {
				for {
					d, err := ch.Take(context.Background(), 10)
					if err != nil {
						return
					}
					if err := d.Ack(); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		var done []<-chan error
		for range 5 {
			done = append(done, put(ch, "x", "y"))
		}
		for _, d := range done {
			if err := <-d; err != nil {
				t.Error(err)
			}
		}
		if got := set.Counter("EventTakeSuccessCount").Value(); got != 10 {
			t.Errorf("EventTakeSuccessCount is %d, want 10", got)
		}
	})
}

func TestStatsOfAPutThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, _ := open(t, Config{TransactionCapacity: 100, KeepAlive: time.Second})
		began := time.Now()
		done := put(ch, "four", "fiver", "sixsix")
		d := take(t, ch, 1, "four")
		<-done
		want := flow.Stats{Events: 1, InFlight: 1, Bytes: 4, Oldest: began}
		if got := ch.Stats(); got != want {
			t.Errorf("with one event at a sink: %+v, want %+v", got, want)
		}
		settle(t, d.Nack)
		if got := ch.Stats(); got != (flow.Stats{}) {
			t.Errorf("after it came back: %+v, want nothing", got)
		}
	})
}

func TestLimits(t *testing.T) {
	ch, _ := open(t, Config{TransactionCapacity: 2})
	b := event.NewBatch()
	defer b.Release()
	for range 3 {
		b.AppendCopy([]byte("x"))
	}
	if err := ch.Put(t.Context(), b); flow.ClassOf(err) != flow.ClassFatal {
		t.Errorf("a put above the transaction capacity returned %v", err)
	}
	if _, err := ch.Take(t.Context(), 0); err == nil {
		t.Error("a take of no events returned nil")
	}
}

func TestDefaults(t *testing.T) {
	e, ok := component.Lookup(component.KindChannel, "direct")
	if !ok {
		t.Fatal("direct is not registered")
	}
	d := component.Decode(e, nil, component.Scope{})
	if want := (Config{TransactionCapacity: 10000}); d.Config != want || d.Failed() {
		t.Errorf("defaults are %+v (%v), want %+v", d.Config, d.Problems, want)
	}
}
