package taildir

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// adopt decides what a file is whose inode is not known: content that was
// followed before, in another place; a copy of a file that is followed; or
// something new.
func (w *follower) adopt(c *candidate) {
	h, info, err := w.openPath(c.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.complain(c.path, err, "correct its permissions, or change the pattern of the group so that it does not match")
		}
		return
	}
	if id := idOf(info, c.path); id != c.id {
		c.id = id // it was replaced meanwhile
		if w.byID[id] != nil {
			h.Close()
			w.decide(c)
			return
		}
	}
	var buf [headBytes]byte
	head, err := readUpTo(h, buf[:], 0)
	if err == nil {
		c.info, err = h.Stat() // not before: it may just be written
	}
	if err == nil && int64(len(head)) < min(c.info.Size(), headBytes) {
		head, err = readUpTo(h, buf[:], 0) // it has grown in between
	}
	if err != nil {
		h.Close()
		w.complain(c.path, err, "it is tried again when the directory changes")
		return
	}
	if p := packingOf(head); p != plain && w.src.cfg.Compressed != raw {
		w.adoptPacked(c, h, p)
		return
	}
	w.confirmLogs(c.path, head)
	for _, f := range w.alike(head, c.path, c.id) {
		if w.settled(c) && w.adoptContent(c, f, h, head) {
			return
		}
	}
	if w.postponed(c) {
		h.Close()
		return
	}
	w.adoptNew(c, h, head)
}

// confirmLogs looks at the logs that path, which begins with head, may be a copy of.
func (w *follower) confirmLogs(path string, head []byte) {
	w.confirmNamed(path)
	for _, f := range w.justBegun(head, stem(path)) {
		if derived(f.path, path) {
			w.look(f)
		}
	}
}

// confirmNamed looks at the logs that path may be a copy of by its name.
func (w *follower) confirmNamed(path string) {
	own := stem(path)
	for _, d := range w.dirs {
		for _, name := range []string{own, own + temporary} {
			if f := d.names[name]; f != nil && f.twin == nil && derived(f.path, path) {
				w.confirm(f)
			}
		}
	}
}

// mostTries is how often a candidate is decided before others are what they were.
const mostTries = 4

// settled reports whether c can be decided: no other file was found to have lost its
// name, or to have become something else, in this round of decisions. c may be a copy
// of that, and may have been copied to its end only since it was looked into.
func (w *follower) settled(c *candidate) bool {
	return len(w.found) == 0 && len(w.unlinked) == w.traced || c.tries == mostTries
}

// postponed lets c be decided once more, if it cannot be yet.
func (w *follower) postponed(c *candidate) bool {
	if w.settled(c) {
		return false
	}
	c.tries++
	w.found = append(w.found, *c)
	return true
}

// adoptContent makes c the new place of f's content, or a copy of f, if it is
// one of these.
func (w *follower) adoptContent(c *candidate, f *file, h *os.File, head []byte) bool {
	if f.twin != nil || f.packing != plain && !f.alive() {
		return false
	}
	if f.alive() {
		shell := f.isEmptyShell()
		similar := derived(f.path, c.path) || f.packing != plain && related(f.path, c.path)
		switch {
		case !similar:
		case !w.isPrefix(h, c.info.Size(), f):
			if w.breaksOff(f, c.info.Size()) && w.mayBecome(f, c) && f.holds(h, head) {
				w.standIn(c, f, h)
				return true
			}
		case shell:
			if f.short = c.info.Size() < f.pos; f.short {
				f.remember(endOf(h, c.info.Size()))
			}
			w.takeOver(c, f, h)
			return true
		default:
			w.adoptTwin(c, f, h, plain, head)
			return true
		}
		if !shell && !w.isGone(f) {
			return false
		}
	}
	if !w.mayBecome(f, c) {
		return false
	}
	switch {
	case f.holds(h, head):
		w.takeOver(c, f, h)
		return true
	case w.readBefore(f, h, c.info.Size(), head):
		// Copied and cut off while its last lines were being written, or still
		// being copied: all that is there has been read.
		f.short = true
		w.takeOver(c, f, h)
		return true
	default:
		return false
	}
}

// breaksOff reports whether f is packed and shorter than size, as it is still being written.
func (w *follower) breaksOff(f *file, size int64) bool {
	if f.packing == plain {
		return false
	}
	h := f.handle
	if h == nil {
		var err error
		if h, _, err = w.openPath(f.path); err != nil {
			return false
		}
		defer h.Close()
	}
	u := newUnpacker(h, f.packing)
	defer u.close()
	_, err := u.ReadAt(make([]byte, 1), max(0, size-1))
	return err != nil && !isEOF(err)
}

