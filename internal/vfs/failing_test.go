package vfs_test

import (
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/internal/vfs"
)

func TestFailingNumbersEveryOperation(t *testing.T) {
	var got []string
	f := vfs.NewFailing(vfs.NewMem(1), func(op vfs.Op) vfs.Action {
		got = append(got, op.String())
		return vfs.Action{}
	})
	must(t, f.MkdirAll("d", 0o755))
	file := openRW(t, f, "d/a")
	_, err := vfs.Writev(file, [][]byte{[]byte("ab"), []byte("c")})
	must(t, err)
	writeAt(t, file, []byte("x"), 0)
	_, err = file.Seek(0, io.SeekStart)
	must(t, err)
	_, err = file.Read(make([]byte, 1))
	must(t, err)
	_, err = file.Stat()
	must(t, err)
	must(t, vfs.Preallocate(file, 10))
	if err := vfs.ReserveBehind(file, 10, 10); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a file in memory reserves space: %v", err)
	}
	must(t, file.Truncate(5))
	must(t, file.Sync())
	must(t, vfs.SyncData(file))
	must(t, file.Close())
	must(t, f.Rename("d/a", "d/b"))
	_, err = f.Stat("d/b")
	must(t, err)
	_, err = f.ReadDir("d")
	must(t, err)
	must(t, f.SyncDir("d"))
	must(t, f.Remove("d/b"))
	lock, err := f.Lock("lock")
	must(t, err)
	must(t, lock.Close())
	_, err = vfs.DiskFree(f, "d")
	must(t, err)

	want := []string{
		"#0 mkdir d", "#1 open d/a", "#2 write d/a", "#3 write d/a", "#4 seek d/a", "#5 read d/a",
		"#6 filestat d/a", "#7 preallocate d/a", "#8 preallocate d/a", "#9 truncate d/a", "#10 sync d/a", "#11 sync d/a",
		"#12 close d/a", "#13 rename d/a to d/b", "#14 stat d/b", "#15 readdir d", "#16 syncdir d",
		"#17 remove d/b", "#18 lock lock", "#19 unlock lock", "#20 diskfree d",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	if f.Count() != int64(len(want)) || f.Injected() != 0 {
		t.Errorf("%d operations and %d injections", f.Count(), f.Injected())
	}
}

func TestFailingReturnsTheError(t *testing.T) {
	f := vfs.NewFailing(vfs.NewMem(1), vfs.FailFrom(1, syscall.EROFS))
	must(t, f.MkdirAll("d", 0o755))
	_, openErr := f.OpenFile("d/a", os.O_RDWR|os.O_CREATE, 0o644)
	renameErr := f.Rename("d", "e")
	for name, err := range map[string]error{
		"OpenFile": openErr, "Rename": renameErr, "Remove": f.Remove("d"), "SyncDir": f.SyncDir("d"),
	} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s returned %v", name, err)
		}
	}
	if f.Injected() != 4 {
		t.Errorf("%d injections, want 4", f.Injected())
	}
	f.SetInjector(nil)
	must(t, f.Rename("d", "e"))
}

func TestFailingShortWrite(t *testing.T) {
	m := vfs.NewMem(1)
	short := vfs.Only(
		func(op vfs.Op) bool { return op.Kind == vfs.OpWrite },
		func(op vfs.Op) vfs.Action {
			if op.N != 1 {
				return vfs.Action{}
			}
			return vfs.Action{Err: syscall.ENOSPC, Keep: op.Len - 2}
		})
	f := openRW(t, vfs.NewFailing(m, short), "a")
	_, err := f.Write([]byte("first,"))
	must(t, err)
	n, err := vfs.Writev(f, [][]byte{[]byte("se"), []byte("cond"), []byte("x")})
	if n != 5 || !vfs.IsNoSpace(err) {
		t.Errorf("the short write returned %d, %v", n, err)
	}
	_, err = f.Write([]byte("!"))
	must(t, err)
	if got := read(t, m, "a"); string(got) != "first,secon!" {
		t.Errorf("holds %q", got)
	}
}

