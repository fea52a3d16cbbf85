package wal

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/flume-go/flume/internal/vfs"
)

// rivalry is a log on a slow disk that is syncing event 8, and appends of others that have come meanwhile.
type rivalry struct {
	t    *testing.T
	log  *Log
	disk *slowDisk
	mem  *vfs.Mem
	done map[int]chan error // by the first event
}

// newRivalry starts in the sync of event 8; a put of 4 KiB is large.
func newRivalry(t *testing.T, change func(*Options)) *rivalry {
	l, disk, mem := openSlow(t, func(o *Options) {
		o.aheadSize = 4 << 10
		if change != nil {
			change(o)
		}
	})
	r := &rivalry{t: t, log: l, disk: disk, mem: mem, done: make(map[int]chan error)}
	disk.hold.Store(true)
	r.append(8, 10)
	return r
}

// append appends event id in a goroutine, as far as that goes.
func (r *rivalry) append(id, size int) {
	done := make(chan error, 1)
	r.done[id] = done
	go func() { done <- appendIDs(r.log, id, 1, size) }()
	synctest.Wait()
}

// synced ends the sync that is under way.
func (r *rivalry) synced(err error) {
	r.disk.sync <- err
	synctest.Wait()
}

// expect compares which appends are done, without an error.
func (r *rivalry) expect(want ...int) {
	r.t.Helper()
	var got []int
	for id, done := range r.done {
		select {
		case err := <-done:
			if err != nil {
				r.t.Errorf("appending %d: %v", id, err)
			}
			got = append(got, id)
			delete(r.done, id)
		default:
		}
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		r.t.Errorf("%v are stored, want %v", got, want)
	}
}

// TestWriteAhead: what is large is written while the disk works for others, and stored with the next sync.
func TestWriteAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRivalry(t, nil)
		before := r.disk.writes.Load()
		r.append(9, 5000)
		r.append(10, 10) // a small one waits
		r.append(11, 5000)
		if n := r.disk.writes.Load() - before; n == 0 {
			t.Error("nothing was written while the disk was busy")
		}
		if got := left(t, r.mem, killed); !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11}) {
			t.Errorf("killed during the first sync: %v is left", got)
		}
		if got := left(t, r.mem, powerCut); !slices.Equal(got, seq(0, 9)) {
			t.Errorf("power cut behind the first sync: %v is left", got)
		}
		r.expect()
		r.synced(nil)
		r.expect(8)
		if got := readAll(t, r.log, false); !slices.Equal(got, seq(0, 9)) {
			t.Errorf("%v can be read before the second sync", got)
		}
		r.synced(nil)
		r.expect(9, 10, 11)
		if got := readAll(t, r.log, false); !slices.Equal(got, []int{9, 11, 10}) {
			t.Errorf("%v can be read behind the second sync", got)
		}
		if got := left(t, r.mem, powerCut); !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 10}) {
			t.Errorf("power cut: %v is left", got)
		}
		r.disk.hold.Store(false)
		mustClose(t, r.log)
	})
}

// TestFailedSyncWithPutsAhead: the file is not synced again, as that would succeed, and what was written ahead is not stored.
func TestFailedSyncWithPutsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		died := 0
		r := newRivalry(t, func(o *Options) { o.Hooks.SegmentDied = func(error) { died++ } })
		r.append(9, 5000)
		r.disk.hold.Store(false)
		r.synced(syscall.EIO)
		for _, id := range []int{8, 9} {
			if err := <-r.done[id]; !errors.Is(err, syscall.EIO) {
				t.Errorf("appending %d: %v", id, err)
			}
			delete(r.done, id)
		}
		r.append(10, 5000)
		r.expect(10)
		if got := readAll(t, r.log, true); !slices.Equal(got, append(seq(0, 8), 10)) || died != 1 {
			t.Errorf("%v can be read, %d segments died", got, died)
		}
		mustClose(t, r.log)
	})
}