// standIn makes c the place of the content of f, which is packed and breaks off: c is
// what it is made of. f's name is looked at anew.
func (w *follower) standIn(c *candidate, f *file, h *os.File) {
	d, name, group, told, linked := f.dir, filepath.Base(f.path), f.group, f.told, f.linked
	if linked {
		w.loseName(f)
		delete(d.names, name)
	}
	f.packing, f.left, f.torn = plain, false, noTime
	w.takeOver(c, f, h)
	if linked {
		w.foundName(d, name, group, told)
	}
}

// isGone looks at f, which may have been truncated at this moment.
func (w *follower) isGone(f *file) bool {
	w.confirm(f)
	return !f.alive()
}

// mayBecome reports whether c, if it has the content of f, which has gone, is its
// new place. Logs begin alike: of a content that is too short to be sure of, the
// name must be one that rotation makes of the former.
func (w *follower) mayBecome(f *file, c *candidate) bool {
	if f.pos >= headBytes || w.starting && f.origin == c.id {
		return true
	}
	for _, path := range []string{f.path, f.was} {
		if path != "" && path != c.path && related(path, c.path) && len(filepath.Base(c.path)) >= len(lasting(path)) {
			return true
		}
	}
	return false
}

// identify is adopt for a file that was empty when it was found, has become
// something since and has lost its name already: only its handle is left. It
// reports whether there is something to read in it.
func (w *follower) identify(f *file, size int64) bool {
	f.empty = false
	head, err := readUpTo(f.handle, make([]byte, headBytes), 0)
	if err != nil {
		return true // the turn finds out
	}
	if w.src.cfg.Compressed != raw && beginsMagic(head) {
		f.empty = true // there is too little of it to be known
		return false
	}
	w.confirmNamed(f.path)
	if len(w.found) > 0 {
		f.empty = true // it may be a copy of what is not decided yet: the next look finds out
		return false
	}
	if packingOf(head) != plain && w.src.cfg.Compressed != raw {
		w.forget(f) // if it has another name that matches, it is found there
		return false
	}
	for _, t := range w.alike(head, f.path, f.id) {
		switch {
		case t == f || t.twin != nil:
		case t.packing != plain:
			if related(t.path, f.path) || related(t.path, f.was) {
				w.forget(f) // what was written to it before it went is read there
				return false
			}
		case t.alive():
			if w.isPrefix(f.handle, size, t) {
				w.forget(f)
				return false
			}
		case t.holds(f.handle, head), w.readBefore(t, f.handle, size, head):
			f.pos, f.anchor, f.older, f.short = t.pos, t.anchor, t.older, size < t.pos
			w.setHead(f, t.head)
			w.forget(t)
			w.note(f)
			return true
		}
	}
	w.setHead(f, markOf(head))
	w.note(f)
	return true
}

// adoptNew begins to follow a new file.
func (w *follower) adoptNew(c *candidate, h *os.File, head []byte) {
	before := w.former(c.path)
	f := w.newFile(c.id)
	f.sniffed, f.proven = true, true
	if w.starting && w.src.cfg.SkipToEnd && !c.begun {
		f.pos = c.info.Size()
	}
	w.setPath(f, c.path)
	w.adoptHandle(f, h)
	if f.empty = len(head) == 0 || w.src.cfg.Compressed != raw && beginsMagic(head); f.empty {
		head = nil
		w.blank++
	}
	w.setHead(f, markOf(head))
	if f.pos > 0 {
		var buf [anchorBytes]byte
		n := min(f.pos, anchorBytes)
		if got, err := readUpTo(h, buf[:n], f.pos-n); err == nil && int64(len(got)) == n {
			f.anchor = markOf(got)
		}
	}
	if f.before = before; before != nil {
		w.look(before) // it may have grown
	}
	w.link(f, c)
}

// former returns the file that had this name before and is not read to its end.
func (w *follower) former(path string) *file {
	if w.starting {
		return nil
	}
	for e := w.opened.Front(); e != nil; e = e.Next() {
		if f, _ := e.Value.(*file); f.was == path && f.path != path || !f.linked && f.path == path {
			return f
		}
	}
	return nil
}

