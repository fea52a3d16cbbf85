package taildir

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/flume-go/flume/internal/filewatch"
)

// TestOrderOfManyFiles: what rotation has made of a log is read to its end before what is younger, however many files
// there are and in however many turns they are read. Programs that only have similar names do not wait for each other.
func TestOrderOfManyFiles(t *testing.T) {
	const each = 7 // lines of a file, of which two are read in a turn
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	for _, c := range []struct {
		name  string
		files []string // from the oldest
		step  time.Duration
		mixed bool // their lines come mixed
	}{
		{"numbers", []string{"app.log.10", "app.log.9", "app.log.2", "app.log.1", "app.log"}, time.Second, false},
		{"numbers in one moment", []string{"app.log.10", "app.log.9", "app.log.2", "app.log.1", "app.log"}, 0, false},
		{"a rotated file was touched", []string{"app.log.1", "app.log"}, -time.Second, false},
		{"dates", []string{"app.log-20240130", "app.log-20240131", "app.log-20240201", "app.log"}, time.Second, false},
		{"dates in one moment", []string{"app-2024-01-30.log", "app-2024-01-31.log", "app-2024-02-01.log", "app.log"}, 0, false},
		{"an older date that was written later", []string{"app.log-20240201", "app.log-20240131"}, time.Second, false},
		{"months", []string{"app-2023-12.log", "app-2024-01.log", "app.log"}, 0, false},
		{"seconds", []string{"app.log-1706600000", "app.log-1706700000", "app.log"}, 0, false},
		{"dates and numbers", []string{"app-20240131.1.log", "app-20240131.2.log", "app-20240201.1.log"}, time.Second, false},
		{"jobs", []string{"job-000123.log", "job-000124.log", "job-202499.log"}, time.Second, true},
		{"numbers inside", []string{"app.3.log", "app.2.log", "app.1.log", "app.log"}, 0, false},
		{"former suffix", []string{"app.log.old", "app.log"}, 0, false},
		{"several programs", []string{"worker-1.log", "worker-2.log", "worker-3.log", "worker.log"}, time.Second, true},
		{"several logs", []string{"app.log", "other.log", "third.log"}, time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, "batchSize = 2", "maxBatchCount = 1", "filegroups.g1 = $DIR/.*log.*")
			var want []string
			for i, name := range c.files {
				text, bodies := lines(name, 0, each)
				r.write(name, text)
				at := past.Add(time.Duration(i) * c.step)
				r.must(os.Chtimes(r.path(name), at, at))
				want = append(want, bodies...)
			}
			w := stepping(t, r)
			turns(t, w)
			got := r.out.bodies()
			if inOrder := slices.Equal(got, want); inOrder == c.mixed {
				t.Errorf("mixed is %t; events %q", !inOrder, got)
			}
			r.expect(want...)
		})
	}
}

// TestManyFilesOfOneLog: what waits is not looked at over and over, however many files a log has.
func TestManyFilesOfOneLog(t *testing.T) {
	const many = 1500
	r := newRig(t, "batchSize = 10", "maxOpenFiles = 100")
	var want []string
	for i := many; i > 0; i-- {
		r.write(fmt.Sprintf("app.log.%d", i), fmt.Sprintf("%d\n", i))
		want = append(want, fmt.Sprint(i))
	}
	w := stepping(t, r)
	turns(t, w)
	if got := r.out.bodies(); !slices.Equal(got, want) {
		t.Errorf("%d of %d lines came, or not in their order", len(got), many)
	}
	if w.rounds > many/10+many/100 {
		t.Errorf("%d lines took %d rounds, with batches of 10", many, w.rounds)
	}
	if len(w.logs) > 1 || len(w.logs[logName{w.dirs[0], "app.log"}].pending) > 1 {
		t.Errorf("files are pending that are read: %d", len(w.logs))
	}
}

