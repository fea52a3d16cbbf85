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

// compare holds what came out against what clients were told.
func (w *hopWorld) compare(t *testing.T) {
	t.Helper()
	copies, resent := w.delivered(t)
	got := w.book.tally()
	r := &w.report
	r.issued, r.acked, r.refused, r.clientAgain = got.issued, got.oks, got.refused, w.book.again
	r.delivered = len(copies)
	for id, ok := range w.book.acked {
		if ok && copies[id] == 0 {
			if r.lost++; r.lost <= 10 {
				t.Errorf("event %d was acknowledged and is lost", id)
			}
		}
	}
	beyond := 0
	for id, n := range copies {
		r.duplicates += n - 1
		r.resent += resent[id]
		others := n - 1 - resent[id] // that the last sink does not explain
		byClients := min(others, max(w.book.copies[id]-1, 0))
		r.allowed += byClients
		beyond += others - byClients
		if w.book.copies[id] == 0 {
			t.Errorf("event %d was delivered though the client that sent it knows that it was not stored", id)
		}
		if w.kind.once() && others > byClients {
			if beyond <= 10 {
				t.Errorf("event %d came out %d times; the clients have sent it %d times, and the last sink has written it again %d times",
					id, n, w.book.copies[id], resent[id])
			}
		}
	}
	// Each connection that ends may leave batches whose answers have not come. Such batches go through the hops that follow.
	if limit := r.hops.exposed; beyond > limit {
		t.Errorf("%d events came out twice, of at most %d that were under way", beyond, limit)
	}
	if r.acked == 0 || r.delivered == 0 {
		t.Error("no event was ever acknowledged and delivered")
	}
}

// delivered returns how often each event came out, and how many of these are the last sink's: the batch that it was writing when it was
// killed comes again in the next life.
func (w *hopWorld) delivered(t *testing.T) (copies, resent map[int]int) {
	t.Helper()
	copies, resent = make(map[int]int), make(map[int]int)
	var pending []int // may come again
	for n, l := range w.lives {
		ids := w.readLife(t, n, l)
		left := slices.Clone(pending)
		for i, id := range ids {
			copies[id]++
			if at := slices.Index(left, id); at >= 0 && i < len(pending) {
				resent[id]++
				left = slices.Delete(left, at, at+1)
			}
		}
		if len(ids) >= len(pending) {
			left = nil
		}
		pending = nil
		if l.killed {
			pending = append(slices.Clone(ids[max(0, len(ids)-l.batch):]), left...)
		}
	}
	return copies, resent
}

// readLife returns the events that agent 2 wrote in one life. Half an event may be where a kill has cut off the last write.
func (w *hopWorld) readLife(t *testing.T, n int, l *hopLife) (ids []int) {
	t.Helper()
	entries, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was killed before it began
		t.Fatal(err)
	}
	for i, e := range entries {
		data, err := os.ReadFile(filepath.Join(l.dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			text, whole := strings.CutSuffix(line, "\n")
			if !whole {
				if !l.killed || i < len(entries)-1 || !strings.HasPrefix(text, "{") {
					t.Errorf("life %d ends in half an event that nobody was killed writing: %.80q", n, text)
				}
				continue
			}
			id, err := w.book.identifyEvent(text)
			if err != nil {
				t.Errorf("in life %d: %v", n, err)
				continue
			}
			ids = append(ids, id)
		}
	}
	return ids
}
