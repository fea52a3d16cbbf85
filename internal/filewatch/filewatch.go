// Package filewatch tells sources that follow files when something in a directory
// may have changed, so that they need not look all the time.
//
// What it tells is a hint. Queues overflow, network file systems tell nothing of
// what other hosts do, and a directory that is renamed takes its watch along:
// whoever uses a Watcher polls as well, just less often.
package filewatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Change is a name in a watched directory that something happened to.
type Change struct {
	// Path is the directory, as it was given to Add, with the name behind it.
	Path string
	// Entry says that the name came, went or was renamed; otherwise the content
	// of the file has changed.
	Entry bool
}

// Watcher collects changes. Its methods are for one goroutine.
//
// Changes are only taken from the system while somebody waits or asks for them.
// A source that is busy reading is spared the work: the system merges or drops
// what it has no room for, and Drain then says that changes were lost.
type Watcher struct {
	w     *fsnotify.Watcher
	first []fsnotify.Event // what ended the last Wait
	lost  bool
}

// pending is the number of changes held for the next Drain, on top of those that
// the system holds.
const pending = 1024

// New returns a Watcher of no directory. The caller closes it.
func New() (*Watcher, error) {
	w, err := fsnotify.NewBufferedWatcher(pending)
	if err != nil {
		return nil, fmt.Errorf("asking for change notifications: %w", err)
	}
	return &Watcher{w: w}, nil
}

// Add watches a directory, not what is below it. Adding it again renews the
// watch, which is needed when another directory has taken its name.
func (w *Watcher) Add(dir string) error {
	if err := w.w.Add(dir); err != nil {
		return fmt.Errorf("watching directory %s: %w", dir, err)
	}
	return nil
}

// Remove ends the watch of a directory; one that is not watched is left alone.
func (w *Watcher) Remove(dir string) {
	_ = w.w.Remove(dir) // it may have ended by itself, with the directory
}

// Wait returns after a change, after d, or when ctx ends. It reports whether
// there is something for Drain.
func (w *Watcher) Wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case e, ok := <-w.w.Events:
		if ok {
			w.first = append(w.first, e)
		}
		return ok
	case err, ok := <-w.w.Errors:
		w.failed(err, ok)
		return ok
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// Drain calls each for every change so far and returns at once. lost says that
// there were more, which are not known: anything may have changed.
func (w *Watcher) Drain(each func(Change)) (lost bool) {
	for _, e := range w.first {
		report(e, each)
	}
	w.first = w.first[:0]
	for range pending {
		select {
		case e, ok := <-w.w.Events:
			if !ok {
				return w.takeLost()
			}
			report(e, each)
		case err, ok := <-w.w.Errors:
			if !ok {
				return w.takeLost()
			}
			w.failed(err, ok)
		default:
			return w.takeLost()
		}
	}
	return w.takeLost()
}

// failed takes note of an error of the system: whatever it is, changes that came
// with it are not known.
func (w *Watcher) failed(err error, ok bool) {
	if ok && err != nil {
		w.lost = true
	}
}

func (w *Watcher) takeLost() bool {
	lost := w.lost
	w.lost = false
	return lost
}

func report(e fsnotify.Event, each func(Change)) {
	switch {
	case e.Has(fsnotify.Create), e.Has(fsnotify.Remove), e.Has(fsnotify.Rename):
		each(Change{Path: e.Name, Entry: true})
	case e.Has(fsnotify.Write):
		each(Change{Path: e.Name})
	}
}

// Close ends all watches. It may be called twice.
func (w *Watcher) Close() error {
	if err := w.w.Close(); err != nil && !errors.Is(err, fsnotify.ErrClosed) {
		return fmt.Errorf("ending change notifications: %w", err)
	}
	return nil
}
