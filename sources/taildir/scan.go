package taildir

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"
)

// directory is one in which groups look for files.
type directory struct {
	path   string
	groups []*group
	names  map[string]*file // linked files by name

	id       fileID
	mtime    time.Time
	listed   time.Time     // when the listing began
	cost     time.Duration // of the listing
	nextLook time.Time
	changed  bool // a notification says so
	missing  bool // it could not be listed

	watched bool
	works   bool // notifications have come for files in it, or are sure to
	fails   bool // a change was found that no notification told of
}

// candidate is a name that matches a group and is not the name of a known file.
type candidate struct {
	dir   *directory
	name  string
	path  string
	group *group
	info  fs.FileInfo
	id    fileID
	begun bool      // its inode was followed, and nothing was read yet
	tries int       // how often it was postponed
	whole bool      // if it is packed and breaks off, then it is not because it is being written
	told  time.Time // when a notification of it came; zero if none did
}

// racyTime is how long after a modification a directory's time may not change
// with the next one.
const racyTime = 2 * time.Second

// addDirectories collects the directories of the groups, all of which must exist.
func (w *follower) addDirectories() error {
	byPath := map[string]*directory{}
	for _, g := range w.src.groups {
		d := byPath[g.dir]
		if d == nil {
			d = &directory{path: g.dir, names: map[string]*file{}}
			if info, err := w.src.sys.stat(g.dir); err != nil {
				return fmt.Errorf("property filegroups.%s: %w: %w", g.name, errNoDirectory, err)
			} else if !info.IsDir() {
				return fmt.Errorf("property filegroups.%s: %w: %s is not a directory", g.name, errNoDirectory, g.dir)
			}
			byPath[g.dir] = d
			w.dirs = append(w.dirs, d)
		}
		d.groups = append(d.groups, g)
	}
	return nil
}

// group returns the first group that a file of this name belongs to.
func (d *directory) group(name string) *group {
	for _, g := range d.groups {
		if g.matches(name) {
			return g
		}
	}
	return nil
}

// list finds what has come to a directory and what has gone from it.
func (w *follower) list(d *directory) error {
	began := time.Now()
	dir, err := w.src.sys.open(d.path)
	if err != nil {
		return w.cannotList(d, err)
	}
	defer dir.Close()
	info, err := dir.Stat()
	if err != nil {
		return w.cannotList(d, err)
	}
	w.renewWatch(d, idOf(info, d.path))
	seen := make(map[*file]struct{}, len(d.names))
	const some = 1024
	for {
		names, err := dir.Readdirnames(some)
		for _, name := range names {
			if f := d.names[name]; f != nil {
				seen[f] = struct{}{}
				f.nextLook = w.now
				continue
			}
			if g := d.group(name); g != nil {
				w.foundName(d, name, g, noTime)
			}
		}
		if isEOF(err) {
			break
		}
		if err != nil {
			return w.cannotList(d, err)
		}
	}
	for _, f := range d.names {
		if _, ok := seen[f]; !ok {
			w.look(f)
		}
	}
	if d.missing {
		d.missing = false
		w.log.Info("the directory of a file group is there again", "directory", d.path)
	}
	d.mtime, d.listed, d.cost, d.changed = info.ModTime(), began, time.Since(began), false
	w.nextSweep = w.now
	return nil
}

// cannotList says so, once; at the start it is the end.
func (w *follower) cannotList(d *directory, err error) error {
	err = fmt.Errorf("listing directory %s: %w", d.path, err)
	if w.starting {
		return err
	}
	d.changed = false
	if !d.missing {
		d.missing = true
		w.src.count.readFail.Add(1)
		w.log.Warn("the directory of a file group cannot be listed; it is tried again", "error", err)
	}
	for _, f := range d.names {
		if errors.Is(err, fs.ErrNotExist) {
			w.look(f)
		}
	}
	return nil
}

// renewWatch asks for notifications of a directory, again if it is another.
func (w *follower) renewWatch(d *directory, id fileID) {
	if w.watch == nil || d.watched && d.id == id {
		return
	}
	if d.watched {
		w.watch.Remove(d.path)
	}
	d.id = id
	err := w.watch.Add(d.path)
	if d.watched = err == nil; err != nil && !d.fails {
		d.fails = true
		w.log.Warn("the system does not tell of changes in a directory; its files are only looked at from time to time (on Linux, raise fs.inotify.max_user_watches)",
			"error", err, "maxBackoffSleep", w.src.cfg.PollMax)
	}
	d.works = d.works || d.watched && isLocal(d.path)
}