// takeOver makes c the place of a content that was missing.
func (w *follower) takeOver(c *candidate, f *file, h *os.File) {
	w.shut(f)
	w.setID(f, c.id)
	f.sniffed, f.proven, f.missing = true, false, noTime
	if f.path != c.path {
		w.src.count.copies.Add(1)
	}
	w.log.Info("a file is known by its content and is read on", "file", c.path, "former", f.path, "position", f.pos)
	w.setPath(f, c.path)
	w.adoptHandle(f, h)
	w.link(f, c)
}

// finished sets the position to the end of what has been read elsewhere.
func (w *follower) finished(f *file, size int64, head mark) {
	w.setHead(f, head)
	f.pos, f.anchor, f.older = size, mark{}, [oldAnchors]place{}
	w.note(f)
}

// readBefore reports whether c, which is shorter than what was read of f, ends
// shortly behind an earlier position, or where a copy of f that was seen ended.
func (w *follower) readBefore(f *file, c content, size int64, head []byte) bool {
	if size >= f.pos || size >= int64(f.head.n) && !f.head.fits(head) {
		return false
	}
	for _, o := range f.older {
		if o.anchor.n > 0 && o.pos <= size && o.anchor.foundAt(c, o.pos) {
			return true
		}
	}
	for _, t := range f.copies {
		if t.anchor.n > 0 && t.pos <= size && t.anchor.foundAt(c, t.pos) {
			return true
		}
	}
	return false
}

// adoptTwin makes c a copy of f, which is being read.
func (w *follower) adoptTwin(c *candidate, f *file, h *os.File, p packing, head []byte) {
	defer h.Close()
	w.src.count.copies.Add(1)
	w.log.Info("a file is a copy of one that is followed, and is not read again", "file", c.path, "of", f.path)
	t := w.newFile(c.id)
	w.setPath(t, c.path)
	t.sniffed, t.packing = true, p
	t.setTwin(f)
	t.size, t.mtime = c.info.Size(), c.info.ModTime() // as it was compared
	w.setHead(t, markOf(head))
	w.measure(t, h, c.info.Size())
	w.link(t, c)
}

// measure makes the end of a copy its place.
func (w *follower) measure(t *file, h *os.File, size int64) {
	if t.packing != plain {
		return
	}
	if head, err := readUpTo(h, make([]byte, min(size, headBytes)), 0); err == nil {
		w.setHead(t, markOf(head))
	}
	if end := endOf(h, size); end.anchor.n > 0 {
		t.pos, t.anchor = end.pos, end.anchor
	}
}

// endOf returns the place at the end of h, which has this size; without an anchor if
// it cannot be read.
func endOf(h *os.File, size int64) place {
	n := min(size, anchorBytes)
	got, err := readUpTo(h, make([]byte, n), size-n)
	if err != nil || int64(len(got)) < n {
		return place{}
	}
	return place{pos: size, anchor: markOf(got)}
}

// checkTwin makes a copy that has become something else a file of its own.
func (w *follower) checkTwin(t *file) {
	if t.packing != plain {
		return // looked into when its turn comes
	}
	t.unchecked = true
	h, info, err := w.openPath(t.path)
	if err != nil {
		return
	}
	defer h.Close()
	if idOf(info, t.path) != t.id {
		return // another file has taken its name: the next look finds out
	}
	w.confirm(t.twin)
	if t.twin.alive() && w.isPrefix(h, info.Size(), t.twin) {
		w.measure(t, h, info.Size())
		w.note(t)
		t.unchecked = false
		return
	}
	if w.confirm(t.twin); !t.twin.alive() {
		return // it was truncated: t takes its place when that is dealt with
	}
	if !t.linked {
		return
	}
	// Or it is a copy of another one, which begins alike.
	w.log.Info("a file is no copy any more, and is looked at anew", "file", t.path, "of", t.twin.path)
	t.twin.remember(place{pos: t.pos, anchor: t.anchor}) // where the copy ended, if it was compressed
	w.decideAnew(t)
}

// isPrefix reports whether h, of this size, is the beginning of what is in f. Its
// first and its last bytes are compared.
func (w *follower) isPrefix(h *os.File, size int64, f *file) bool {
	if size == 0 {
		return false
	}
	file := f.handle
	if file == nil {
		var info fs.FileInfo
		var err error
		if file, info, err = w.openPath(f.path); err != nil {
			return false
		}
		defer file.Close()
		if idOf(info, f.path) != f.id {
			return false
		}
	}
	var other content = file
	if f.packing != plain {
		u := newUnpacker(file, f.packing)
		defer u.close()
		other = u
	}
	const some = 4 << 10
	same := func(off int64) bool {
		var a, b [some]byte
		n := min(some, size-off)
		x, err1 := readUpTo(h, a[:n], off)
		y, err2 := readUpTo(other, b[:n], off)
		return err1 == nil && err2 == nil && int64(len(x)) == n && bytes.Equal(x, y)
	}
	return same(0) && same(max(0, size-some))
}

