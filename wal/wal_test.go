package wal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
)

// testReserve is enough for the checkpoints of tests.
const testReserve = 16 << 10

// testOptions are of a log with small segments in two directories and nothing in the background.
func testOptions(fsys vfs.FS) Options {
	return Options{
		FS: fsys, Dirs: []string{"/data1", "/data2"}, CheckpointDir: "/ckpt",
		SegmentSize: minSegmentSize, foreground: true, reserve: testReserve,
	}
}

// sealedOptions are testOptions of an encrypted log.
func sealedOptions(fsys vfs.FS) Options {
	opts := testOptions(fsys)
	opts.Cipher = testCipher("k1")
	return opts
}

// forms are the two ways in which the suites run.
var forms = map[string]func(vfs.FS) Options{"clear": testOptions, "sealed": sealedOptions}

// files returns all files of a test's log with their contents.
func files(t testing.TB, fsys vfs.FS) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, dir := range []string{"/data1", "/data2", "/data1/quarantine", "/data2/quarantine", "/ckpt"} {
		entries, err := fsys.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() {
				continue
			}
			data, err := vfs.ReadFile(fsys, dir+"/"+e.Name())
			if err != nil {
				t.Fatal(err)
			}
			found[dir+"/"+e.Name()] = string(data)
		}
	}
	return found
}

