package taildir

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

// staged is the system, which does something once, before it describes a path.
type staged struct {
	realSystem
	path string
	do   func()
}

func (s *staged) stat(path string) (fs.FileInfo, error) {
	if do := s.do; do != nil && path == s.path {
		s.do = nil
		do()
	}
	return s.realSystem.stat(path)
}

// found lets the follower find what there is in its directory, and read it.
func found(t *testing.T, r *rig, w *follower) {
	t.Helper()
	r.must(w.list(w.dirs[0]))
	w.settle()
	turns(t, w)
}

// manyLines is n lines that are no others.
func manyLines(word string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(word + " " + strings.Repeat("x", i) + "\n")
	}
	return b.String()
}

// expectCount checks how many lines have come since the last reset.
func expectCount(t *testing.T, r *rig, n int) {
	t.Helper()
	if got := r.out.count(); got != n {
		t.Fatalf("%d lines came, want %d; log:\n%s", got, n, r.log)
	}
	r.out.reset()
}

// TestRenameAndCopy: logrotate's renamecopy renames a log to a temporary name, copies
// that, and removes it. The copy is not read, at whatever moment it is found first.
func TestRenameAndCopy(t *testing.T) {
	for _, c := range []struct {
		name    string
		copied  int // bytes by the time that the copy is found
		removed bool
	}{
		{"few bytes", 3, false},
		{"one line", 8, false},
		{"a part", 900, false},
		{"all", 2000, false},
		{"a part, and what it is made of is gone", 900, true},
		{"more than a head, and what it is made of is gone", 1400, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			text := manyLines("first", 50)
			r.write("app.log", text)
			w := stepping(t, r)
			turns(t, w)
			expectCount(t, r, 50)
			r.rename("app.log", "app.log.tmp")
			r.write("app.log", "second\n")
			found(t, r, w)
			r.expect("second")
			n := min(c.copied, len(text))
			r.write("app.log.1", text[:n])
			if c.removed {
				r.remove("app.log.tmp")
			}
			found(t, r, w)
			r.write("app.log.1", text[n:])
			found(t, r, w)
			if !c.removed {
				r.remove("app.log.tmp")
			}
			found(t, r, w)
			expectCount(t, r, 0)
		})
	}
}

// TestSearchWhileNamesMove: what was left of a log is found though it is compressed
// between the listing of the directory and the look at its name.
func TestSearchWhileNamesMove(t *testing.T) {
	r := newRig(t, `filegroups.g1 = $DIR/app\.log`)
	r.write("app.log", manyLines("first", 50))
	w := stepping(t, r)
	turns(t, w)
	expectCount(t, r, 50)
	f := w.dirs[0].names["app.log"]
	w.shut(f)
	r.write("app.log", "late\n")
	r.rename("app.log", "app.log.1")
	w.src.sys = &staged{path: r.path("app.log.1"), do: func() {
		text, err := os.ReadFile(r.path("app.log.1"))
		r.must(err)
		r.write("app.log.1.gz", string(packText(text, true)))
		r.remove("app.log.1")
	}}
	found(t, r, w)
	turns(t, w)
	r.expect("late")
}

// TestPackedWhileWritten: a compressed file of what was read is not read again,
// however much of it is there when it is found first.
func TestPackedWhileWritten(t *testing.T) {
	text := manyLines("first", 60)
	for _, gz := range []bool{true, false} {
		packed, suffix := string(packText([]byte(text), gz)), ".gz"
		if !gz {
			suffix = ".zst"
		}
		for n := 0; n <= len(packed); n += 7 {
			r := newRig(t, "compressedFiles = read")
			r.write("app.log", text)
			w := stepping(t, r)
			turns(t, w)
			expectCount(t, r, 60)
			r.write("app.log.1"+suffix, packed[:n])
			found(t, r, w)
			r.write("app.log.1"+suffix, packed[n:])
			found(t, r, w)
			r.remove("app.log")
			found(t, r, w)
			if got := r.out.count(); got > 0 {
				t.Fatalf("%s, found with %d of %d bytes: %d lines came again; log:\n%s", suffix, n, len(packed), got, r.log)
			}
		}
	}
}

// TestTornPackedFile: of a packed file that breaks off for good, what there is is read.
func TestTornPackedFile(t *testing.T) {
	r := newRig(t, "compressedFiles = read")
	packed := packText([]byte(manyLines("first", 20)), true)
	r.write("app.log.1.gz", string(packed[:len(packed)-9]))
	w := stepping(t, r)
	turns(t, w)
	expectCount(t, r, 0)
	w.now = w.now.Add(2 * tornTime)
	found(t, r, w)
	w.sweep()
	turns(t, w)
	if r.out.count() == 0 {
		t.Fatalf("nothing was read; log:\n%s", r.log)
	}
}