// TestLogsInSeveralDirectories: logs of one name in several directories do not wait for each other; a log waits for
// what was moved from its directory to another one, if no other log of its name is followed.
func TestLogsInSeveralDirectories(t *testing.T) {
	for _, also := range []string{"", "b/app.log", "c/app.log"} {
		t.Run("also="+also, func(t *testing.T) {
			r := newRig(t, "batchSize = 2", "maxBatchCount = 1", "filegroups = g1 g2 g3",
				"filegroups.g1 = $DIR/a/.*", "filegroups.g2 = $DIR/b/.*", "filegroups.g3 = $DIR/c/.*")
			for _, name := range []string{"a", "b", "c"} {
				r.must(os.Mkdir(r.path(name), 0o700))
			}
			var want []string
			for _, name := range []string{"b/app.log.1", "a/app.log"} {
				text, bodies := lines(name, 0, 5)
				r.write(name, text)
				want = append(want, bodies...)
			}
			if also != "" {
				r.write(also, "one\n")
				want = append(want, "one")
			}
			w := stepping(t, r)
			turns(t, w)
			got := r.out.bodies()
			if slices.Equal(got, want) == (also != "") {
				t.Errorf("events %q", got)
			}
			if also == "c/app.log" && slices.Index(got, "one") > len(want)/2 {
				t.Errorf("a log of a third directory has waited: events %q", got)
			}
			r.expect(want...)
		})
	}
}

// newOldRig returns a rig that follows the directories logs, and old, into which logs are rotated.
func newOldRig(t *testing.T) *rig {
	r := newRig(t, "filegroups = g1 g2", "filegroups.g1 = $DIR/logs/.*", "filegroups.g2 = $DIR/old/.*")
	r.must(os.Mkdir(r.path("logs"), 0o700))
	r.must(os.Mkdir(r.path("old"), 0o700))
	return r
}

// TestLogAppearsLater: what was rotated into another directory is found before the log that it was.
func TestLogAppearsLater(t *testing.T) {
	r := newOldRig(t)
	r.write("old/app.log.1", "old\n")
	w := stepping(t, r)
	r.write("logs/app.log", "new\n")
	for _, d := range w.dirs {
		r.must(w.list(d))
	}
	w.settle()
	if !w.mustWait(w.directory(r.path("logs")).names["app.log"]) {
		t.Error("a log does not wait for what it was before")
	}
	turns(t, w)
	r.expect("old", "new")
}

// TestPackedWithACopysInode: a packed file that has the inode of a plain copy, of which only the first bytes had been
// seen, is not that copy.
func TestPackedWithACopysInode(t *testing.T) {
	r := newRig(t, "compressedFiles = read")
	r.write("app.log", "app 1\n")
	r.write("app.log.1", "app")
	w := stepping(t, r)
	turns(t, w)
	r.expect("app 1")
	d := w.dirs[0]
	twin := d.names["app.log.1"]
	if twin == nil || twin.twin == nil || twin.pos != 3 {
		t.Fatalf("the beginning of a log is not known as its copy: %+v", twin)
	}
	r.write("app.log.2.gz", string(packText([]byte("app 0\n"), true)))
	r.remove("app.log.1")
	info, err := os.Stat(r.path("app.log.2.gz"))
	r.must(err)
	w.unlink(twin)
	w.unlinked = nil
	w.setID(twin, idOf(info, r.path("app.log.2.gz")))
	r.must(w.list(d))
	w.settle()
	turns(t, w)
	r.expect("app 0")
}

// TestFormerGrowsLate: the last line of a former log, of which nobody has told, is read before the first of the new
// one, also when the former has been renamed more than once by then.
func TestFormerGrowsLate(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "first\n")
	w := stepping(t, r)
	turns(t, w)
	r.expect("first")
	d := w.dirs[0]
	for _, names := range [][2]string{{"app.log", "app.log.1"}, {"app.log.1", "app.log.2"}} {
		r.rename(names[0], names[1])
		r.must(w.list(d))
		w.settle()
	}
	turns(t, w)
	r.write("app.log.2", "late\n")
	r.write("app.log", "new\n")
	w.foundName(d, "app.log", d.groups[0], noTime)
	w.settle()
	turns(t, w)
	if got := r.out.bodies(); !slices.Equal(got, []string{"late", "new"}) {
		t.Errorf("events %q", got)
	}
}

// telling is notifications that come one by one.
type telling struct {
	changes []func() filewatch.Change
}

func (*telling) Add(string) error                         { return nil }
func (*telling) Remove(string)                            {}
func (*telling) Close() error                             { return nil }
func (*telling) Wait(context.Context, time.Duration) bool { return true }

