package spooldir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

func TestFilesAreRenamed(t *testing.T) {
	r := newRig(t)
	r.drop("b.log", "3\n")
	r.drop("a.log", "1\n2")
	r.drop(".hidden", "x\n")
	r.drop("old.COMPLETED", "x\n")
	r.drop("bad.FAILED", "x\n")
	r.drop("sub/c.log", "x\n")
	r.drop("empty", "")
	for i, name := range []string{"a.log", "empty", "b.log"} {
		r.age(name, i)
	}
	r.mustRound()
	r.expect([]string{"1", "2", "", "3"}, []string{".hidden", "a.log.COMPLETED", "b.log.COMPLETED", "bad.FAILED", "empty.COMPLETED", "old.COMPLETED", "sub/c.log"})
	if got := r.set.OwnCounter("completed_files", "").Value(); got != 3 {
		t.Errorf("%d files are counted", got)
	}
}

func TestFilesAreDeleted(t *testing.T) {
	r := newRig(t, "deletePolicy = IMMEDIATE")
	r.drop("a", "1\n")
	r.mustRound()
	r.expect([]string{"1"}, nil)
}

func TestFilesAreNoted(t *testing.T) {
	r := newRig(t, "trackingPolicy = TRACKER_DIR", "recursiveDirectorySearch = true", "trackerDir = notes", "fileSuffix = .DONE")
	r.drop("a", "1\n")
	r.drop("sub/deep/b", "2\n")
	r.drop("sub/bad", "3\n\xff\n")
	for i, name := range []string{"a", "sub/bad", "sub/deep/b"} {
		r.age(name, i)
	}
	files := []string{"a", "notes/a.DONE", "notes/sub/bad.FAILED", "notes/sub/deep/b.DONE", "sub/bad", "sub/deep/b"}
	r.mustRound()
	r.expect([]string{"1", "3", "2"}, files)
	r.mustRound()
	r.expect(nil, files)
}

func TestPatternsAndRecursion(t *testing.T) {
	r := newRig(t, "recursiveDirectorySearch = true", `includePattern = .*\.log`, "ignorePattern = skip.*")
	for _, name := range []string{"a.log", "b.txt", "skip.log", "sub/c.log", "skipped/d.log", ".dot/e.log"} {
		r.drop(name, name+"\n")
	}
	r.mustRound()
	got := r.out.take()
	slices.Sort(got)
	if want := []string{"a.log", "sub/c.log"}; !slices.Equal(got, want) {
		t.Errorf("read are %q, want %q", got, want)
	}
}

func TestOrder(t *testing.T) {
	for order, want := range map[string][]string{"oldest": {"c", "a", "b", "d"}, "youngest": {"d", "a", "b", "c"}} {
		r := newRig(t, "consumeOrder = "+order)
		for name, n := range map[string]int{"c": 0, "b": 1, "a": 1, "d": 2} {
			r.drop(name, name+"\n")
			r.age(name, n)
		}
		r.mustRound()
		if got := r.out.take(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", order, got, want)
		}
	}
	r := newRig(t, "consumeOrder = random")
	var want []string
	for i := range 20 {
		name := fmt.Sprintf("%02d", i)
		r.drop(name, name+"\n")
		want = append(want, name)
	}
	r.mustRound()
	got := r.out.take()
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("random: %q", got)
	}
}

func TestHeaders(t *testing.T) {
	r := newRig(t, "fileHeader = true", "fileHeaderKey = path", "basenameHeader = true", "recursiveDirectorySearch = true")
	r.drop("sub/a", "1\n2\n")
	r.mustRound()
	want := []event.Header{{Key: "path", Value: r.dir + "/sub/a"}, {Key: "basename", Value: "a"}}
	for _, e := range r.out.events {
		if !slices.Equal(e.Headers, want) {
			t.Errorf("headers %v, want %v", e.Headers, want)
		}
	}
	if len(r.out.events) != 2 {
		t.Errorf("%d events", len(r.out.events))
	}
}

func TestBatchesAreNotLargerThanAskedFor(t *testing.T) {
	r := newRig(t, "batchSize = 7")
	r.drop("a", strings.Repeat("line\n", 100_000))
	r.mustRound()
	if len(r.out.events) != 100_000 || r.out.most != 7 {
		t.Errorf("%d events in batches of up to %d", len(r.out.events), r.out.most)
	}
}

// TestFileThatIsChanged: what is complete is handed on, and the others go on.
func TestFileThatIsChanged(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"longer": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("more\n")
			return errors.Join(err, f.Close())
		},
		"shorter":   func(path string) error { return os.Truncate(path, 3) },
		"rewritten": func(path string) error { return os.WriteFile(path, []byte("other\nbut long enough"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.drop("a", strings.Repeat("line\n", 2*blockSize/5)+"cut")
			r.age("a", 0)
			r.drop("b", "good\n")
			first := true
			r.out.fail = func(*event.Batch) error {
				if first {
					first = false
					return change(filepath.Join(r.dir, "a"))
				}
				return nil
			}
			r.mustRound()
			got := r.out.take()
			if got[len(got)-1] != "good" || slices.Contains(got, "cut") || slices.Contains(got, "") {
				t.Errorf("%d events, the last %q", len(got), got[len(got)-3:])
			}
			if names := r.names(); !slices.Equal(names, []string{"a.FAILED", "b.COMPLETED"}) {
				t.Errorf("files %q", names)
			}
			r.logged("is set aside")
			if n := r.set.OwnCounter("set_aside_files", "").Value(); n != 1 {
				t.Errorf("%d files are counted", n)
			}
		})
	}
}

