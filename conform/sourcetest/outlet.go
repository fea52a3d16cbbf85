package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/conform/internal/batches"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/invariants"
)

// script says what one Emit does: whether it stores its batch, and what it
// returns. call counts from 1 since the script was set. Called concurrently.
type script func(ctx context.Context, call int) (store bool, err error)

// always stores.
func always(context.Context, int) (bool, error) { return true, nil }

// failing lets these errors come first, nil standing for a success, and then stores.
func failing(errs ...error) script {
	return func(_ context.Context, call int) (bool, error) {
		if call <= len(errs) && errs[call-1] != nil {
			return false, errs[call-1]
		}
		return true, nil
	}
}

// partly stores, but says once that it failed: as when the first of two channels
// has the batch and the second is full.
func partly(_ context.Context, call int) (bool, error) {
	if call == 1 {
		return true, errPart
	}
	return true, nil
}

// blocked waits until the context ends.
func blocked(ctx context.Context, _ int) (bool, error) {
	<-ctx.Done()
	return false, context.Cause(ctx)
}

// until stores, but not before gate is closed.
func until(gate <-chan struct{}) script {
	return func(ctx context.Context, _ int) (bool, error) {
		select {
		case <-gate:
			return true, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// Errors of scripts.
var (
	errPlain = errors.New("the emitter's script says no")
	errPart  = errors.New("the emitter's script says that a second channel failed")
)

// outlet is the emitter that the suite gives to a source.
type outlet struct {
	h      *Harness
	ledger *ledger
	batch  int             // most events of a batch; 0: any number
	closed context.Context //nolint:containedctx // the way out of a blocking script when a rule has failed

	mu    sync.Mutex
	play  script
	calls int // since the script was set
	kept  []kept
}

// kept is a batch that was emitted, as the outlet remembers it.
type kept struct {
	batch *event.Batch // a reference of the outlet's own
	was   []event.Event
}

// mostKept bounds what the outlet keeps of a flood.
const mostKept = 500

var _ flow.Emitter = (*outlet)(nil)

// set makes s what all further emits do.
func (o *outlet) set(s script) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.play, o.calls = s, 0
}

// Emit does as the script says.
func (o *outlet) Emit(ctx context.Context, b *event.Batch) error {
	play, call := o.enter(b)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(o.closed, cancel)()
	store, err := play(ctx, call)
	return o.leave(b, store, err)
}

// enter takes note of a batch and keeps it.
func (o *outlet) enter(b *event.Batch) (script, int) {
	b.Seal()
	o.ledger.note(func() {
		o.ledger.emits++
		o.ledger.inside++
		switch n := b.Len(); {
		case !o.ledger.running:
			o.ledger.fault(quietRule, "Emit is called after Run has returned")
		case n == 0:
			o.ledger.fault(batchRule, "a batch without events is emitted")
		case o.batch > 0 && n > o.batch:
			o.ledger.fault(batchRule, "a batch of %d events is emitted, the configured size is %d", n, o.batch)
		}
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	again := slices.ContainsFunc(o.kept, func(k kept) bool { return k.batch == b })
	if len(o.kept) < mostKept && !again {
		o.kept = append(o.kept, kept{b.Retain(), batches.Clone(b)})
	}
	o.calls++
	return o.play, o.calls
}

// leave stores the events of b, if the script says so.
func (o *outlet) leave(b *event.Batch, store bool, err error) error {
	o.ledger.note(func() {
		o.ledger.inside--
		for i := range b.Len() {
			id, bad := o.identify(b.At(i))
			if bad != nil {
				o.ledger.fault(contentRule, "%v", bad)
				err = flow.Fatal(bad)
				return
			}
			if store {
				o.ledger.stored = append(o.ledger.stored, id)
				o.ledger.times[id]++
			}
		}
	})
	return err
}

// identify returns the id of e and checks its headers. The ledger's mutex is held.
func (o *outlet) identify(e *event.Event) (uint64, error) {
	id, err := uint64(len(o.ledger.stored)), error(nil)
	switch {
	case o.h.ID != nil:
		id, err = o.h.ID(e)
	case !o.h.Anonymous:
		id, err = idOf(e)
	}
	if err != nil {
		return 0, err
	}
	if len(e.Headers) == 0 && len(o.h.Adds) == 0 && !o.h.Carries {
		return id, nil
	}
	want, got := map[string]string{}, map[string]string{}
	if o.h.Carries {
		want = Headers(id)
	}
	for _, h := range e.Headers {
		if !slices.Contains(o.h.Adds, h.Key) {
			got[h.Key] = h.Value
		}
	}
	for _, key := range o.h.Adds {
		if _, ok := e.Header(key); !ok {
			return 0, fmt.Errorf("event %d has no header %q", id, key)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return 0, fmt.Errorf("event %d has other headers than it should (-want +got):\n%s", id, diff)
	}
	return id, nil
}

// verify gives up what is kept and checks that it was left alone, once the source
// has stopped.
func (o *outlet) verify() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, k := range o.kept {
		if problem := k.verify(); problem != "" {
			o.ledger.note(func() { o.ledger.fault(batchRule, "%s", problem) })
			return
		}
	}
	o.kept = nil
}

func (k kept) verify() (problem string) {
	defer func() {
		if p := recover(); p != nil {
			problem = fmt.Sprintf("a batch was released more than once: %v", p)
		}
	}()
	if !slices.EqualFunc(k.was, k.batch.Events(), batches.Same) {
		return fmt.Sprintf("a batch of %d events that the emitter holds has changed", len(k.was))
	}
	k.batch.Release()
	if invariants.Enabled && batches.Alive(k.batch) {
		return "a batch was not released by the source"
	}
	return ""
}