// TestTakenForACopy: a file that was taken for a copy by its first bytes, and has
// become something else under another name by the next look, is read.
func TestTakenForACopy(t *testing.T) {
	r := newRig(t)
	r.write("app.log", manyLines("first", 50))
	w := stepping(t, r)
	turns(t, w)
	expectCount(t, r, 50)
	r.write("app.log.1", "fi")
	found(t, r, w)
	r.write("app.log.1", "ne\n")
	r.rename("app.log.1", "app.log.2")
	found(t, r, w)
	r.expect("fine")
}

// TestEmptyBeforeItIsLost: a file in which there was nothing when the source ended gets
// lines and a name of rotation meanwhile. It is read, and what is packed of it is known
// as its copy.
func TestEmptyBeforeItIsLost(t *testing.T) {
	r := newRig(t, `filegroups.g1 = $DIR/app\.log(\.1\.gz)?`, "compressedFiles = read")
	r.write("app.log", "")
	t.Run("first", func(t *testing.T) { turns(t, stepping(t, r)) })
	text := manyLines("first", 50)
	r.write("app.log", text)
	r.rename("app.log", "app.log.1")
	w := stepping(t, r)
	r.write("app.log.1.gz", string(packText([]byte(text), true)))
	found(t, r, w)
	expectCount(t, r, 50)
	r.remove("app.log.1")
	found(t, r, w)
	expectCount(t, r, 0)
}

// TestCopyAndPackedCopyAtOnce: a log is copied, cut off, and its copy compressed. The
// copy was seen when it was empty, and comes to be known behind what is being packed.
func TestCopyAndPackedCopyAtOnce(t *testing.T) {
	r := newRig(t, "compressedFiles = read")
	text := manyLines("first", 60)
	packed := string(packText([]byte(text), true))
	r.write("app.log", text)
	w := stepping(t, r)
	turns(t, w)
	expectCount(t, r, 60)
	r.write("app.log.1", "")
	found(t, r, w)
	r.write("app.log.1", text)
	r.truncate("app.log")
	r.write("app.log.1.gz", packed[:len(packed)-20])
	found(t, r, w)
	w.look(w.dirs[0].names["app.log.1"])
	found(t, r, w)
	r.write("app.log.1.gz", packed[len(packed)-20:])
	r.remove("app.log.1")
	found(t, r, w)
	expectCount(t, r, 0)
}

// TestCopyOfWhatWasEmpty: a log in which there was nothing gets lines, is renamed and
// copied, all before the next look. The copy is not read for itself.
func TestCopyOfWhatWasEmpty(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "")
	w := stepping(t, r)
	turns(t, w)
	text := manyLines("first", 60)
	r.write("app.log", text)
	r.rename("app.log", "app.log.tmp")
	r.write("app.log", "")
	r.write("app.log.1", text[:900])
	found(t, r, w)
	r.write("app.log.1", text[900:])
	r.remove("app.log.tmp")
	found(t, r, w)
	found(t, r, w)
	expectCount(t, r, 60)
}

// TestFoundUnderItsOwnName: a rotated file whose content is short is lost and found under
// the name that it had, lost again, and still known when that name is seen once more.
func TestFoundUnderItsOwnName(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "one\n")
	w := stepping(t, r)
	turns(t, w)
	r.expect("one")
	r.rename("app.log", "app.log.1")
	found(t, r, w)
	f := w.dirs[0].names["app.log.1"]
	lose := func() {
		w.unlink(f)
		w.shut(f)
	}
	lose()
	w.settle() // which searches
	lose()
	w.unlinked = nil
	w.gone(f) // as if the search had not met the name while names moved
	found(t, r, w)
	expectCount(t, r, 0)
}

// TestSearchInUsedInode: what was left of a log is found in a file that has the inode of
// another log, which has gone and was not looked at since.
func TestSearchInUsedInode(t *testing.T) {
	r := newRig(t, `filegroups.g1 = $DIR/(app|other)\.log`)
	r.write("app.log", manyLines("first", 50))
	r.write("other.log", manyLines("other", 50))
	w := stepping(t, r)
	turns(t, w)
	expectCount(t, r, 100)
	f, other := w.dirs[0].names["app.log"], w.dirs[0].names["other.log"]
	w.shut(f)
	w.shut(other)
	text := manyLines("first", 50) + "late\n"
	r.write("app.log.1.gz", string(packText([]byte(text), true)))
	r.remove("app.log")
	r.remove("other.log")
	info, err := os.Stat(r.path("app.log.1.gz"))
	r.must(err)
	w.setID(other, idOf(info, r.path("app.log.1.gz")))
	w.look(f)
	w.settle()
	turns(t, w)
	r.expect("late")
}
