package wal

import (
	"slices"
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

// TestWhenAcksAreSafe follows acknowledgements on their way: to the file with the next append or after
// 10 milliseconds, to the disk with its sync or after a second, and at once with SyncAcks.
func TestWhenAcksAreSafe(t *testing.T) {
	for _, c := range []struct {
		name    string
		options func(*Options)
		then    func(t *testing.T, l *Log)
		policy  vfs.CrashPolicy
		want    []int
	}{
		{"at once", nil, nil, killed, seq(0, 4)},
		{"soon", nil, func(*testing.T, *Log) { <-time.After(2 * ackDelay) }, killed, nil},
		{"soon, power cut", nil, func(*testing.T, *Log) { <-time.After(2 * ackDelay) }, powerCut, seq(0, 4)},
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

// TestAcksWithAppendsWaitForThem appends all the time: no group is started for acknowledgements alone.
func TestAcksWithAppendsWaitForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counts{kinds: make(map[vfs.OpKind]int)}
		opts := testOptions(vfs.NewFailing(vfs.NewMem(1), c.inject))
		opts.foreground, opts.SegmentSize, opts.KeepFree = false, 1<<20, 1
		l := mustOpen(t, opts)
		mustAppend(t, l, 0, 1, 1)
		synctest.Wait()
		c.mu.Lock()
		before := c.kinds[vfs.OpWrite]
		c.mu.Unlock()
		const appends = 50
		for i := range appends {
			mustAppend(t, l, i, 1, 10)
			readAll(t, l, true)
			<-time.After(ackDelay / 2)
		}
		c.mu.Lock()
		if n := c.kinds[vfs.OpWrite] - before; n != appends {
			t.Errorf("%d appends, with an acknowledgement after each, cost %d writes", appends, n)
		}
		c.mu.Unlock()
		mustClose(t, l)
	})
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
