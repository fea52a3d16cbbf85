package channeltest

import (
	"context"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/invariants"
)

const allocationsRule = "Building, putting, taking and acknowledging a batch costs few allocations per event."

// checkAllocations measures the steady state with one batch under way. Builds
// that poison released memory do not recycle it: they are not measured.
func checkAllocations(t *testing.T, h *Harness) {
	if invariants.Enabled {
		return
	}
	const events = 100
	r := newRig(t, h, allocationsRule)
	defer r.close()
	var settings map[string]string
	if h.AllocsOn != nil {
		r.fs, settings = h.AllocsOn()
	}
	r.open(h.capacity(events), settings)
	body := make([]byte, 512)
	round := func() {
		b := event.NewBatch()
		for range events {
			b.AppendCopy(body)
		}
		returned := r.putBeside(b)
		for got := 0; got < events; {
			d, err := r.ch.Take(context.Background(), events)
			if err != nil {
				r.fatalf("taking: %v", err)
			}
			got += d.Batch().Len()
			if err := d.Ack(); err != nil {
				r.fatalf("acknowledging: %v", err)
			}
		}
		if returned != nil {
			if err := <-returned; err != nil {
				r.fatalf("putting: %v", err)
			}
		}
		b.Release()
	}
	if got := testing.AllocsPerRun(200, round) / events; got > h.Allocs {
		r.fatalf("%.3f allocations per event, the harness allows %.3f", got, h.Allocs)
	}
}

// putBeside puts b. Where a put lasts until the acknowledgement it runs beside
// the caller, who gets its outcome.
func (r *rig) putBeside(b *event.Batch) <-chan error {
	if !r.h.EndToEnd {
		if err := r.ch.Put(context.Background(), b); err != nil {
			r.fatalf("putting: %v", err)
		}
		return nil
	}
	returned := make(chan error, 1)
	ch := r.ch
	go func() { returned <- ch.Put(context.Background(), b) }()
	return returned
}
