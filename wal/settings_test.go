package wal

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// These tests open a log with other settings than those it was written with.

func TestSmallerCapacityThanStored(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, testOptions(mem))
	mustAppend(t, l, 0, 20, 10)
	mustClose(t, l)
	l = mustOpen(t, with(testOptions(mem), func(o *Options) { o.MaxEvents = 5 }))
	defer l.Close()
	if err := appendIDs(l, 20, 1, 1); !errors.Is(err, ErrFull) {
		t.Errorf("appending to 20 of at most 5 events: %v", err)
	}
	for i := range 16 {
		if err := l.Ack(Range{uint64(i) + 1, uint64(i) + 2}); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, l, 20, 1, 1)
	if err := appendIDs(l, 21, 1, 1); !errors.Is(err, ErrFull) {
		t.Errorf("appending to 5 of at most 5 events: %v", err)
	}
	if got := readAll(t, l, true); !slices.Equal(got, seq(16, 5)) {
		t.Errorf("read %v", got)
	}
}

func TestOtherSegmentSize(t *testing.T) {
	mem := vfs.NewMem(1)
	n := 0
	for _, size := range []int64{8 * minSegmentSize, minSegmentSize, 3 * minSegmentSize} {
		opts := with(testOptions(mem), func(o *Options) { o.SegmentSize = size })
		l := mustOpen(t, opts)
		for range 60 {
			mustAppend(t, l, n, 1, 800)
			n++
		}
		for _, s := range l.free {
			if s.size != size {
				t.Errorf("a free segment of %d bytes is kept for a segment size of %d", s.size, size)
			}
		}
		mustClose(t, l)
	}
	l := mustOpen(t, testOptions(mem))
	if got := readAll(t, l, true); !slices.Equal(got, seq(0, n)) {
		t.Errorf("read %d of %d events", len(got), n)
	}
	mustClose(t, l)
	if used := mem.Used(); used > 8*minSegmentSize+testReserve+4000 {
		t.Errorf("%d bytes are used after all is acknowledged", used)
	}
}

func TestDirectoriesAddedAndReordered(t *testing.T) {
	mem := vfs.NewMem(1)
	n := 0
	for _, dirs := range [][]string{{"/data1"}, {"/data2", "/data1"}, {"/data1", "/data3", "/data2"}} {
		l := mustOpen(t, with(testOptions(mem), func(o *Options) { o.Dirs = dirs }))
		for range 40 {
			mustAppend(t, l, n, 1, 800)
			n++
		}
		used := make(map[string]bool)
		for _, s := range l.segments {
			used[s.dir] = true
		}
		if len(used) != len(dirs) {
			t.Errorf("of the directories %v only %v are used", dirs, used)
		}
		if got := readAll(t, l, false); !slices.Equal(got, seq(0, n)) {
			t.Errorf("with the directories %v, read %d of %d events", dirs, len(got), n)
		}
		mustClose(t, l)
	}
}

// TestDirectoryRemoved leaves each of two directories out, with events in it, without, and after a crash that
// leaves open whether there were more.
func TestDirectoryRemoved(t *testing.T) {
	for _, c := range []struct {
		name         string
		drain, crash bool
		want         string // in the error; "" for none
	}{
		{name: "with events", want: "are in none of the data directories"},
		{name: "drained", drain: true},
		{name: "with events after a crash", crash: true, want: "are in none of the data directories"},
		{name: "drained, then a crash", drain: true, crash: true, want: "perhaps more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := vfs.NewMem(1)
			l := mustOpen(t, testOptions(mem))
			for i := range 60 {
				mustAppend(t, l, i, 1, 800)
			}
			if c.drain {
				readAll(t, l, true)
				if err := l.Checkpoint(); err != nil {
					t.Fatal(err)
				}
			}
			active := l.writer.active.dir
			if c.crash {
				mustAppend(t, l, 60, 1, 10) // into the active segment, and the checkpoint has not heard of it
				crashed := mem.Crash(vfs.CrashPolicy{})
				_ = l.Close()
				mem = crashed
			} else {
				mustClose(t, l)
			}
			rest := "/data1"
			if active == rest {
				rest = "/data2"
			}
			opts := with(testOptions(mem), func(o *Options) { o.Dirs = []string{rest} })
			l, err := Open(opts)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "segment-") {
					t.Fatalf("opened without %s: %v", active, err)
				}
				if l, err = Open(with(opts, func(o *Options) { o.AllowMissing = true })); err != nil {
					t.Fatal(err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			readAll(t, l, true)
			mustAppend(t, l, 100, 3, 10)
			if got := readAll(t, l, true); !slices.Equal(got, seq(100, 3)) {
				t.Errorf("read %v", got)
			}
			if s := l.Stats(); s.Events != 0 {
				t.Errorf("stats %+v: something waits for events that are not there", s)
			}
			mustClose(t, l)
		})
	}
}

