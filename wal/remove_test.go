package wal

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// removable returns a disk with a log of several segments in both directories, damage in quarantine, and files of others.
func removable(t *testing.T, seed uint64) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem(seed)
	l := mustOpen(t, testOptions(mem))
	for i := range 40 {
		mustAppend(t, l, i, 1, 500)
	}
	path := l.segments[0].path
	mustClose(t, l)
	flip(t, mem, path, 3000)
	l = mustOpen(t, testOptions(mem))
	readAll(t, l, false)
	mustClose(t, l)
	for _, name := range []string{"/data1/log-1", "/data2/segment-1.wal.bak", "/ckpt/checkpoint"} {
		if err := vfs.ReplaceFile(mem, name, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := vfs.ReplaceFile(mem, "/ckpt/wal.checkpoint.tmp", []byte("unfinished"), 0o644); err != nil {
		t.Fatal(err)
	}
	return mem
}

// checkRemoved makes sure that nothing of the log is left, everything else is, and that another can be made in its place.
func checkRemoved(t *testing.T, mem *vfs.Mem) {
	t.Helper()
	left := files(t, mem)
	for name, content := range left {
		lock := strings.HasSuffix(name, "/"+lockName)
		copied := strings.Contains(name, "/"+quarantineDir+"/")
		if !lock && !copied && content != "x" {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range []string{"/data1/log-1", "/data2/segment-1.wal.bak", "/ckpt/checkpoint"} {
		if left[name] != "x" {
			t.Errorf("%s, which is another's, is gone", name)
		}
	}
	l := mustOpen(t, testOptions(mem))
	mustAppend(t, l, 100, 2, 10)
	if got := readAll(t, l, true); !slices.Equal(got, []int{100, 101}) {
		t.Errorf("read %v from the log that was made anew", got)
	}
	mustClose(t, l)
}

func TestRemove(t *testing.T) {
	mem := removable(t, 1)
	for range 2 { // what is gone need not be there
		if err := Remove(testOptions(mem)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := mem.Stat("/data1/quarantine"); err != nil {
		t.Errorf("the copies of damaged records: %v", err)
	}
	checkRemoved(t, mem)
	if err := Remove(testOptions(vfs.NewMem(1))); err != nil {
		t.Errorf("removing a log from directories that are not there: %v", err)
	}
	if err := Remove(Options{}); err == nil {
		t.Error("a log was removed from nowhere")
	}
}

// TestRemoveInOneDirectory has the checkpoint beside the segments.
func TestRemoveInOneDirectory(t *testing.T) {
	mem := vfs.NewMem(1)
	opts := with(testOptions(mem), func(o *Options) { o.Dirs, o.CheckpointDir = []string{"/data1/"}, "/data1" })
	l := mustOpen(t, opts)
	mustAppend(t, l, 0, 1, 10)
	mustClose(t, l)
	if err := Remove(opts); err != nil {
		t.Fatal(err)
	}
	if left := files(t, mem); len(left) != 1 {
		t.Errorf("%d files are left, want the lock: %v", len(left), slices.Collect(maps.Keys(left)))
	}
}

func TestRemoveRefusesWhatIsOpen(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, testOptions(mem))
	mustAppend(t, l, 0, 2, 10)
	before := files(t, mem)
	for _, dirs := range [][]string{{"/data1", "/data2"}, {"/data2"}, {"/free", "/data2"}} {
		opts := with(testOptions(mem), func(o *Options) { o.Dirs, o.CheckpointDir = dirs, "/elsewhere" })
		if err := Remove(opts); !errors.Is(err, vfs.ErrLocked) {
			t.Errorf("removing an open log from %v: %v", dirs, err)
		}
	}
	if !maps.Equal(before, files(t, mem)) {
		t.Error("files of an open log were removed")
	}
	mustClose(t, l)
	if err := Remove(testOptions(mem)); err != nil {
		t.Errorf("after it was closed: %v", err)
	}
}

// TestRemoveRepeated fails each operation, or cuts the power at it, and removes the rest.
func TestRemoveRepeated(t *testing.T) {
	cuts, faults := 0, 0
	for name, policy := range policies {
		for k := int64(0); ; k++ {
			mem := removable(t, uint64(k))
			var crashed *vfs.Mem
			failing := vfs.NewFailing(mem, vfs.Only(vfs.Op.Mutates, vfs.CrashAt(k, func() { crashed = mem.Crash(policy) })))
			err := Remove(testOptions(failing))
			if crashed == nil {
				if err != nil {
					t.Fatal(err)
				}
				crashed = mem.Crash(powerCut) // what was removed is so durably
				checkRemoved(t, crashed)
				break
			}
			if !errors.Is(err, vfs.ErrCrashed) {
				t.Fatalf("power cut at operation %d: %v", k, err)
			}
			if err := Remove(testOptions(crashed)); err != nil {
				t.Fatalf("repeated after a power cut at operation %d, unsynced names kept: %s: %v", k, name, err)
			}
			checkRemoved(t, crashed)
			cuts++
		}
	}
	for k := int64(0); ; k++ {
		mem := removable(t, 1)
		failing := vfs.NewFailing(mem, vfs.FailAt(k, syscall.EIO))
		err := Remove(testOptions(failing))
		if failing.Injected() == 0 {
			break
		}
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("operation %d failed and Remove returned %v", k, err)
		}
		if err := Remove(testOptions(mem)); err != nil {
			t.Fatalf("repeated after operation %d failed: %v", k, err)
		}
		checkRemoved(t, mem)
		faults++
	}
	if cuts < 20 || faults < 20 {
		t.Errorf("only %d power cuts and %d faults were tried", cuts, faults)
	}
}
