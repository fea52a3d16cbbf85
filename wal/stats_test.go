package wal

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

// TestFirstAndNext follows the numbers of the first event that is not gone and of the next one through acknowledgements out of
// order, failed appends, and openings.
func TestFirstAndNext(t *testing.T) {
	mem := vfs.NewMem(1)
	failing := vfs.NewFailing(mem, nil)
	l := mustOpen(t, testOptions(failing))
	check := func(when string, first, next uint64) {
		t.Helper()
		if s := l.Stats(); s.First != first || s.Next != next {
			t.Errorf("%s: first %d and next %d, want %d and %d", when, s.First, s.Next, first, next)
		}
	}
	ack := func(r Range) {
		t.Helper()
		if err := l.Ack(r); err != nil {
			t.Fatal(err)
		}
	}
	check("new", 1, 1)
	mustAppend(t, l, 0, 4, 10)
	mustAppend(t, l, 4, 4, 10)
	check("appended", 1, 9)
	ack(Range{2, 6})
	check("acknowledged behind the first", 1, 9)
	ack(Range{1, 2})
	check("acknowledged up to the hole", 6, 9)
	failing.SetInjector(vfs.Only(func(op vfs.Op) bool { return op.Kind == vfs.OpSync }, vfs.FailAt(0, errCable)))
	if err := appendIDs(l, 8, 2, 10); err == nil {
		t.Fatal("the sync did not fail")
	}
	check("numbers of a failed append are not given again", 6, 11)
	ack(Range{6, 9})
	check("empty", 11, 11)
	mustClose(t, l)
	l = mustOpen(t, testOptions(failing))
	check("opened again", 11, 11)
	mustAppend(t, l, 10, 1, 10)
	check("appended behind the failed", 11, 12)
	mustClose(t, l)
	l = mustOpen(t, testOptions(failing))
	check("opened with an event", 11, 12)
	mustClose(t, l)
}

// TestCheckpointHooks has checkpoints written at each interval in which something has changed, and failures told.
func TestCheckpointHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := vfs.NewFailing(vfs.NewMem(1), nil)
		var written, failed atomic.Int64
		opts := with(testOptions(failing), func(o *Options) {
			o.foreground, o.CheckpointInterval = false, time.Minute
			o.Dirs = []string{"/data1"} // with several, checkpoints follow a switch
			o.Hooks.Checkpointed = func(time.Duration) { written.Add(1) }
			o.Hooks.CheckpointFailed = func(err error) {
				if !errors.Is(err, errCable) {
					t.Errorf("told of %v", err)
				}
				failed.Add(1)
			}
		})
		l := mustOpen(t, opts)
		pass := func(what string, wantWritten, wantFailed int64) {
			t.Helper()
			written.Store(0)
			failed.Store(0)
			<-time.After(3*time.Minute + time.Second)
			synctest.Wait()
			if w, f := written.Load(), failed.Load(); w != wantWritten || f != wantFailed {
				t.Errorf("%s: %d checkpoints in 3 minutes and %d failures, want %d and %d", what, w, f, wantWritten, wantFailed)
			}
		}
		pass("idle", 0, 0)
		mustAppend(t, l, 0, 2, 10)
		pass("after an append", 1, 0)
		failing.SetInjector(func(op vfs.Op) vfs.Action {
			if op.Kind == vfs.OpRename {
				return vfs.Action{Err: errCable}
			}
			return vfs.Action{}
		})
		readAll(t, l, true)
		pass("while it fails", 0, 3)
		if err := l.Checkpoint(); !errors.Is(err, errCable) || failed.Load() != 4 {
			t.Errorf("a checkpoint that was asked for: %v, %d failures were told", err, failed.Load())
		}
		failing.SetInjector(nil)
		pass("when it works again", 1, 0)
		mustClose(t, l)
	})
}

var errCable = errors.New("the cable is out")
