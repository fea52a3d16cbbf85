package taildir

import (
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// fileID is what the system knows a file by, as long as it exists.
type fileID struct{ dev, ino uint64 }

// file is one content that is followed. It keeps its identity when its name or
// even its inode changes, and gets a new place when its content does.
type file struct {
	no     int
	id     fileID
	origin fileID           // the one that it had before it lost it
	path   string           // where it was seen last
	stem   string           // of path
	named  kinName          // what path says of its place in its log
	class  int              // length of the names among which the indexes have it
	spots  [spotsOfFile]int // where they have it there, from 1 on; 0: nowhere
	was    string           // the path before
	label  string           // value of the file header: the path that matched
	group  *group
	dir    *directory // of path; nil if path is in no group's directory

	// linked says that path is this file, as of the latest look, and matches the
	// group. A file that is not linked is read to its end and then dropped.
	linked bool
	// proven says that the content was compared with the place since the file
	// was found.
	proven bool
	// twin, if not nil, has the same content and is being read. Nothing is read
	// from a copy until its twin has gone or lost its content. copies are those whose
	// twin this is.
	twin   *file
	copies []*file
	// unchecked says that f has changed, and that whether it is still a copy of twin
	// could not be found out yet.
	unchecked bool
	// copied says that f was found to be a copy of what its place speaks of, maybe
	// of its beginning only.
	copied bool
	// short says that it has been found to be the beginning of what its place speaks of,
	// and may still be growing to that. There is nothing to be read before.
	short bool
	// empty says that there was nothing in the file when it was found, so that it
	// was not known whether it would be a copy of another.
	empty bool
	// left says that there is nothing to be read in a packed file, either because
	// it is read, or because it is none of those that are.
	left bool
	// torn says since when it is a packed file that breaks off in its beginning, as
	// one that is being written does; zero if it is not.
	torn time.Time
	// before, if not nil, is read to its end first: the former file of this name.
	before *file

	place
	older [oldAnchors]place // of earlier positions, without heads
	size  int64             // as of the latest look
	peak  int64             // greatest size seen with this content
	mtime time.Time
	age   time.Time // when the content was written last, as far as is known

	handle  *os.File
	used    *list.Element // of handle, in follower.opened
	unpack  *unpacker     // nil for plain files
	packing packing
	sniffed bool // packing is known

	queued   bool    // it is in follower.ready or follower.waiting
	due      bool    // it is again when the batch is stored
	kin      *kin    // whose pending files it is among; nil: of none
	home     logName // of kin
	at       int     // in kin.pending
	adrift   bool    // it was not to be found when its turn came, and is looked for
	round    int     // of its latest turn
	need     int64   // bytes that a block must have so that an event fits; 0: the usual
	greedy   bool    // there was more than was asked for
	searched int64   // up to here there is no end of the event at the position; 0: not known
	ending   ending
	closing  bool // this turn is the last before it is closed

	nextLook  time.Time
	interval  time.Duration // between looks
	lastData  time.Time     // when something was read, or it was opened or found to have changed
	heldSince time.Time     // lines wait for the end of their event; zero if none do
	told      time.Time     // when a notification came
	doubted   time.Time     // when it had changed without one
	missing   time.Time     // since when there is neither path nor handle; zero if there is one
	failing   string        // the error last logged
}

// content returns what is read: the file, or what is packed in it. The file is open.
func (f *file) content() content {
	if f.unpack != nil {
		return f.unpack
	}
	return f.handle
}

// newer reports whether there may be something behind the position.
func (f *file) newer() bool {
	switch {
	case f.twin != nil, f.left, f.empty, f.short && f.size < f.pos:
		return false
	case f.packing != plain:
		return true
	default:
		return f.size != f.pos
	}
}

// move sets the position.
func (f *file) move(pos int64, anchor mark) {
	copy(f.older[1:], f.older[:])
	f.older[0] = place{pos: f.pos, anchor: f.anchor}
	f.pos, f.anchor = pos, anchor
	f.searched, f.need = 0, 0
}

// setTwin makes f a copy of twin, and no longer one of another; of none if that is nil.
func (f *file) setTwin(twin *file) {
	if f.twin != nil {
		f.twin.copies = slices.DeleteFunc(f.twin.copies, func(c *file) bool { return c == f })
	}
	f.twin = twin
	if twin != nil {
		twin.copies = append(twin.copies, f)
	}
}

// remember keeps a place where a copy of f ended among the earlier ones.
func (f *file) remember(p place) {
	for i := range f.older {
		if f.older[i].anchor.n == 0 || i == oldAnchors-1 {
			f.older[i] = place{pos: p.pos, anchor: p.anchor}
			return
		}
	}
}

// restart begins the content anew.
func (f *file) restart() {
	f.place, f.older, f.peak = place{}, [oldAnchors]place{}, 0
	f.searched, f.need, f.heldSince, f.ending = 0, 0, time.Time{}, more
	f.proven, f.short = true, false
}

// saved returns what the journal keeps of f.
func (f *file) saved() *saved {
	s := &saved{no: f.no, id: f.id, place: f.place, path: f.path, label: f.label}
	switch {
	case f.twin != nil:
		s.state, s.since = stateCopy, int64(f.twin.no)
	case f.linked:
	case !f.missing.IsZero():
		s.state, s.since = stateMissing, f.missing.Unix()
	default:
		s.state = stateDetached
	}
	return s
}

var (
	errReplaced  = errors.New("another file has taken its name")
	errIrregular = errors.New("it is not a regular file")
)

// openPath opens a regular file, and no other, and returns what it is.
func (w *follower) openPath(path string) (*os.File, fs.FileInfo, error) {
	h, err := w.src.sys.open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := h.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("opening %s: %w", path, errIrregular)
	}
	if err != nil {
		h.Close()
		return nil, nil, err
	}
	return h, info, nil
}

