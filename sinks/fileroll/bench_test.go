package fileroll

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/invariants"
	"github.com/flume-go/flume/internal/vfs"
)

// touching is a batch of n lines of 512 bytes as read from a socket, in blocks of
// 64 KiB; scattered has the same lines in memory that does not touch.
func touching(n int) *event.Batch {
	const perBlock = 127
	b := event.NewBatch()
	line := append(bytes.Repeat([]byte{'x'}, 511), '\n')
	for n > 0 {
		now := min(n, perBlock)
		copy(b.Reserve(64<<10-1), bytes.Repeat(line, now))
		block := b.Commit(now * len(line))
		for i := range now {
			b.AppendLine(block[i*len(line) : (i+1)*len(line)])
		}
		n -= now
	}
	return b
}

func scattered(n int) *event.Batch {
	b := event.NewBatch()
	line := bytes.Repeat([]byte{'x'}, 511)
	for range n {
		b.AppendCopy(line)
	}
	return b
}

// fileLimit is where the benchmarks begin the file anew, so that they measure
// system calls and page cache and not the disk.
const fileLimit = 64 << 20

func BenchmarkDeliver(b *testing.B) {
	for _, n := range []int{100, 1000} {
		for name, make := range map[string]func(int) *event.Batch{"touching": touching, "scattered": scattered} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				s := build(b, vfs.OS{}, map[string]string{"sink.directory": b.TempDir(), "sink.rollInterval": "0"})
				open(b, s)
				batch := make(n)
				defer batch.Release()
				b.SetBytes(int64(n) * 512)
				b.ReportAllocs()
				for b.Loop() {
					if err := s.Deliver(context.Background(), batch); err != nil {
						b.Fatal(err)
					}
					if s.out.good > fileLimit {
						s.out.good, s.out.end = 0, 0
					}
				}
			})
		}
		b.Run(fmt.Sprintf("bare/%d", n), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			block := bytes.Repeat([]byte{'x'}, n*512)
			b.SetBytes(int64(len(block)))
			var end int64
			for b.Loop() {
				if _, err := f.WriteAt(block, end); err != nil {
					b.Fatal(err)
				}
				if end += int64(len(block)); end > fileLimit {
					end = 0
				}
			}
		})
	}
}

// TestDeliverDoesNotAllocate holds the budget: nothing per event, next to nothing per batch.
func TestDeliverDoesNotAllocate(t *testing.T) {
	s := build(t, vfs.OS{}, map[string]string{"sink.directory": t.TempDir(), "sink.rollInterval": "0"})
	open(t, s)
	b := touching(500)
	defer b.Release()
	allocs := testing.AllocsPerRun(50, func() {
		if err := s.Deliver(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 2 && !invariants.Enabled {
		t.Errorf("%.1f allocations per batch", allocs)
	}
}
