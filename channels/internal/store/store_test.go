package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/channels/internal/counters"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/wal"
)

const segment = 64 << 10

// rig is an open store on a file system that a test can spoil.
type rig struct {
	*Store
	t     *testing.T
	fs    vfs.FS
	opts  Options
	log   bytes.Buffer
	count *counters.File
}

// open opens a store; it is closed at the end of the test.
func open(t *testing.T, fsys vfs.FS, o Options) *rig {
	t.Helper()
	r := &rig{t: t, fs: fsys, opts: o, count: counters.NewFile(metrics.NewSet(metrics.KindChannel, "c1"))}
	r.Store = New(r.count)
	r.opts.Log.FS, r.opts.Log.CheckpointDir, r.opts.Log.Dirs = fsys, "/checkpoint", []string{"/data"}
	r.opts.Log.SegmentSize = segment
	r.opts.Log.Log = slog.New(slog.NewTextHandler(&r.log, nil))
	if r.opts.Capacity == 0 {
		r.opts.Capacity = 1000
	}
	r.reopen()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return r
}

func (r *rig) reopen() {
	r.t.Helper()
	if err := r.Open(r.opts); err != nil {
		r.t.Fatal(err)
	}
}

// batch has n events with bodies of so many bytes.
func batch(n, size int) *event.Batch {
	b := event.NewBatch()
	for range n {
		b.AppendCopy(make([]byte, size))
	}
	return b
}

func (r *rig) put(n, size int) error {
	b := batch(n, size)
	defer b.Release()
	return r.Put(context.Background(), b)
}

// begin starts a put; the channel gets its outcome.
func (r *rig) begin(n int) <-chan error {
	done := make(chan error, 1)
	go func() { done <- r.put(n, 10) }()
	synctest.Wait()
	return done
}

func (r *rig) mustPut(n, size int) {
	r.t.Helper()
	if err := r.put(n, size); err != nil {
		r.t.Fatal(err)
	}
}

// take takes exactly n events.
func (r *rig) take(limit, n int) flow.Delivery {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	d, err := r.Take(ctx, limit)
	if err != nil {
		r.t.Fatal(err)
	}
	if got := d.Batch().Len(); got != n {
		r.t.Fatalf("took %d events, want %d", got, n)
	}
	return d
}

func (r *rig) ack(d flow.Delivery) {
	r.t.Helper()
	if err := d.Ack(); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

// A put that meets a full disk waits, says so once, and goes on by itself.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem(1)
		disk.SetCapacity(256<<10 + 4*segment) // 256 KiB are kept for the checkpoint
		r := open(t, disk, Options{Wait: 3 * time.Second})
		for ; ; flow.Sleep(t.Context(), time.Second) { // the log makes files in the background
			start := time.Now()
			err := r.put(2, 10_000)
			if err == nil {
				continue
			}
			if !errors.Is(err, flow.ErrFull) || !errors.Is(err, wal.ErrNoSpace) || flow.ClassOf(err) != flow.ClassRetry {
				t.Fatalf("error %v (class %v)", err, flow.ClassOf(err))
			}
			if waited := time.Since(start); waited != 3*time.Second {
				t.Errorf("the put waited %v", waited)
			}
			break
		}
		if why := r.Stats().Refuses; !errors.Is(why, wal.ErrNoSpace) {
			t.Errorf("the state says that puts are refused because of %v", why)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		b := batch(2, 10_000)
		defer b.Release()
		start := time.Now()
		if err := r.Put(ctx, b); !errors.Is(err, flow.ErrFull) || time.Since(start) > 0 {
			t.Errorf("a put that may not wait: %v after %v", err, time.Since(start))
		}
		res, err := r.Reserve(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Commit(); !errors.Is(err, flow.ErrFull) {
			t.Errorf("Commit: %v", err)
		}
		stuck := make(chan error, 1)
		go func() { stuck <- r.put(2, 10_000) }()
		for len(stuck) == 0 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			d, err := r.Take(ctx, 4)
			cancel()
			if err != nil {
				break
			}
			r.ack(d)
		}
		if err := <-stuck; err != nil {
			t.Errorf("with space again: %v", err)
		}
		if why := r.Stats().Refuses; why != nil {
			t.Errorf("with space again the state says that puts are refused because of %v", why)
		}
		if got := strings.Count(r.log.String(), "the disk is full"); got != 1 {
			t.Errorf("told %d times that the disk is full:\n%s", got, r.log.String())
		}
		if got := strings.Count(r.log.String(), "space on the disk again"); got != 1 {
			t.Errorf("told %d times that there is space:\n%s", got, r.log.String())
		}
		if r.count.PutErrors.Value() != 0 {
			t.Error("a full disk counts as a failing one")
		}
	})
}

func TestPutsThatWaitForTheDiskEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem(1)
		disk.SetCapacity(segment / 2)
		r := open(t, disk, Options{Wait: -1})
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan error, 1)
		go func() {
			b := batch(1, 10)
			defer b.Release()
			cancelled <- r.Put(ctx, b)
		}()
		closed := r.begin(1)
		cancel()
		if err := <-cancelled; !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled put: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-closed; !errors.Is(err, flow.ErrClosed) {
			t.Errorf("the put into a store that was closed: %v", err)
		}
	})
}

func TestFailedSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		disk := vfs.NewFailing(vfs.NewMem(1), func(op vfs.Op) vfs.Action {
			if op.Kind == vfs.OpSync && strings.HasSuffix(op.Path, ".wal") && failing.Swap(false) {
				return vfs.Action{Err: errors.New("the cable is out")}
			}
			return vfs.Action{}
		})
		r := open(t, disk, Options{Capacity: 4})
		r.mustPut(1, 10)
		synctest.Wait() // for the log, which prepares another segment in the background
		failing.Store(true)
		err := r.put(3, 20)
		if err == nil || flow.ClassOf(err) != flow.ClassRetry || errors.Is(err, flow.ErrFull) || !strings.Contains(err.Error(), "the cable is out") {
			t.Fatalf("error %v (class %v)", err, flow.ClassOf(err))
		}
		if got := r.count.PutErrors.Value(); got != 1 {
			t.Errorf("EventPutErrorCount is %d", got)
		}
		r.mustPut(3, 30) // its space is free again
		d := r.take(10, 4)
		if got := len(d.Batch().At(1).Body); got != 30 {
			t.Errorf("the batch whose put failed came out, with a body of %d bytes", got)
		}
		r.ack(d)
	})
}

func TestDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem(1)
		r := open(t, disk, Options{Capacity: 9, Log: wal.Options{CacheBytes: -1}})
		for i := range 3 {
			r.mustPut(3, 100+i)
		}
		flip(t, disk, "/data", bytes.Repeat([]byte{0}, 101*3))
		if err := r.put(1, 10); !errors.Is(err, flow.ErrFull) {
			t.Fatalf("a put into the full store: %v", err)
		}
		r.ack(r.take(9, 6))
		if s := r.Stats(); s.Events != 0 {
			t.Errorf("stats %+v", s)
		}
		if got := r.count.Size.Value(); got != 0 {
			t.Errorf("ChannelSize is %d", got)
		}
		if got := r.count.TakeErrors.Value(); got != 1 {
			t.Errorf("EventTakeErrorCount is %d", got)
		}
		r.mustPut(9, 10)
		r.ack(r.take(9, 9))
	})
}

// A put that waits gets the space of events that were lost to damage.
func TestDamageMakesSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem(1)
		r := open(t, disk, Options{Capacity: 4, Wait: -1, Log: wal.Options{CacheBytes: -1}})
		r.mustPut(2, 100)
		r.mustPut(2, 101)
		flip(t, disk, "/data", bytes.Repeat([]byte{0}, 200))
		waits := r.begin(2)
		d := r.take(4, 2)
		synctest.Wait()
		select {
		case err := <-waits:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("the put still waits")
		}
		r.ack(d)
		r.ack(r.take(4, 2))
		if got := r.count.Size.Value(); got != 0 {
			t.Errorf("ChannelSize is %d", got)
		}
	})
}

