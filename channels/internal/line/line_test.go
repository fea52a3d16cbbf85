package line

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// rig is a line with its lock.
type rig struct {
	sync.Mutex
	Line[string]
}

type outcome struct {
	who      string
	answered bool
	err      error
	took     time.Duration
}

// await has somebody wait in line; the outcome comes to done.
func (r *rig) await(ctx context.Context, who string, patience time.Duration, done chan<- outcome) {
	go func() {
		r.Lock()
		defer r.Unlock()
		begin := time.Now()
		w := r.Join(who)
		answered, err := r.Await(ctx, &r.Mutex, w, patience)
		if r.Leave(w) == answered {
			err = errors.New("whoever has no answer stands in line, and nobody else")
		}
		done <- outcome{who, answered, err, time.Since(begin)}
	}()
	synctest.Wait()
}

func TestFirstComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, done := new(rig), make(chan outcome, 10)
		for _, who := range []string{"a", "b", "c", "d"} {
			r.await(t.Context(), who, -1, done)
		}
		answer := func(do func()) {
			r.Lock()
			do()
			r.Unlock()
			synctest.Wait()
		}
		for _, want := range []string{"a", "b"} {
			answer(r.AnswerFirst)
			if got := <-done; got != (outcome{who: want, answered: true}) {
				t.Errorf("%+v instead of %s", got, want)
			}
		}
		over := errors.New("over")
		answer(func() { r.AnswerAll(over) })
		for range 2 {
			if got := <-done; !got.answered || !errors.Is(got.err, over) {
				t.Errorf("%+v", got)
			}
		}
		answer(r.AnswerFirst) // nobody
	})
}

func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, done := new(rig), make(chan outcome, 10)
		ctx, cancel := context.WithCancel(t.Context())
		r.await(ctx, "patient", -1, done)
		r.await(ctx, "hurried", 3*time.Second, done)
		if got := <-done; got != (outcome{who: "hurried", took: 3 * time.Second}) {
			t.Errorf("%+v", got)
		}
		cancel()
		if got := <-done; got.answered || !errors.Is(got.err, context.Canceled) {
			t.Errorf("%+v", got)
		}
	})
}

// TestAnswerAtTheEnd: an answer that comes at the same moment as the end counts:
// what it promises would be lost. Which of the two is seen first is left to chance.
func TestAnswerAtTheEnd(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			r, done := new(rig), make(chan outcome, 1)
			ctx, cancel := context.WithCancel(t.Context())
			r.await(ctx, "a", -1, done)
			r.Lock()
			cancel()
			r.AnswerFirst()
			r.Unlock()
			if got := <-done; got != (outcome{who: "a", answered: true}) {
				t.Errorf("%+v", got)
			}
		})
	}
}
