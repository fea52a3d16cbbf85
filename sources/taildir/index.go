package taildir

import (
	"cmp"
	"iter"
	"slices"
)

// indexes is files by something that several of them may have in common: their beginning, or what is left of their names without what
// rotation adds.
type indexes[K comparable] struct {
	of    map[K]*index
	which int // of file.spots
}

// index is files that have one thing in common. Those that are where they were are kept by the length of their names, as those with
// the shortest are what rotation makes copies of; the others are kept apart.
type index struct {
	n       int
	classes []class // the lowest first
}

// class is the files of an index whose names are of one length.
type class struct {
	length int // unnamed for those that are not where they were
	files  []*file
}

// unnamed is the length of the names of files that are not where they were.
const unnamed = 0

// The indexes, as places in file.spots.
const (
	spotOfHead = iota
	spotOfStem
	spotsOfFile
)

// lengthOf returns the class that f belongs to.
func lengthOf(f *file) int {
	if !f.linked {
		return unnamed
	}
	return len(lasting(f.path))
}

func newIndexes[K comparable](which int) indexes[K] {
	return indexes[K]{of: map[K]*index{}, which: which}
}

// find returns where the class of that length is, or would be.
func (x *index) find(length int) (at int, found bool) {
	return slices.BinarySearchFunc(x.classes, length, func(c class, length int) int { return cmp.Compare(c.length, length) })
}

// enter puts f, which is not in any, into the index of a key.
func (all indexes[K]) enter(key K, f *file) {
	x := all.of[key]
	if x == nil {
		x = new(index)
		all.of[key] = x
	}
	at, found := x.find(f.class)
	if !found {
		x.classes = slices.Insert(x.classes, at, class{length: f.class})
	}
	c := &x.classes[at]
	c.files = append(c.files, f)
	f.spots[all.which] = len(c.files) // from 1 on: 0 is nowhere
	x.n++
}

// leave takes f out of the index of its key, and reports whether it was there.
func (all indexes[K]) leave(key K, f *file) bool {
	spot := f.spots[all.which]
	if spot == 0 {
		return false
	}
	f.spots[all.which] = 0
	x := all.of[key]
	if x.n--; x.n == 0 {
		delete(all.of, key)
		return true
	}
	at, _ := x.find(f.class)
	c := &x.classes[at]
	last := len(c.files) - 1
	if moved := c.files[last]; moved != f {
		c.files[spot-1] = moved
		moved.spots[all.which] = spot
	}
	c.files[last] = nil
	if c.files = c.files[:last]; last == 0 {
		x.classes = slices.Delete(x.classes, at, at+1)
	}
	return true
}

// classify keeps the indexes when f's path, or whether it is linked, has changed.
func (w *follower) classify(f *file) {
	length := lengthOf(f)
	if length == f.class {
		return
	}
	named, begun := w.byStem.leave(f.stem, f), w.byHead.leave(f.head, f)
	f.class = length
	if named {
		w.byStem.enter(f.stem, f)
	}
	if begun {
		w.byHead.enter(f.head, f)
	}
}

// loseName says that f is not where its path says any more.
func (w *follower) loseName(f *file) {
	f.linked = false
	w.classify(f)
}

// mostLooked is how many of the files that are where they were are looked at for one that is new. There may be a million whose names
// differ by a number, or that begin with the same lines.
const mostLooked = 256

// some returns all files that are not where they were, and of the others those with the shortest names, if these are shorter than
// that. An index that is nil has none.
func (x *index) some(shorter int) iter.Seq[*file] {
	return func(yield func(*file) bool) {
		if x == nil {
			return
		}
		left := mostLooked
		for _, c := range x.classes {
			files := c.files
			if c.length != unnamed {
				if c.length >= shorter {
					return
				}
				files = files[:min(len(files), left)]
				left -= len(files)
			}
			for _, f := range files {
				if !yield(f) {
					return
				}
			}
		}
	}
}