// foundName looks at a name that is not known and makes it a candidate. told is when
// a notification of it came.
func (w *follower) foundName(d *directory, name string, g *group, told time.Time) {
	w.stirred = true
	path := filepath.Join(d.path, name)
	info, err := w.src.sys.stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := w.src.sys.lstat(path); err == nil {
			w.await(path) // a link to nowhere
		}
		return
	case err != nil:
		w.complain(path, err, "correct its permissions or remove it")
		return
	case info.IsDir():
		return // never a match, as in Flume
	case !info.Mode().IsRegular():
		w.complain(path, fmt.Errorf("%w but %v", errIrregular, info.Mode().Type()), "change the pattern of the group so that it does not match, or remove it")
		return
	}
	w.found = append(w.found, candidate{dir: d, name: name, path: path, group: g, info: info, id: idOf(info, path), told: told})
}

// settle decides what the candidates are, and what becomes of the files that have
// lost their names. What a copy was made of must be known first: it has the shorter
// name, or has just got one that nobody told of. The oldest are read first, as in
// Flume.
func (w *follower) settle() {
	queued := len(w.ready)
	for len(w.found) > 0 || len(w.unlinked) > w.traced {
		w.trace()
		some := w.found
		w.found = nil
		if w.starting {
			some = w.linkKnown(some)
		}
		slices.SortStableFunc(some, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(len(lasting(a.name)), len(lasting(b.name))), a.info.ModTime().Compare(b.info.ModTime()), cmp.Compare(a.path, b.path))
		})
		for i := range some {
			w.decide(&some[i])
		}
	}
	slices.SortFunc(w.ready[queued:], oldestFirst)
	lost := w.unlinked
	w.unlinked, w.traced = nil, 0
	w.letGo(lost)
}

// linkKnown decides which candidates are where they were when the source ended, and
// returns the others. A copy of such a file that was made meanwhile must not take
// its place because it is the older of the two.
func (w *follower) linkKnown(some []candidate) []candidate {
	return slices.DeleteFunc(some, func(c candidate) bool {
		f := w.byID[c.id]
		if f == nil || f.linked || f.path != c.path || f.head.n == 0 || c.dir.names[c.name] != nil {
			return false
		}
		if known, _ := w.recognised(f, &c); !known {
			return false
		}
		w.link(f, &c)
		return true
	})
}

// decide makes a candidate a file, a new one or one that is known.
func (w *follower) decide(c *candidate) {
	if f := c.dir.names[c.name]; f != nil {
		if f.id == c.id {
			return // it was decided in another way
		}
		if w.look(f); f.linked {
			return
		}
	}
	f := w.byID[c.id]
	if f == nil && w.starting {
		f = w.byID[fileID{ino: c.id.ino}] // from Flume's position file, which has no devices
	}
	if f == nil {
		w.adopt(c)
		return
	}
	if f.linked {
		w.look(f)
	}
	if f.linked {
		w.log.Debug("a name is another one of a file that is followed", "file", c.path, "other", f.path)
		return
	}
	if f.handle == nil && f.pos == 0 && f.head.n == 0 {
		w.forget(f) // nothing is known of its content: it may be any other's
		c.begun = true
		w.adopt(c)
		return
	}
	if f.handle != nil {
		if info, err := w.src.sys.stat(c.path); err != nil || idOf(info, c.path) != c.id {
			w.foundName(c.dir, c.name, c.group, c.told) // it was replaced, and f is another file's inode used again
			return
		}
	} else {
		known, replaced := w.recognised(f, c)
		if replaced {
			w.foundName(c.dir, c.name, c.group, c.told)
			return
		}
		if !known {
			w.loseID(f) // it has been given to another file
			if f.path == c.path {
				w.src.count.truncated.Add(1)
				w.log.Info("a file is not the one that was read before and is read from its beginning", "file", c.path, "inode", c.id.ino, "position", f.pos)
			}
			w.adopt(c)
			return
		}
	}
	w.link(f, c)
}

// recognised reports whether c, which has the inode of f, has the content of f,
// too. While f was not open its inode may have been used again. replaced says that
// another file has the name by now.
func (w *follower) recognised(f *file, c *candidate) (known, replaced bool) {
	h, info, err := w.openPath(c.path)
	if err != nil {
		return errors.Is(err, fs.ErrPermission), false // later, when it can be read
	}
	defer h.Close()
	if idOf(info, c.path) != c.id {
		return false, true
	}
	p, ok := w.recognise(f, h, info, true)
	if !ok || f.twin != nil && f.pos > 0 && p != plain {
		return false, false // what is packed has the inode that a plain copy had
	}
	if f.head.n == 0 && f.path != c.path && !related(f.path, c.path) {
		return false, false // nothing is known of the content, and inodes are used again
	}
	w.setID(f, c.id)
	f.packing, f.sniffed, f.proven = p, f.head.n > 0, true
	if p == plain && info.Size() == f.pos {
		f.size, f.mtime = info.Size(), info.ModTime() // there is nothing to read
	}
	return true, false
}