// TestSwitchIsInTheCheckpoint crashes right after a switch to another directory and leaves that out: what
// is behind must not vanish silently.
func TestSwitchIsInTheCheckpoint(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, testOptions(mem))
	mustAppend(t, l, 0, 1, 10)
	first := l.writer.active.dir
	for i := 1; l.writer.active.dir == first; i++ {
		mustAppend(t, l, i, 1, 800)
		readAll(t, l, true)
	}
	crashed := mem.Crash(vfs.CrashPolicy{})
	_ = l.Close()
	if _, err := Open(with(testOptions(crashed), func(o *Options) { o.Dirs = []string{first} })); err == nil || !strings.Contains(err.Error(), "perhaps more") {
		t.Errorf("opened without the directory that was written last: %v", err)
	}
}

func TestCheckpointDirectoryChanged(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, testOptions(mem))
	for i := range 50 {
		mustAppend(t, l, i, 1, 500)
	}
	if err := l.Ack(Range{3, 5}, Range{44, 50}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	var told bytes.Buffer
	l = mustOpen(t, with(testOptions(mem), func(o *Options) {
		o.CheckpointDir = "/elsewhere"
		o.Log = slog.New(slog.NewTextHandler(&told, nil))
	}))
	defer l.Close()
	want := slices.Concat(seq(0, 2), seq(4, 39), seq(49, 1))
	if got := readAll(t, l, true); !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	if !strings.Contains(told.String(), "there is no checkpoint") || !strings.Contains(told.String(), "/elsewhere") {
		t.Errorf("the change was told as %q", told.String())
	}
}

func TestMissingSegment(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, testOptions(mem))
	for i := range 40 {
		mustAppend(t, l, i, 1, 500)
	}
	path, lost := l.segments[1].path, l.segments[1].live
	mustClose(t, l)
	if err := mem.Remove(path); err != nil {
		t.Fatal(err)
	}
	opts := testOptions(mem)
	if _, err := Open(opts); err == nil || !strings.Contains(err.Error(), "are in none of the data directories") {
		t.Errorf("opening with a segment missing: %v", err)
	}
	opts.AllowMissing = true
	l = mustOpen(t, opts)
	defer l.Close()
	if got := readAll(t, l, true); len(got) != 40-int(lost) {
		t.Errorf("read %d events, %d of 40 are missing", len(got), lost)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no directory":       func(o *Options) { o.Dirs = nil },
		"no checkpoint":      func(o *Options) { o.CheckpointDir = "" },
		"directory twice":    func(o *Options) { o.Dirs = []string{"/a", "/a/"} },
		"tiny segments":      func(o *Options) { o.SegmentSize = 100 },
		"negative capacity":  func(o *Options) { o.MaxEvents = -1 },
		"no source of keys":  func(o *Options) { o.Cipher = &Cipher{Active: "k1"} },
		"long alias":         func(o *Options) { o.Cipher = testCipher(strings.Repeat("k", maxAlias+1)) },
		"without locks":      func(o *Options) { o.NoLock = true },
		"reserve too large":  func(o *Options) { o.AckReserve = o.SegmentSize },
		"file for directory": func(o *Options) { o.Dirs = []string{"/file"} },
	} {
		mem := vfs.NewMem(1)
		if err := vfs.ReplaceFile(mem, "/file", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		opts := testOptions(mem)
		change(&opts)
		if l, err := Open(opts); err == nil {
			t.Errorf("%s: accepted", name)
			l.Close()
		}
	}
}
