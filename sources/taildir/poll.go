package taildir

import (
	"path/filepath"
	"time"

	"github.com/flume-go/flume/internal/filewatch"
)

const (
	// trustFactor is how much more seldom a file is looked at where notifications
	// are known to come.
	trustFactor = 12
	// doubtTime is how late a notification may come.
	doubtTime = 2 * time.Second
	// tornTime is for how long a packed file that breaks off is taken for one that is
	// being written.
	tornTime = 10 * time.Second
	// keepMissing is how long a content that is nowhere to be found is remembered.
	keepMissing = 24 * time.Hour
	// mostMissing is how many of these are remembered.
	mostMissing = 2000
)

// trusted reports whether notifications of the directory can be relied on.
func (d *directory) trusted() bool { return d != nil && d.watched && d.works && !d.fails }

// longest is the longest time between two looks.
func (w *follower) longest(d *directory) time.Duration {
	if d.trusted() {
		return trustFactor * w.src.cfg.PollMax
	}
	return w.src.cfg.PollMax
}

// later sets the time of the next look at f: the more seldom, the longer it has
// not changed. Times are on a grid, so that many files are looked at in one sweep.
func (w *follower) later(f *file) {
	step := w.src.cfg.PollIncrement
	if f.interval >= w.src.cfg.PollMax {
		step = f.interval
	}
	f.interval = min(f.interval+step, w.longest(f.dir))
	f.nextLook = w.onGrid(w.now.Add(f.interval))
	w.wake(f.nextLook)
}

func (w *follower) onGrid(t time.Time) time.Time {
	grid := min(w.src.cfg.PollIncrement, time.Second)
	return t.Truncate(grid).Add(grid)
}

// wake makes sure that there is a sweep at t.
func (w *follower) wake(t time.Time) {
	if t.Before(w.nextSweep) {
		w.nextSweep = t
	}
}

// sweep looks at the directories and files whose time has come.
func (w *follower) sweep() {
	w.nextSweep = w.now.Add(trustFactor * w.src.cfg.PollMax)
	for _, d := range w.dirs {
		w.lookDirectory(d)
	}
	w.tryAgain()
	behind := int64(0)
	for _, f := range w.files {
		if !f.missing.IsZero() {
			continue
		}
		if !w.now.Before(f.nextLook) {
			w.look(f)
		}
		w.times(f)
		if f.packing == plain && f.twin == nil {
			behind += max(f.size-f.pos, 0)
		}
	}
	w.hearing = w.watch != nil
	w.settle()
	w.hearing = false
	w.expire()
	w.src.count.behind.Set(behind)
	w.src.count.followed.Set(int64(w.followed()))
	w.store.flush()
	if soon := w.now.Add(sweepPause); w.nextSweep.Before(soon) {
		w.nextSweep = soon
	}
	if w.stirred || len(w.unlinked) > 0 {
		w.listen()
	}
}

// lookDirectory lists a directory if it may have changed.
func (w *follower) lookDirectory(d *directory) {
	if !d.changed && w.now.Before(d.nextLook) {
		w.wake(d.nextLook)
		return
	}
	if again := d.listed.Add(10 * d.cost); w.now.Before(again) {
		w.wake(again) // a large directory that changes all the time is not listed all the time
		return
	}
	d.nextLook = w.onGrid(w.now.Add(w.src.cfg.PollMax))
	if w.mayDiffer(d) {
		_ = w.list(d) // it has complained
	}
	w.wake(d.nextLook)
}

func (w *follower) mayDiffer(d *directory) bool {
	if d.changed || d.missing || !w.src.cfg.CacheMatching {
		return true
	}
	info, err := w.src.sys.stat(d.path)
	if err != nil {
		return true
	}
	same := info.ModTime().Equal(d.mtime) && d.listed.Sub(d.mtime) > racyTime
	if same || d.trusted() && idOf(info, d.path) == d.id && w.now.Before(d.listed.Add(w.longest(d))) {
		return false
	}
	return true
}

