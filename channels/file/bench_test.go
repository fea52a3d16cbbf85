package file

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
)

// BenchmarkChannel is the whole way of batches of 100 events of 512 bytes, from several producers to one taker: Put with
// its sync, Take, reading, Ack. One op is 100 events.
func BenchmarkChannel(b *testing.B) {
	for _, sync := range []string{"true", "false"} {
		for _, producers := range []int{1, 16} {
			b.Run(fmt.Sprintf("sync=%s/producers=%d", sync, producers), func(b *testing.B) { flood(b, sync, producers) })
		}
	}
}

func flood(b *testing.B, sync string, producers int) {
	dir := b.TempDir()
	d := decode(b, map[string]string{
		"checkpointDir": filepath.Join(dir, "checkpoint"), "dataDirs": filepath.Join(dir, "data"),
		"minimumRequiredSpace": "1048576", "fsyncPerTransaction": sync, "keep-alive": "60",
	})
	env := component.Env{Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindChannel, "c1"), FS: vfs.OS{}}
	ch, err := component.New[flow.Channel](d, env, nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := ch.Open(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := ch.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	b.ReportAllocs()
	b.SetBytes(100 * 512)
	b.ResetTimer()
	produce(b, ch, producers)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(100*b.N), "ns/event")
}

// produce puts b.N batches and takes all of them.
func produce(b *testing.B, ch flow.Channel, producers int) {
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			line := make([]byte, 512)
			for i := p; i < b.N; i += producers {
				batch := event.NewBatch()
				for range 100 {
					batch.AppendCopy(line)
				}
				if err := ch.Put(context.Background(), batch); err != nil {
					b.Error(err)
				}
				batch.Release()
			}
		})
	}
	for got := 0; got < 100*b.N; {
		d, err := ch.Take(context.Background(), 1000)
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
