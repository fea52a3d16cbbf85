package wal

import (
	"errors"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

// killed is what a process that is killed leaves: all that was written. powerCut is what is left at the
// least when the power fails.
var (
	killed   = vfs.CrashPolicy{Data: vfs.All, Entries: vfs.All}
	powerCut = vfs.CrashPolicy{}
)

// left returns what another process reads after a crash.
func left(t *testing.T, mem *vfs.Mem, policy vfs.CrashPolicy) []int {
	t.Helper()
	l := mustOpen(t, testOptions(mem.CrashClone(policy)))
	defer mustClose(t, l)
	return readAll(t, l, true)
}

// TestWhenAcksAreSafe follows acknowledgements on their way: to the file at once, to the disk with the sync of the next
// append, after a second or with a checkpoint, and at once with SyncAcks.
func TestWhenAcksAreSafe(t *testing.T) {
	for _, c := range []struct {
		name    string
		options func(*Options)
		then    func(t *testing.T, l *Log)
		policy  vfs.CrashPolicy
		want    []int
	}{
		{"at once", nil, nil, killed, nil},
		{"at once, power cut", nil, nil, powerCut, seq(0, 4)},
		{"after a second, power cut", nil, func(*testing.T, *Log) { <-time.After(2 * time.Second) }, powerCut, nil},
		{"with an append, power cut", nil, func(t *testing.T, l *Log) { mustAppend(t, l, 9, 1, 1) }, powerCut, []int{9}},
		{"with a checkpoint, power cut", nil, func(t *testing.T, l *Log) {
			if err := l.Checkpoint(); err != nil {
				t.Error(err)
			}
		}, powerCut, nil},
		{"synced, power cut", func(o *Options) { o.SyncAcks = true }, nil, powerCut, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			mem := vfs.NewMem(1)
			opts := testOptions(mem)
			opts.foreground = false
			if c.options != nil {
				c.options(&opts)
			}
			l := mustOpen(t, opts)
			mustAppend(t, l, 0, 4, 10)
			synctest.Wait()
			readAll(t, l, true)
			if s := l.Stats(); s.Events != 0 {
				t.Errorf("%s: %d events are stored after the acknowledgement", c.name, s.Events)
			}
			if c.then != nil {
				c.then(t, l)
				synctest.Wait()
			}
			if got := left(t, mem, c.policy); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v is left, want %v", c.name, got, c.want)
			}
			mustClose(t, l)
		})
	}
}

// slowDisk is a file system on which syncs of segments wait, while everything else goes on.
type slowDisk struct {
	vfs.FS
	hold   atomic.Bool
	sync   chan error // what the next sync returns
	writes atomic.Int64
	fail   atomic.Pointer[error] // what the next write returns
}

type slowFile struct {
	vfs.File
	disk *slowDisk
}

func (d *slowDisk) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := d.FS.OpenFile(name, flag, perm)
	if err != nil || !strings.HasSuffix(name, segmentSuffix) {
		return f, err
	}
	return &slowFile{f, d}, nil
}

func (f *slowFile) WriteAt(p []byte, off int64) (int, error) {
	f.disk.writes.Add(1)
	if err := f.disk.fail.Swap(nil); err != nil {
		return 0, *err
	}
	return f.File.WriteAt(p, off)
}

func (f *slowFile) Sync() error {
	err := f.File.Sync()
	if f.disk.hold.Load() {
		return errors.Join(err, <-f.disk.sync) // what is written meanwhile is not covered
	}
	return err
}

// openSlow returns a log of 8 events on a slow disk.
func openSlow(t *testing.T, change func(*Options)) (*Log, *slowDisk, *vfs.Mem) {
	mem := vfs.NewMem(1)
	disk := &slowDisk{FS: mem, sync: make(chan error)}
	l := mustOpen(t, with(testOptions(disk), func(o *Options) {
		o.SegmentSize = 1 << 20
		if change != nil {
			change(o)
		}
	}))
	mustAppend(t, l, 0, 8, 10)
	return l, disk, mem
}

// TestAckWaitsForNoSync acknowledges while a group is being synced. The acknowledgement is in the file at once, and
// does not pass for durable when the sync has succeeded.
func TestAckWaitsForNoSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, disk, mem := openSlow(t, nil)
		disk.hold.Store(true)
		appended := make(chan error, 1)
		go func() { appended <- appendIDs(l, 8, 1, 10) }()
		synctest.Wait() // in its sync
		for _, r := range []Range{{1, 3}, {5, 6}} {
			if err := l.Ack(r); err != nil {
				t.Fatal(err)
			}
		}
		rest := []int{2, 3, 5, 6, 7}
		if got := left(t, mem, killed); !slices.Equal(got, append(rest, 8)) {
			t.Errorf("killed during the sync: %v is left", got)
		}
		if len(appended) > 0 {
			t.Fatal("the append did not wait for its sync")
		}
		disk.sync <- nil
		if err := <-appended; err != nil {
			t.Fatal(err)
		}
		if seg := l.segments[0]; seg.end > seg.synced || seg.synced == seg.written {
			t.Errorf("what is written ends at %d; %d is called durable, and %d the end of what was", seg.written, seg.synced, seg.end)
		}
		if got := left(t, mem, powerCut); !slices.Equal(got, seq(0, 9)) {
			t.Errorf("power cut after the sync: %v is left", got)
		}
		disk.hold.Store(false)
		if err := l.exclusive(l.writer.syncDirty); err != nil {
			t.Fatal(err)
		}
		if got := left(t, mem, powerCut); !slices.Equal(got, append(rest, 8)) {
			t.Errorf("power cut after the next sync: %v is left", got)
		}
		mustClose(t, l)
	})
}

