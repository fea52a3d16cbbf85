package queue

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/channels/internal/counters"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

func open(t testing.TB, l Limits) *Queue {
	t.Helper()
	q := New(counters.New(metrics.NewSet(metrics.KindChannel, "c1")), l.Events)
	q.Open(l)
	t.Cleanup(q.Close)
	return q
}

func batch(n int) *event.Batch {
	b := event.NewBatch()
	for range n {
		b.AppendCopy([]byte("body"))
	}
	return b
}

// put starts a put of n events; the channel gets its outcome.
func put(q *Queue, n int) <-chan error {
	done := make(chan error, 1)
	b := batch(n)
	go func() {
		defer b.Release()
		done <- q.Put(context.Background(), b)
	}()
	synctest.Wait()
	return done
}

func take(t *testing.T, q *Queue, n int) flow.Delivery {
	t.Helper()
	d, err := q.Take(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if d.Batch().Len() != n {
		t.Fatalf("took %d events, want %d", d.Batch().Len(), n)
	}
	return d
}

func ack(t *testing.T, d flow.Delivery) {
	t.Helper()
	if err := d.Ack(); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// A large put that waits is not overtaken by small ones that would fit.
func TestPutsAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, Limits{Events: 10, Wait: -1})
		if err := <-put(q, 8); err != nil {
			t.Fatal(err)
		}
		large := put(q, 9)
		small := put(q, 1)
		if len(small) > 0 {
			t.Fatalf("the small put overtook the large one: %v", <-small)
		}
		ack(t, take(t, q, 6))
		if len(small)+len(large) > 0 {
			t.Fatal("8 places are free: neither may the large put be served nor the small one overtake it")
		}
		ack(t, take(t, q, 1))
		if len(large) != 1 || len(small) != 0 {
			t.Fatal("9 places are free: it is the large put's turn, and only its")
		}
		ack(t, take(t, q, 1))
		if len(small) != 1 {
			t.Fatal("one place is free and the small put still waits")
		}
	})
}

// When the first in line gives up, those behind it that fit go on at once.
func TestThoseBehindOneThatGivesUpGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, Limits{Events: 10, Wait: 3 * time.Second})
		if err := <-put(q, 8); err != nil {
			t.Fatal(err)
		}
		large := put(q, 9)
		<-time.After(time.Second)
		small := put(q, 1)
		if err := <-large; !errors.Is(err, flow.ErrFull) {
			t.Fatalf("the large put returned %v", err)
		}
		synctest.Wait()
		if len(small) == 0 {
			t.Fatal("the small put still waits")
		}
		if err := <-small; err != nil {
			t.Fatal(err)
		}
	})
}

func TestNotInTurnIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, Limits{Events: 10, Wait: 3 * time.Second})
		if err := <-put(q, 8); err != nil {
			t.Fatal(err)
		}
		first := put(q, 9)
		second := put(q, 9)
		q.mu.Lock()
		err := q.full(usage{events: 1}, true)
		q.mu.Unlock()
		if want := "channel is full after waiting 3s: larger puts wait for space before this one; make sinks faster or the capacity larger"; err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		for _, p := range []<-chan error{first, second} {
			if err := <-p; !errors.Is(err, flow.ErrFull) {
				t.Errorf("a put that waited in vain returned %v", err)
			}
		}
	})
}

// Each of several takes that wait gets an event when several are put at once.
func TestAllTakesWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, Limits{Events: 10, Wait: -1})
		got := make(chan int, 3)
		for range 3 {
			go func() {
				d, err := q.Take(context.Background(), 1)
				if err != nil {
					got <- 0
					return
				}
				got <- d.Batch().Len()
			}()
		}
		synctest.Wait()
		if err := <-put(q, 3); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(got) != 3 {
			t.Fatalf("3 events were put, %d of 3 takes returned", len(got))
		}
		for range 3 {
			if n := <-got; n != 1 {
				t.Errorf("a take of one event gave %d", n)
			}
		}
	})
}

// A batch larger than the whole queue goes in when the queue is empty.
func TestBatchAboveTheCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, Limits{Events: 4, Wait: -1})
		if err := <-put(q, 1); err != nil {
			t.Fatal(err)
		}
		large := put(q, 9)
		if len(large) > 0 {
			t.Fatalf("the queue is not empty, the put returned %v", <-large)
		}
		ack(t, take(t, q, 1))
		if len(large) == 0 {
			t.Fatal("the queue is empty, the put still waits")
		}
		if s := q.Stats(); s.Events != 9 || s.Capacity != 4 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestOldestIsThatOfAnyPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, Limits{Events: 100, Wait: -1})
		var at []time.Time
		for range 3 {
			at = append(at, time.Now())
			if err := <-put(q, 1); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		oldest := func(when string, want time.Time) {
			t.Helper()
			if got := q.Stats().Oldest; !got.Equal(want) {
				t.Errorf("%s: oldest %v, want %v", when, got, want)
			}
		}
		first, second := take(t, q, 1), take(t, q, 1)
		oldest("in a delivery", at[0])
		if err := first.Nack(); err != nil {
			t.Fatal(err)
		}
		oldest("given back", at[0])
		first = take(t, q, 1) // the list of deliveries is now filled out of order
		oldest("in the later delivery", at[0])
		ack(t, first)
		oldest("in the earlier delivery", at[1])
		ack(t, second)
		oldest("never taken", at[2])
		ack(t, take(t, q, 1))
		oldest("empty", time.Time{})
	})
}

func TestReservationIsEndedOnce(t *testing.T) {
	q := open(t, Limits{Events: 4})
	b := batch(3)
	defer b.Release()
	r, err := q.Reserve(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := r.Commit(); err == nil {
		t.Error("a second Commit returned nil")
	}
	r.Cancel()
	if got := q.Stats().Events; got != 3 {
		t.Errorf("%d events are stored, want 3", got)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.promised != (usage{}) {
		t.Errorf("space %+v is still promised", q.promised)
	}
}

func TestInheritNeedsAnUnusedHeir(t *testing.T) {
	old, heir := open(t, Limits{Events: 4}), open(t, Limits{Events: 4})
	old.Close()
	if err := heir.Inherit(old); err == nil {
		t.Error("an open heir inherits")
	}
	if err := old.Inherit(old); err != nil {
		t.Errorf("inheriting from itself: %v", err)
	}
}

func TestRingKeepsOrderWhileItTurnsAndGrows(t *testing.T) {
	var r ring
	in, out := uint64(0), uint64(0)
	for round := range 200 {
		for range round % 17 {
			r.push(segment{seq: in})
			in++
		}
		for range round % 13 {
			if r.n == 0 {
				break
			}
			if got := r.front().seq; got != out {
				t.Fatalf("front is %d, want %d", got, out)
			}
			if got := r.pop().seq; got != out {
				t.Fatalf("popped %d, want %d", got, out)
			}
			out++
		}
	}
	for ; r.n > 0; out++ {
		if got := r.pop().seq; got != out {
			t.Fatalf("popped %d, want %d", got, out)
		}
	}
	if out != in || r.front() != nil {
		t.Errorf("%d of %d came out", out, in)
	}
}

func TestEmptyRingGivesItsMemoryBack(t *testing.T) {
	var r ring
	for range ringKept + 1 {
		r.push(segment{})
	}
	for r.n > 0 {
		r.pop()
	}
	if r.buf != nil {
		t.Errorf("an empty ring keeps room for %d segments", len(r.buf))
	}
}
