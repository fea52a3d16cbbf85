package taildir

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// noTime is no time.
var noTime time.Time

// fewNames is the number of names in a directory up to which a lost file is looked
// for under any of them, not only under those that look like its own.
const fewNames = 1000

// search looks for what became of files that have neither name nor handle, in the
// directories where they were: renamed, copied or compressed.
func (w *follower) search(lost []*file) {
	w.searchDirs(lost, false)
	if len(w.found) > 0 {
		w.settle() // one of these may have the content of a lost one
	}
	for _, f := range lost {
		w.gone(f)
	}
}

// trace looks for the files that have lost their names and may have got others that
// nobody has told of yet: by inode, before it is decided what else there is. Content
// is looked for behind that, as it may be in what is decided.
func (w *follower) trace() {
	if len(w.unlinked) == w.traced {
		return
	}
	w.traced = len(w.unlinked)
	told := make(map[fileID]struct{}, len(w.found))
	for i := range w.found {
		told[w.found[i].id] = struct{}{}
	}
	var lost []*file
	for _, f := range w.unlinked {
		if _, ok := told[f.id]; !ok && !f.linked && f.id != (fileID{}) && f.twin == nil && w.files[f.no] == f && !f.isDeleted() {
			lost = append(lost, f)
		}
	}
	w.searchDirs(lost, true)
}

// isDeleted reports whether only our handle keeps f.
func (f *file) isDeleted() bool {
	if f.handle == nil {
		return false // nobody knows
	}
	info, err := f.handle.Stat()
	return err == nil && linksOf(info) == 0
}

// searchDirs looks for lost files, each in the directory where it was.
func (w *follower) searchDirs(lost []*file, byInode bool) {
	byDir := map[string][]*file{}
	for _, f := range lost {
		dir := filepath.Dir(f.path)
		byDir[dir] = append(byDir[dir], f)
	}
	for dir, files := range byDir {
		w.searchIn(dir, files, byInode)
	}
}

// mostSearches is how often a directory is searched that changes meanwhile.
const mostSearches = 20

// searchIn looks for lost files in one directory. While it does, names may move from
// those that it has not tried yet to those that it has, or did not see: then it begins
// anew.
func (w *follower) searchIn(dir string, lost []*file, byInode bool) {
	var before []string
	for range mostSearches {
		names, err := w.readNames(dir)
		if err != nil {
			w.log.Debug("a lost file cannot be looked for", "directory", dir, "error", err)
			return
		}
		slices.Sort(names)
		if slices.Equal(names, before) {
			return // nothing has moved
		}
		w.tryNames(dir, names, lost, byInode)
		if !slices.ContainsFunc(lost, (*file).isLost) {
			return
		}
		before = names
	}
}

// isLost reports whether f has neither name nor handle.
func (f *file) isLost() bool { return !f.linked && f.handle == nil }

// tryNames finds out which names of a directory are those of lost files.
func (w *follower) tryNames(dir string, names []string, lost []*file, byInode bool) {
	stems := map[string][]*file{}
	for _, f := range lost {
		stems[f.stem] = append(stems[f.stem], f)
	}
	for _, name := range names {
		some := lost
		if len(names) > fewNames {
			if some = stems[stem(name)]; len(some) == 0 {
				continue
			}
		}
		w.tryName(filepath.Join(dir, name), some, byInode)
	}
}

