package flow

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/flume-go/flume/event"
)

// Backoff is a growing pause between tries: Min, doubled each time up to Max.
// The zero value pauses 100 ms to 5 s. Not safe for concurrent use.
type Backoff struct {
	Min, Max time.Duration
	next     time.Duration
}

// Reset makes the next pause the shortest again.
func (b *Backoff) Reset() { b.next = 0 }

// Next returns the next pause.
func (b *Backoff) Next() time.Duration {
	lo, hi := b.Min, b.Max
	if lo <= 0 {
		lo = 100 * time.Millisecond
	}
	if hi <= 0 {
		hi = 5 * time.Second
	}
	if b.next < lo {
		b.next = lo
	}
	d := min(b.next, hi)
	b.next = min(2*d, hi)
	return d
}

// Wait sleeps for the next pause, at least atLeast, or until ctx ends; it
// reports whether ctx is still on. Up to a quarter is added at random, so that
// those who failed together do not try again together.
func (b *Backoff) Wait(ctx context.Context, atLeast time.Duration) bool {
	d := max(b.Next(), atLeast)
	return Sleep(ctx, d+rand.N(d/4+1))
}

// Sleep waits for d or until ctx ends, and reports whether ctx is still on.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// EmitUntilStored emits b again and again until it is stored, ctx ends, or the
// error is one that trying again does not cure (rejected, fatal, shutting down).
// For sources whose input cannot be asked to send again: they wait instead of
// dropping, and pass the back pressure on. failed, if not nil, is called with
// each error that leads to another try.
//
// After an error that some channels' commits preceded, those hold duplicates, as
// in Flume.
func EmitUntilStored(ctx context.Context, out Emitter, b *event.Batch, failed func(error)) error {
	var pause Backoff
	for {
		err := out.Emit(ctx, b)
		if err == nil {
			return nil
		}
		switch ClassOf(err) {
		case ClassRetry, ClassUnknown:
		default:
			return err
		}
		if failed != nil {
			failed(err)
		}
		if !pause.Wait(ctx, Pause(err)) {
			return context.Cause(ctx)
		}
	}
}