func TestFailingClosesAllTheSame(t *testing.T) {
	m := vfs.NewMem(1)
	f := vfs.NewFailing(m, nil)
	file := openRW(t, f, "a")
	writeAt(t, file, []byte("abc"), 0)
	lock, err := f.Lock("lock")
	must(t, err)
	must(t, f.Remove("a"))
	f.SetInjector(vfs.FailFrom(0, syscall.EIO))
	for name, c := range map[string]io.Closer{"file": file, "lock": lock} {
		if err := c.Close(); !errors.Is(err, syscall.EIO) {
			t.Errorf("closing the %s returned %v", name, err)
		}
	}
	if m.Used() != 0 {
		t.Error("the file is still open")
	}
	if _, err := m.Lock("lock"); err != nil {
		t.Errorf("the lock is still held: %v", err)
	}
}

// TestFailedSyncIsNotRepaired is the reason why a log gives up a file that failed to sync.
func TestFailedSyncIsNotRepaired(t *testing.T) {
	m := vfs.NewMem(1)
	durableFile(t, m, "a", []byte("old..."))
	f := openRW(t, vfs.NewFailing(m, vfs.Only(
		func(op vfs.Op) bool { return op.Kind == vfs.OpSync }, vfs.FailAt(0, syscall.EIO))), "a")
	writeAt(t, f, []byte("new"), 0)
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("the first sync returned %v", err)
	}
	must(t, vfs.SyncData(f))
	if got := read(t, m, "a"); string(got) != "new..." {
		t.Errorf("programs see %q", got)
	}
	if got := read(t, m.CrashClone(loseAll), "a"); string(got) != "old..." {
		t.Errorf("the second sync has made %q durable", got)
	}
	writeAt(t, f, []byte("x"), 5) // makes the sector dirty again
	must(t, f.Sync())
	if got := read(t, m.CrashClone(loseAll), "a"); string(got) != "new..x" {
		t.Errorf("writing again and syncing has left %q", got)
	}
}

func TestFailingCrash(t *testing.T) {
	m := vfs.NewMem(1)
	var c *vfs.Mem
	f := vfs.NewFailing(m, func(op vfs.Op) vfs.Action {
		if op.Kind != vfs.OpWrite {
			return vfs.Action{}
		}
		return vfs.Action{Keep: 2, Crash: func() { c = m.Crash(keepAll) }}
	})
	file := openRW(t, f, "a")
	n, err := file.Write([]byte("abc"))
	if n != 2 || !errors.Is(err, vfs.ErrCrashed) {
		t.Errorf("the write that crashed returned %d, %v", n, err)
	}
	if _, err := f.Stat("a"); !errors.Is(err, vfs.ErrCrashed) {
		t.Errorf("an operation after the crash returned %v", err)
	}
	if err := file.Close(); !errors.Is(err, vfs.ErrCrashed) {
		t.Errorf("closing after the crash returned %v", err)
	}
	if got := read(t, c, "a"); string(got) != "ab" {
		t.Errorf("the crash left %q", got)
	}
}

func TestReplaceFileFailingAtEveryOperation(t *testing.T) {
	k := int64(0)
	for ; ; k++ {
		m := vfs.NewMem(uint64(k))
		must(t, vfs.ReplaceFile(m, "pos", []byte("old"), 0o644))
		f := vfs.NewFailing(m, vfs.FailAt(k, syscall.EIO))
		err := vfs.ReplaceFile(f, "pos", []byte("new"), 0o644)
		if (err == nil) != (f.Injected() == 0) {
			t.Errorf("failing operation %d: returned %v", k, err)
		}
		got := string(read(t, m, "pos"))
		if got != "new" && (err == nil || got != "old") {
			t.Errorf("failing operation %d: holds %q after %v", k, got, err)
		}
		must(t, vfs.ReplaceFile(m, "pos", []byte("again"), 0o644))
		if left := names(t, m, "/"); !slices.Equal(left, []string{"pos"}) {
			t.Errorf("failing operation %d: left %q", k, left)
		}
		if f.Injected() == 0 {
			break
		}
	}
	if k != 6 { // open, write, sync, close, rename, syncdir
		t.Errorf("%d operations were failed, want 6", k)
	}
}

