package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/internal/vfs"
)

var (
	loseAll = vfs.CrashPolicy{}
	keepAll = vfs.CrashPolicy{Data: vfs.All, Entries: vfs.All}
	random  = vfs.CrashPolicy{Data: vfs.Mixed, Entries: vfs.Mixed}
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openRW opens or creates a file.
func openRW(t testing.TB, fsys vfs.FS, name string) vfs.File {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	must(t, err)
	return f
}

// durableFile creates a file of which content and name survive.
func durableFile(t testing.TB, fsys vfs.FS, name string, content []byte) vfs.File {
	t.Helper()
	f := openRW(t, fsys, name)
	writeAt(t, f, content, 0)
	must(t, f.Sync())
	must(t, fsys.SyncDir("/"))
	return f
}

func writeAt(t testing.TB, f vfs.File, p []byte, off int64) {
	t.Helper()
	_, err := f.WriteAt(p, off)
	must(t, err)
}

func read(t testing.TB, fsys vfs.FS, name string) []byte {
	t.Helper()
	b, err := vfs.ReadFile(fsys, name)
	must(t, err)
	return b
}

func names(t testing.TB, fsys vfs.FS, dir string) []string {
	t.Helper()
	list, err := fsys.ReadDir(dir)
	must(t, err)
	got := []string{}
	for _, e := range list {
		got = append(got, e.Name())
	}
	return got
}

// fill returns n bytes that name themselves.
func fill(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n) }