// link gives f the name of c.
func (w *follower) link(f *file, c *candidate) {
	moved := f.path != c.path
	if moved && !w.starting || moved && f.pos > 0 {
		w.src.count.moved.Add(1)
		w.log.Info("a file has another name and is read on", "file", c.path, "former", f.path, "position", f.pos)
	}
	if moved {
		f.was = f.path
	}
	f.dir, f.group, f.label = c.dir, c.group, c.path
	f.linked, f.missing, f.adrift = true, time.Time{}, false
	w.setPath(f, c.path)
	if c.told.After(f.told) {
		f.told = c.told
	}
	c.dir.names[c.name] = f
	if f.named.own && len(w.dirs) > 1 {
		w.gather(f)
	}
	w.recovered(c.path)
	if f.left && f.torn.IsZero() {
		f.size, f.mtime = c.info.Size(), c.info.ModTime() // which say nothing yet
	}
	w.seen(f, c.info)
	if w.files[f.no] != f {
		return // it is something else by now, and is decided anew
	}
	if f.newer() {
		w.enqueue(f) // its turn may have come while it could not be found
	}
	w.note(f)
}

// unlink takes the name from f.
func (w *follower) unlink(f *file) {
	if !f.linked {
		return
	}
	w.stirred = true
	w.loseName(f)
	f.reorder()
	delete(f.dir.names, filepath.Base(f.path))
	if !f.dir.trusted() {
		f.dir.nextLook = w.now // nobody else tells what else has changed
	}
	w.unlinked = append(w.unlinked, f)
}

// letGo finds out what became of files that have no name any more.
func (w *follower) letGo(lost []*file) {
	var gone []*file
	for _, f := range lost {
		switch {
		case f.linked, w.files[f.no] != f:
			continue // it was found again, or forgotten
		case f.left && f.pos == 0, f.twin != nil:
			// There was nothing to read in it. Should it have been compressed,
			// then it is known where it ended.
			if f.twin != nil && f.packing == plain {
				f.twin.remember(place{pos: f.pos, anchor: f.anchor})
			}
			w.forget(f)
			continue
		case f.handle != nil:
			w.note(f)
			w.lookOpen(f)
			continue
		case w.bequeath(f):
			continue
		}
		gone = append(gone, f)
	}
	w.search(gone)
}

// look finds out whether f is still where it was, and has changed.
func (w *follower) look(f *file) {
	f.adrift = false
	if !f.linked {
		w.lookOpen(f)
		return
	}
	info, err := w.src.sys.stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.unlink(f)
	case err != nil:
		w.complain(f.path, err, "correct its permissions or remove it")
		w.later(f)
	case !info.Mode().IsRegular():
		w.unlink(f)
	case idOf(info, f.path) != f.id:
		c := candidate{dir: f.dir, name: filepath.Base(f.path), path: f.path, group: f.group, info: info, id: idOf(info, f.path), told: f.told}
		w.unlink(f)
		w.found = append(w.found, c)
	default:
		w.seen(f, info)
	}
}

// lookOpen is look for a file that is only held open.
func (w *follower) lookOpen(f *file) {
	if f.handle == nil {
		return
	}
	info, err := f.handle.Stat()
	if err != nil {
		w.complain(f.path, err, "it is closed")
		w.shut(f)
		w.letGo([]*file{f})
		return
	}
	w.seen(f, info)
}

// seen takes in how f is now, and lets it have a turn if there may be something
// to read.
func (w *follower) seen(f *file, info fs.FileInfo) {
	f.adrift = false
	size, mtime := info.Size(), info.ModTime()
	changed := size != f.size || !mtime.Equal(f.mtime)
	f.size, f.mtime = size, mtime
	f.aged(mtime)
	if f.twin != nil {
		if changed || f.unchecked {
			w.checkTwin(f)
		}
		w.later(f)
		return
	}
	if f.empty && size > 0 && !f.linked && !w.identify(f, size) {
		f.size = 0 // if it is still followed, then the next look sees it anew
		return
	}
	if f.left || f.empty {
		switch {
		case changed && (f.left || size > 0) && f.linked:
			w.reconsider(f)
		case !f.torn.IsZero() && w.now.Sub(f.torn) > tornTime && f.linked:
			w.settleTorn(f)
		}
		w.later(f)
		return
	}
	f.peak = max(f.peak, size)
	if changed {
		f.interval, f.lastData, f.closing = 0, w.now, false
	}
	if changed || !f.proven || f.failing != "" {
		w.enqueue(f)
	}
	w.later(f)
	if changed && !w.starting {
		w.doubt(f)
	}
}
