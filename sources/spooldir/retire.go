package spooldir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/flume-go/flume/internal/vfs"
)

// retire takes a file that was handed on out of the way. An error is not the file's fault.
func (r *reader) retire(w *job) error {
	err := w.in.replaced()
	var changed *changedError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.s.log.Warn("a file was removed by somebody else when it was handed on", "file", w.in.path)
		return r.finished(w)
	case errors.As(err, &changed):
		r.s.count.readFail.Add(1)
		return r.setAside(w, err)
	case err != nil:
		return fmt.Errorf("looking whether %s has changed: %w", w.in.path, err)
	}
	switch {
	case r.s.cfg.DeletePolicy == immediate:
		err = r.remove(w)
	case r.s.cfg.notes():
		err = r.note(w.in.rel, r.s.cfg.FileSuffix)
	default:
		err = r.rename(w)
	}
	if errors.As(err, &changed) {
		r.s.count.readFail.Add(1)
		return r.setAside(w, err)
	}
	if err != nil {
		return err
	}
	return r.finished(w)
}

// finished forgets the position of a file that is out of the way.
func (r *reader) finished(w *job) error {
	r.s.count.done.Add(1)
	r.s.log.Debug("a file was handed on", "file", w.in.path, "bytes", w.in.size)
	return r.forget()
}

// forget removes the position file, after what makes it superfluous is as safe as the position was.
func (r *reader) forget() error {
	r.save(r.pos.settle())
	return r.pos.forget()
}

func (r *reader) remove(w *job) error {
	if err := r.s.files.Remove(w.in.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("deleting a file that was handed on: %w; correct the permissions of the directory", err)
	}
	r.pos.changed(r.s.files, filepath.Dir(w.in.path))
	return nil
}

// note makes the empty file that says that a file is done with.
func (r *reader) note(rel, suffix string) error {
	name := filepath.Join(r.pos.dir, filepath.FromSlash(rel)) + suffix
	dir := filepath.Dir(name)
	if err := vfs.MkdirAllSync(r.s.fs, dir, 0o755); err != nil {
		return fmt.Errorf("noting that a file is done with: %w", err)
	}
	f, err := r.s.fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		r.s.count.otherFail.Add(1)
		r.s.log.Error("a file was handed on that somebody else has noted as done with meanwhile: are there two agents on one directory?", "file", r.s.pathOf(rel), "note", name)
		return nil
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("noting that a file is done with: %w; correct the permissions of the directory", err)
	}
	r.pos.changed(r.s.fs, dir)
	return nil
}

func (r *reader) rename(w *job) error {
	to := w.in.path + r.s.cfg.FileSuffix
	info, err := r.s.files.Stat(to)
	switch {
	case err == nil:
		if !info.Mode().IsRegular() || !r.same(w.in.path, to) {
			return &changedError{fmt.Sprintf("the name was used before: %s is there, with other content", to)}
		}
		r.s.log.Warn("a file was handed on twice: it came again under a name that was done with, with the same content", "file", w.in.path)
		return r.remove(w)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("renaming a file that was handed on: %w", err)
	}
	if err := r.s.files.Rename(w.in.path, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("renaming a file that was handed on: %w; correct the permissions of the directory", err)
	}
	r.pos.changed(r.s.files, filepath.Dir(w.in.path))
	return nil
}

// same reports whether two files have the same content.
func (r *reader) same(a, b string) bool {
	f, err := r.s.files.OpenFile(a, os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	g, err := r.s.files.OpenFile(b, os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer g.Close()
	var p, q [32 << 10]byte
	for {
		n, err1 := io.ReadFull(f, p[:])
		m, err2 := io.ReadFull(g, q[:])
		if !bytes.Equal(p[:n], q[:m]) {
			return false
		}
		if err1 != nil || err2 != nil {
			return ended(err1) && ended(err2)
		}
	}
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// setAside gives a file that cannot be handed on, or not further, a name that says so.
func (r *reader) setAside(w *job, why error) error {
	r.s.count.aside.Add(1)
	as, err := r.asideOf(w)
	if err != nil {
		w.keep()
		return fmt.Errorf("setting %s aside (%w): %w", w.in.path, why, err)
	}
	r.s.log.Error("a file is set aside; the others are read on", "file", w.in.path, "error", why, "as", as,
		"handed on up to", w.state.at.offset, "size", w.in.size)
	return r.forget()
}

// asideOf sets a file aside and returns what it is called now, or where that is noted.
func (r *reader) asideOf(w *job) (string, error) {
	if r.s.cfg.notes() {
		return filepath.Join(r.pos.dir, w.in.rel) + r.s.cfg.FailedSuffix, r.note(w.in.rel, r.s.cfg.FailedSuffix)
	}
	for i := 1; ; i++ {
		to := w.in.path
		if i > 1 {
			to += "." + strconv.Itoa(i)
		}
		to += r.s.cfg.FailedSuffix
		if _, err := r.s.files.Stat(to); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err := r.s.files.Rename(w.in.path, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		r.pos.changed(r.s.files, filepath.Dir(w.in.path))
		return to, nil
	}
}