func TestReplaceFileCrashingAtEveryOperation(t *testing.T) {
	seen := make(map[string]bool)
	for seed := range uint64(50) {
		for k := int64(0); ; k++ {
			m := vfs.NewMem(seed)
			must(t, vfs.ReplaceFile(m, "pos", []byte("old"), 0o644))
			c := m
			f := vfs.NewFailing(m, vfs.Only(vfs.Op.Mutates,
				vfs.CrashAt(k, func() { c = m.Crash(random) })))
			err := vfs.ReplaceFile(f, "pos", []byte("new"), 0o644)
			if f.Injected() == 0 {
				c = m.Crash(loseAll)
			}
			got := string(read(t, c, "pos"))
			if got != "new" && (err == nil || got != "old") {
				t.Fatalf("seed %d, crash at %d: holds %q after %v", seed, k, got, err)
			}
			seen[got] = seen[got] || err != nil
			must(t, vfs.ReplaceFile(c, "pos", []byte("again"), 0o644))
			if f.Injected() == 0 {
				break
			}
		}
	}
	if !seen["old"] || !seen["new"] {
		t.Errorf("crashes left only %v", seen)
	}
}

func TestMkdirAllSyncSurvives(t *testing.T) {
	for k := int64(0); ; k++ {
		m := vfs.NewMem(uint64(k))
		f := vfs.NewFailing(m, vfs.FailAt(k, syscall.EIO))
		err := vfs.MkdirAllSync(f, "/a/b/c", 0o755)
		if (err == nil) != (f.Injected() == 0) {
			t.Errorf("failing operation %d: returned %v", k, err)
		}
		// The program goes on where the killed one stopped.
		must(t, vfs.MkdirAllSync(m, "/a/b/c", 0o755))
		if info, err := m.Crash(loseAll).Stat("/a/b/c"); err != nil || !info.IsDir() {
			t.Errorf("failing operation %d: after a crash: %v", k, err)
		}
		if f.Injected() == 0 {
			return
		}
	}
}

func TestMkdirAllSyncBelowForeignDirectory(t *testing.T) {
	m := vfs.NewMem(1)
	must(t, m.MkdirAll("/var/flume", 0o755))
	f := vfs.NewFailing(m, func(op vfs.Op) vfs.Action {
		if op.Kind == vfs.OpSyncDir && op.Path == "/var" {
			return vfs.Action{Err: syscall.EACCES}
		}
		return vfs.Action{}
	})
	must(t, vfs.MkdirAllSync(f, "/var/flume/data", 0o755))
	if f.Injected() != 1 {
		t.Errorf("%d refusals, want 1", f.Injected())
	}
}

func TestFailingConcurrently(t *testing.T) {
	f := vfs.NewFailing(vfs.NewMem(1), vfs.Only(vfs.Op.Mutates, vfs.FailAt(100, syscall.EIO)))
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		file := openRW(t, f, name)
		wg.Go(func() {
			for range 50 {
				if _, err := file.Write([]byte(name)); err != nil && !errors.Is(err, syscall.EIO) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if f.Count() != 204 || f.Injected() != 1 {
		t.Errorf("%d operations and %d injections, want 204 and 1", f.Count(), f.Injected())
	}
}

func TestOpMutates(t *testing.T) {
	for _, tt := range []struct {
		op   vfs.Op
		want bool
	}{
		{vfs.Op{Kind: vfs.OpOpen, Flag: os.O_RDWR}, false},
		{vfs.Op{Kind: vfs.OpOpen, Flag: os.O_RDWR | os.O_CREATE}, true},
		{vfs.Op{Kind: vfs.OpOpen, Flag: os.O_WRONLY | os.O_TRUNC}, true},
		{vfs.Op{Kind: vfs.OpWrite}, true},
		{vfs.Op{Kind: vfs.OpSync}, true},
		{vfs.Op{Kind: vfs.OpSyncDir}, true},
		{vfs.Op{Kind: vfs.OpRead}, false},
		{vfs.Op{Kind: vfs.OpClose}, false},
		{vfs.Op{Kind: vfs.OpStat}, false},
	} {
		if got := tt.op.Mutates(); got != tt.want {
			t.Errorf("%s with flags %#x: %v", tt.op.Kind, tt.op.Flag, got)
		}
	}
}