// TestAcksShareAWrite has many wait for the pen: the first of them writes for all.
func TestAcksShareAWrite(t *testing.T) {
	l, disk, mem := openSlow(t, nil)
	before := disk.writes.Load()
	l.writer.pen.Lock()
	var acks sync.WaitGroup
	for i := range uint64(8) {
		acks.Go(func() {
			if err := l.Ack(Range{i + 1, i + 2}); err != nil {
				t.Error(err)
			}
		})
	}
	for l.Stats().Events > 0 {
		runtime.Gosched()
	}
	l.writer.pen.Unlock()
	acks.Wait()
	if n := disk.writes.Load() - before; n != 1 {
		t.Errorf("8 acknowledgements that waited for each other cost %d writes", n)
	}
	if got := left(t, mem, killed); len(got) > 0 {
		t.Errorf("killed: %v is left", got)
	}
	mustClose(t, l)
}

// TestFailedSyncKeepsAcks has the sync fail during which something was acknowledged: it is in the snapshot of the
// next segment, or in a checkpoint if there cannot be one.
func TestFailedSyncKeepsAcks(t *testing.T) {
	for _, full := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l, disk, mem := openSlow(t, nil)
			if full {
				mem.SetCapacity(mem.Used() + 1<<10)
			}
			disk.hold.Store(true)
			appended := make(chan error, 1)
			go func() { appended <- appendIDs(l, 8, 1, 10) }()
			synctest.Wait()
			if err := l.Ack(Range{1, 7}); err != nil {
				t.Fatal(err)
			}
			disk.hold.Store(false) // for the segment that follows
			disk.sync <- syscall.EIO
			if err := <-appended; !errors.Is(err, syscall.EIO) {
				t.Errorf("the append whose sync failed: %v", err)
			}
			if got := left(t, mem, powerCut); !slices.Equal(got, []int{6, 7}) {
				t.Errorf("disk full %v: %v is left", full, got)
			}
			mustClose(t, l)
		})
	}
}

// TestFailedStartKeepsAcks acknowledges while another segment is being made, behind the last sync of the old one, and has the
// new one fail to start: nobody will sync the old one again, so a checkpoint has what is at its end.
func TestFailedStartKeepsAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, disk, mem := openSlow(t, nil)
		disk.hold.Store(true)
		appended := make(chan error, 1)
		go func() { appended <- appendIDs(l, 8, 1, 1<<20) }()
		synctest.Wait() // in the sync of the new file
		if err := l.Ack(Range{1, 7}); err != nil {
			t.Fatal(err)
		}
		if got := left(t, mem, killed); !slices.Equal(got, []int{6, 7}) {
			t.Errorf("killed while a segment was being made: %v is left", got)
		}
		fault := error(syscall.EIO)
		disk.fail.Store(&fault)
		disk.hold.Store(false)
		disk.sync <- nil
		if err := <-appended; !errors.Is(err, syscall.EIO) {
			t.Errorf("the append that needed the segment: %v", err)
		}
		if got := left(t, mem, powerCut); !slices.Equal(got, []int{6, 7}) {
			t.Errorf("power cut: %v is left", got)
		}
		mustClose(t, l)
	})
}

// TestAcksDuringASyncFreeNothing empties a segment while a sync runs: it is not reused before the next.
func TestAcksDuringASyncFreeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, disk, _ := openSlow(t, nil)
		mustAppend(t, l, 8, 1, 700<<10)
		mustAppend(t, l, 9, 1, 700<<10) // in another segment
		disk.hold.Store(true)
		appended := make(chan error, 1)
		go func() { appended <- appendIDs(l, 10, 1, 10) }()
		synctest.Wait()
		if err := l.Ack(Range{1, 10}); err != nil { // all of the first segment
			t.Fatal(err)
		}
		disk.hold.Store(false)
		disk.sync <- nil
		if err := <-appended; err != nil {
			t.Fatal(err)
		}
		if len(l.segments) != 1 || len(l.free) != 0 {
			t.Errorf("%d segments in use and %d free, before the acknowledgements are durable that emptied one", len(l.segments), len(l.free))
		}
		mustAppend(t, l, 11, 1, 10)
		if len(l.free) != 1 {
			t.Errorf("%d segments are free after the next sync, want 1", len(l.free))
		}
		mustClose(t, l)
	})
}