func (n *telling) Drain(each func(filewatch.Change)) (lost bool) {
	if len(n.changes) > 0 {
		next := n.changes[0]
		n.changes = n.changes[1:]
		each(next())
	}
	return false
}

// TestToldWhileItMoves: a log is rotated while the source takes in notifications. Of a name that is no more by the time
// that it is looked at, the next notification tells what has become, and that is read before what is younger.
func TestToldWhileItMoves(t *testing.T) {
	r := newRig(t)
	w := stepping(t, r)
	change := func(name string) filewatch.Change { return filewatch.Change{Path: r.path(name), Entry: true} }
	w.watch = &telling{changes: []func() filewatch.Change{
		func() filewatch.Change {
			r.write("app.log.1", "old\n")
			r.rename("app.log.1", "app.log.2") // before it is looked at
			r.write("app.log", "new\n")
			return change("app.log.1")
		},
		func() filewatch.Change { return change("app.log") },
		func() filewatch.Change { return change("app.log.2") },
	}}
	w.hear()
	turns(t, w)
	if got := r.out.bodies(); !slices.Equal(got, []string{"old", "new"}) {
		t.Errorf("events %q", got)
	}
}

// TestToldOfItsNewDirectoryLater: a file that is not open and was moved to another directory has not vanished when the
// notification of its new name comes next.
func TestToldOfItsNewDirectoryLater(t *testing.T) {
	r := newOldRig(t)
	r.write("logs/app.log", "first\n")
	w := stepping(t, r)
	turns(t, w)
	f := w.dirs[0].names["app.log"]
	r.write("logs/app.log", "second\n")
	w.look(f)
	w.shut(f)
	change := func(name string) filewatch.Change { return filewatch.Change{Path: r.path(name), Entry: true} }
	w.watch = &telling{changes: []func() filewatch.Change{
		func() filewatch.Change {
			r.rename("logs/app.log", "old/app.log.1")
			r.write("logs/app.log", "third\n")
			return change("logs/app.log")
		},
		func() filewatch.Change { return change("old/app.log.1") },
	}}
	w.hear()
	turns(t, w)
	if got := r.out.bodies(); !slices.Equal(got, []string{"first", "second", "third"}) {
		t.Errorf("events %q", got)
	}
	if r.log.has("vanished") || w.files[f.no] != f {
		t.Errorf("a file that was moved is taken for one that has vanished:\n%s", r.log)
	}
	// What has vanished is told all the same.
	r.write("logs/app.log", "fourth\n")
	f = w.dirs[0].names["app.log"]
	w.look(f)
	w.shut(f)
	r.remove("logs/app.log")
	w.watch = &telling{changes: []func() filewatch.Change{func() filewatch.Change { return change("logs/app.log") }}}
	w.hear()
	if !r.log.has("vanished") || len(w.unlinked) > 0 {
		t.Errorf("a file that has vanished is not told:\n%s", r.log)
	}
}

// TestOldestIsForgotten: nobody waits for a file that is known no more.
func TestOldestIsForgotten(t *testing.T) {
	r := newRig(t)
	r.write("app.log.1", "old\n")
	r.write("app.log", "new\n")
	w := stepping(t, r)
	names := w.dirs[0].names
	if !w.mustWait(names["app.log"]) {
		t.Error("a log does not wait for what it was before")
	}
	w.forget(names["app.log.1"])
	if w.mustWait(names["app.log"]) {
		t.Error("a log waits for a file that nobody knows any more")
	}
}

// TestWaitingForEachOther: files that wait for each other, since times of theirs were changed, are read all the same.
func TestWaitingForEachOther(t *testing.T) {
	r := newRig(t, "batchSize = 1", "maxBatchCount = 1")
	r.write("app.log.1", "1\n1\n")
	r.write("app.log.2", "2\n2\n")
	w := stepping(t, r)
	d := w.dirs[0]
	younger, elder := d.names["app.log.1"], d.names["app.log.2"]
	elder.age = younger.age.Add(time.Second)
	younger.before = elder // it had this name before
	turns(t, w)
	r.expect("1", "1", "2", "2")
}
