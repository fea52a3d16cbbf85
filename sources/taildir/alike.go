package taildir

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"iter"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mostAlike is how many of the files that are where they were a new one is compared
// with: each costs calls of the system. Logs of one program begin alike, thousands
// of them with the same line. Then those with the shortest names are compared, which
// rotation makes copies of.
const mostAlike = 16

// alike returns the contents that begin like head, each confirmed to be where it
// is said to be, and those of related names that begin so and have just begun. path
// and id are of the file that head was read from. What can neither have become that
// file, nor be what it is a copy of, is left out.
func (w *follower) alike(head []byte, path string, id fileID) []*file {
	var gone, there []*file
	own := stem(path)
	for f := range w.withHead(head) {
		if !f.alive() {
			gone = append(gone, f)
		} else if f.concerns(own, id) {
			there = append(there, f)
		}
	}
	if 0 < len(head) && len(head) < headBytes && own != filepath.Base(path) {
		for f := range w.byStem.of[own].some(len(filepath.Base(path))) {
			switch { // of which path may have the beginning
			case f.head.n <= len(head) || f.twin != nil:
			case f.alive():
				if derived(f.path, path) {
					there = append(there, f)
				}
			default:
				gone = append(gone, f)
			}
		}
	}
	if len(there) > mostAlike {
		slices.SortFunc(there, func(a, b *file) int {
			return cmp.Or(cmp.Compare(len(a.path), len(b.path)), cmp.Compare(a.path, b.path), cmp.Compare(a.no, b.no))
		})
		there = there[:mostAlike]
	}
	for _, f := range there {
		w.confirm(f) // contents may have been lost
	}
	return slices.DeleteFunc(append(gone, there...), func(f *file) bool { return w.files[f.no] != f || f.twin != nil })
}

// concerns reports whether a file of this stem and inode, which begins like f, can be
// a copy of f, or have the content of f if that has just gone.
func (f *file) concerns(own string, id fileID) bool {
	return f.stem == own || f.pos >= headBytes || f.id == id || f.origin == id || !f.linked ||
		f.was != "" && stem(f.was) == own
}

// justBegun returns the open files of a stem of which no head is known and which
// begin like head as far as they go.
func (w *follower) justBegun(head []byte, own string) (all []*file) {
	if w.blank == 0 || len(head) == 0 {
		return nil
	}
	for e := w.opened.Front(); e != nil; e = e.Next() {
		f, _ := e.Value.(*file)
		if f.head.n > 0 || f.packing != plain || f.stem != own {
			continue
		}
		var buf [headBytes]byte
		got, err := readUpTo(f.handle, buf[:], 0)
		if n := min(len(got), len(head)); err == nil && n > 0 && bytes.Equal(got[:n], head[:n]) {
			all = append(all, f)
		}
	}
	return all
}

// withHead returns files, copies apart, whose content begins like head. If very many do, some of those that are where they were
// are left out.
func (w *follower) withHead(head []byte) iter.Seq[*file] {
	return func(yield func(*file) bool) {
		h, done := sha256.New(), 0 // each byte is hashed once, for all lengths
		for _, n := range slices.Sorted(maps.Keys(w.heads)) {
			if n > len(head) {
				return
			}
			h.Write(head[done:n]) // never fails
			done = n
			m := mark{n: n}
			copy(m.sum[:], h.Sum(nil))
			for f := range w.byHead.of[m].some(math.MaxInt) {
				if f.twin == nil && !yield(f) {
					return
				}
			}
		}
	}
}

// setPath says where f was seen last, and keeps the indexes.
func (w *follower) setPath(f *file, path string) {
	w.dropStem(f)
	f.path, f.stem = path, stem(path)
	f.named = kinNameOf(path, f.stem)
	w.classify(f)
	w.byStem.enter(f.stem, f)
	if f.queued || f.due || f.adrift {
		w.join(f)
	}
}

// dropStem takes f from the index of stems, and from the pending files of its log.
func (w *follower) dropStem(f *file) {
	w.part(f)
	w.byStem.leave(f.stem, f)
}

var (
	rotationNumber = regexp.MustCompile(`[-_.]\d+([-_.T:]\d+)*`)
	rotationSuffix = regexp.MustCompile(`(\.(gz|zst|zstd|old|bak|prev|tmp))+$`)
)

// stem returns a file's name without what rotation adds to it: app.log for
// app.log.1, app-20240131.log.gz and app.log.old.
func stem(path string) string {
	name := filepath.Base(path)
	if s := rotationNumber.ReplaceAllString(rotationSuffix.ReplaceAllString(name, ""), ""); s != "" {
		return s
	}
	return name
}

// related reports whether two names can be of one log, before and after it was
// rotated.
func related(a, b string) bool { return stem(a) == stem(b) }

// derived reports whether name is what rotation makes of the file of the name of.
// Some rotate by way of a temporary name: app.log becomes app.log.tmp, which is
// copied to app.log.1.
func derived(of, name string) bool {
	return len(filepath.Base(name)) > len(lasting(of)) && related(of, name)
}

// temporary is the suffix of names by way of which logrotate moves files that it copies.
const temporary = ".tmp"

// lasting returns a file's name without the suffix of temporary ones.
func lasting(path string) string { return strings.TrimSuffix(filepath.Base(path), temporary) }