// flip changes a byte in the first record of a log with such a run of bytes in it.
func flip(t *testing.T, fsys vfs.FS, dir string, run []byte) {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".wal") {
			continue
		}
		name := dir + "/" + e.Name()
		data, err := vfs.ReadFile(fsys, name)
		if err != nil {
			t.Fatal(err)
		}
		// Behind the two headers and the snapshot, and before the zeros of what was never written.
		at := bytes.Index(data[1200:], run)
		if at < 0 {
			continue
		}
		f, err := fsys.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{0xFF}, int64(1200+at+len(run)/2)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("no record has these bytes")
}

func TestOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, vfs.NewMem(1), Options{})
		var at []time.Time
		for range 3 {
			at = append(at, time.Now())
			r.mustPut(1, 10)
			flow.Sleep(t.Context(), time.Minute)
		}
		oldest := func(when string, want time.Time) {
			t.Helper()
			if got := r.Stats().Oldest; !got.Equal(want) {
				t.Errorf("%s: oldest is %v, want %v", when, got, want)
			}
		}
		oldest("never taken", at[0])
		first, second := r.take(1, 1), r.take(1, 1)
		oldest("in a delivery", at[0])
		if err := first.Nack(); err != nil {
			t.Fatal(err)
		}
		oldest("given back", at[0])
		first = r.take(1, 1)
		r.ack(first)
		oldest("in the later delivery", at[1])
		r.ack(second)
		if got := r.Stats().Oldest; got.Before(at[1]) || got.After(at[2]) {
			t.Errorf("with the last one never taken: oldest is %v, want one from %v to %v", got, at[1], at[2])
		}
		r.ack(r.take(1, 1))
		oldest("empty", time.Time{})
		flow.Sleep(t.Context(), time.Hour)
		late := time.Now()
		r.mustPut(1, 10)
		oldest("after a pause", late)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		oldest("closed", late)
		r.reopen()
		if got := r.Stats().Oldest; got.After(late) {
			t.Errorf("reopened: oldest is %v, want none after %v", got, late)
		}
	})
}

// Large events do not all come into memory at once.
func TestDeliveriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, vfs.NewMem(1), Options{})
		for range 3 {
			r.mustPut(1, takeBytes/2)
		}
		d := r.take(100, 2)
		if err := d.Nack(); err != nil {
			t.Fatal(err)
		}
		r.ack(r.take(100, 2))
		r.ack(r.take(100, 1))
	})
}

func TestTryTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, vfs.NewMem(1), Options{})
		if d, err := r.TryTake(5); d != nil || err != nil {
			t.Fatalf("from an empty store: %v, %v", d, err)
		}
		r.mustPut(7, 10)
		d, err := r.TryTake(5)
		if err != nil || d.Batch().Len() != 5 {
			t.Fatalf("%v, %v", d, err)
		}
		r.ack(d)
		if _, err := r.TryTake(0); err == nil {
			t.Error("no events can be asked for")
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.TryTake(5); !errors.Is(err, flow.ErrClosed) {
			t.Errorf("from a closed store: %v", err)
		}
		if _, err := New(r.count).TryTake(5); !errors.Is(err, flow.ErrClosed) {
			t.Errorf("from a store that was never open: %v", err)
		}
	})
}

// A large put that waits is not overtaken by small ones that would fit.
func TestPutsAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, vfs.NewMem(1), Options{Capacity: 10, Wait: -1})
		r.mustPut(8, 10)
		large, small := r.begin(9), r.begin(1)
		if len(small) > 0 {
			t.Fatalf("the small put overtook the large one: %v", <-small)
		}
		r.ack(r.take(7, 7))
		if len(large) != 1 || len(small) != 0 {
			t.Fatal("9 places are free: it is the large put's turn, and only its")
		}
		r.ack(r.take(1, 1))
		if len(small) != 1 {
			t.Fatal("one place is free and the small put still waits")
		}
	})
}

