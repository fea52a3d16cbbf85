package filewatch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newWatcher(t *testing.T, dir string) *Watcher {
	t.Helper()
	w, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := w.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
	if err := w.Add(dir); err != nil {
		t.Fatal(err)
	}
	return w
}

// await drains until want was told.
func await(t *testing.T, w *Watcher, want Change) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for found := false; !found; {
		if !w.Wait(ctx, time.Minute) {
			t.Fatalf("nothing tells of %+v", want)
		}
		w.Drain(func(c Change) { found = found || c == want })
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestChanges(t *testing.T) {
	dir := t.TempDir()
	w := newWatcher(t, dir)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")

	write(t, a, "")
	await(t, w, Change{Path: a, Entry: true})
	write(t, a, "text")
	await(t, w, Change{Path: a})
	if err := os.Truncate(a, 0); err != nil {
		t.Fatal(err)
	}
	await(t, w, Change{Path: a})
	if err := os.Rename(a, b); err != nil {
		t.Fatal(err)
	}
	await(t, w, Change{Path: b, Entry: true})
	if err := os.Remove(b); err != nil {
		t.Fatal(err)
	}
	await(t, w, Change{Path: b, Entry: true})
}

func TestWaitEnds(t *testing.T) {
	w := newWatcher(t, t.TempDir())
	if w.Wait(t.Context(), time.Millisecond) {
		t.Error("Wait tells of a change in an empty directory")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if w.Wait(ctx, time.Hour) {
		t.Error("Wait tells of a change after the end of its context")
	}
	if w.Drain(func(c Change) { t.Errorf("Drain tells of %+v", c) }) {
		t.Error("Drain has lost changes where there are none")
	}
}

// TestFlood checks that somebody who does not ask is not sent more than fits, and
// that the changes that were dropped are not hidden.
func TestFlood(t *testing.T) {
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	var queue int
	if _, scanErr := fmt.Sscan(string(limit), &queue); err != nil || scanErr != nil || queue > 100_000 {
		queue = 0 // another system, or one that holds more than this test wants to write
	}
	dir := t.TempDir()
	w := newWatcher(t, dir)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	fa, err := os.Create(a)
	if err != nil {
		t.Fatal(err)
	}
	defer fa.Close()
	fb, err := os.Create(b)
	if err != nil {
		t.Fatal(err)
	}
	defer fb.Close()
	total := queue + 4*pending
	for range total / 2 { // by turns, so that they are not merged
		fa.WriteString("x")
		fb.WriteString("x")
	}
	seen, lost := 0, false
	for w.Wait(t.Context(), 300*time.Millisecond) {
		lost = w.Drain(func(Change) { seen++ }) || lost
	}
	if queue > 0 && !lost && seen < total {
		t.Errorf("%d of %d changes are told, and nothing says that others are missing", seen, total)
	}
	if seen == 0 {
		t.Error("no change is told")
	}
}

func TestAddMissing(t *testing.T) {
	w := newWatcher(t, t.TempDir())
	if err := w.Add(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a directory that does not exist is watched")
	}
	w.Remove("/nowhere")
}
