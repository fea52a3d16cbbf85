package memory

import (
	"context"
	"testing"

	"github.com/flume-go/flume/event"
)

// BenchmarkChannel is the whole way of a batch of 100 events of 512 bytes:
// building it as a line source does, Put, Take, reading, Ack. One op is 100 events.
func BenchmarkChannel(b *testing.B) {
	for _, c := range []struct {
		name            string
		perPut, perTake int
	}{{"same", 100, 100}, {"cut", 100, 30}, {"joined", 10, 100}} {
		b.Run(c.name, func(b *testing.B) {
			ch, _ := open(b, map[string]string{"capacity": "10000", "transactionCapacity": "1000"})
			line := make([]byte, 513)
			ctx := context.Background()
			sum := 0
			b.ReportAllocs()
			b.SetBytes(100 * 512)
			for b.Loop() {
				for range 100 / c.perPut {
					batch := event.NewBatch()
					block := batch.Reserve(c.perPut * len(line))[:c.perPut*len(line)]
					batch.Commit(len(block))
					for i := range c.perPut {
						batch.AppendLine(block[i*len(line) : (i+1)*len(line)])
					}
					if err := ch.Put(ctx, batch); err != nil {
						b.Fatal(err)
					}
					batch.Release()
				}
				for got := 0; got < 100; {
					d, err := ch.Take(ctx, c.perTake)
					if err != nil {
						b.Fatal(err)
					}
					for _, e := range d.Batch().Events() {
						sum += len(e.Body)
					}
					got += d.Batch().Len()
					if err := d.Ack(); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(100*b.N), "ns/event")
			if sum == 0 {
				b.Fatal("nothing was read")
			}
		})
	}
}