// readNames lists a directory in chunks.
func (w *follower) readNames(dir string) ([]string, error) {
	d, err := w.src.sys.open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// tryName finds out whether a path is one of the lost files: the same file, or any
// that has its content.
func (w *follower) tryName(path string, lost []*file, byInode bool) {
	info, err := w.src.sys.stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	id := idOf(info, path)
	if byInode && w.foundLost(path, id, lost) {
		return
	}
	known := w.byID[id]
	if known != nil && known.linked && known.handle == nil && known.path != path {
		w.look(known) // it may have gone, and its inode be another file's by now
	}
	if known != nil && (known.linked || known.handle != nil) {
		if known.empty || !known.torn.IsZero() {
			w.look(known) // it may have become what is looked for
		}
		return // it is followed for itself
	}
	var h *os.File
	defer func() {
		if h != nil {
			h.Close()
		}
	}()
	for _, f := range lost {
		if !f.isLost() {
			continue // found meanwhile
		}
		same := f.id.ino == id.ino && (f.id.dev == id.dev || f.id.dev == 0) && f.id != (fileID{})
		if byInode && !same {
			continue
		}
		if !related(f.path, path) && (!same || f.head.n == 0) || !same && f.head.n == 0 {
			continue // inodes are used again, and contents begin alike
		}
		if h == nil {
			if h, info, err = w.openPath(path); err != nil || idOf(info, path) != id {
				return
			}
		}
		if p, ok := w.recognise(f, h, info, same); ok {
			w.attach(f, path, id, info, h, p)
			h = nil
			return
		}
	}
}

// foundLost makes a path that matches a group a candidate, if it is one of the lost
// files by its inode.
func (w *follower) foundLost(path string, id fileID, lost []*file) bool {
	g := w.groupOf(path)
	if g == nil || !slices.ContainsFunc(lost, func(f *file) bool { return f.id.ino == id.ino }) {
		return false
	}
	w.foundName(w.directory(filepath.Dir(path)), filepath.Base(path), g, noTime)
	return true
}

// recognise reports whether h has the content of f, plain or packed.
func (w *follower) recognise(f *file, h *os.File, info fs.FileInfo, same bool) (packing, bool) {
	var buf [headBytes]byte
	head, err := readUpTo(h, buf[:], 0)
	if err != nil {
		return plain, false
	}
	p := packingOf(head)
	if p != plain && w.src.cfg.Compressed != raw && f.head.n == 0 {
		return p, same && h.Name() == f.path // nothing is known of it but where it was
	}
	if info.Size() >= f.pos && f.packing == plain && f.holds(h, head) {
		return plain, true
	}
	if p == plain || w.src.cfg.Compressed == raw {
		return plain, false
	}
	u := newUnpacker(h, p)
	defer u.close()
	if head, err = readUpTo(u, buf[:], 0); err != nil || !f.head.fits(head) {
		return plain, false
	}
	if u.saysLength(info.Size(), f.pos) {
		return p, true
	}
	return p, f.anchor.foundAt(u, f.pos)
}

// attach lets f be read on under another path.
func (w *follower) attach(f *file, path string, id fileID, info fs.FileInfo, h *os.File, p packing) {
	if known := w.byID[id]; known != nil && known != f {
		w.loseID(known) // its inode is used again
	}
	w.log.Info("what was left of a file is read under another name", "file", path, "former", f.path,
		"position", f.pos, "unread", max(info.Size()-f.pos, 0), "packed", p != plain)
	w.src.count.moved.Add(1)
	w.setID(f, id)
	if path != f.path {
		f.was = f.path
		w.setPath(f, path)
	}
	f.packing, f.sniffed = p, true
	f.missing, f.proven = noTime, false
	d := w.directory(filepath.Dir(path))
	if d != nil {
		if g := d.group(filepath.Base(path)); g != nil {
			w.foundName(d, filepath.Base(path), g, f.told) // settle gives it its name
		}
	}
	w.adoptHandle(f, h)
	if f.pos == 0 && f.head.n == 0 && p == plain {
		f.empty = true // as it was when it was lost: what it is now is found out
		w.blank++
	}
	w.seen(f, info)
	if w.files[f.no] == f {
		w.enqueue(f)
		w.note(f)
	}
}

// gone marks f as missing if it was not found.
func (w *follower) gone(f *file) {
	if f.linked || f.handle != nil || w.files[f.no] != f {
		return
	}
	if w.hearing && w.stirred {
		w.unlinked = append(w.unlinked, f) // the notifications that come next may tell where it is
		return
	}
	f.adrift = false
	w.loseID(f)
	if unread := f.peak - f.pos; unread > 0 && f.missing.IsZero() {
		w.src.count.unread.Add(int(unread))
		w.log.Warn("a file has vanished or was truncated before it was read to its end, and no copy of it is found",
			"file", f.path, "position", f.pos, "unread", unread, "last-look", f.lastData.Format(time.RFC3339))
	}
	if f.head.n == 0 {
		if w.starting && f.pos > 0 {
			// From a position file of Apache Flume, maybe of another machine.
			w.log.Warn("a position is not used: there is no file with this name and inode; a file that has the name is read from its beginning",
				"file", f.path, "inode", f.origin.ino, "position", f.pos)
		}
		w.forget(f)
		return
	}
	if f.missing.IsZero() {
		f.missing = w.now
	}
	w.note(f)
}

// bequeath gives the place of f to a copy of it, if there is one. f is then
// forgotten.
func (w *follower) bequeath(f *file) bool {
	var heir *file
	for _, t := range slices.Clone(f.copies) {
		if w.stillCopy(t) && (heir == nil || t.packing < heir.packing) {
			heir = t
		}
	}
	if heir == nil {
		return false
	}
	heir.setTwin(nil)
	for _, t := range slices.Clone(f.copies) {
		t.setTwin(heir)
	}
	heir.was = f.path
	heir.proven, heir.group, heir.copied = false, f.group, true
	heir.short = heir.packing == plain && heir.size < f.pos
	end := heir.place
	if !f.age.IsZero() {
		heir.setAge(f.age) // a copy's own time is that of the copying
	}
	heir.pos, heir.anchor, heir.older = f.pos, f.anchor, f.older
	if heir.short {
		heir.remember(end)
	}
	w.setHead(heir, f.head)
	w.log.Info("a copy takes the place of a file that has gone", "file", heir.path, "former", f.path, "position", heir.pos)
	w.forget(f)
	w.note(heir)
	w.enqueue(heir)
	return true
}

// stillCopy reports whether a copy that was found before is still there and is the
// same. If another file has its place, that is looked at as if it were new.
func (w *follower) stillCopy(t *file) bool {
	if t.packing != plain {
		return true // its turn finds out
	}
	if h, info, err := w.openPath(t.path); err == nil {
		defer h.Close()
		head, err := readUpTo(h, make([]byte, headBytes), 0)
		if idOf(info, t.path) == t.id && err == nil && t.holds(h, head) {
			t.size = info.Size()
			return true
		}
	}
	t.twin.remember(place{pos: t.pos, anchor: t.anchor}) // it may have been compressed
	if t.linked {
		w.loseName(t)
		delete(t.dir.names, filepath.Base(t.path))
		w.foundName(t.dir, filepath.Base(t.path), t.group, t.told)
	}
	w.forget(t)
	return false
}

// lose deals with a file whose content is not the one that was read: it was
// truncated, or another file has its inode. What was not yet read of the former
// content is looked for, and what has its name now is looked at as if it were new.
func (w *follower) lose(f *file) {
	if f.packing != plain {
		w.loseContent(f)
		return
	}
	w.src.count.truncated.Add(1)
	w.log.Info("a file was truncated or replaced and is read from its beginning", "file", f.path, "inode", f.id.ino,
		"position", f.pos, "size", f.size, "unread", max(f.peak-f.pos, 0))
	w.shut(f)
	w.loseID(f)
	if f.linked {
		w.unlink(f)
		w.foundName(f.dir, filepath.Base(f.path), f.group, f.told)
	} else {
		w.unlinked = append(w.unlinked, f)
	}
	w.nextSweep = w.now // which finds out
}

// isShort reports whether f, which is packed, ends before what its place speaks of,
// and is all the same a copy of it: one that was made before the last lines.
func (w *follower) isShort(f *file) bool {
	if f.unpack == nil || !isEOF(f.unpack.err) || f.unpack.end >= f.pos {
		return false
	}
	size := f.unpack.end
	head, err := readUpTo(f.unpack, make([]byte, headBytes), 0)
	return err == nil && (f.copied && f.head.fits(head) || w.readBefore(f, f.unpack, size, head))
}

// loseContent deals with a packed file that was taken for what it is not.
func (w *follower) loseContent(f *file) {
	w.setHead(f, mark{})
	f.restart()
	f.left = w.src.cfg.Compressed == finish
	w.shut(f)
	w.log.Warn("a compressed file has not the content that was expected", "file", f.path, "compressedFiles", w.src.cfg.Compressed)
	if !f.linked {
		w.forget(f)
		return
	}
	w.note(f)
	w.enqueue(f)
}
