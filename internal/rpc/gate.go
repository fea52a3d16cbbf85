package rpc

import "context"

// gate is a mutex; waiting for it ends with a context.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

// enter locks the gate, or returns why ctx has ended.
func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	default:
	}
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// wait locks the gate.
func (g gate) wait() { g <- struct{}{} }

// leave unlocks it.
func (g gate) leave() { <-g }

// endWith returns a context that ends with ctx, and with ErrClosed when closed is closed.
// The function that it returns is called in the end.
func endWith(ctx context.Context, closed <-chan struct{}) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-closed:
			cancel(ErrClosed)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}