func mustOpen(t testing.TB, opts Options) *Log {
	t.Helper()
	l, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// ids returns a batch of the events with these ids, whose body and header both tell the id.
func ids(from, n, size int) *event.Batch {
	b := event.NewBatch()
	for i := from; i < from+n; i++ {
		e := b.AppendCopy([]byte(fmt.Sprintf("%d:%s", i, strings.Repeat("x", size))))
		b.SetHeader(e, "id", fmt.Sprint(i))
	}
	return b
}

func appendIDs(l *Log, from, n, size int) error {
	b := ids(from, n, size)
	defer b.Release()
	return l.Append(context.Background(), b)
}

func mustAppend(t testing.TB, l *Log, from, n, size int) {
	t.Helper()
	if err := appendIDs(l, from, n, size); err != nil {
		t.Fatal(err)
	}
}

// idsOf returns the ids of a batch's events, and complains about events that are not whole.
func idsOf(t testing.TB, b *event.Batch) []int {
	t.Helper()
	var got []int
	for i := range b.Events() {
		e := b.At(i)
		var id int
		var rest string
		n, _ := fmt.Sscanf(string(e.Body), "%d:%s", &id, &rest)
		if h, _ := e.Header("id"); n < 1 || h != fmt.Sprint(id) || strings.Trim(rest, "x") != "" {
			t.Errorf("event %.40q with header id %q is not one that was appended", e.Body, h)
		}
		got = append(got, id)
	}
	return got
}

// readAll reads what there is; with ack it is acknowledged.
func readAll(t testing.TB, l *Log, ack bool) []int {
	t.Helper()
	var got []int
	for {
		e, ok, err := l.TryRead(7)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return got
		}
		if e.Events.Len() != uint64(e.Batch.Len()) {
			t.Errorf("an entry of %d events has numbers %v", e.Batch.Len(), e.Events)
		}
		got = append(got, idsOf(t, e.Batch)...)
		e.Batch.Release()
		if ack {
			if err := l.Ack(e.Events); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func seq(from, n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = from + i
	}
	return s
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOrderAcrossSegmentsAndReopening(t *testing.T) {
	fsys := vfs.NewMem(1)
	l := mustOpen(t, testOptions(fsys))
	for i := range 60 {
		mustAppend(t, l, i*5, 5, 100)
	}
	if s := l.Stats(); s.Events != 300 || s.Segments < 5 {
		t.Errorf("stats %+v, want 300 events in several segments", s)
	}
	if got := readAll(t, l, false); !slices.Equal(got, seq(0, 300)) {
		t.Errorf("read %v", got)
	}
	mustClose(t, l)
	mustClose(t, l)
	for _, drop := range []string{"nothing", "the checkpoint"} {
		if drop != "nothing" {
			if err := fsys.Remove("/ckpt/wal.checkpoint"); err != nil {
				t.Fatal(err)
			}
		}
		l = mustOpen(t, testOptions(fsys))
		if got := readAll(t, l, false); !slices.Equal(got, seq(0, 300)) {
			t.Errorf("without %s, read %v", drop, got)
		}
		mustClose(t, l)
	}
	l = mustOpen(t, testOptions(fsys))
	readAll(t, l, true)
	if s := l.Stats(); s.Events != 0 || s.Segments > 1 || s.Damaged != 0 {
		t.Errorf("stats after all is acknowledged: %+v", s)
	}
	mustClose(t, l)
	if _, _, err := l.TryRead(1); !errors.Is(err, ErrClosed) {
		t.Errorf("reading a closed log: %v", err)
	}
	if err := appendIDs(l, 0, 1, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("appending to a closed log: %v", err)
	}
}

func TestAckOutOfOrder(t *testing.T) {
	for _, drop := range []bool{false, true} {
		fsys := vfs.NewMem(1)
		l := mustOpen(t, testOptions(fsys))
		for i := range 40 {
			mustAppend(t, l, i*10, 10, 50)
		}
		var want []int
		for i := range 400 {
			if i%3 == 0 && i > 5 || i > 300 {
				want = append(want, i)
			}
		}
		for i := range 400 {
			if !slices.Contains(want, i) {
				if err := l.Ack(Range{uint64(i) + 1, uint64(i) + 2}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := readAll(t, l, false); !slices.Equal(got, want) {
			t.Errorf("read %v, want %v", got, want)
		}
		if s := l.Stats(); s.Events != len(want) {
			t.Errorf("%d events are stored, want %d", s.Events, len(want))
		}
		mustClose(t, l)
		if drop {
			if err := fsys.Remove("/ckpt/wal.checkpoint"); err != nil {
				t.Fatal(err)
			}
		}
		l = mustOpen(t, testOptions(fsys))
		if got := readAll(t, l, true); !slices.Equal(got, want) {
			t.Errorf("after reopening, read %v, want %v", got, want)
		}
		if err := l.Ack(Range{5, 500}); err == nil {
			t.Error("events that do not exist were acknowledged")
		}
		mustClose(t, l)
	}
}

func TestSegmentsAreRecycled(t *testing.T) {
	fsys := vfs.NewMem(1)
	l := mustOpen(t, testOptions(fsys))
	defer l.Close()
	for i := range 400 {
		mustAppend(t, l, i*4, 4, 200)
		if got := readAll(t, l, true); !slices.Equal(got, seq(i*4, 4)) {
			t.Fatalf("read %v after append %d", got, i)
		}
	}
	if used := fsys.Used(); used > 8*minSegmentSize+testReserve+1000 {
		t.Errorf("%d bytes are used for a log that never held more than 4 events", used)
	}
}

func TestBatchLargerThanASegment(t *testing.T) {
	fsys := vfs.NewMem(1)
	l := mustOpen(t, testOptions(fsys))
	mustAppend(t, l, 0, 2, 10)
	mustAppend(t, l, 2, 3, 2*minSegmentSize)
	mustAppend(t, l, 5, 2, 10)
	if got := readAll(t, l, false); !slices.Equal(got, seq(0, 7)) {
		t.Errorf("read %v", got)
	}
	mustClose(t, l)
	l = mustOpen(t, testOptions(fsys))
	defer l.Close()
	if got := readAll(t, l, true); !slices.Equal(got, seq(0, 7)) {
		t.Errorf("after reopening, read %v", got)
	}
}

func TestCapacity(t *testing.T) {
	opts := testOptions(vfs.NewMem(1))
	opts.MaxEvents = 10
	l := mustOpen(t, opts)
	defer l.Close()
	mustAppend(t, l, 0, 8, 1)
	if err := appendIDs(l, 8, 3, 1); !errors.Is(err, ErrFull) {
		t.Errorf("11th event: %v", err)
	}
	readAll(t, l, true)
	mustAppend(t, l, 8, 12, 1) // alone, a batch may exceed the limit
}

// counts counts the operations of a file system.
type counts struct {
	mu    sync.Mutex
	kinds map[vfs.OpKind]int
	hold  chan struct{} // syncs wait for it, if not nil
}

func (c *counts) inject(op vfs.Op) vfs.Action {
	c.mu.Lock()
	c.kinds[op.Kind]++
	hold := c.hold
	c.mu.Unlock()
	if hold != nil && op.Kind == vfs.OpSync {
		<-hold
	}
	return vfs.Action{}
}

func TestGroupCommitSharesSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counts{kinds: make(map[vfs.OpKind]int)}
		opts := testOptions(vfs.NewFailing(vfs.NewMem(1), c.inject))
		opts.SegmentSize = 1 << 20
		l := mustOpen(t, opts)
		mustAppend(t, l, 0, 1, 1)
		c.mu.Lock()
		c.hold = make(chan struct{})
		before := c.kinds[vfs.OpSync]
		writes := c.kinds[vfs.OpWrite]
		c.mu.Unlock()
		for i := range 50 {
			go func() {
				if err := appendIDs(l, 1+i, 1, 10); err != nil {
					t.Error(err)
				}
			}()
		}
		synctest.Wait() // the first is in its sync, all others queue
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		b := ids(99, 1, 1)
		if err := l.Append(ctx, b); !errors.Is(err, context.Canceled) {
			t.Errorf("append withdrawn from the queue: %v", err)
		}
		b.Release()
		close(c.hold)
		synctest.Wait()
		c.mu.Lock()
		if n := c.kinds[vfs.OpSync] - before; n != 2 {
			t.Errorf("50 appends used %d syncs, want 2", n)
		}
		if n := c.kinds[vfs.OpWrite] - writes; n != 2 {
			t.Errorf("50 appends used %d writes, want 2", n)
		}
		c.hold = nil
		c.mu.Unlock()
		got := readAll(t, l, true)
		slices.Sort(got)
		if !slices.Equal(got, seq(0, 51)) {
			t.Errorf("read %v", got)
		}
		mustClose(t, l)
	})
}

func TestReadWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustOpen(t, testOptions(vfs.NewMem(1)))
		go func() {
			<-time.After(time.Minute)
			if err := appendIDs(l, 1, 2, 3); err != nil {
				t.Error(err)
			}
		}()
		e, err := l.Read(t.Context(), 10)
		if err != nil || e.Batch.Len() != 2 {
			t.Fatalf("read %+v, %v", e, err)
		}
		e.Batch.Release()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Read(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("reading an empty log: %v", err)
		}
		go func() {
			<-time.After(time.Second)
			l.Close()
		}()
		if _, err := l.Read(t.Context(), 1); !errors.Is(err, ErrClosed) {
			t.Errorf("reading while the log is closed: %v", err)
		}
	})
}