// open makes sure that f has a handle.
func (w *follower) open(f *file) error {
	if f.handle != nil {
		w.opened.MoveToFront(f.used)
		return nil
	}
	h, info, err := w.openPath(f.path)
	if err != nil {
		return err
	}
	if idOf(info, f.path) != f.id {
		h.Close()
		return fmt.Errorf("opening %s: %w", f.path, errReplaced)
	}
	w.sniff(f, h)
	w.adoptHandle(f, h)
	f.proven = false // its inode may have been used again
	w.log.Debug("file opened", "file", f.path, "inode", f.id.ino, "position", f.pos)
	return nil
}

// sniff finds out, once, whether f is packed.
func (w *follower) sniff(f *file, h *os.File) {
	if f.sniffed || w.src.cfg.Compressed == raw {
		return
	}
	f.sniffed = true
	magic, err := readUpTo(h, make([]byte, 4), 0)
	if err != nil {
		return
	}
	if f.packing = packingOf(magic); f.packing != plain && f.pos > 0 && f.head.n == 0 {
		f.left = true // Apache Flume has read it as it is; its position says nothing here
	}
}

// adoptHandle gives f a handle, and closes another file if there are too many.
func (w *follower) adoptHandle(f *file, h *os.File) {
	f.handle = h
	f.unpack = nil
	if f.packing != plain {
		f.unpack = newUnpacker(h, f.packing)
	}
	f.used = w.opened.PushFront(f)
	f.lastData = w.now
	w.src.count.open.Set(int64(w.opened.Len()))
	for w.opened.Len() > w.src.cfg.MaxOpenFiles {
		other := w.leastUsed()
		if other == nil {
			return // what is left must be read first
		}
		w.shut(other)
		if !other.linked {
			w.retire(other)
		}
	}
}

// leastUsed returns an open file, but for the one used last, that is missed least:
// the one read longest ago that can be opened again, or is read to its end and not
// about to be found under another name. It is nil if there is none among those read
// longest ago.
func (w *follower) leastUsed() *file {
	const tries = 64
	e := w.opened.Back()
	for range tries {
		if e == nil || e == w.opened.Front() {
			break
		}
		if f, _ := e.Value.(*file); f.linked || f.packing == plain && f.size == f.pos && !f.empty && !slices.Contains(w.unlinked, f) {
			return f
		}
		e = e.Prev()
	}
	return nil
}

// shut closes f's handle, if it has one.
func (w *follower) shut(f *file) {
	if f.handle == nil {
		return
	}
	if f.unpack != nil {
		f.unpack.close()
		f.unpack = nil
	}
	f.handle.Close()
	f.handle = nil
	w.opened.Remove(f.used)
	f.used = nil
	w.src.count.open.Set(int64(w.opened.Len()))
}

// extendHead makes f.head cover as much as there is.
func (w *follower) extendHead(f *file) {
	want := min(max(f.pos, f.size), headBytes)
	if f.packing != plain {
		want = min(f.pos, headBytes)
	}
	if int64(f.head.n) >= want || f.handle == nil {
		return
	}
	buf := make([]byte, want)
	got, err := readUpTo(f.content(), buf, 0)
	if err != nil || int64(len(got)) < want || !f.head.fits(got) {
		return // it is not what it was: the next read finds out
	}
	w.setHead(f, markOf(got))
	w.note(f)
}
