package spillable

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
)

// BenchmarkChannel is the whole way of batches of 100 events of 512 bytes, from several producers to one taker: Put, Take, reading,
// Ack. One op is 100 events.
func BenchmarkChannel(b *testing.B) {
	// Without overflow, mixed, and without memory. The memory is small: one that is deep is filled, and read back from outside the
	// processor's caches.
	for _, c := range []struct {
		name, memory, overflow, timeout string
		producers                       int
	}{
		{"memory/producers=1", "1000", "0", "60", 1},
		{"memory/producers=16", "1000", "0", "60", 16},
		{"both/producers=16", "1000", "100000000", "0", 16},
		{"disk/producers=16", "0", "100000000", "0", 16},
	} {
		b.Run(c.name, func(b *testing.B) {
			dir := b.TempDir()
			r := newRig(b, vfs.OS{}, map[string]string{
				"checkpointDir": filepath.Join(dir, "checkpoint"), "dataDirs": filepath.Join(dir, "data"), "maxFileSize": "67108864",
				"memoryCapacity": c.memory, "overflowCapacity": c.overflow, "transactionCapacity": "1000", "overflowTimeout": c.timeout,
			})
			b.ReportAllocs()
			b.SetBytes(100 * 512)
			b.ResetTimer()
			produce(b, r, c.producers)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(100*b.N), "ns/event")
			b.ReportMetric(float64(r.number("spilled_events"))/float64(100*b.N), "spilled/event")
		})
	}
}

// produce puts b.N batches and takes all of them.
func produce(b *testing.B, r *rig, producers int) {
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			line := make([]byte, 512)
			for i := p; i < b.N; i += producers {
				batch := event.NewBatch()
				for range 100 {
					batch.AppendCopy(line)
				}
				if err := r.ch.Put(context.Background(), batch); err != nil {
					b.Error(err)
				}
				batch.Release()
			}
		})
	}
	for got := 0; got < 100*b.N; {
		d, err := r.ch.Take(context.Background(), 1000)
		if err != nil {
			b.Fatal(err)
		}
		got += d.Batch().Len()
		if err := d.Ack(); err != nil {
			b.Fatal(err)
		}
	}
	wg.Wait()
}