// TestFailedAckWrite has the write of an acknowledgement fail, while nobody leads and while a group is being synced.
func TestFailedAckWrite(t *testing.T) {
	for _, leading := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			died := 0
			l, disk, mem := openSlow(t, func(o *Options) { o.Hooks.SegmentDied = func(error) { died++ } })
			want := []int{6, 7}
			appended, acked := make(chan error, 1), make(chan error, 1)
			if leading {
				disk.hold.Store(true)
				go func() { appended <- appendIDs(l, 8, 1, 10) }()
				synctest.Wait()
				want = append(want, 8)
			}
			fault := error(syscall.EIO)
			disk.fail.Store(&fault)
			go func() { acked <- l.Ack(Range{1, 7}) }()
			synctest.Wait()
			if leading {
				disk.hold.Store(false)
				disk.sync <- nil
				if err := <-appended; err != nil {
					t.Errorf("the append that was written before: %v", err)
				}
			}
			if err := <-acked; err != nil {
				t.Errorf("the acknowledgement whose write failed: %v", err)
			}
			if got := left(t, mem, powerCut); !slices.Equal(got, want) {
				t.Errorf("leading %v: %v is left, want %v", leading, got, want)
			}
			mustAppend(t, l, 9, 1, 10)
			if died != 1 {
				t.Errorf("leading %v: %d segments died, want 1", leading, died)
			}
			mustClose(t, l)
		})
	}
}

// TestKilledAtWork kills a process in which producers, a consumer and the background are at work, again and again: what
// was acknowledged is not there, and what was appended is, unless it was acknowledged meanwhile.
func TestKilledAtWork(t *testing.T) {
	mem := vfs.NewMem(1)
	opts := with(testOptions(mem), func(o *Options) {
		o.foreground, o.SyncDelay, o.CheckpointInterval = false, 1, 1 // as often as it can
	})
	l := mustOpen(t, opts)
	const producers, each = 3, 300
	var mu sync.Mutex
	state := make(map[int]string) // of an event: appended, taken, gone
	var work sync.WaitGroup
	for p := range producers {
		work.Go(func() {
			for i := range each {
				id := p*each + i
				if err := appendIDs(l, id, 1, 100); err != nil {
					t.Error(err)
				}
				mu.Lock()
				if state[id] == "" {
					state[id] = "appended"
				}
				mu.Unlock()
			}
		})
	}
	set := func(ids []int, to string) {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range ids {
			state[id] = to
		}
	}
	work.Go(func() {
		for n := 0; n < producers*each; {
			e, ok, err := l.TryRead(5)
			if err != nil {
				t.Error(err)
				return
			}
			if !ok {
				runtime.Gosched()
				continue
			}
			got := idsOf(t, e.Batch)
			e.Batch.Release()
			n += len(got)
			set(got, "taken")
			if err := l.Ack(e.Events); err != nil {
				t.Error(err)
			}
			set(got, "gone")
		}
	})
	stopped := make(chan struct{})
	go func() { work.Wait(); close(stopped) }()
	kills := 0
	for running := true; running; kills++ {
		select {
		case <-stopped:
			running = false
		default:
		}
		mu.Lock()
		before := maps.Clone(state)
		mu.Unlock()
		crashed := mem.CrashClone(killed)
		mu.Lock()
		after := maps.Clone(state)
		mu.Unlock()
		again := mustOpen(t, testOptions(crashed))
		found := make(map[int]bool)
		for _, id := range readAll(t, again, true) {
			found[id] = true
			if before[id] == "gone" {
				t.Errorf("event %d was acknowledged, and is there after a kill", id)
			}
		}
		for id, s := range before {
			if s == "appended" && after[id] == "appended" && !found[id] {
				t.Errorf("event %d was appended, and is not there after a kill", id)
			}
		}
		mustClose(t, again)
	}
	t.Logf("%d kills", kills)
	mustClose(t, l)
}

// TestLossIsRemembered removes a segment, the last of whose events were lost to damage, and crashes before
// the next checkpoint: nobody asks for them afterwards.
func TestLossIsRemembered(t *testing.T) {
	mem := vfs.NewMem(1)
	opts := testOptions(mem)
	opts.KeepFree = 1
	l := mustOpen(t, opts)
	for i := range 58 {
		mustAppend(t, l, i, 1, 800)
	}
	path := l.segments[1].path
	mustClose(t, l)
	flip(t, mem, path, 4000)
	l = mustOpen(t, opts)
	if got := readAll(t, l, true); len(got) != 57 {
		t.Errorf("read %d of 58 events, one of which is damaged", len(got))
	}
	gen := l.writer.gen
	mustAppend(t, l, 100, 1, 10) // makes it durable, and removes what is empty
	if l.writer.gen != gen {
		t.Fatal("another segment was started, whose snapshot remembers it anyway")
	}
	if _, err := mem.Stat(path); err == nil {
		t.Fatal("the segment is still there")
	}
	if got := left(t, mem, killed); !slices.Equal(got, []int{100}) {
		t.Errorf("%v is left, want the last event", got)
	}
	mustClose(t, l)
}
