package taildir

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/internal/filewatch"
)

// stepping is a follower that does what the test says, and nothing by itself.
func stepping(t *testing.T, r *rig) *follower {
	t.Helper()
	r.must(r.make())
	w, err := newFollower(r.src, r.out)
	r.must(err)
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// turns lets all files that are ready have their turns.
func turns(t *testing.T, w *follower) {
	t.Helper()
	for len(w.ready) > 0 {
		if err := w.round(t.Context(), t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTurnOfRenamedFile: a file that is renamed while it waits for its turn, and is
// not open, has its turn when it is found again.
func TestTurnOfRenamedFile(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "first\n")
	w := stepping(t, r)
	turns(t, w)
	r.expect("first")
	d := w.dirs[0]
	f := d.names["app.log"]
	w.shut(f)
	r.write("app.log", "second\n")
	w.look(f)
	if !f.queued {
		t.Fatal("a file that has grown waits for no turn")
	}
	r.rename("app.log", "app.log.1")
	turns(t, w)
	r.expect() // it could not be opened
	r.must(w.list(d))
	w.settle()
	turns(t, w)
	r.expect("second")
}

// TestNewFileIsToldOf: a file of which only its creation was told, as what was
// written by then is not told again, is no reason to distrust the notifications.
func TestNewFileIsToldOf(t *testing.T) {
	r := newRig(t, "changeNotifications = true")
	w := stepping(t, r)
	d := w.dirs[0]
	d.works = true
	r.write("app.log", "first\n")
	w.heard(filewatch.Change{Path: r.path("app.log"), Entry: true})
	w.settle()
	turns(t, w)
	r.expect("first")
	w.now = w.now.Add(2 * doubtTime)
	w.sweep()
	if !d.trusted() {
		t.Errorf("notifications are not trusted any more:\n%s", r.log)
	}
	// One that nobody told of is.
	r.write("app.2.log", "second\n")
	r.must(w.list(d))
	w.settle()
	w.now = w.now.Add(2 * doubtTime)
	w.sweep()
	if d.trusted() {
		t.Errorf("notifications are trusted all the same:\n%s", r.log)
	}
}

// TestManyAlike: of many files that begin alike a new one is compared with some, and
// with that of which rotation would make it.
func TestManyAlike(t *testing.T) {
	r := newRig(t)
	for i := range 5 * mostAlike {
		r.write(fmt.Sprintf("app-%04d.log", i), "all the same\n")
		r.write(fmt.Sprintf("app%04d.log", i), "all the same\n")
	}
	r.write("app.log", "all the same\n")
	w := stepping(t, r)
	turns(t, w)
	// app-0000.log has a name that rotation makes of app.log; app0000.log has not.
	if n := r.out.count(); n != 5*mostAlike+1 {
		t.Errorf("%d lines came, want %d", n, 5*mostAlike+1)
	}
	found := w.alike([]byte("all the same\n"), r.path("app.log.1"), fileID{})
	if len(found) > mostAlike || !slices.ContainsFunc(found, func(f *file) bool { return strings.HasSuffix(f.path, "/app.log") }) {
		t.Errorf("a new file is compared with %d others, or not with app.log", len(found))
	}
}

// TestTryingAgain: what could not be followed is looked at again though its directory
// does not change.
func TestTryingAgain(t *testing.T) {
	r := newRig(t)
	target := filepath.Join(t.TempDir(), "elsewhere")
	r.must(os.Symlink(target, r.path("app.link")))
	w := stepping(t, r)
	r.must(os.WriteFile(target, []byte("first\n"), 0o600))
	w.now = w.now.Add(2 * w.src.cfg.PollMax)
	w.dirs[0].nextLook = w.now.Add(time.Hour)
	w.sweep()
	turns(t, w)
	r.expect("first")
}

// TestNoScraps: the end of a block that would be a small batch is read again with
// what follows it.
func TestNoScraps(t *testing.T) {
	r := newRig(t, "batchSize = 1000")
	text, want := lines(strings.Repeat("x", 420), 0, 5000)
	r.write("app.log", text)
	w := stepping(t, r)
	turns(t, w)
	if r.out.batches != 5 {
		t.Errorf("5000 events came in %d batches, not in 5", r.out.batches)
	}
	r.expect(want...)
}
