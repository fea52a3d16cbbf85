package wal

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/flume-go/flume/internal/vfs"
)

// narrowOptions are of a log on a disk with space for segments of the usual size, so many of them.
func narrowOptions(mem *vfs.Mem, segments int64) Options {
	mem.SetCapacity(segments*minSegmentSize + testReserve + 4<<10)
	return with(testOptions(mem), func(o *Options) { o.Dirs = []string{"/data1"} })
}

// fillDisk appends single events until the disk is full and returns how many fit.
func fillDisk(t *testing.T, l *Log, from int) (n int) {
	t.Helper()
	for {
		err := appendIDs(l, from+n, 1, 500)
		if errors.Is(err, ErrNoSpace) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
}

// TestNarrowDisk fills a disk with space for few segments again and again. Whatever is acknowledged is used again, the
// segment that is being written included.
func TestNarrowDisk(t *testing.T) {
	for segments := range int64(3) {
		mem := vfs.NewMem(1)
		l := mustOpen(t, narrowOptions(mem, segments+1))
		next := 0
		for round := range 20 {
			n := fillDisk(t, l, next)
			if n < 10 {
				t.Fatalf("%d segments, round %d: the disk is full after %d events", segments+1, round, n)
			}
			if got := readAll(t, l, true); !slices.Equal(got, seq(next, n)) {
				t.Fatalf("%d segments, round %d: read %v, want %d events from %d", segments+1, round, got, n, next)
			}
			next += n
			if got := left(t, mem, powerCut); round%2 == 0 && len(got) > 0 && !slices.Equal(got, seq(next-len(got), len(got))) {
				t.Errorf("%d segments, round %d: %v is left by a power cut", segments+1, round, got)
			}
			if round%5 == 4 {
				mustClose(t, l)
				l = mustOpen(t, narrowOptions(mem, segments+1))
			}
		}
		mustClose(t, l)
	}
}

// TestNarrowDiskBehindABacklog fills the disk, keeps the first event, and acknowledges all others: the segment that is being
// written is used again, though older ones are not.
func TestNarrowDiskBehindABacklog(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, narrowOptions(mem, 2))
	fillDisk(t, l, 0)
	for round := range 5 {
		if err := l.Ack(Range{2, l.Stats().Next}); err != nil {
			t.Fatal(err)
		}
		readAll(t, l, false)
		from := 1000 * (round + 1)
		n := fillDisk(t, l, from)
		if n < 10 {
			t.Fatalf("round %d: only %d events fit", round, n)
		}
		if got := left(t, mem, powerCut); !slices.Equal(got, append([]int{0}, seq(from, n)...)) {
			t.Fatalf("round %d: %v is left by a power cut", round, got)
		}
	}
	mustClose(t, l)
}

// TestSegmentInUseIsNotRecycled has a reader in the only segment while its last events are acknowledged.
func TestSegmentInUseIsNotRecycled(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, narrowOptions(mem, 1))
	fillDisk(t, l, 0)
	seg := l.segments[0]
	l.mu.Lock()
	seg.pins++
	l.mu.Unlock()
	readAll(t, l, true)
	if err := appendIDs(l, 100, 1, 1000); !errors.Is(err, ErrNoSpace) {
		t.Errorf("appending to a disk that is full while its segment is being read: %v", err)
	}
	l.mu.Lock()
	seg.pins--
	l.releaseIfEmpty(seg)
	l.mu.Unlock()
	mustAppend(t, l, 100, 1, 1000)
	if got := readAll(t, l, true); !slices.Equal(got, []int{100}) {
		t.Errorf("read %v", got)
	}
	mustClose(t, l)
}

// TestFreeSegmentsGiveWayToALargeOne appends a batch for which the free segments are too small, on a disk that they fill.
func TestFreeSegmentsGiveWayToALargeOne(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, narrowOptions(mem, 4))
	n := fillDisk(t, l, 0)
	readAll(t, l, true)
	mustAppend(t, l, n, 1, 2*minSegmentSize)
	mustAppend(t, l, n+1, 1, 10)
	if got := left(t, mem, powerCut); !slices.Equal(got, seq(n, 2)) {
		t.Errorf("%v is left by a power cut", got)
	}
	if got := readAll(t, l, true); !slices.Equal(got, seq(n, 2)) {
		t.Errorf("read %v", got)
	}
	mustClose(t, l)
}

// TestBatchLargerThanTheDisk is refused, and everything else goes on.
func TestBatchLargerThanTheDisk(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, narrowOptions(mem, 2))
	for i := range 5 {
		if err := appendIDs(l, 100, 1, 8*minSegmentSize); !errors.Is(err, ErrNoSpace) {
			t.Errorf("appending more than the disk holds: %v", err)
		}
		mustAppend(t, l, i, 1, 500)
		if got := readAll(t, l, i%2 == 0); !slices.Equal(got, []int{i}) {
			t.Errorf("read %v", got)
		}
	}
	if got := left(t, mem, powerCut); !slices.Equal(got, []int{1, 3, 4}) {
		t.Errorf("%v is left by a power cut", got)
	}
	mustClose(t, l)
}

// TestFilesAreMadeAhead looks at how many files there are: one from the beginning, and another once an eighth of a segment is
// written, unless a reader that keeps up has freed one.
func TestFilesAreMadeAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := with(testOptions(vfs.NewMem(1)), func(o *Options) { o.foreground, o.KeepFree, o.SegmentSize = false, 4, 8*minSegmentSize })
		l := mustOpen(t, opts)
		defer mustClose(t, l)
		expect := func(when string, used, free int) {
			t.Helper()
			synctest.Wait()
			if s := l.Stats(); s.Segments != used || s.Free != free {
				t.Fatalf("%s: %d files in use and %d free, want %d and %d", when, s.Segments, s.Free, used, free)
			}
		}
		expect("opened", 0, 1)
		next := 0
		put := func(ack bool) {
			mustAppend(t, l, next, 1, 500)
			next++
			if ack {
				readAll(t, l, true)
			}
			synctest.Wait() // the background has looked before the next switch
		}
		// fill writes up to this length of a segment, or until the next begins.
		fill := func(to int64, ack bool) {
			put(ack)
			for seg := l.writer.active; l.writer.active == seg && seg.written < to; {
				put(ack)
			}
		}
		size := opts.SegmentSize
		fill(size/8-1000, false)
		expect("less than an eighth written", 1, 0)
		fill(size/8, false)
		expect("an eighth written", 1, 1)
		readAll(t, l, true)
		for range 3 {
			fill(size, true)
			expect("all of it read, and the next begun", 1, 1)
		}
		fill(size, false)
		expect("nothing read for a segment", 2, 0)
		fill(size/8, false)
		expect("nothing read, an eighth written", 2, 1)
	})
}
