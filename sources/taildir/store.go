package taildir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

// damagedSuffix is added to the name of a copy of a position file that could not
// be read to its end.
const damagedSuffix = ".damaged"

// lockPositions keeps others from the position file.
func lockPositions(s *source) (io.Closer, error) {
	dir := filepath.Dir(s.positionFile)
	if err := vfs.MkdirAllSync(s.fs, dir, 0o755); err != nil {
		return nil, fmt.Errorf("property positionFile: %w", err)
	}
	lock, err := s.fs.Lock(s.positionFile + ".lock")
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("the position file %s is in use by another source or agent (property positionFile): %w", s.positionFile, err)
	}
	if err != nil {
		return nil, fmt.Errorf("property positionFile: %w", err)
	}
	return lock, nil
}

// loadHistory reads position file and journal. Where the journal does not know the
// position file, Apache Flume or a person has written it, and it is what counts.
func loadHistory(s *source) (*history, error) {
	h := &history{files: map[int]*saved{}}
	journal, err := vfs.ReadFile(s.fs, s.positionFile+journalSuffix)
	switch {
	case err == nil:
		if h, err = parseJournal(journal); err != nil {
			return nil, fmt.Errorf("reading %s: %w; it would be overwritten: move it away, or give another positionFile", s.positionFile+journalSuffix, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading the journal of the positions: %w", err)
	}
	text, err := vfs.ReadFile(s.fs, s.positionFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if len(h.hashes) > 1 || len(h.hashes) == 1 && !h.torn {
			s.log.Warn("the position file was removed: files are read as if they were new", "positionFile", s.positionFile)
			return &history{files: map[int]*saved{}}, nil
		}
		return h, nil
	case err != nil:
		return nil, fmt.Errorf("reading the position file (property positionFile): %w", err)
	}
	hash := hashOf(text)
	known := slices.Contains(h.hashes, hash)
	h.hashes = []string{hash}
	if known {
		return h, nil
	}
	entries, err := parsePositions(text)
	switch {
	case errors.Is(err, errForeign):
		return nil, fmt.Errorf("reading %s (property positionFile): %w; it would be overwritten: give another file, or remove this one", s.positionFile, err)
	case err != nil:
		return damagedHistory(s, h, entries, text, err)
	}
	s.log.Info("positions are taken over from a position file that somebody else has written", "positionFile", s.positionFile, "files", len(entries))
	return merge(h, entries), nil
}

// damagedHistory makes the best of a position file that is damaged: the journal if
// there is one, and else what can be read. The file is kept.
func damagedHistory(s *source, h *history, entries []entry, text []byte, err error) (*history, error) {
	aside := s.positionFile + damagedSuffix
	if failed := vfs.ReplaceFile(s.fs, aside, text, 0o644); failed != nil {
		return nil, fmt.Errorf("keeping a copy of the damaged position file: %w", failed)
	}
	s.log.Error("the position file is damaged; what can be read of it or of its journal is used, and files that are missing there are read from the beginning",
		"positionFile", s.positionFile, "error", err, "entries", len(entries), "journal", len(h.files), "copy", aside)
	if len(h.files) > 0 {
		return h, nil
	}
	return merge(h, entries), nil
}

// merge returns the history of the files of a position file, with what the journal
// knows about them.
func merge(h *history, entries []entry) *history {
	type key struct {
		inode uint64
		path  string
	}
	known := map[key]*saved{}
	for _, s := range h.files {
		known[key{s.id.ino, s.path}] = s
	}
	out := &history{files: map[int]*saved{}, hashes: h.hashes}
	for i, e := range entries {
		s := &saved{no: i + 1, id: fileID{ino: e.inode}, path: e.path, label: e.path, place: place{pos: e.pos}}
		if k := known[key{e.inode, e.path}]; k != nil {
			s.id, s.label = k.id, k.label
			s.place.head = k.place.head
			if k.place.pos == e.pos {
				s.place.anchor = k.place.anchor
			}
		}
		out.files[s.no] = s
	}
	return out
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// recall makes files of what is remembered. They have no names yet.
func (w *follower) recall(h *history) {
	byNo, copies := map[int]*file{}, map[*file]int{}
	for _, s := range h.inOrder() {
		d := w.directory(filepath.Dir(s.path))
		var g *group
		if d != nil {
			g = d.group(filepath.Base(s.path))
		}
		if g == nil {
			g = w.groupOf(s.label)
		}
		if g == nil {
			w.log.Info("a file of the position file belongs to no group any more", "file", s.path, "position", s.place.pos)
			continue
		}
		if info, err := w.src.sys.stat(s.path); err == nil {
			if id := idOf(info, s.path); id.ino == s.id.ino {
				s.id = id // numbers of devices change, and Flume's file has none
			}
		}
		id := s.id
		if s.state == stateMissing || w.byID[id] != nil {
			id = fileID{}
		}
		f := w.newFile(id)
		f.origin = s.id
		w.setPath(f, s.path)
		f.label, f.dir, f.group = s.label, d, g
		f.pos, f.anchor, f.older = s.place.pos, s.place.anchor, s.older
		w.setHead(f, s.place.head)
		if s.state == stateMissing {
			f.missing = time.Unix(s.since, 0)
			continue
		}
		w.unlinked = append(w.unlinked, f)
		if s.state == stateCopy {
			copies[f] = int(s.since)
		}
		byNo[s.no] = f
	}
	for f, no := range copies {
		if t := byNo[no]; t != nil && t != f && w.files[t.no] == t {
			f.setTwin(t)
		} else {
			w.forget(f) // its position says how long it is, not what was read
		}
	}
	w.lastHash(h)
}

// groupOf returns the group that a path matches.
func (w *follower) groupOf(path string) *group {
	d := w.directory(filepath.Dir(path))
	if d == nil {
		return nil
	}
	return d.group(filepath.Base(path))
}

// lastHash remembers which position file there is.
func (w *follower) lastHash(h *history) {
	if len(h.hashes) > 0 {
		w.hash = h.hashes[len(h.hashes)-1]
	}
}

// store writes journal and position file.
type store struct {
	w       *follower
	journal *journal
	changed bool      // since the position file was written
	written time.Time // when that was
	failing string
	entries []entry
	text    []byte
}

// newStore begins a new journal with what the follower has.
func newStore(w *follower) (*store, error) {
	s := &store{w: w, written: w.now, changed: true}
	var err error
	s.journal, err = startJournal(w.src.fs, w.src.positionFile+journalSuffix, s.records())
	return s, err
}

// records is a journal of the present state.
func (s *store) records() []byte {
	var text []byte
	if s.w.hash != "" {
		text = appendHash(text, s.w.hash)
	}
	for _, f := range s.inOrder() {
		text = s.appendHistory(text, f)
	}
	return text
}

// appendHistory appends f, with its earlier positions if it has changed of late.
func (s *store) appendHistory(text []byte, f *file) []byte {
	const late = 10 * time.Minute
	first := f.saved()
	if f.twin != nil || f.older[0].anchor.n == 0 || !f.short && !f.mtime.IsZero() && s.w.now.Sub(f.mtime) > late {
		return appendFile(text, first)
	}
	n := 0
	for n < oldAnchors && f.older[n].anchor.n > 0 {
		n++
	}
	first.place.pos, first.place.anchor = f.older[n-1].pos, f.older[n-1].anchor
	text = appendFile(text, first)
	for i := n - 2; i >= 0; i-- {
		text = appendMove(text, f.no, f.older[i].pos, f.older[i].anchor)
	}
	return appendMove(text, f.no, f.pos, f.anchor)
}

// inOrder returns the files that are worth remembering, by number.
func (s *store) inOrder() []*file {
	all := make([]*file, 0, len(s.w.files))
	for _, f := range s.w.files {
		if f.worth() {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b *file) int { return a.no - b.no })
	return all
}

// worth reports whether f is written to the journal. That a compressed file is none
// of those followed is found out anew at the next start.
func (f *file) worth() bool { return !f.left || f.pos > 0 }

// file enters f as it is.
func (s *store) file(f *file) {
	if !f.worth() {
		return
	}
	s.journal.buf = s.appendHistory(s.journal.buf, f)
	s.changed = true
}

// move enters the position of f.
func (s *store) move(f *file) {
	s.journal.buf = appendMove(s.journal.buf, f.no, f.pos, f.anchor)
	s.changed = true
}

// forget enters that f is no more.
func (s *store) forget(f *file) {
	s.journal.buf = appendForget(s.journal.buf, f.no)
	s.changed = true
}

// flush writes the records so far.
func (s *store) flush() { s.check(s.journal.flush()) }

// due returns when the position file is to be written; the zero time if it is not.
func (s *store) due() time.Time {
	if !s.changed {
		return time.Time{}
	}
	return s.written.Add(s.w.src.cfg.WriteInterval)
}

// checkpoint writes the position file if it is time, or in any case.
func (s *store) checkpoint(now bool) {
	if !s.changed || !now && s.w.now.Before(s.due()) {
		return
	}
	s.written = s.w.now
	if s.check(s.write()) {
		s.changed = false
	}
}

func (s *store) write() error {
	text := s.positions()
	hash := hashOf(text)
	if hash != s.w.hash {
		s.journal.buf = appendHash(s.journal.buf, hash)
	}
	if err := s.journal.flush(); err != nil {
		return err
	}
	if err := s.journal.sync(); err != nil {
		s.journal.broken = true
		return err
	}
	if hash != s.w.hash {
		if err := vfs.ReplaceFile(s.w.src.fs, s.w.src.positionFile, text, 0o644); err != nil {
			return fmt.Errorf("writing the position file: %w", err)
		}
		s.w.hash = hash
	}
	if s.journal.grown() {
		return s.journal.rewrite(s.records())
	}
	return nil
}

// positions is the text of the position file: the files that match at present.
func (s *store) positions() []byte {
	s.entries = s.entries[:0]
	for _, f := range s.w.files {
		if !f.linked || f.left && f.pos == 0 {
			continue
		}
		e := entry{inode: f.id.ino, pos: f.pos, path: f.path}
		if f.twin != nil || f.packing != plain || f.short {
			e.pos = f.size // for Apache Flume, which would read it as it is
		}
		s.entries = append(s.entries, e)
	}
	slices.SortFunc(s.entries, func(a, b entry) int {
		if a.path < b.path {
			return -1
		}
		return 1
	})
	s.text = appendPositions(s.text[:0], s.entries)
	return s.text
}

// check logs a failure to store positions, once, and its end.
func (s *store) check(err error) bool {
	if err == nil {
		if s.failing != "" {
			s.failing = ""
			s.w.log.Info("positions can be stored again", "positionFile", s.w.src.positionFile)
		}
		return true
	}
	s.w.src.count.otherFail.Add(1)
	if text := err.Error(); s.failing != text {
		s.failing = text
		s.w.log.Error("positions cannot be stored; if the agent ends now, events will come again. Make room, or correct the permissions of the directory",
			"positionFile", s.w.src.positionFile, "error", err)
	}
	return false
}

func (s *store) close() error { return s.journal.close() }