func TestCrashKeepsSyncedAndLosesTheRest(t *testing.T) {
	const sector = vfs.SectorSize
	for _, sync := range []struct {
		name string
		do   func(vfs.File) error
	}{{"Sync", vfs.File.Sync}, {"SyncData", vfs.SyncData}} {
		t.Run(sync.name, func(t *testing.T) {
			m := vfs.NewMem(1)
			f := durableFile(t, m, "a", fill('0', 2*sector))
			writeAt(t, f, fill('1', 10), 0)
			writeAt(t, f, fill('1', sector), 2*sector)
			must(t, sync.do(f))
			want := read(t, m, "a")
			writeAt(t, f, fill('2', 10), sector)
			writeAt(t, f, fill('2', sector), 3*sector)
			live := read(t, m, "a")

			if diff := cmp.Diff(want, read(t, m.CrashClone(loseAll), "a")); diff != "" {
				t.Errorf("a crash that loses what was not synced leaves (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(live, read(t, m.CrashClone(keepAll), "a")); diff != "" {
				t.Errorf("a crash that keeps everything leaves (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCrashTruncation(t *testing.T) {
	m := vfs.NewMem(1)
	f := durableFile(t, m, "a", fill('0', 2000))
	must(t, f.Truncate(100))
	if got := read(t, m.CrashClone(loseAll), "a"); !bytes.Equal(got, fill('0', 2000)) {
		t.Errorf("an unsynced truncation that is lost leaves %d bytes", len(got))
	}
	must(t, f.Truncate(2000))
	want := append(fill('0', 100), make([]byte, 1900)...)
	if got := read(t, m.CrashClone(keepAll), "a"); !bytes.Equal(got, want) {
		t.Errorf("bytes cut and kept cut have come back: %q", got)
	}
	must(t, f.Sync())
	if got := read(t, m.CrashClone(loseAll), "a"); !bytes.Equal(got, want) {
		t.Errorf("bytes cut and synced have come back: %q", got)
	}
}

// TestCrashTearsWrites shows that the hard states do come up: each of the outcomes has to be
// seen within the tries.
func TestCrashTearsWrites(t *testing.T) {
	const sectors = 8
	m := vfs.NewMem(42)
	f := durableFile(t, m, "a", fill('0', sectors*vfs.SectorSize))
	writeAt(t, f, fill('1', sectors*vfs.SectorSize), 0)
	writeAt(t, f, fill('2', vfs.SectorSize), 0)
	writeAt(t, f, fill('3', sectors*vfs.SectorSize), sectors*vfs.SectorSize)

	seen := make(map[string]bool)
	for range 300 {
		b := read(t, m.CrashClone(random), "a")
		classify(b, sectors*vfs.SectorSize, seen)
	}
	for _, outcome := range []string{
		"all lost", "all kept", "torn overwrite", "torn append", "later without earlier",
		"length without data", "first version of a sector",
	} {
		if !seen[outcome] {
			t.Errorf("never seen: %s", outcome)
		}
	}
}

func classify(b []byte, old int, seen map[string]bool) {
	var head, tail []byte // the first byte of each sector
	for i := 0; i < len(b); i += vfs.SectorSize {
		if i < old {
			head = append(head, b[i])
		} else {
			tail = append(tail, b[i])
		}
	}
	first, last := head[0], head[len(head)-1]
	ones := bytes.Count(head[1:], []byte{'1'})
	seen["all lost"] = seen["all lost"] || first == '0' && ones == 0 && len(tail) == 0
	seen["all kept"] = seen["all kept"] || first == '2' && ones == len(head)-1 && string(tail) == "33333333"
	seen["torn overwrite"] = seen["torn overwrite"] || ones > 0 && ones < len(head)-1
	seen["torn append"] = seen["torn append"] || len(tail) > 0 && len(tail) < 8
	seen["later without earlier"] = seen["later without earlier"] || first == '2' && last == '0'
	seen["length without data"] = seen["length without data"] || bytes.Contains(tail, []byte{0})
	seen["first version of a sector"] = seen["first version of a sector"] || first == '1'
}

func TestCrashIsDeterministic(t *testing.T) {
	state := func(seed uint64) []string {
		m := vfs.NewMem(seed)
		for i := range 5 {
			writeAt(t, openRW(t, m, fmt.Sprint("f", i)), fill('x', 5000), 0)
		}
		var all []string
		c := m
		for range 3 { // crash what the crash left, too
			writeAt(t, openRW(t, c, "more"), fill('y', 5000), 700)
			c = c.Crash(random)
			for _, name := range names(t, c, "/") {
				all = append(all, name, string(read(t, c, name)))
			}
			all = append(all, "crash")
		}
		return all
	}
	if diff := cmp.Diff(state(7), state(7)); diff != "" {
		t.Errorf("the same seed gave (-first +second):\n%s", diff)
	}
	if slices.Equal(state(7), state(8)) {
		t.Error("different seeds gave the same state")
	}
}

func TestCrashNames(t *testing.T) {
	for _, tt := range []struct {
		name       string
		do         func(*testing.T, *vfs.Mem) // on durable directories d, e and file d/a
		lost, kept []string                   // what d and e hold afterwards
		sync       string                     // makes it durable
	}{
		{"create", func(t *testing.T, m *vfs.Mem) { must(t, openRW(t, m, "d/b").Sync()) },
			[]string{"d/a"}, []string{"d/a", "d/b"}, "d"},
		{"remove", func(t *testing.T, m *vfs.Mem) { must(t, m.Remove("d/a")) },
			[]string{"d/a"}, nil, "d"},
		{"rename", func(t *testing.T, m *vfs.Mem) { must(t, m.Rename("d/a", "d/b")) },
			[]string{"d/a"}, []string{"d/b"}, "d"},
		{"move, syncing the target", func(t *testing.T, m *vfs.Mem) { must(t, m.Rename("d/a", "e/a")) },
			[]string{"d/a"}, []string{"e/a"}, "e"},
		{"move, syncing the source", func(t *testing.T, m *vfs.Mem) { must(t, m.Rename("d/a", "e/a")) },
			[]string{"d/a"}, []string{"e/a"}, "d"},
		{"create and move", func(t *testing.T, m *vfs.Mem) {
			openRW(t, m, "d/new")
			must(t, m.Rename("d/new", "e/new"))
		}, []string{"d/a"}, []string{"d/a", "e/new"}, "e"},
		{"lock", func(t *testing.T, m *vfs.Mem) { _, err := m.Lock("d/lock"); must(t, err) },
			[]string{"d/a"}, []string{"d/a", "d/lock"}, "d"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := vfs.NewMem(1)
			must(t, vfs.MkdirAllSync(m, "d", 0o755))
			must(t, vfs.MkdirAllSync(m, "e", 0o755))
			must(t, openRW(t, m, "d/a").Sync())
			must(t, m.SyncDir("d"))
			tt.do(t, m)
			check := func(what string, c *vfs.Mem, want []string) {
				t.Helper()
				var got []string
				for _, dir := range []string{"d", "e"} {
					for _, name := range names(t, c, dir) {
						got = append(got, dir+"/"+name)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: %q, want %q", what, got, want)
				}
			}
			check("lost", m.CrashClone(loseAll), tt.lost)
			check("kept", m.CrashClone(keepAll), tt.kept)
			must(t, m.SyncDir(tt.sync))
			check("synced", m.CrashClone(loseAll), tt.kept)
		})
	}
}

// TestCrashRenameIsAtomic shows that a renamed file is always under exactly one of its names,
// and that each of them comes up.
func TestCrashRenameIsAtomic(t *testing.T) {
	m := vfs.NewMem(3)
	durableFile(t, m, "a", []byte("x"))
	must(t, m.Rename("a", "b"))
	must(t, m.Rename("b", "c"))
	seen := make(map[string]int)
	for range 200 {
		got := names(t, m.CrashClone(random), "/")
		if len(got) != 1 {
			t.Fatalf("the file is under %q", got)
		}
		seen[got[0]]++
	}
	for _, name := range []string{"a", "b", "c"} {
		if seen[name] == 0 {
			t.Errorf("never found under %s: %v", name, seen)
		}
	}
}

func TestCrashOfDirectoryLosesItsContent(t *testing.T) {
	m := vfs.NewMem(1)
	must(t, m.MkdirAll("d/e", 0o755))
	must(t, openRW(t, m, "d/e/a").Sync())
	must(t, m.SyncDir("d/e"))
	must(t, m.SyncDir("d"))
	if got := names(t, m.CrashClone(loseAll), "/"); len(got) != 0 {
		t.Errorf("a directory without a durable name is there: %q", got)
	}
	must(t, m.SyncDir("/"))
	if got := names(t, m.CrashClone(loseAll), "d/e"); !slices.Equal(got, []string{"a"}) {
		t.Errorf("a durable tree holds %q", got)
	}
}

func TestCrashEndsTheOldFileSystem(t *testing.T) {
	m := vfs.NewMem(1)
	f := durableFile(t, m, "a", []byte("abc"))
	lock, err := m.Lock("lock")
	must(t, err)
	c := m.Crash(keepAll)

	b := make([]byte, 1)
	_, openErr := m.OpenFile("a", os.O_RDONLY, 0)
	_, readErr := f.ReadAt(b, 0)
	_, writeErr := f.Write(b)
	_, seekErr := f.Seek(0, io.SeekStart)
	_, statErr := m.Stat("a")
	_, listErr := m.ReadDir("/")
	_, lockErr := m.Lock("other")
	_, fileStatErr := f.Stat()
	for name, err := range map[string]error{
		"OpenFile": openErr, "ReadAt": readErr, "Write": writeErr, "Seek": seekErr,
		"Stat": statErr, "ReadDir": listErr, "Lock": lockErr, "File.Stat": fileStatErr,
		"MkdirAll": m.MkdirAll("x", 0o755), "Remove": m.Remove("a"), "Rename": m.Rename("a", "b"),
		"SyncDir": m.SyncDir("/"), "Sync": f.Sync(), "Truncate": f.Truncate(0),
		"Preallocate": vfs.Preallocate(f, 100), "Close": f.Close(), "unlock": lock.Close(),
	} {
		if !errors.Is(err, vfs.ErrCrashed) {
			t.Errorf("%s after the crash: %v", name, err)
		}
	}
	if got := read(t, c, "a"); string(got) != "abc" {
		t.Errorf("the new file system holds %q", got)
	}
	lock, err = c.Lock("lock")
	must(t, err)
	must(t, lock.Close())
}

func TestCrashCloneLeavesTheOriginal(t *testing.T) {
	m := vfs.NewMem(1)
	f := durableFile(t, m, "a", []byte("abc"))
	c := m.CrashClone(keepAll)
	writeAt(t, f, []byte("X"), 0)
	g := openRW(t, c, "a")
	writeAt(t, g, []byte("Y"), 1)
	if a, b := read(t, m, "a"), read(t, c, "a"); string(a) != "Xbc" || string(b) != "aYc" {
		t.Errorf("they share memory: %q and %q", a, b)
	}
}

func TestMemCapacity(t *testing.T) {
	m := vfs.NewMem(1)
	m.SetCapacity(10)
	f := openRW(t, m, "a")
	n, err := f.Write([]byte("0123456789ab"))
	if n != 10 || !vfs.IsNoSpace(err) {
		t.Fatalf("writing 12 bytes into 10: %d, %v", n, err)
	}
	if n, err := f.WriteAt([]byte("abcd"), 8); n != 2 || !vfs.IsNoSpace(err) {
		t.Errorf("writing across the end: %d, %v", n, err)
	}
	if n, err := f.WriteAt([]byte("x"), 20); n != 0 || !vfs.IsNoSpace(err) {
		t.Errorf("writing beyond the capacity: %d, %v", n, err)
	}
	if n, err := vfs.WritevAt(f, [][]byte{[]byte("AA"), []byte("BBBB")}, 7); n != 3 || !vfs.IsNoSpace(err) {
		t.Errorf("gathering across the end: %d, %v", n, err)
	}
	if got := read(t, m, "a"); string(got) != "0123456AAB" {
		t.Errorf("holds %q", got)
	}
	for name, err := range map[string]error{"Truncate": f.Truncate(11), "Preallocate": vfs.Preallocate(f, 11)} {
		if !vfs.IsNoSpace(err) {
			t.Errorf("%s past the capacity: %v", name, err)
		}
	}
	writeAt(t, f, []byte("ok"), 0) // overwriting needs no room

	must(t, m.Remove("a"))
	if m.Used() != 10 {
		t.Errorf("a removed file that is open uses %d bytes, want 10", m.Used())
	}
	must(t, f.Close())
	free, err := vfs.DiskFree(m, "/")
	must(t, err)
	if m.Used() != 0 || free != 10 {
		t.Errorf("after removal %d are used and %d free, want 0 and 10", m.Used(), free)
	}
	writeAt(t, openRW(t, m, "c"), make([]byte, 10), 0)
	_, err = m.OpenFile("c", os.O_RDWR|os.O_TRUNC, 0)
	must(t, err)
	if m.Used() != 0 {
		t.Errorf("an emptied file uses %d bytes", m.Used())
	}
	m.SetCapacity(-1)
	writeAt(t, openRW(t, m, "b"), make([]byte, 100), 0)
	if c := m.CrashClone(keepAll); c.Used() != 100 {
		t.Errorf("the clone uses %d bytes, want 100", c.Used())
	}
}

func TestMemRefusesWhatItCannotHold(t *testing.T) {
	m := vfs.NewMem(1)
	f := openRW(t, m, "a")
	const huge = 1<<63 - 1
	if _, err := f.WriteAt([]byte("ab"), huge); err == nil {
		t.Error("a write at the largest offset succeeded")
	}
	if err := f.Truncate(huge); err == nil {
		t.Error("truncating to the largest size succeeded")
	}
	if _, err := m.OpenFile("", os.O_RDONLY, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening no name: %v", err)
	}
	if _, err := m.OpenFile("a", os.O_RDWR|os.O_SYNC, 0); err == nil {
		t.Error("a flag that is not modelled was accepted")
	}
}