func TestBackgroundSyncsAcksAndPreparesSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem(1)
		opts := testOptions(mem)
		opts.foreground = false
		l := mustOpen(t, opts)
		mustAppend(t, l, 0, 4, 10)
		synctest.Wait()
		if s := l.Stats(); s.Free != 1 {
			t.Errorf("%d segments are ready, want 1", s.Free)
		}
		readAll(t, l, true)
		<-time.After(2 * time.Second)
		synctest.Wait()
		crashed := testOptions(mem.Crash(vfs.CrashPolicy{}))
		l2 := mustOpen(t, crashed)
		if got := readAll(t, l2, true); len(got) > 0 {
			t.Errorf("acknowledged two seconds before the crash and read again: %v", got)
		}
		mustClose(t, l2)
		l.Close()
	})
}

func TestFullDiskStopsAppendsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem(1)
		l := mustOpen(t, testOptions(mem))
		mem.SetCapacity(mem.Used() + 6*minSegmentSize)
		var stored int
		var err error
		for ; err == nil; stored++ {
			err = appendIDs(l, stored, 1, 300)
		}
		stored--
		if !errors.Is(err, ErrNoSpace) {
			t.Fatalf("append %d: %v", stored, err)
		}
		mem.SetCapacity(mem.Used())
		if err := l.Checkpoint(); err != nil {
			t.Errorf("checkpoint on a full disk: %v", err)
		}
		// Acknowledged one by one, from the end: no segment is released early.
		for i := stored; i > 40; i-- {
			if err := l.Ack(Range{uint64(i), uint64(i) + 1}); err != nil {
				t.Fatalf("acknowledging %d on a full disk: %v", i, err)
			}
		}
		if got := readAll(t, l, false); !slices.Equal(got, seq(0, 40)) {
			t.Errorf("read %v on a full disk", got)
		}
		next := stored
		for range 20 {
			mustAppend(t, l, next, 1, 300) // into what was acknowledged
			next++
		}
		mustClose(t, l)
		l = mustOpen(t, testOptions(mem))
		want := append(seq(0, 40), seq(stored, 20)...)
		if got := readAll(t, l, true); !slices.Equal(got, want) {
			t.Errorf("after reopening on a full disk, read %v, want %v", got, want)
		}
		mem.SetCapacity(-1)
		<-time.After(retryStart)
		for range 50 {
			mustAppend(t, l, next, 1, 300)
			next++
		}
		mustClose(t, l)
	})
}

