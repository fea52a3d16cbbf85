package taildir

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// complain logs a problem of something, once until it is another or is over.
func (w *follower) complain(path string, err error, remedy string) {
	text := err.Error()
	if w.complaints[path] == text {
		return
	}
	w.remember(path, text)
	w.src.count.readFail.Add(1)
	w.log.Warn("a file cannot be followed; "+remedy, "file", path, "error", err)
}

// await takes note of a link to nowhere: it is no fault, and its target may come.
func (w *follower) await(path string) { w.remember(path, "") }

func (w *follower) remember(path, text string) {
	if _, ok := w.complaints[path]; !ok && len(w.complaints) >= mostComplaints {
		clear(w.complaints)
	}
	w.complaints[path] = text
}

// mostComplaints bounds what is remembered of files that cannot be followed.
const mostComplaints = 10_000

// recovered takes back a complaint.
func (w *follower) recovered(path string) {
	text, ok := w.complaints[path]
	delete(w.complaints, path)
	if ok && text != "" {
		w.log.Info("a file can be followed again", "file", path)
	}
}

// tryAgain looks at what could not be followed. A change of permissions, or the
// target of a link, does not show in the directory.
func (w *follower) tryAgain() {
	if len(w.complaints) == 0 {
		return
	}
	if w.now.Before(w.nextTry) {
		w.wake(w.nextTry)
		return
	}
	w.nextTry = w.onGrid(w.now.Add(w.src.cfg.PollMax))
	w.wake(w.nextTry)
	for path := range w.complaints {
		d, name := w.directory(filepath.Dir(path)), filepath.Base(path)
		if d == nil || d.names[name] != nil {
			continue // it is followed, and looked at as such
		}
		if _, err := w.src.sys.lstat(path); errors.Is(err, fs.ErrNotExist) {
			delete(w.complaints, path)
			continue
		}
		if g := d.group(name); g != nil {
			w.foundName(d, name, g, w.now) // no notification is missed
		}
	}
}