// alive reports whether the content of f could still be read where it was, when f
// was looked at last.
func (f *file) alive() bool { return f.linked || f.handle != nil }

// isEmptyShell reports whether f has been deleted and is read to its end: only our
// handle keeps it. An editor that replaces a file by a new one leaves that behind.
func (f *file) isEmptyShell() bool {
	if f.linked || f.handle == nil || f.packing != plain {
		return false
	}
	info, err := f.handle.Stat()
	return err == nil && linksOf(info) == 0 && info.Size() == f.pos
}

// confirm finds out whether f is still where it was and has the content that was
// read. A file that has not gets a new place, and its content another file.
func (w *follower) confirm(f *file) {
	w.look(f)
	if f.packing != plain || f.twin != nil || f.head.n == 0 || !f.alive() || f.short && f.size < f.pos {
		return
	}
	h := f.handle
	if h == nil {
		var info fs.FileInfo
		var err error
		if h, info, err = w.openPath(f.path); err != nil {
			return
		}
		defer h.Close()
		if idOf(info, f.path) != f.id {
			return // the next look finds out
		}
	}
	var buf [headBytes]byte
	head, err := readUpTo(h, buf[:f.head.n], 0)
	if err == nil && !f.holds(h, head) {
		w.lose(f)
	}
}

// adoptPacked decides what a compressed file is.
func (w *follower) adoptPacked(c *candidate, h *os.File, p packing) {
	u := newUnpacker(h, p)
	var buf [headBytes]byte
	head, err := readUpTo(u, buf[:], 0)
	defer u.close()
	w.confirmLogs(c.path, head)
	if err == nil {
		for _, f := range w.alike(head, c.path, c.id) {
			if f.packing != plain && f.alive() || !related(f.path, c.path) {
				continue
			}
			size, sized := u.size(c.info.Size())
			short := sized && size < f.pos && w.readBefore(f, u, size, head)
			if f.head.n > len(head) && !short {
				continue
			}
			if f.alive() {
				w.adoptTwin(c, f, h, p, head)
				return
			}
			f.packing = p
			w.takeOver(c, f, h)
			if short {
				w.finished(f, size, markOf(head)) // all of it has been read
			}
			f.left = short || u.saysLength(c.info.Size(), f.pos)
			return
		}
	}
	if w.postponed(c) {
		h.Close()
		return
	}
	f := w.newFile(c.id)
	w.setPath(f, c.path)
	f.sniffed, f.proven, f.packing = true, true, p
	w.setHead(f, markOf(head))
	f.size, f.mtime = c.info.Size(), c.info.ModTime()
	torn := !c.whole && len(head) < headBytes && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(u.err, io.ErrUnexpectedEOF) || u.stream == nil)
	switch f.left = err != nil || torn || w.src.cfg.Compressed == finish; {
	case !f.left:
		w.adoptHandle(f, h)
	case torn:
		h.Close()
		f.torn = w.now
	default:
		h.Close()
		w.notOfOurs(f)
	}
	w.link(f, c)
}

// notOfOurs says that a compressed file is left alone.
func (w *follower) notOfOurs(f *file) {
	w.log.Info("a compressed file is not of a file that was followed, and is not read; set compressedFiles to read or raw for that",
		"file", f.path, "compressedFiles", w.src.cfg.Compressed)
}

// settleTorn decides what a packed file is that broke off in its beginning and that
// nobody has written to for a while: what there is counts.
func (w *follower) settleTorn(f *file) {
	before := len(w.found)
	w.reconsider(f)
	for i := range w.found[before:] {
		w.found[before+i].whole = true
	}
}

// reconsider looks again into a file that nothing was known of, as it was being
// written.
func (w *follower) reconsider(f *file) {
	if f.pos == 0 {
		w.decideAnew(f)
	}
}

// decideAnew forgets f, which is linked, and makes its name a candidate.
func (w *follower) decideAnew(f *file) {
	c := candidate{dir: f.dir, name: filepath.Base(f.path), path: f.path, group: f.group, id: f.id}
	w.loseName(f)
	delete(f.dir.names, c.name)
	w.forget(f)
	w.foundName(c.dir, c.name, c.group, f.told)
}
