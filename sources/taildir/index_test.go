package taildir

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestIndexes holds both indexes of a follower against a plain look at all files, while files come, go, lose their names and get others.
func TestIndexes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &follower{
			byHead: newIndexes[mark](spotOfHead), byStem: newIndexes[string](spotOfStem),
			heads: map[int]int{}, logs: map[logName]*kin{}, dirs: []*directory{},
		}
		var all []*file
		one := func() *file { return all[rapid.IntRange(0, len(all)-1).Draw(t, "file")] }
		path := func() string {
			return fmt.Sprintf("/logs/%s.log%s", rapid.SampledFrom([]string{"a", "b"}).Draw(t, "stem"),
				rapid.SampledFrom([]string{"", ".1", ".tmp", ".10.gz"}).Draw(t, "rest"))
		}
		head := func() mark {
			return rapid.SampledFrom([]mark{{}, markOf([]byte("x")), markOf([]byte("y")), markOf([]byte("xy"))}).Draw(t, "head")
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch step := rapid.IntRange(0, 5).Draw(t, "step"); {
			case step == 0 || len(all) == 0:
				f := &file{no: len(all)}
				w.setPath(f, path())
				w.setHead(f, head())
				all = append(all, f)
			case step == 1:
				w.loseName(one())
			case step == 2:
				f := one()
				f.linked = true // as link does
				w.setPath(f, path())
			case step == 3:
				w.setHead(one(), head())
			case step == 4:
				f := one()
				w.setHead(f, mark{})
				w.dropStem(f)
				all = slices.DeleteFunc(all, func(g *file) bool { return g == f })
			}
			for _, f := range all {
				for _, shorter := range []int{0, 6, 9, math.MaxInt} {
					same(t, "stem "+f.stem, w.byStem.of[f.stem].some(shorter), all, func(g *file) bool {
						return g.stem == f.stem && (!g.linked || lengthOf(g) < shorter)
					})
					same(t, "head", w.byHead.of[f.head].some(shorter), all, func(g *file) bool {
						return g.head == f.head && f.head.n > 0 && (!g.linked || lengthOf(g) < shorter)
					})
				}
			}
		}
		for _, f := range all {
			w.setHead(f, mark{})
			w.dropStem(f)
		}
		if len(w.byStem.of)+len(w.byHead.of)+len(w.heads) > 0 {
			t.Errorf("without any file there are %d stems and %d heads of %d lengths", len(w.byStem.of), len(w.byHead.of), len(w.heads))
		}
	})
}

// same compares what an index has with the files that belong to it, the ones with the shortest names first.
func same(t *rapid.T, what string, got func(func(*file) bool), all []*file, belongs func(*file) bool) {
	found := slices.Collect(got)
	if !slices.IsSortedFunc(found, func(a, b *file) int { return lengthOf(a) - lengthOf(b) }) {
		t.Fatalf("%s: not in the order of their lengths", what)
	}
	want := 0
	for _, f := range all {
		if belongs(f) {
			want++
			if !slices.Contains(found, f) {
				t.Fatalf("%s: %s is missing", what, f.path)
			}
		}
	}
	if len(found) != want {
		t.Fatalf("%s: %d files, want %d", what, len(found), want)
	}
}

// TestIndexIsBounded: of very many files those with the shortest names are looked at, and all that have lost theirs.
func TestIndexIsBounded(t *testing.T) {
	all := newIndexes[string](spotOfStem)
	add := func(class, n int) {
		for range n {
			all.enter("", &file{class: class})
		}
	}
	add(9, 5*mostLooked)
	add(7, 3)
	add(unnamed, 2*mostLooked)
	count := map[int]int{}
	for f := range all.of[""].some(math.MaxInt) {
		count[f.class]++
	}
	if count[unnamed] != 2*mostLooked || count[7] != 3 || count[9] != mostLooked-3 {
		t.Errorf("looked at %v", count)
	}
}