// TestFileThatIsReplacedAtItsEnd: the change is found after the last event was handed on.
func TestFileThatIsReplacedAtItsEnd(t *testing.T) {
	r := newRig(t)
	r.drop("a", "1\n")
	r.age("a", 0)
	r.out.fail = func(*event.Batch) error {
		r.out.fail = nil
		r.drop("a", "other\n")
		return nil
	}
	r.mustRound()
	r.expect([]string{"1"}, []string{"a.FAILED"})
}

func TestNameThatIsUsedAgain(t *testing.T) {
	r := newRig(t)
	r.drop("a.COMPLETED", "old\n")
	r.drop("a", "new\n")
	r.drop("b.COMPLETED", "same\n")
	r.drop("b", "same\n")
	r.drop("a.FAILED", "even older\n")
	r.mustRound()
	r.expect([]string{"new", "same"}, []string{"a.2.FAILED", "a.COMPLETED", "a.FAILED", "b.COMPLETED"})
	r.logged("the name was used before")
	r.logged("with the same content")
}

func TestWhatIsNoFile(t *testing.T) {
	r := newRig(t, "recursiveDirectorySearch = true")
	path := func(name string) string { return filepath.Join(r.dir, name) }
	r.drop("good", "1\n")
	r.drop("elsewhere/linked", "2\n")
	if err := errors.Join(
		syscall.Mkfifo(path("pipe"), 0o600),
		os.Symlink("loop", path("loop")),
		os.Symlink(".", path("elsewhere/up")),
		os.Symlink("gone", path("dangling")),
		os.Symlink("elsewhere/linked", path("link")),
	); err != nil {
		t.Fatal(err)
	}
	r.mustRound()
	r.mustRound()
	got := r.out.take()
	if slices.Sort(got); !slices.Equal(got, []string{"1", "2"}) && !slices.Equal(got, []string{"1", "2", "2"}) {
		t.Errorf("events %q", got)
	}
	for _, name := range []string{"/pipe", "/loop", "/dangling", "/elsewhere/up"} {
		if n := strings.Count(r.log.String(), "file="+r.dir+name+" "); n != 1 {
			t.Errorf("%s was complained of %d times:\n%s", name, n, r.log)
		}
	}
}

// unreadable is a file system in which some files cannot be opened.
type unreadable struct {
	vfs.FS
	name string
}

// OpenFile implements vfs.FS.
func (u *unreadable) OpenFile(name string, flag int, perm os.FileMode) (vfs.File, error) {
	if u.name != "" && strings.HasSuffix(name, u.name) {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrPermission}
	}
	return u.FS.OpenFile(name, flag, perm)
}

func TestFileThatCannotBeOpenedDoesNotBlock(t *testing.T) {
	fsys := &unreadable{vfs.NewMem(1), "a"}
	r := newMemRig(t, fsys)
	r.drop("b", "2\n")
	fsys.name = ""
	r.drop("a", "1\n")
	fsys.name = "/a"
	r.mustRound()
	r.expect([]string{"2"}, []string{"a", "b.COMPLETED"})
	fsys.name = ""
	r.mustRound()
	r.expect([]string{"1"}, []string{"a.COMPLETED", "b.COMPLETED"})
	r.logged("permission denied")
}

func TestFileThatCannotBeDecodedIsSetAside(t *testing.T) {
	r := newRig(t)
	r.drop("a", "1\n2\xff\n3\n")
	r.age("a", 0)
	r.drop("b", "4\n")
	r.mustRound()
	r.expect([]string{"1", "4"}, []string{"a.FAILED", "b.COMPLETED"})
	r.logged("offset 3")
}

// TestRetry: what a channel does not take is handed on again until it does.
func TestRetry(t *testing.T) {
	r := newRig(t, "maxBackoff = 1")
	r.drop("a", "1\n2\n")
	tries := 0
	r.out.fail = func(*event.Batch) error {
		if tries++; tries < 4 {
			return []error{flow.ErrFull, errors.New("plain"), flow.Unknown(errors.New("unknown"))}[tries-1]
		}
		return nil
	}
	r.mustRound()
	r.expect([]string{"1", "2"}, []string{"a.COMPLETED"})
}

