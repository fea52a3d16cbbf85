package wal

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
)

// sent returns a batch of the events from ... to-1 of a sender's log, whose ids are their numbers.
func sent(sender byte, done uint64, from, to int) *event.Batch {
	b := ids(from, to-from, 20)
	for i := range b.Events() {
		b.At(i).Number = uint64(from + i)
	}
	b.SetOrigin(event.Origin{Log: [16]byte{sender}, Done: done})
	return b
}

// appendOnce appends a batch and releases it.
func appendOnce(t *testing.T, l *Log, b *event.Batch) (stored int) {
	t.Helper()
	defer b.Release()
	stored, err := l.AppendOnce(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func TestAppendOnce(t *testing.T) {
	for form, options := range forms {
		opts := options(vfs.NewMem(1))
		l := mustOpen(t, opts)
		for i, c := range []struct {
			sender         byte
			done           uint64
			from, to, want int
		}{
			{1, 0, 1, 11, 10},
			{1, 0, 1, 11, 0},
			{2, 0, 1, 11, 10}, // another log's
			{1, 0, 6, 16, 5},
			{1, 14, 20, 25, 5},
			{1, 14, 10, 25, 4}, // 16 to 19
			{1, 40, 30, 45, 5}, // the sender knows that what is before 40 arrived
		} {
			if got := appendOnce(t, l, sent(c.sender, c.done, c.from, c.to)); got != c.want {
				t.Errorf("%s, step %d: %d events were stored, want %d", form, i, got, c.want)
			}
			if i%2 == 1 {
				mustClose(t, l)
				l = mustOpen(t, opts)
			}
		}
		want := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 16, 17, 18, 19, 40, 41, 42, 43, 44}
		if got := readAll(t, l, true); !slices.Equal(got, want) {
			t.Errorf("%s: read %v, want %v", form, got, want)
		}
		mustClose(t, l)
	}
}

func TestBatchesOfThisAgentAreAlwaysStored(t *testing.T) {
	l := mustOpen(t, testOptions(vfs.NewMem(1)))
	defer l.Close()
	b := sent(1, 0, 1, 5)
	b.SetOrigin(event.Origin{Log: [16]byte{1}, Here: true})
	for range 2 {
		if got := appendOnce(t, l, b.Retain()); got != 4 {
			t.Errorf("%d events were stored, want 4", got)
		}
	}
	b.Release()
}

// What one connection is still storing, another may bring again.
func TestAppendOnceAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustOpen(t, testOptions(vfs.NewMem(1)))
		defer l.Close()
		busy := make(chan struct{}) // the disk is
		var wait sync.WaitGroup
		wait.Go(func() { _ = l.exclusive(func() error { <-busy; return nil }) })
		synctest.Wait()
		stored := make([]int, 3)
		for i := range stored {
			wait.Go(func() {
				b := sent(1, 0, 1+i, 11+i)
				defer b.Release()
				var err error
				if stored[i], err = l.AppendOnce(context.Background(), b); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		b := sent(1, 0, 5, 6)
		if _, err := l.AppendOnce(ctx, b); !errors.Is(err, context.Canceled) {
			t.Errorf("an append that must not wait for another returned %v", err)
		}
		b.Release()
		close(busy)
		wait.Wait()
		got := readAll(t, l, true)
		if slices.Sort(got); !slices.Equal(got, seq(1, 12)) || stored[0] != 10 || stored[0]+stored[1]+stored[2] != 12 {
			t.Errorf("%v events were stored, read %v", stored, got)
		}
	})
}

// A failed append has stored nothing: what comes again is not taken for a repeat.
func TestFailedAppendIsNotRemembered(t *testing.T) {
	fail := vfs.NewFailing(vfs.NewMem(1), nil)
	l := mustOpen(t, testOptions(fail))
	defer l.Close()
	mustAppend(t, l, 0, 1, 1)
	isSync := func(op vfs.Op) bool { return op.Kind == vfs.OpSync }
	fail.SetInjector(vfs.Only(isSync, vfs.FailAt(0, syscall.EIO)))
	b := sent(1, 0, 1, 5)
	if _, err := l.AppendOnce(t.Context(), b); err == nil {
		t.Fatal("the append succeeded")
	}
	if got, err := l.AppendOnce(t.Context(), b); got != 4 || err != nil {
		t.Errorf("%d events were stored at the second try, %v", got, err)
	}
	b.Release()
}

// Whatever is cut off by a crash, and whatever is sent again after it: what was acknowledged is there, and nothing twice.
func TestRepeatsAcrossCrashes(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		mem := vfs.NewMem(seed)
		opts := testOptions(mem)
		const events = 200
		l := mustOpen(t, opts)
		for done := 1; done < events; {
			to := min(done+1+rnd.IntN(20), events)
			b := sent(1, uint64(done), done, to)
			_, err := l.AppendOnce(t.Context(), b)
			b.Release()
			if err != nil {
				t.Fatal(err)
			}
			if rnd.IntN(3) > 0 {
				done = to // the answer arrived
			}
			if rnd.IntN(6) == 0 {
				mem = mem.Crash(vfs.CrashPolicy{Data: vfs.Mixed, Entries: vfs.Mixed})
				opts.FS = mem
				l = mustOpen(t, opts)
			}
		}
		if got := readAll(t, l, true); !slices.Equal(got, seq(1, events-1)) {
			t.Fatalf("seed %d: read %v", seed, got)
		}
		mustClose(t, l)
	}
}

