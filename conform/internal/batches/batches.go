// Package batches is what the suites do with batches to see whether others keep
// to the rules about their memory.
package batches

import (
	"bytes"
	"slices"

	"github.com/flume-go/flume/event"
)

// Clone returns b's events in memory of their own.
func Clone(b *event.Batch) []event.Event {
	out := make([]event.Event, b.Len())
	for i := range out {
		out[i] = b.At(i).Clone()
	}
	return out
}

// Same reports whether a and b have the same body and the same headers in the
// same order.
func Same(a, b event.Event) bool {
	return bytes.Equal(a.Body, b.Body) && slices.Equal(a.Headers, b.Headers)
}

// Alive reports whether someone still holds a reference on b. Only where released
// batches are not recycled.
func Alive(b *event.Batch) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	b.Retain()
	b.Release()
	return true
}

// Scribble fills memory that was released with something else, where that is
// recycled: what still points into it then shows.
func Scribble() {
	b := event.NewBatch()
	for range 20 {
		e := b.AppendCopy(bytes.Repeat([]byte("#"), 400))
		b.SetHeader(e, "id", "#")
	}
	b.Release()
}