// TestGoesOnWhereItWas: an error that ends the source, and the next start.
func TestGoesOnWhereItWas(t *testing.T) {
	for _, settings := range [][]string{nil, {"trackingPolicy = tracker_dir"}, {"deletePolicy = immediate"}} {
		r := newRig(t, append(settings, "batchSize = 2")...)
		r.drop("a", "1\n2\n3\n4\n5\n")
		failed := errors.New("for good")
		r.out.fail = func(*event.Batch) error {
			if len(r.out.events) == 2 {
				return flow.Fatal(failed)
			}
			return nil
		}
		if err := r.round(); !errors.Is(err, failed) {
			t.Fatalf("error %v", err)
		}
		r.drop("older", "0\n")
		r.age("older", 0)
		r.out.fail = nil
		r.mustRound()
		if got := r.out.take(); !slices.Equal(got, []string{"1", "2", "3", "4", "5", "0"}) {
			t.Errorf("%v: %q", settings, got)
		}
	}
}

// TestTakesOverFromJava: a position file as Apache Flume has left it.
func TestTakesOverFromJava(t *testing.T) {
	for _, c := range []struct {
		name   string
		offset int64
		want   []string
		files  []string
	}{
		{"half", 4, []string{"3"}, []string{"a.COMPLETED"}},
		{"whole", 6, nil, []string{"a.COMPLETED"}},
		{"nothing", 0, []string{"1", "2", "3"}, []string{"a.COMPLETED"}},
		{"behind the end", 7, nil, []string{"a.FAILED"}},
	} {
		r := newRig(t)
		r.drop("a", "1\n2\n3\n")
		r.drop(".flumespool/"+trackerName, string(appendTracker(nil, &saved{target: r.dir + "/a", at: mark{offset: c.offset}, length: -1}, [syncSize]byte{1})))
		t.Run(c.name, func(t *testing.T) {
			r.mustRound()
			r.expect(c.want, c.files)
		})
	}
}

// TestFileThatWasChangedBetweenStarts: half of it was handed on.
func TestFileThatWasChangedBetweenStarts(t *testing.T) {
	r := newRig(t)
	r.drop("a", "1\n2\n3\n")
	for offset, want := range map[int64][]string{2: nil, 4: {"1", "2", "3"}} { // 4 was all of it: this is a new file
		r.drop("a", "1\n2\n3\n")
		r.drop(".flumespool/"+trackerName, string(appendTracker(nil, &saved{target: r.dir + "/a", at: mark{offset: offset}, length: 4, modified: 5}, [syncSize]byte{1})))
		r.mustRound()
		if got := r.out.take(); !slices.Equal(got, want) {
			t.Errorf("after %d: %q, want %q", offset, got, want)
		}
	}
}

func TestDamagedTracker(t *testing.T) {
	container, _ := containerOf(t, "null", 1, 100)
	for _, text := range []string{"", "Obj\x01\x04", "some text", string(container)} {
		r := newRig(t)
		r.drop("a", "1\n")
		r.drop(".flumespool/"+trackerName, text)
		r.mustRound()
		want := []string{".flumespool/" + trackerName + damagedSuffix, "a.COMPLETED"}
		if text == "" { // as Flume leaves it
			want = want[1:]
		} else {
			r.logged("cannot be read")
		}
		r.expect([]string{"1"}, want)
	}
}

func TestDirectoryIsLocked(t *testing.T) {
	r := newRig(t)
	d, err := r.src.open(r.out)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.round(); err == nil || !strings.Contains(err.Error(), "in use by another") {
		t.Errorf("error %v", err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	r.mustRound()
}

func TestDirectoryThatIsNone(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ dir, want string }{{"missing", "create the directory"}, {"file", "not a directory"}} {
		r.drop("file", "")
		src, _ := newSource(t, r.log, "spoolDir = "+filepath.Join(r.dir, c.dir))
		if _, err := src.open(r.out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.dir, err)
		}
	}
}

// TestListingInParts has more files than a listing keeps.
func TestListingInParts(t *testing.T) {
	mem := vfs.NewMem(1)
	r := newMemRig(t, mem)
	l := newLister(r.src)
	for i := range 10 {
		r.drop(fmt.Sprint(i), "x")
	}
	var best worstFirst
	for i := range mostQueued + 5 {
		l.keep(&best, candidate{key: int64((i * 7919) % (mostQueued + 5))})
	}
	slices.SortFunc(best, candidate.compare)
	if !l.more || len(best) != mostQueued || best[0].key != 0 || best[mostQueued-1].key != mostQueued-1 {
		t.Errorf("%d are kept, from %d to %d", len(best), best[0].key, best[len(best)-1].key)
	}
	l.list(&candidate{key: l.mustFind(t, "3"), rel: "3"})
	for c, ok := l.next(); ok; c, ok = l.next() {
		if c.rel <= "3" {
			t.Errorf("%s comes behind 3", c.rel)
		}
	}
}

func (l *lister) mustFind(t *testing.T, name string) int64 {
	info, err := l.s.files.Stat(l.s.pathOf(name))
	if err != nil {
		t.Fatal(err)
	}
	return milliseconds(info.ModTime())
}