// times does what is due for f at a certain time, and sees that the next such
// time is not missed.
func (w *follower) times(f *file) {
	w.wake(f.nextLook)
	if !f.heldSince.IsZero() {
		if at := f.heldSince.Add(w.src.cfg.FlushAfter); w.now.Before(at) {
			w.wake(at)
		} else {
			f.heldSince, f.ending = time.Time{}, pause
			w.enqueue(f)
		}
	}
	if f.handle != nil && f.twin == nil {
		if at := f.lastData.Add(w.src.cfg.IdleTimeout); w.now.Before(at) {
			w.wake(at)
		} else if !f.closing {
			f.closing = true
			w.enqueue(f)
		}
	}
	if !f.doubted.IsZero() && w.now.Sub(f.doubted) > doubtTime {
		w.distrust(f)
	}
}

// hear takes in the notifications.
func (w *follower) hear() {
	if w.watch == nil || len(w.ready) > 0 && w.now.Sub(w.lastHear) < busyHear && w.now.Before(w.nextSweep) {
		return // busy: what came can wait
	}
	w.listen()
}

// mostHears is how often notifications are taken in at once while names come and go.
const mostHears = 20

// listen takes in the notifications, until none tells that names come or go: a log may
// be rotated at this moment, and what has a new name must be known before what has
// taken its former one is read.
func (w *follower) listen() {
	if w.watch == nil {
		return
	}
	defer func() { w.hearing = false }()
	for i := range mostHears {
		w.lastHear, w.stirred, w.hearing = w.now, false, i < mostHears-1
		if w.watch.Drain(w.heard) {
			w.lastLost = w.now
			for _, d := range w.dirs {
				d.changed = true
			}
			w.nextSweep = w.now
		}
		if len(w.found)+len(w.unlinked) > 0 {
			w.settle()
			w.store.flush()
		}
		if !w.stirred {
			break
		}
	}
}

// heard takes in one notification.
func (w *follower) heard(c filewatch.Change) {
	dir, name := filepath.Split(c.Path)
	d := w.directory(filepath.Clean(dir))
	if d == nil {
		return
	}
	if f := d.names[name]; f != nil {
		d.works = true
		f.told, f.doubted = w.now, time.Time{}
		w.look(f)
		return
	}
	if g := d.group(name); g != nil {
		d.works = true
		w.foundName(d, name, g, w.now)
	}
}

// directory returns the one of this path that groups look into, or nil.
func (w *follower) directory(path string) *directory {
	for _, d := range w.dirs {
		if d.path == path {
			return d
		}
	}
	return nil
}

// doubt takes note that a look has found a change of f. If no notification of it
// comes, none can be relied on.
func (w *follower) doubt(f *file) {
	if f.dir == nil || !f.linked || !f.dir.trusted() || w.now.Sub(w.lastLost) < doubtTime {
		return
	}
	if w.now.Sub(f.told) > doubtTime && f.doubted.IsZero() {
		f.doubted = w.now
	}
}

// distrust gives up relying on the notifications of a directory.
func (w *follower) distrust(f *file) {
	f.doubted = time.Time{}
	if f.dir.trusted() {
		f.dir.fails = true
		w.log.Info("changes in a directory come without notification; its files are looked at more often",
			"directory", f.dir.path, "file", f.path, "maxBackoffSleep", w.src.cfg.PollMax)
	}
}

// expire forgets contents that have been missing for long, or are too many.
func (w *follower) expire() {
	if w.now.Before(w.nextExpiry) {
		w.wake(w.nextExpiry)
		return
	}
	w.nextExpiry = w.now.Add(expiry)
	w.wake(w.nextExpiry)
	missing := 0
	var oldest time.Time
	for _, f := range w.files {
		if f.missing.IsZero() {
			continue
		}
		if w.now.Sub(f.missing) > keepMissing {
			w.forget(f)
			continue
		}
		if missing++; oldest.IsZero() || f.missing.Before(oldest) {
			oldest = f.missing
		}
	}
	if missing <= mostMissing {
		return
	}
	limit := oldest.Add(w.now.Sub(oldest) / 2) // the older half of the time, in one go
	for _, f := range w.files {
		if !f.missing.IsZero() && !f.missing.After(limit) {
			w.forget(f)
		}
	}
}
