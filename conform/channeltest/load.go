package channeltest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

var loadRules = []rule{
	{
		name: "concurrent use",
		rule: "With many producers and takers at once, and random give-backs, each event is acknowledged exactly once.",
		run: func(r *rig) {
			for seed := range uint64(5) {
				r.open(r.h.capacity(16))
				newLoad(r, seed).run()
				r.stats(flow.Stats{})
				r.shut()
			}
		},
	},
}

const (
	loadProducers = 4
	loadTakers    = 3
	loadBatches   = 40
)

// load is producers and takers on one channel. What it does is decided by its
// seed, as far as the scheduler lets it.
type load struct {
	r    *rig
	ch   flow.Channel
	seed uint64

	total  atomic.Int64 // events put or to be put
	acked  atomic.Int64
	cancel context.CancelFunc // when all are acknowledged

	mu    sync.Mutex
	times map[uint64]int // acknowledgements of each id
	errs  []error
}

func newLoad(r *rig, seed uint64) *load {
	return &load{r: r, ch: r.ch, seed: seed, times: map[uint64]int{}}
}

func (l *load) run() {
	ctx, cancel := context.WithCancel(l.r.ctx)
	l.cancel = cancel
	defer cancel()
	var producers, takers sync.WaitGroup
	for p := range uint64(loadProducers) {
		rng := rand.New(rand.NewPCG(l.seed, p))
		sizes := make([]int, loadBatches)
		for i := range sizes {
			sizes[i] = 1 + rng.IntN(5)
			l.total.Add(int64(sizes[i]))
		}
		producers.Go(func() { l.produce(ctx, p<<32, sizes, rng) })
	}
	for t := range uint64(loadTakers) {
		takers.Go(func() { l.take(ctx, rand.New(rand.NewPCG(l.seed, loadProducers+t))) })
	}
	producers.Wait()
	takers.Wait()
	for _, err := range l.errs {
		l.r.fatalf("seed %d: %v", l.seed, err)
	}
	for id, n := range l.times {
		if n != 1 {
			l.r.fatalf("seed %d: event %d was acknowledged %d times", l.seed, id, n)
		}
	}
	if got, want := int64(len(l.times)), l.total.Load(); got != want {
		l.r.fatalf("seed %d: %d of %d events were acknowledged", l.seed, got, want)
	}
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
	l.cancel()
}

// produce puts batches of these sizes, some of them with a reservation.
func (l *load) produce(ctx context.Context, id uint64, sizes []int, rng *rand.Rand) {
	for _, n := range sizes {
		b := event.NewBatch()
		for range n {
			fill(b, id)
			id++
		}
		err := l.put(ctx, b, rng)
		b.Release()
		if err != nil {
			// The last acknowledgement ends ctx, and an end-to-end put with it.
			if ctx.Err() == nil {
				l.fail(fmt.Errorf("putting: %w", err))
			}
			return
		}
	}
}

func (l *load) put(ctx context.Context, b *event.Batch, rng *rand.Rand) error {
	for {
		err := l.putOnce(ctx, b, rng)
		if !errors.Is(err, flow.ErrFull) {
			return err
		}
	}
}

func (l *load) putOnce(ctx context.Context, b *event.Batch, rng *rand.Rand) error {
	res, ok := l.ch.(flow.Reserver)
	if !ok || rng.IntN(3) > 0 {
		return l.ch.Put(ctx, b)
	}
	held, err := res.Reserve(ctx, b)
	if err != nil {
		return err
	}
	if rng.IntN(4) == 0 {
		held.Cancel()
		return l.ch.Put(ctx, b)
	}
	return held.Commit()
}

// take takes until everything is acknowledged, and gives some back.
func (l *load) take(ctx context.Context, rng *rand.Rand) {
	for ctx.Err() == nil {
		var open []flow.Delivery
		for range 1 + rng.IntN(2) {
			// With a delivery in hand it does not wait for long: everything may
			// be in the hands of takers.
			patience, cancel := ctx, context.CancelFunc(func() {})
			if len(open) > 0 {
				patience, cancel = context.WithTimeout(ctx, time.Millisecond)
			}
			d, err := l.ch.Take(patience, 1+rng.IntN(7))
			ended := patience.Err() != nil
			cancel()
			if err != nil {
				if !ended {
					l.fail(fmt.Errorf("taking: %w", err))
				}
				break
			}
			open = append(open, d)
		}
		for _, i := range rng.Perm(len(open)) {
			if err := l.settle(open[i], rng.IntN(4) > 0); err != nil {
				l.fail(err)
			}
		}
	}
}

func (l *load) settle(d flow.Delivery, ack bool) error {
	ids, err := idsOf(d.Batch())
	if err != nil {
		return err
	}
	if !ack {
		return d.Nack()
	}
	if err := d.Ack(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.times[id]++
	}
	if l.acked.Add(int64(len(ids))) == l.total.Load() {
		l.cancel()
	}
	return nil
}
