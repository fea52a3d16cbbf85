package wal

import (
	"slices"
	"sync"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// TestOpeningReadsTheTailOnly counts what opening reads with a backlog of many segments.
func TestOpeningReadsTheTailOnly(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, testOptions(mem))
	for i := range 600 {
		mustAppend(t, l, i, 1, 1500)
	}
	segments := int64(len(l.segments))
	if segments < 100 {
		t.Fatalf("the backlog has only %d segments", segments)
	}
	mustClose(t, l)
	var read int64
	opts := testOptions(vfs.NewFailing(mem, func(op vfs.Op) vfs.Action {
		if op.Kind == vfs.OpRead {
			read += op.Len
		}
		return vfs.Action{}
	}))
	l = mustOpen(t, opts)
	defer l.Close()
	checkpoint, err := mem.Stat("/ckpt/checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	// Reading a whole file asks for up to twice its length.
	if most := segments*segmentStart + 2*minSegmentSize + 4*checkpoint.Size(); read > most {
		t.Errorf("opening asked for %d bytes of %d segments, want at most %d", read, segments, most)
	}
	if got := readAll(t, l, true); !slices.Equal(got, seq(0, 600)) {
		t.Errorf("read %d of 600 events", len(got))
	}
}

// TestConcurrentUse has producers, readers and the background at work at once.
func TestConcurrentUse(t *testing.T) {
	mem := vfs.NewMem(1)
	opts := testOptions(mem)
	opts.foreground = false
	opts.SyncDelay = 1 // as often as it can
	opts.CheckpointInterval = 1
	opts.CacheBytes = 4000
	l := mustOpen(t, opts)
	const producers, each = 4, 150
	var work sync.WaitGroup
	for p := range producers {
		work.Go(func() {
			for i := range each {
				if err := appendIDs(l, p*each+i, 1, 200); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var mu sync.Mutex
	var got []int
	for range 2 {
		work.Go(func() {
			for {
				mu.Lock()
				done := len(got) >= producers*each
				mu.Unlock()
				if done {
					return
				}
				e, ok, err := l.TryRead(3)
				if err != nil {
					t.Error(err)
					return
				}
				if !ok {
					continue
				}
				mu.Lock()
				got = append(got, idsOf(t, e.Batch)...)
				mu.Unlock()
				e.Batch.Release()
				if err := l.Ack(e.Events); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	slices.Sort(got)
	if !slices.Equal(got, seq(0, producers*each)) {
		t.Errorf("%d events were read, want each of %d once", len(got), producers*each)
	}
	if s := l.Stats(); s.Events != 0 {
		t.Errorf("%d events are left", s.Events)
	}
	mustClose(t, l)
}
