package taildir

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
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

// TestRenamedBeforeItIsFound: a log in which there was nothing gets lines and a temporary
// name, which nobody has told of by the time that its copy is found. The copy is not read
// for itself.
func TestRenamedBeforeItIsFound(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "")
	w := stepping(t, r)
	turns(t, w)
	d := w.dirs[0]
	f := d.names["app.log"]
	w.shut(f)
	text := manyLines("first", 60)
	r.write("app.log", text)
	r.rename("app.log", "app.log.tmp")
	r.write("app.log", "")
	r.write("app.log.1", text[:900])
	w.foundName(d, "app.log.1", d.groups[0], noTime)
	w.look(f)
	w.settle()
	turns(t, w)
	r.write("app.log.1", text[900:])
	r.remove("app.log.tmp")
	found(t, r, w)
	expectCount(t, r, 60)
}

// TestCopiedWhileLookedAt: what a file is a copy of goes between the looks at the two, and
// the copy is complete by then.
func TestCopiedWhileLookedAt(t *testing.T) {
	r := newRig(t)
	text := manyLines("first", 60)
	r.write("app.log", text)
	w := stepping(t, r)
	turns(t, w)
	expectCount(t, r, 60)
	r.rename("app.log", "app.log.tmp")
	found(t, r, w)
	w.shut(w.dirs[0].names["app.log.tmp"])
	r.write("app.log.1", text[:1000])
	d := w.dirs[0]
	w.foundName(d, "app.log.1", d.groups[0], noTime)
	w.src.sys = &staged{path: r.path("app.log.tmp"), do: func() {
		r.write("app.log.1", text[1000:])
		r.remove("app.log.tmp")
	}}
	w.settle()
	turns(t, w)
	found(t, r, w)
	expectCount(t, r, 0)
}

// TestOpenUntilItIsFound: a log that was renamed is not closed to make room for others
// before its new name is known: a copy of it may come to be decided.
func TestOpenUntilItIsFound(t *testing.T) {
	r := newRig(t, "maxOpenFiles = 8")
	text := manyLines("first", 60)
	r.write("app.log", text)
	w := stepping(t, r)
	turns(t, w)
	expectCount(t, r, 60)
	d := w.dirs[0]
	r.rename("app.log", "app.log.tmp")
	w.look(d.names["app.log"])
	for i := range 9 {
		r.write(fmt.Sprintf("app%d", i), fmt.Sprintf("other %d\n", i))
		w.foundName(d, fmt.Sprintf("app%d", i), d.groups[0], noTime)
	}
	r.write("app.log.1", text[:900])
	w.foundName(d, "app.log.1", d.groups[0], noTime)
	w.settle()
	turns(t, w)
	found(t, r, w)
	r.write("app.log.1", text[900:])
	r.remove("app.log.tmp")
	found(t, r, w)
	expectCount(t, r, 9)
}

// TestFormerIsForgotten: a log does not wait for the former one of its name when that
// could not be opened in its turn, and is known no more.
func TestFormerIsForgotten(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "first\n")
	w := stepping(t, r)
	turns(t, w)
	former := w.dirs[0].names["app.log"]
	r.rename("app.log", "app.log.1")
	r.write("app.log", "second\n")
	found(t, r, w)
	r.expect("first", "second")
	r.write("app.log.1", "late\n")
	w.look(former)
	turns(t, w)
	f := w.dirs[0].names["app.log"]
	f.before, former.size = former, former.size+1 // there is more to be read
	w.rounds++
	w.cannotRead(former, errReplaced)
	if !w.mustWait(f) {
		t.Error("a file does not wait for the former one of its name, which has more to be read")
	}
	w.forget(former)
	if w.mustWait(f) {
		t.Error("a file waits for one that nobody knows any more")
	}
}

// TestOfTwoThatWereEmpty: a log and a file with a name of rotation were empty when they
// were found. Both get lines, and the file another name, and it is looked at before the
// log is. It is read if it is no copy of the log.
func TestOfTwoThatWereEmpty(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"one\ntwo\n", nil},
		{"its own\n", []string{"its own"}},
	} {
		r := newRig(t)
		r.write("app.log", "")
		r.write("app.log.1", "")
		w := stepping(t, r)
		turns(t, w)
		d := w.dirs[0]
		f, log := d.names["app.log.1"], d.names["app.log"]
		r.write("app.log", "one\ntwo\nthree\n")
		r.write("app.log.1", c.text)
		r.rename("app.log.1", "app.log.2")
		w.look(log) // which is decided anew
		w.look(f)
		w.look(f) // which has no name now
		w.settle()
		turns(t, w)
		found(t, r, w)
		r.expect(append(c.want, "one", "two", "three")...)
	}
}

// TestPackedInALostFile: a file that was empty loses its name and is what a compressed
// one is written to. With a byte of that it is not taken for text.
func TestPackedInALostFile(t *testing.T) {
	r := newRig(t, "compressedFiles = read")
	r.write("app.log", "")
	w := stepping(t, r)
	turns(t, w)
	f := w.dirs[0].names["app.log"]
	r.rename("app.log", "app.log.1.gz")
	packed := string(packText([]byte("one\ntwo\n"), true))
	r.write("app.log.1.gz", packed[:1])
	w.look(f)
	w.look(f)
	turns(t, w)
	r.write("app.log.1.gz", packed[1:])
	found(t, r, w)
	found(t, r, w)
	r.expect("one", "two")
}

// TestGrowsBeforeItIsClosed: of a file without name that has grown, but was not read
// for idleTimeout, the last line is not handed on before its end: it is still written.
func TestGrowsBeforeItIsClosed(t *testing.T) {
	r := newRig(t, "idleTimeout = 1000", `filegroups.g1 = $DIR/app\.log`)
	r.write("app.log", "one\n")
	w := stepping(t, r)
	turns(t, w)
	r.expect("one")
	f := w.dirs[0].names["app.log"]
	r.rename("app.log", "app.log.1")
	found(t, r, w)
	for _, seen := range []bool{true, false} {
		if seen {
			r.write("app.log.1", "two\nthr")
		}
		w.now = w.now.Add(2 * time.Second)
		w.look(f)
		w.times(f)
		if !seen {
			r.write("app.log.1", "ee\nfour\nfi") // in the last moment
		}
		turns(t, w)
	}
	r.write("app.log.1", "ve\n")
	w.look(f)
	turns(t, w)
	r.expect("two", "three", "four", "five")
}