// A batch above the capacity goes in when nothing else is there.
func TestBatchAboveTheCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, vfs.NewMem(1), Options{Capacity: 4, Wait: -1})
		r.mustPut(1, 10)
		large := r.begin(9)
		if len(large) > 0 {
			t.Fatalf("the store is not empty, the put returned %v", <-large)
		}
		r.ack(r.take(1, 1))
		if len(large) == 0 {
			t.Fatal("the store is empty, the put still waits")
		}
	})
}

// Each of several takes that wait gets an event when several are put at once.
func TestAllTakesWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, vfs.NewMem(1), Options{})
		got := make(chan int, 3)
		for range 3 {
			go func() {
				d, err := r.Take(context.Background(), 1)
				if err != nil {
					got <- 0
					return
				}
				got <- d.Batch().Len()
			}()
		}
		synctest.Wait()
		r.mustPut(3, 10)
		synctest.Wait()
		if len(got) != 3 {
			t.Fatalf("3 events were put, %d of 3 takes returned", len(got))
		}
	})
}

func TestReservationIsEndedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, vfs.NewMem(1), Options{Capacity: 4})
		b := batch(3, 10)
		defer b.Release()
		res, err := r.Reserve(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := res.Commit(); err == nil {
			t.Error("a second Commit returned nil")
		}
		res.Cancel()
		r.mustPut(1, 10)
		if err := r.put(1, 10); !errors.Is(err, flow.ErrFull) {
			t.Errorf("a fifth event in four places: %v", err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, vfs.NewMem(1), Options{})
		if err := r.Open(r.opts); err == nil {
			t.Error("opened twice")
		}
		other := New(r.count)
		if err := other.Open(Options{Log: r.opts.Log}); err == nil {
			t.Error("opened without a capacity")
		}
		if err := other.Open(r.opts); !errors.Is(err, vfs.ErrLocked) {
			t.Errorf("opening what another has open: %v", err)
		}
		if err := other.Close(); err != nil {
			t.Errorf("closing what could not be opened: %v", err)
		}
	})
}

// Checkpoints are written while something happens, failures are counted and told once.
func TestCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		var written atomic.Int64
		disk := vfs.NewFailing(vfs.NewMem(1), func(op vfs.Op) vfs.Action {
			if failing.Load() && op.Kind == vfs.OpRename {
				return vfs.Action{Err: errors.New("not now")}
			}
			return vfs.Action{}
		})
		o := Options{Log: wal.Options{
			CheckpointInterval: time.Minute,
			Hooks:              wal.Hooks{Checkpointed: func(time.Duration) { written.Add(1) }},
		}}
		r := open(t, disk, o)
		pass := func(what string, want int) {
			t.Helper()
			before := written.Load()
			flow.Sleep(t.Context(), 5*time.Minute)
			synctest.Wait()
			if got := int(written.Load() - before); got != want {
				t.Errorf("%s: %d checkpoints in 5 minutes, want %d", what, got, want)
			}
		}
		pass("idle", 0)
		r.mustPut(1, 10)
		pass("after a put", 1)
		failing.Store(true)
		r.ack(r.take(1, 1))
		pass("while it fails", 0)
		if got := r.count.CheckpointErrors.Value(); got != 5 {
			t.Errorf("CheckpointWriteErrorCount is %d after 5 failures", got)
		}
		failing.Store(false)
		pass("when it works again", 1)
		for _, text := range []string{"writing a checkpoint failed", "checkpoints are written again"} {
			if got := strings.Count(r.log.String(), text); got != 1 {
				t.Errorf("%q was told %d times:\n%s", text, got, r.log.String())
			}
		}
	})
}

func TestClosedStore(t *testing.T) {
	s := New(counters.NewFile(metrics.NewSet(metrics.KindChannel, "c1")))
	if got := s.Stats(); got != (flow.Stats{}) {
		t.Errorf("stats of a store that was never open: %+v", got)
	}
	if got := s.LogStats(); got != (wal.Stats{}) {
		t.Errorf("stats of a log that was never open: %+v", got)
	}
	if _, err := s.Take(t.Context(), 0); err == nil || strings.Contains(err.Error(), fmt.Sprint(flow.ErrClosed)) {
		t.Errorf("taking no events: %v", err)
	}
}