// read reads what comes next.
func read(t *testing.T, l *Log, limit int) Entry {
	t.Helper()
	e, err := l.Read(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	e.Batch.Release()
	return e
}

func TestSessions(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, testOptions(mem))
	mustAppend(t, l, 0, 3, 10)
	first := read(t, l, 2)
	mustClose(t, l)

	l = mustOpen(t, testOptions(mem))
	mustAppend(t, l, 3, 3, 10)
	old, fresh := read(t, l, 10), read(t, l, 10)
	if first.Session == (SessionID{}) || old.Session != first.Session || fresh.Session == old.Session {
		t.Errorf("sessions %x, after reopening %x and %x", first.Session, old.Session, fresh.Session)
	}
	if old.Events != (Range{1, 4}) || l.First() != 1 {
		t.Errorf("read %v, first %d", old.Events, l.First())
	}
	if err := l.Ack(old.Events); err != nil || l.First() != 4 {
		t.Errorf("first %d after acknowledging what is before 4, %v", l.First(), err)
	}
	mustClose(t, l)

	if err := mem.Remove("/ckpt/wal.checkpoint"); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, testOptions(mem))
	defer l.Close()
	if e := read(t, l, 10); e.Session != (SessionID{}) {
		t.Errorf("without the checkpoint nobody knows the session, but it is %x", e.Session)
	}
}

// An agent that is restarted again and again, with an event that nobody takes, remembers no more for that.
func TestSessionsAreBounded(t *testing.T) {
	mem := vfs.NewMem(1)
	for i := range maxSessions + 40 {
		l := mustOpen(t, testOptions(mem))
		if i < 3 || i > 20 {
			mustAppend(t, l, i, 1, 1)
		}
		mustClose(t, l)
	}
	l := mustOpen(t, testOptions(mem))
	defer l.Close()
	if n := len(l.sessions); n != maxSessions {
		t.Errorf("%d sessions are known, want %d", n, maxSessions)
	}
	if e := read(t, l, 1); e.Session != (SessionID{}) {
		t.Errorf("the oldest session, %x, is known", e.Session)
	}
}

func TestForgottenOrigins(t *testing.T) {
	var o origins
	for i := range maxOrigins + 10 {
		o.add(&mark{event.Origin{Log: [16]byte{byte(i), byte(i >> 8)}}, rangeSet{{1, 2}}}, uint64(i))
	}
	if list := o.list(); len(list) != maxOrigins || list[0].Log != [16]byte{10} {
		t.Errorf("%d logs are remembered, the oldest %x", len(list), list[0].Log)
	}
	var gaps rangeSet
	for i := range uint64(maxOriginRanges + 5) {
		gaps.add(Range{2 * i, 2*i + 1})
	}
	o.add(&mark{event.Origin{Log: [16]byte{99}, Done: 1}, gaps}, 1<<20)
	if known := o[[16]byte{99}]; len(known.stored) != maxOriginRanges || known.stored[0].From != 10 {
		t.Errorf("%d ranges are remembered, from %v", len(known.stored), known.stored[0])
	}
}

func TestRemoveRange(t *testing.T) {
	for cut, want := range map[Range]rangeSet{
		{0, 1}: {{1, 4}, {6, 9}}, {1, 4}: {{6, 9}}, {2, 3}: {{1, 2}, {3, 4}, {6, 9}}, {3, 7}: {{1, 3}, {7, 9}}, {0, 10}: nil, {4, 6}: {{1, 4}, {6, 9}},
	} {
		s := rangeSet{{1, 4}, {6, 9}}
		if s.remove(cut); !slices.Equal(s, want) {
			t.Errorf("without %v: %v, want %v", cut, s, want)
		}
	}
}