// TestFailedWriteAhead: the group in front is stored, what was written ahead before too, and what comes behind is in another segment.
func TestFailedWriteAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRivalry(t, nil)
		r.append(9, 5000)
		fault := error(syscall.EIO)
		r.disk.fail.Store(&fault)
		r.append(10, 5000)
		r.append(11, 5000)
		r.disk.hold.Store(false)
		r.synced(nil)
		if err := <-r.done[10]; !errors.Is(err, syscall.EIO) {
			t.Errorf("the append whose write failed: %v", err)
		}
		delete(r.done, 10)
		r.expect(8, 9, 11)
		if got := left(t, r.mem, powerCut); !slices.Equal(got, append(seq(0, 10), 11)) {
			t.Errorf("power cut: %v is left", got)
		}
		mustClose(t, r.log)
	})
}

// TestWriteAheadOfTheEnd: what has no room in the segment waits, and so does what is behind it.
func TestWriteAheadOfTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRivalry(t, nil)
		before := r.disk.writes.Load()
		r.append(9, 1<<20)
		r.append(10, 5000)
		if n := r.disk.writes.Load() - before; n != 0 {
			t.Errorf("%d writes while the disk was busy", n)
		}
		r.disk.hold.Store(false)
		r.synced(nil)
		r.expect(8, 9, 10)
		if got := readAll(t, r.log, true); !slices.Equal(got, seq(0, 11)) {
			t.Errorf("read %v", got)
		}
		mustClose(t, r.log)
	})
}

// TestTasksWaitForPutsAhead: a checkpoint, and the end of the log, cover what was written ahead of them.
func TestTasksWaitForPutsAhead(t *testing.T) {
	for name, task := range map[string]func(*Log) error{"checkpoint": (*Log).Checkpoint, "close": (*Log).Close} {
		synctest.Test(t, func(t *testing.T) {
			r := newRivalry(t, nil)
			r.append(9, 5000)
			ended := make(chan error, 1)
			go func() { ended <- task(r.log) }()
			synctest.Wait()
			r.disk.hold.Store(false)
			r.synced(nil)
			if err := <-ended; err != nil {
				t.Errorf("%s: %v", name, err)
			}
			r.expect(8, 9)
			if got := left(t, r.mem, powerCut); !slices.Equal(got, seq(0, 10)) {
				t.Errorf("%s, then a power cut: %v is left", name, got)
			}
			mustClose(t, r.log)
		})
	}
}

// TestWrittenAheadIsNotWithdrawn: who gives up learns what became of it.
func TestWrittenAheadIsNotWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRivalry(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 2)
		for id, size := range map[int]int{9: 5000, 10: 10} {
			go func() { results <- r.log.Append(ctx, ids(id, 1, size)) }()
			synctest.Wait()
		}
		cancel()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("a small one that had not been written: %v", err)
		}
		r.disk.hold.Store(false)
		r.synced(nil)
		if err := <-results; err != nil {
			t.Errorf("one that was written ahead: %v", err)
		}
		r.expect(8)
		mustClose(t, r.log)
	})
}

// TestNothingIsWrittenAheadOfATask: a checkpoint that syncs acknowledgements syncs again and takes a snapshot behind it, which
// would reach behind what was written ahead and is not in the books.
func TestNothingIsWrittenAheadOfATask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, disk, mem := openSlow(t, func(o *Options) { o.aheadSize, o.SyncAcks = 4<<10, true })
		l.mu.Lock()
		err := l.acknowledge([]Range{{1, 3}}) // as Ack does before it waits
		l.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		disk.hold.Store(true)
		saved := make(chan error, 1)
		go func() { saved <- l.Checkpoint() }()
		synctest.Wait() // in its sync
		before := disk.writes.Load()
		r := &rivalry{t: t, log: l, disk: disk, mem: mem, done: make(map[int]chan error)}
		r.append(8, 5000)
		if n := disk.writes.Load() - before; n != 0 {
			t.Errorf("%d writes while the checkpoint was made", n)
		}
		disk.hold.Store(false)
		r.synced(nil)
		if err := <-saved; err != nil {
			t.Error(err)
		}
		r.expect(8)
		if got := left(t, mem, powerCut); !slices.Equal(got, seq(2, 7)) {
			t.Errorf("power cut: %v is left", got)
		}
		mustClose(t, l)
	})
}
