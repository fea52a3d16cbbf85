package codectest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/invariants"
)

var apartRules = []rule{
	{
		name: "interleaved",
		rule: "Encoders of one encoding know nothing of each other, whichever of them writes, fails or closes.",
		run: func(r *rig) {
			a, b := r.start(), r.start()
			for range 3 {
				r.must(a.encode(r.batch(3)))
				r.must(b.encode(r.batch(5)))
				r.must(a.flush())
				r.must(b.flush())
				r.must(errors.Join(a.holds(), b.holds()))
			}
			r.must(a.encode(r.batch(2)))
			r.must(b.encode(r.large()))
			if r.h.Rewinds {
				b.back()
			} else {
				r.must(b.flush())
			}
			r.must(a.flush())
			a.close()
			b.write(4)
			b.close()
		},
	},
	{
		name: "concurrent",
		rule: "Encoders of one encoding may be made and used at the same time, each by one goroutine.",
		run: func(r *rig) {
			const writers = 8
			errs := make([]error, writers)
			var wg sync.WaitGroup
			for w := range writers {
				// Each has its numbers to itself.
				own := *r
				own.next = w * 10_000
				wg.Go(func() { errs[w] = own.work() })
			}
			wg.Wait()
			r.must(errors.Join(errs...))
		},
	},
	{
		name: "allocations",
		rule: "Writing a batch and flushing it costs few allocations per event.",
		run:  func(r *rig) { r.measure() },
	},
}

// work writes two streams, one after the other.
func (r *rig) work() error {
	for range 2 {
		p, err := r.tryStart(newDisk())
		if err != nil {
			return err
		}
		for n := range 10 {
			if err := errors.Join(p.encode(r.batch(n)), p.flush()); err != nil {
				return err
			}
		}
		if err := errors.Join(p.holds(), p.enc.Close(), p.holds()); err != nil {
			return err
		}
	}
	return nil
}

// measure checks the allocations of the steady state. Builds that poison released
// memory do not recycle it: they are not measured.
func (r *rig) measure() {
	if invariants.Enabled {
		return
	}
	const events = 100
	enc, err := r.encoder(nowhere{}, false)
	r.must(err)
	b := batch{Batch: event.NewBatch()}
	defer b.Release()
	for range events {
		r.add(&b, make([]byte, 512), []event.Header{{Key: "timestamp", Value: "1700000000000"}})
	}
	var failure error
	got := testing.AllocsPerRun(100, func() {
		failure = errors.Join(failure, enc.Encode(b.Batch), enc.Flush())
	}) / events
	r.must(failure)
	if got > r.h.Allocs {
		r.fatalf("%.3f allocations per event, the harness allows %.3f", got, r.h.Allocs)
	}
	if err := enc.Close(); err != nil {
		r.must(fmt.Errorf("closing the encoder: %w", err))
	}
}
