package rpc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Balancer begins each time with another host, and goes on with the others while that
// fails.
type Balancer struct {
	hosts  []Host
	order  order
	random bool
}

// NewBalancer returns a route that begins with each host in turn, or with any. A host that
// has failed is left alone for a while: 2 seconds, after each further failure twice as
// long, and maxBackoff at most; 0 is not at all. An hour without failure ends that, a
// success in between does not.
func NewBalancer(hosts []Host, random bool, maxBackoff time.Duration) *Balancer {
	return &Balancer{
		hosts: hosts, random: random,
		order: order{limit: maxBackoff, penalties: make([]penalty, len(hosts))},
	}
}

// Send implements Route.
func (b *Balancer) Send(ctx context.Context, try func(Host) error) error {
	hosts := b.order.next(time.Now(), b.random)
	if len(hosts) == 0 {
		return errors.New("all hosts have failed lately and are not tried yet")
	}
	var errs []error
	for _, i := range hosts {
		err := try(b.hosts[i])
		if settles(ctx, err) {
			return err
		}
		b.hosts[i].HangUp()
		b.order.failed(i, time.Now())
		errs = append(errs, err)
	}
	return fmt.Errorf("no host takes the events: %w", errors.Join(errs...))
}

// Close implements Route.
func (b *Balancer) Close() error { return closeAll(b.hosts) }

// order says which hosts are tried, and in which order. Safe for concurrent use.
type order struct {
	limit time.Duration // longest penalty; 0: hosts are never left alone

	mu        sync.Mutex
	turn      int // among the hosts that are tried, of the first one
	penalties []penalty
}

// penalty is what a host has for its failures.
type penalty struct {
	doublings int
	failed    time.Time // the last time
	until     time.Time // not tried before
}

const (
	// forgotten is how long after its last penalty a failure of a host counts.
	forgotten = time.Hour
	// mostDoublings is Flume's limit to the exponent of a penalty.
	mostDoublings = 16
)

// next returns the hosts to be tried, by their indexes.
func (o *order) next(now time.Time, random bool) []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []int
	for i := range o.penalties {
		if now.After(o.penalties[i].until) {
			list = append(list, i)
		}
	}
	n := len(list)
	if n < 2 {
		return list
	}
	if random {
		rand.Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}
	first := o.turn % n
	o.turn = first + 1
	return slices.Concat(list[first:], list[:first])
}

// failed notes a failure.
func (o *order) failed(i int, now time.Time) {
	if o.limit == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	p := &o.penalties[i]
	if now.Sub(p.failed) < o.length(p)+forgotten {
		p.doublings = min(p.doublings+1, mostDoublings)
	} else {
		p.doublings = 1
	}
	p.failed, p.until = now, now.Add(o.length(p))
}

// length returns how long a penalty takes.
func (o *order) length(p *penalty) time.Duration { return min(o.limit, time.Second<<p.doublings) }