func TestFailedSyncKillsTheSegment(t *testing.T) {
	for _, policy := range []vfs.CrashPolicy{{}, {Data: vfs.All, Entries: vfs.All}, {Data: vfs.Mixed, Entries: vfs.Mixed}} {
		mem := vfs.NewMem(3)
		failing := vfs.NewFailing(mem, nil)
		died := 0
		opts := testOptions(failing)
		opts.Hooks.SegmentDied = func(error) { died++ }
		l := mustOpen(t, opts)
		mustAppend(t, l, 0, 3, 10)
		isSync := func(op vfs.Op) bool { return op.Kind == vfs.OpSync }
		failing.SetInjector(vfs.Only(isSync, vfs.FailAt(0, syscall.EIO)))
		if err := appendIDs(l, 100, 3, 10); !errors.Is(err, syscall.EIO) {
			t.Fatalf("append whose sync failed: %v", err)
		}
		mustAppend(t, l, 3, 3, 10)
		if died != 1 {
			t.Errorf("%d segments died, want 1", died)
		}
		if got := readAll(t, l, false); !slices.Equal(got, seq(0, 6)) {
			t.Errorf("read %v", got)
		}
		l2 := mustOpen(t, testOptions(mem.Crash(policy)))
		if got := readAll(t, l2, true); !slices.Equal(got, seq(0, 6)) {
			t.Errorf("after a crash, read %v", got)
		}
		if s := l2.Stats(); s.Damaged > 0 {
			t.Errorf("%d records are called damaged", s.Damaged)
		}
		mustClose(t, l2)
		l.Close()
	}
}

func TestGoneDiskFailsAppendsUntilItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := vfs.NewFailing(vfs.NewMem(3), nil)
		opts := testOptions(failing)
		opts.SyncAcks = true
		l := mustOpen(t, opts)
		mustAppend(t, l, 0, 3, 10)
		failing.SetInjector(func(op vfs.Op) vfs.Action {
			if op.Mutates() {
				return vfs.Action{Err: syscall.EROFS}
			}
			return vfs.Action{}
		})
		for range 5 {
			if err := appendIDs(l, 9, 1, 10); !errors.Is(err, syscall.EROFS) {
				t.Fatalf("append to a disk that is gone: %v", err)
			}
		}
		if err := l.Ack(Range{1, 2}); !errors.Is(err, syscall.EROFS) {
			t.Errorf("acknowledging to a disk that is gone: %v", err)
		}
		if got := readAll(t, l, false); !slices.Equal(got, seq(1, 2)) {
			t.Errorf("read %v from a disk that takes nothing", got)
		}
		failing.SetInjector(nil)
		<-time.After(retryStart)
		mustAppend(t, l, 3, 3, 10)
		mustClose(t, l)
		l = mustOpen(t, testOptions(failing))
		if got := readAll(t, l, true); !slices.Equal(got, seq(1, 5)) {
			t.Errorf("after reopening, read %v", got)
		}
		mustClose(t, l)
	})
}

func TestMemoryIsBoundedByTheBudget(t *testing.T) {
	opts := testOptions(vfs.NewMem(1))
	opts.SegmentSize = 256 << 10
	opts.CacheBytes = 64 << 10
	l := mustOpen(t, opts)
	defer l.Close()
	const batches, per = 400, 20
	for i := range batches {
		mustAppend(t, l, i*per, per, 400)
		if c := l.Stats().Cached; c > opts.CacheBytes {
			t.Fatalf("%d bytes are cached, more than the budget of %d", c, opts.CacheBytes)
		}
	}
	if n := len(l.segments); n < 10 {
		t.Fatalf("the backlog has only %d segments", n)
	}
	if got := readAll(t, l, true); !slices.Equal(got, seq(0, batches*per)) {
		t.Errorf("read %d events, in order: %v", len(got), slices.IsSorted(got))
	}
	if c := cap(l.reader.buf); c > 2*scanChunk {
		t.Errorf("the reader holds a buffer of %d bytes", c)
	}
	mustAppend(t, l, batches*per, 1, 10)
	if l.Stats().Cached == 0 {
		t.Error("the reader has caught up and nothing is kept for it")
	}
}

func TestDirectoriesAreLockedAndOfOneLog(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, testOptions(mem))
	mustAppend(t, l, 0, 1, 1)
	if _, err := Open(testOptions(mem)); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("opening a log twice: %v", err)
	}
	mustClose(t, l)
	other := testOptions(mem)
	other.CheckpointDir = "/other"
	other.Dirs = []string{"/other"}
	o := mustOpen(t, other)
	mustAppend(t, o, 0, 1, 1)
	mustClose(t, o)
	mixed := testOptions(mem)
	mixed.Dirs = []string{"/other"}
	if _, err := Open(mixed); err == nil || !strings.Contains(err.Error(), "another log") {
		t.Errorf("opening a mixture of two logs: %v", err)
	}
}
