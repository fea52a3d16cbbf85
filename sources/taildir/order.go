package taildir

import (
	"cmp"
	"container/heap"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kin is a log and what rotation has made of it.
type kin struct {
	// pending are those that may have something to read, the oldest first: a heap. Some may have
	// been read since they were entered.
	pending []*file
}

// logName is what a kin is known by.
type logName struct {
	dir  *directory // of the log itself
	name string
}

// kinName is what the name of a file says of its place in its log.
type kinName struct {
	own     bool  // it is the log's own
	rotated bool  // only rotation gives it
	order   int64 // the greater, the younger among those that were rotated
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (k *kin) Len() int           { return len(k.pending) }
func (k *kin) Less(i, j int) bool { return compareAges(k.pending[i], k.pending[j]) < 0 }

func (k *kin) Swap(i, j int) {
	k.pending[i], k.pending[j] = k.pending[j], k.pending[i]
	k.pending[i].at, k.pending[j].at = i, j
}

func (k *kin) Push(x any) {
	f, _ := x.(*file)
	f.at = len(k.pending)
	k.pending = append(k.pending, f)
}

func (k *kin) Pop() any {
	last := len(k.pending) - 1
	f := k.pending[last]
	k.pending[last] = nil
	k.pending = k.pending[:last]
	return f
}

// join enters f among the pending files of its log, if it is of any.
func (w *follower) join(f *file) {
	if f.kin != nil || f.dir == nil || !f.named.own && !f.named.rotated {
		return
	}
	log := logName{w.homeOf(f), f.stem}
	k := w.logs[log]
	if k == nil {
		k = &kin{}
		w.logs[log] = k
	}
	f.kin, f.home = k, log
	heap.Push(k, f)
}

// part takes f from the pending files of its log.
func (w *follower) part(f *file) {
	if f.kin == nil {
		return
	}
	heap.Remove(f.kin, f.at)
	if len(f.kin.pending) == 0 {
		delete(w.logs, f.home)
	}
	f.kin = nil
}

// homeOf returns the directory of the log that f is of: its own, unless only one other
// has a log of that name. Some rotate into a directory for it.
func (w *follower) homeOf(f *file) *directory {
	if f.named.own || f.dir.names[f.stem] != nil {
		return f.dir
	}
	var home *directory
	for _, d := range w.dirs {
		if d.names[f.stem] == nil {
			continue
		}
		if home != nil {
			return f.dir
		}
		home = d
	}
	if home == nil {
		return f.dir
	}
	return home
}

// gather lets what stands in other directories wait with the log that f, which has its
// own name, is now known to be.
func (w *follower) gather(f *file) {
	for _, d := range w.dirs {
		if k := w.logs[logName{d, f.stem}]; k != nil && d != f.dir {
			for _, b := range slices.Clone(k.pending) {
				w.part(b)
				w.join(b)
			}
		}
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
			w.searching = w.searching || f.before.adrift
			return true
		}
		if f.size > 0 {
			f.before = nil // whoever has begun the new file has ended the former
		}
	}
	for f.kin != nil {
		oldest := f.kin.pending[0]
		if oldest == f {
			break
		}
		if w.awaited(oldest) {
			w.searching = w.searching || oldest.adrift
			return true
		}
		w.part(oldest)
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
	if f.kin == nil || w.byStem.of[f.stem].n == 1 {
		return // it waits for none of them
	}
	const most = 64 // of a log that is rotated often, those opened last
	n := 0
	for e := w.opened.Front(); e != nil && n < most; e = e.Next() {
		if b, _ := e.Value.(*file); b != f && b.stem == f.stem {
			w.lookLong(b)
		}
		n++
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

// dateShape is the digits of a date that begins with a year, or of the seconds since 1970, with what may be behind
// them. Others of the same length may be the number of a process or a job.
var dateShape = regexp.MustCompile(`^(?:(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:$|(?:0[1-9]|[12]\d|3[01])\d*)|1\d{9,})$`)

// kinNameOf returns what the name of a file of this stem says. A number in the middle may be that of
// one of several programs, as in worker-1.log: rotation gives dates, a point and a number, or something behind
// the log's whole name.
func kinNameOf(path, stem string) kinName {
	name := filepath.Base(path)
	if name == stem {
		return kinName{own: true}
	}
	number := rotationNumber.FindString(rotationSuffix.ReplaceAllString(name, ""))
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
	dated := dateShape.MatchString(digits)
	k := kinName{rotated: dated || strings.HasPrefix(number, ".") || strings.HasPrefix(name, stem+".")}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil { // else it has none, or what nobody can compare
		k.order = n
		if !dated {
			k.order = -n
		}
	}
	return k
}

// compareAges compares two files of one log by when they were written, the oldest first:
// the one that has the log's own name is the youngest. What was rotated goes by the time
// of its last line. The clock of file systems is coarse; in the same of its moments,
// names tell: app.log.2 is older than app.log.1, and app.log-20240130 than
// app.log-20240131.
func compareAges(a, b *file) int {
	if own := a.named.own && a.linked; own != (b.named.own && b.linked) {
		if own {
			return 1
		}
		return -1
	}
	return cmp.Or(a.age.Compare(b.age), cmp.Compare(a.order(), b.order()), cmp.Compare(a.no, b.no))
}

// order is that of the name, or of its copy's if f has lost it.
func (f *file) order() int64 {
	if !f.linked && len(f.copies) > 0 {
		f = f.copies[0]
	}
	return f.named.order
}

// aged takes in when f was written last. A packed file, or a copy that has taken the
// place of a file, has the age of what it was made of.
func (f *file) aged(mtime time.Time) {
	if !f.age.IsZero() && (f.packing != plain || f.copied) || f.age.Equal(mtime) {
		return
	}
	f.setAge(mtime)
}

func (f *file) setAge(t time.Time) {
	f.age = t
	f.reorder()
}

// reorder keeps the order of the pending files of f's log when its age, or whether it is
// linked, has changed.
func (f *file) reorder() {
	if f.kin != nil {
		heap.Fix(f.kin, f.at)
	}
}

// enqueue lets f have a turn.
func (w *follower) enqueue(f *file) {
	if !f.queued {
		f.queued = true
		w.ready = append(w.ready, f)
	}
	w.join(f)
}

// oldestFirst is the order in which files of different logs, too, have their turns.
func oldestFirst(a, b *file) int { return cmp.Or(a.age.Compare(b.age), compareAges(a, b)) }

// release gives those that were set aside another chance. stuck says that nothing else
// had a turn: if they do not wait for what is looked for, then some wait for each other,
// as a former file that was touched meanwhile is younger than its successor.
func (w *follower) release(stuck bool) {
	if stuck && !w.searching {
		for _, f := range w.waiting {
			f.before = nil
		}
	}
	w.searching = false
	slices.SortFunc(w.waiting, oldestFirst)
	w.ready = append(w.ready, w.waiting...)
	clear(w.waiting)
	w.waiting = w.waiting[:0]
}
