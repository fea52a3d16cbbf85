// Package line is a line of goroutines that wait, first come first: for space in a channel, or for something to take.
package line

import "slices"

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
