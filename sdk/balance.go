package sdk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// balancer gives each batch to another host, and to the next ones while that fails.
type balancer struct {
	hosts  []host
	size   int
	order  order
	random bool
}

func newBalancer(hosts []host, o *Options) *balancer {
	b := &balancer{hosts: hosts, size: o.BatchSize, random: o.Strategy == Random}
	b.order.penalties = make([]penalty, len(hosts))
	if o.Backoff {
		b.order.limit = o.MaxBackoff
	}
	return b
}

func (b *balancer) send(ctx context.Context, events []Event, single bool) outcome {
	hosts := b.order.next(time.Now(), b.random)
	if len(hosts) == 0 {
		return outcome{err: errors.New("all hosts have failed lately and are not tried yet")}
	}
	var o outcome
	var errs []error
	for _, i := range hosts {
		o = o.then(deliver(ctx, b.hosts[i], events[o.delivered:], b.size, single))
		if o.err == nil || ctx.Err() != nil || errors.Is(o.err, ErrClosed) {
			return o
		}
		b.hosts[i].hangUp()
		b.order.failed(i, time.Now())
		errs = append(errs, o.err)
	}
	o.err = fmt.Errorf("no host takes the events: %w", errors.Join(errs...))
	return o
}

func (b *balancer) close() error { return closeAll(b.hosts) }

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
