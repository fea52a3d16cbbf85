package taildir

import (
	"cmp"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kin is the files of one stem: a log, and what rotation has made of it.
type kin struct {
	files map[*file]struct{}
	// pending are those that have or may have something to read. Some may have been
	// read since they were entered.
	pending map[*file]struct{}
}

// kinOf returns the files of a stem.
func (w *follower) kinOf(stem string) map[*file]struct{} {
	if k := w.byStem[stem]; k != nil {
		return k.files
	}
	return nil
}

// setPath says where f was seen last, and keeps the index of stems.
func (w *follower) setPath(f *file, path string) {
	w.dropStem(f)
	f.path, f.stem = path, stem(path)
	k := w.byStem[f.stem]
	if k == nil {
		k = &kin{files: map[*file]struct{}{}, pending: map[*file]struct{}{}}
		w.byStem[f.stem] = k
	}
	k.files[f] = struct{}{}
	if f.queued || f.due || f.adrift {
		k.pending[f] = struct{}{}
	}
}

// dropStem takes f from the index of stems.
func (w *follower) dropStem(f *file) {
	k := w.byStem[f.stem]
	if k == nil {
		return // it was in none
	}
	delete(k.files, f)
	delete(k.pending, f)
	if len(k.files) == 0 {
		delete(w.byStem, f.stem)
	}
}

// mustWait reports whether something is to be read before f: what its log was before
// it was rotated. So the lines of a log stay in order, however far the source is
// behind it.
func (w *follower) mustWait(f *file) bool {
	if f.pos == 0 && f.twin == nil {
		w.lookBefore(f)
	}
	if f.before != nil {
		if w.awaited(f.before) {
			return true
		}
		if f.size > 0 {
			f.before = nil // whoever has begun the new file has ended the former
		}
	}
	k := w.byStem[f.stem]
	if k == nil {
		return false
	}
	for b := range k.pending {
		switch {
		case b == f:
		case !w.awaited(b):
			if !b.queued && !b.due && !b.adrift {
				delete(k.pending, b)
			}
		case w.sameLog(b, f) && compareAges(b, f) < 0:
			return true
		}
	}
	return false
}

// lookBefore takes in how long f is, of which nothing was read, and then how long the
// open files are that may have been its log before. What f begins with was written
// when those were complete.
func (w *follower) lookBefore(f *file) {
	w.lookLong(f)
	if f.before != nil {
		w.lookLong(f.before)
	}
	k := w.byStem[f.stem]
	if k == nil || len(k.files) == 1 {
		return
	}
	const most = 64 // of a log that is rotated often, those opened last
	n := 0
	for e := w.opened.Front(); e != nil && n < most; e = e.Next() {
		b, _ := e.Value.(*file)
		if n++; b != f && b.stem == f.stem && w.sameLog(b, f) {
			w.lookLong(b)
		}
	}
}

// lookLong takes in that f, which is open, has become longer.
func (w *follower) lookLong(f *file) {
	if f.handle == nil || f.packing != plain || f.twin != nil || f.left || f.empty {
		return
	}
	if info, err := f.handle.Stat(); err == nil && info.Size() > f.size {
		w.seen(f, info)
	}
}

// awaited reports whether there may be something to read in b that is not in this
// round's batch, and nothing keeps it from being read.
func (w *follower) awaited(b *file) bool {
	switch {
	case b.failing != "" || !b.newer():
		return false
	case b.queued, b.due, b.adrift:
		return true
	default:
		return b.round == w.rounds && b.packing == plain && b.size > b.searched
	}
}

// sameLog reports whether two files of one stem are of one log: both have its own name or
// one that only rotation gives, and no other directory has a log of that name.
func (w *follower) sameLog(a, b *file) bool {
	if !a.hasLogsName() && !a.isRotated() || !b.hasLogsName() && !b.isRotated() {
		return false
	}
	if filepath.Dir(a.path) == filepath.Dir(b.path) {
		return true
	}
	logs := 0
	for _, d := range w.dirs {
		if d.names[a.stem] != nil {
			logs++
		}
	}
	return logs <= 1
}

// hasLogsName reports whether f has no name that rotation gives.
func (f *file) hasLogsName() bool { return filepath.Base(f.path) == f.stem }

// isRotated reports whether f has a name that rotation gives for sure: with a date, a
// point and a number, or something else behind the log's whole name. What else there is
// may be one of several programs, as in worker-1.log.
func (f *file) isRotated() bool {
	number := f.rotationNumber()
	return strings.HasPrefix(number, ".") || len(digitsOf(number)) >= dateDigits || strings.HasPrefix(filepath.Base(f.path), f.stem+".")
}

// dateDigits is how many digits at least a date has.
const dateDigits = 6

// rotationNumber returns what rotation has added to the name of f, but for its suffix.
func (f *file) rotationNumber() string {
	return rotationNumber.FindString(rotationSuffix.ReplaceAllString(filepath.Base(f.path), ""))
}

// digitsOf returns the digits of a number or date.
func digitsOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// compareAges compares two files of one log by when they were written, the oldest first:
// the one that has the log's own name is the youngest, and the one that had it last is
// the next. What rotation has renamed goes by the time of its last line. The clock of
// file systems is coarse; in the same of its moments, names tell: app.log.2 is older
// than app.log.1, and app.log-20240130 than app.log-20240131.
func compareAges(a, b *file) int {
	return cmp.Or(cmp.Compare(a.rank(), b.rank()), a.age.Compare(b.age), cmp.Compare(a.order(), b.order()), cmp.Compare(a.no, b.no))
}

// rank is 0 for a file with a name that rotation gives, 2 for the one that has the log's
// own name, and 1 for one that has lost it and has no other.
func (f *file) rank() int {
	switch {
	case !f.hasLogsName():
		return 0
	case !f.linked:
		return 1
	default:
		return 2
	}
}

// order is greater the younger a file is among those that were rotated, as far as its
// name tells, or that of its copy if it has lost it.
func (f *file) order() int64 {
	if !f.linked && len(f.copies) > 0 {
		f = f.copies[0]
	}
	digits := digitsOf(f.rotationNumber())
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil:
		return 0 // it has none, or what nobody can compare
	case len(digits) >= dateDigits:
		return n
	default:
		return -n
	}
}

// aged takes in when f was written last. A packed file, or a copy that has taken the
// place of a file, has the age of what it was made of.
func (f *file) aged(mtime time.Time) {
	if f.age.IsZero() || f.packing == plain && !f.copied {
		f.age = mtime
	}
}

// enqueue lets f have a turn.
func (w *follower) enqueue(f *file) {
	if f.queued {
		return
	}
	f.queued = true
	w.ready = append(w.ready, f)
	if k := w.byStem[f.stem]; k != nil {
		k.pending[f] = struct{}{}
	}
}

// release gives those that were set aside another chance, the oldest first. stuck says
// that nothing else had a turn: should the oldest not wait for what is looked for, then
// it waits for a younger one of which it is not known that it is younger.
func (w *follower) release(stuck bool) {
	if len(w.waiting) == 0 {
		return
	}
	slices.SortFunc(w.waiting, compareAges)
	if f := w.waiting[0]; stuck && f.before != nil && !f.before.adrift {
		f.before = nil
	}
	w.ready = append(w.ready, w.waiting...)
	clear(w.waiting)
	w.waiting = w.waiting[:0]
}
