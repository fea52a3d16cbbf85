// Package line is a line of goroutines that wait, first come first: for space in a channel, or for something to take.
package line

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Waiter is a goroutine in a line.
type Waiter[N any] struct {
	Need   N          // what it waits for
	Answer chan error // gets one answer: nil (it is your turn) or why not
}

// Line is the goroutines that wait. The lock of whoever has it guards it; answers do not block.
type Line[N any] []*Waiter[N]

// Join puts a new waiter at the end.
func (l *Line[N]) Join(need N) *Waiter[N] {
	w := &Waiter[N]{Need: need, Answer: make(chan error, 1)}
	*l = append(*l, w)
	return w
}

// Await waits until w has its answer, ctx ends, or patience, if it is not negative,
// is over. mu, the lock of the line, is held at the call and at the return, and not
// meanwhile. answered says that err is the answer, which may have come at the same
// moment as the end; otherwise w still stands in line, for the caller to Leave, and
// err is that of ctx, or nil if the patience is over.
func (l *Line[N]) Await(ctx context.Context, mu *sync.Mutex, w *Waiter[N], patience time.Duration) (answered bool, err error) {
	var over <-chan time.Time
	if patience >= 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		over = t.C
	}
	mu.Unlock()
	select {
	case err = <-w.Answer:
		mu.Lock()
		return true, err
	case <-ctx.Done():
		err = ctx.Err()
	case <-over:
	}
	mu.Lock()
	if !slices.Contains(*l, w) {
		return true, <-w.Answer
	}
	return false, err
}

// Leave reports whether w still stood in line; otherwise it has its answer.
func (l *Line[N]) Leave(w *Waiter[N]) bool {
	i := slices.Index(*l, w)
	if i < 0 {
		return false
	}
	*l = slices.Delete(*l, i, i+1)
	return true
}

// AnswerFirst tells the first in line, if any, that it is its turn.
func (l *Line[N]) AnswerFirst() {
	if len(*l) > 0 {
		(*l)[0].Answer <- nil
		*l = slices.Delete(*l, 0, 1)
	}
}

// AnswerAll gives everybody the same answer and empties the line.
func (l *Line[N]) AnswerAll(err error) {
	for _, w := range *l {
		w.Answer <- err
	}
	*l = nil
}
