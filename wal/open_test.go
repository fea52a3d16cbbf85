package wal

import (
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flume-go/flume/internal/invariants"
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
	checkpoint, err := mem.Stat("/ckpt/wal.checkpoint")
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

// TestCostOfAnAppend counts allocations, and file operations, of appends that are read from memory and acknowledged:
// one write and one sync each, and one write for the acknowledgement.
func TestCostOfAnAppend(t *testing.T) {
	for form, options := range forms {
		c := &counts{kinds: make(map[vfs.OpKind]int)}
		opts := options(vfs.NewFailing(vfs.NewMem(1), c.inject))
		opts.SegmentSize = 1 << 20
		const appends = 100
		costOfAppends(t, opts, appends, c)
		total := 0
		for _, n := range c.kinds {
			total += n
		}
		if c.kinds[vfs.OpWrite] != 2*appends || c.kinds[vfs.OpSync] != appends || total != 3*appends {
			t.Errorf("%s: %d appends cost these operations: %v", form, appends, c.kinds)
		}
		dir := t.TempDir()
		opts = options(vfs.OS{})
		opts.Dirs, opts.CheckpointDir, opts.SegmentSize = []string{dir}, dir, 1<<20
		allocs := costOfAppends(t, opts, appends, c)
		t.Logf("%s: %v allocations", form, allocs)
		if !invariants.Enabled && allocs > 6 { // race detection adds some of its own
			t.Errorf("%s: an append and its reading cost %v allocations, want at most 6", form, allocs)
		}
	}
}

// costOfAppends appends and returns the allocations of each; c has the operations of all.
func costOfAppends(t *testing.T, opts Options, appends int, c *counts) float64 {
	l := mustOpen(t, opts)
	batch := ids(0, 20, 100)
	defer batch.Release()
	each := func() {
		if err := l.Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		e, ok, err := l.TryRead(20)
		if !ok || err != nil {
			t.Fatalf("read %v, %v", ok, err)
		}
		e.Batch.Release()
		if err := l.Ack(e.Events); err != nil {
			t.Fatal(err)
		}
	}
	each() // starts a segment
	clear(c.kinds)
	allocs := testing.AllocsPerRun(appends-1, each) // and once for warming up
	kinds := maps.Clone(c.kinds)
	mustClose(t, l)
	c.kinds = kinds
	return allocs
}

// TestAnotherFormat opens a log whose segments are whole and of a version that is not known: they are no damage.
func TestAnotherFormat(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, testOptions(mem))
	mustAppend(t, l, 0, 3, 100)
	path := l.segments[0].path
	mustClose(t, l)
	rewriteHead(t, mem, path, segmentVersion+1)
	_, err := Open(testOptions(mem))
	if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), path) {
		t.Fatalf("opening: %v; want %v of %s", err, ErrVersion, path)
	}
	if _, err := Inspect(testOptions(mem)); !errors.Is(err, ErrVersion) {
		t.Errorf("inspecting: %v; want %v", err, ErrVersion)
	}
	rewriteHead(t, mem, path, segmentVersion)
	l = mustOpen(t, testOptions(mem))
	defer l.Close()
	if got := readAll(t, l, true); !slices.Equal(got, seq(0, 3)) {
		t.Errorf("read %v of what the program of the right version finds", got)
	}
}

// rewriteHead gives both copies of a segment's header another version.
func rewriteHead(t *testing.T, fsys vfs.FS, path string, version uint32) {
	t.Helper()
	f, err := fsys.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, segmentHeader)
	if _, err := f.ReadAt(head, 0); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(head[8:], version)
	clear(head[12:16])
	binary.LittleEndian.PutUint32(head[12:], checksum(head))
	for _, at := range []int64{0, segmentHeader} {
		if _, err := f.WriteAt(head, at); err != nil {
			t.Fatal(err)
		}
	}
}
