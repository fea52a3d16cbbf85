package rpc

import (
	"context"
	"errors"
	"fmt"
)

// Failover stays with one host until it fails, and goes on with the next of the list that
// accepts a connection.
type Failover struct {
	hosts    []Host
	attempts int

	choosing gate // guards what follows, and is held while connecting
	current  int  // none: no host
	last     int  // the one before; the search begins behind it
}

// none is the index of no host.
const none = -1

// NewFailover returns a route that tries hosts that many times before it gives up.
func NewFailover(hosts []Host, attempts int) *Failover {
	return &Failover{hosts: hosts, attempts: attempts, choosing: newGate(), current: none, last: none}
}

// Send implements Route.
func (f *Failover) Send(ctx context.Context, try func(Host) error) error {
	var err error
	for range f.attempts {
		i, unreachable := f.choose(ctx)
		if unreachable != nil {
			return unreachable
		}
		if err = try(f.hosts[i]); settles(ctx, err) {
			return err
		}
		f.failed(ctx, i)
	}
	return fmt.Errorf("all %d attempts failed, the last one with %w", f.attempts, err)
}

// choose returns the host to send to. If there is none yet it is the first one, behind
// the last that was used, that can be connected to.
func (f *Failover) choose(ctx context.Context) (int, error) {
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
		err := f.hosts[i].Connect(ctx)
		if err == nil {
			f.current = i
			return i, nil
		}
		if settles(ctx, err) {
			return none, err
		}
		errs = append(errs, err)
	}
	f.last = none // the next send begins with the first one
	return none, fmt.Errorf("no host can be connected to: %w", errors.Join(errs...))
}

// failed notes that a host has failed. Of several calls that say so, one counts.
func (f *Failover) failed(ctx context.Context, i int) {
	if f.choosing.enter(ctx) != nil {
		return // nor will this call choose another
	}
	defer f.choosing.leave()
	if f.current != i {
		return
	}
	f.hosts[i].HangUp()
	f.current, f.last = none, i
}

// Close implements Route.
func (f *Failover) Close() error { return closeAll(f.hosts) }
