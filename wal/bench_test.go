package wal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// BenchmarkAppend compares appends with what the disk does for the same bytes in the same kind of
// file: one write and one fdatasync each, into space that was written before.
func BenchmarkAppend(b *testing.B) {
	const events, body = 100, 512
	batch := ids(0, events, body-4)
	defer batch.Release()
	rec, _, err := encodePut(batch.Events(), 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bare", func(b *testing.B) {
		f, err := vfs.OS{}.OpenFile(filepath.Join(b.TempDir(), "bare"), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		if err := vfs.WriteZeros(f, 0, defaultSegmentSize); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(rec)))
		var off int64
		for b.Loop() {
			if off+int64(len(rec)) > defaultSegmentSize {
				off = 0
			}
			if _, err := f.WriteAt(rec, off); err != nil {
				b.Fatal(err)
			}
			if err := vfs.SyncData(f); err != nil {
				b.Fatal(err)
			}
			off += int64(len(rec))
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
	})
	for _, producers := range []int{1, 8} {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) {
			dir := b.TempDir()
			l := mustOpen(b, Options{Dirs: []string{dir}, CheckpointDir: dir})
			defer l.Close()
			ctx, stop := context.WithCancel(context.Background())
			var reading, writing sync.WaitGroup
			reading.Go(func() {
				for {
					e, err := l.Read(ctx, events)
					if err != nil {
						return
					}
					e.Batch.Release()
					if err := l.Ack(e.Events); err != nil {
						b.Error(err)
					}
				}
			})
			b.SetBytes(int64(len(rec)))
			b.ResetTimer()
			for p := range producers {
				writing.Go(func() {
					for i := p; i < b.N; i += producers {
						if err := l.Append(context.Background(), batch); err != nil {
							b.Error(err)
						}
					}
				})
			}
			writing.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
			stop()
			reading.Wait()
		})
	}
}
