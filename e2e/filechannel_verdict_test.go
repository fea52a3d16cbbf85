//go:build e2e

package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// delivered is a line in the files of one sink in one life.
type delivered struct {
	id  int
	dup bool // it was delivered once more later
}

// read returns what one sink of a life wrote. Half a line may be where a kill has cut off the last write of a batch, and
// nowhere else: such a batch was not acknowledged, so all of it comes again.
func (w *world) read(t *testing.T, l *life, dir string) []delivered {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a sink that was blocked has none
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	slices.SortFunc(names, func(a, b string) int { // "<milliseconds>-<number>"
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	var all []delivered
	for i, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			text, whole := strings.CutSuffix(line, "\n")
			if !whole {
				if l.killed.IsZero() || i < len(names)-1 || !w.book.began([]byte(line)) {
					t.Errorf("%s/%s ends in half a line that nobody was killed writing: %.80q", dir, name, line)
				}
				w.report.torn++
				continue
			}
			id, err := w.book.identify([]byte(text))
			if err != nil {
				t.Errorf("in %s/%s: %v", dir, name, err)
				continue
			}
			all = append(all, delivered{id: id})
		}
	}
	return all
}

// finish compares and fills in the report.
func (w *world) finish(t *testing.T) {
	t.Helper()
	w.compare(t)
	if err := w.book.complaint(); err != nil {
		t.Error(err)
	}
	got := w.book.tally()
	w.report.issued, w.report.acked, w.report.refused = got.issued, got.oks, got.refused
	if got.oks == 0 {
		t.Error("no line was ever acknowledged")
	}
}

// compare holds what was delivered against the ledger.
func (w *world) compare(t *testing.T) {
	latest := make(map[int]*delivered) // the latest delivery of each line so far
	lines := make([][][]delivered, len(w.lives))
	for n, l := range w.lives {
		for _, dir := range l.sinks {
			lines[n] = append(lines[n], w.read(t, l, dir))
		}
		w.enter(t, n, lines[n], latest)
	}
	for n := range w.lives { // now that it is known of each line whether it came again
		for sink := range lines[n] {
			w.checkAgain(t, n, sink, lines[n][sink])
		}
	}
	for id, ok := range w.book.acked {
		if ok && latest[id] == nil {
			if w.report.lost++; w.report.lost <= 10 {
				t.Errorf("line %d was acknowledged and is lost", id)
			}
		}
	}
}

// enter notes the deliveries of a life, each sink's for itself.
func (w *world) enter(t *testing.T, n int, sinks [][]delivered, latest map[int]*delivered) {
	here := make(map[int]bool)
	for _, lines := range sinks {
		for i := range lines {
			id := lines[i].id
			if here[id] {
				t.Errorf("line %d was delivered twice in life %d", id, n)
			}
			here[id] = true
			if before := latest[id]; before != nil {
				before.dup = true
				w.report.again++
			}
			latest[id] = &lines[i]
			w.report.delivered++
		}
		if len(sinks) == 1 {
			w.checkOrder(t, n, lines)
		}
	}
}

// checkOrder requires that the lines of each client come out of a single sink as they were sent.
func (w *world) checkOrder(t *testing.T, n int, lines []delivered) {
	latest := make(map[uint8]int)
	for _, d := range lines {
		c := w.book.clients[d.id]
		if before, ok := latest[c]; ok && before > d.id {
			t.Errorf("life %d: line %d of client %d was delivered behind line %d", n, d.id, c, before)
			return
		}
		latest[c] = d.id
	}
}

// checkAgain requires that what was delivered again after life n is the batch in flight, which is the end of what
// its sink wrote.
func (w *world) checkAgain(t *testing.T, n, sink int, lines []delivered) {
	l := w.lives[n]
	from := slices.IndexFunc(lines, func(d delivered) bool { return d.dup })
	if from < 0 {
		return
	}
	if l.killed.IsZero() {
		t.Errorf("life %d was not killed, and line %d came again", n, lines[from].id)
		return
	}
	for i, d := range lines[from:] {
		if !d.dup {
			t.Errorf("life %d: line %d came again, and line %d, delivered behind it, did not", n, lines[from].id, lines[from+i].id)
			return
		}
	}
	w.report.mostAgain = max(w.report.mostAgain, len(lines)-from)
	if n := len(lines) - from; n > l.batch {
		t.Errorf("life %d: %d lines of one sink came again, which has batches of %d: acknowledgements were not kept", n, n, l.batch)
	}
}
