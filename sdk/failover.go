package sdk

import (
	"context"
	"errors"
	"fmt"
)

// failover stays with one host until it fails, and goes on with the next of the list that
// accepts a connection.
type failover struct {
	hosts    []host
	size     int
	attempts int

	choosing gate // guards what follows, and is held while connecting
	current  int  // -1: none
	last     int  // the one before; the search begins behind it
}

func newFailover(hosts []host, size, attempts int) *failover {
	return &failover{hosts: hosts, size: size, attempts: attempts, choosing: newGate(), current: none, last: none}
}

// none is the index of no host.
const none = -1

func (f *failover) send(ctx context.Context, events []Event, single bool) outcome {
	var o outcome
	for range f.attempts {
		i, err := f.choose(ctx)
		if err != nil {
			return o.then(outcome{err: err})
		}
		o = o.then(deliver(ctx, f.hosts[i], events[o.delivered:], f.size, single))
		if o.err == nil || ctx.Err() != nil || errors.Is(o.err, ErrClosed) {
			return o
		}
		f.failed(ctx, i)
	}
	o.err = fmt.Errorf("all %d attempts failed, the last one with %w", f.attempts, o.err)
	return o
}

// choose returns the host to send to. If there is none yet it is the first one, behind
// the last that was used, that can be connected to.
func (f *failover) choose(ctx context.Context) (int, error) {
	if err := f.choosing.enter(ctx); err != nil {
		return none, err
	}
	defer f.choosing.leave()
	if f.current != none {
		return f.current, nil
	}
	var errs []error
	for n := range f.hosts {
		i := (f.last + 1 + n) % len(f.hosts)
		err := f.hosts[i].connect(ctx)
		if err == nil {
			f.current = i
			return i, nil
		}
		if ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return none, err
		}
		errs = append(errs, err)
	}
	f.last = none // the next send begins with the first one
	return none, fmt.Errorf("no host can be connected to: %w", errors.Join(errs...))
}

// failed notes that a host has failed. Of several calls that say so, one counts.
func (f *failover) failed(ctx context.Context, i int) {
	if f.choosing.enter(ctx) != nil {
		return // nor will this call choose another
	}
	defer f.choosing.leave()
	if f.current != i {
		return
	}
	f.hosts[i].hangUp()
	f.current, f.last = none, i
}

func (f *failover) close() error { return closeAll(f.hosts) }

func closeAll(hosts []host) error {
	var errs []error
	for _, h := range hosts {
		errs = append(errs, h.close())
	}
	return errors.Join(errs...)
}
