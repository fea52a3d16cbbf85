package spooldir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

const (
	trackerName   = ".flumespool-main.meta"
	lockSuffix    = ".lock"
	damagedSuffix = ".damaged"

	// A position file that has grown to this is begun anew.
	mostPositions = 256 << 10
	// Directories whose changes wait to be synced together.
	mostDirs = 64
)

// place is a directory.
type place struct {
	fs  vfs.FS
	dir string
}

// position is the position file, and what else waits to be synced: names that were changed. Each change is in the hands of the system at
// once, so that it survives the end of the process; what a power cut may undo is synced every interval.
type position struct {
	fs       vfs.FS
	dir      string
	interval time.Duration

	lock   io.Closer
	file   vfs.File // nil until something of the present file is written
	marker [syncSize]byte
	size   int64
	buf    []byte
	dirty  bool               // the file has positions that are not synced
	dirs   map[place]struct{} // with names that are not synced
	synced time.Time          // the last time
	kept   bool               // a position of the present file was synced
}

func (p *position) path() string { return filepath.Join(p.dir, trackerName) }

// openPosition makes the tracker directory and keeps others from it.
func openPosition(s *source) (*position, error) {
	p := &position{fs: s.fs, dir: s.cfg.tracker(), interval: s.cfg.SyncInterval, dirs: map[place]struct{}{}, synced: time.Now()}
	if err := vfs.MkdirAllSync(p.fs, p.dir, 0o755); err != nil {
		return nil, fmt.Errorf("property trackerDir: %w", err)
	}
	var err error
	p.lock, err = p.fs.Lock(p.path() + lockSuffix)
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("the tracker directory %s is in use by another source or agent (property trackerDir): %w", p.dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("property trackerDir: %w", err)
	}
	return p, nil
}

// load reads the position file. It returns nil if there is none, and the path of the copy that is kept of one that cannot be read.
func (p *position) load() (s *saved, damaged string, err error) {
	info, err := p.fs.Stat(p.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading the position file: %w", err)
	}
	if info.Size() == 0 { // as Flume leaves it when it is killed
		return nil, "", p.forget()
	}
	why := errForeign
	if info.Size() <= mostTracker {
		data, err := vfs.ReadFile(p.fs, p.path())
		if err != nil {
			return nil, "", fmt.Errorf("reading the position file: %w", err)
		}
		if s, why = parseTracker(data); why == nil {
			return s, "", nil
		}
	}
	aside := p.path() + damagedSuffix
	if err := p.fs.Rename(p.path(), aside); err != nil {
		return nil, "", fmt.Errorf("keeping the damaged position file: %w", err)
	}
	p.changed(p.fs, p.dir)
	return nil, aside, why
}

// move writes that the file of s is handed on up to its place.
func (p *position) move(s *saved) error {
	if p.file == nil || p.size > mostPositions {
		if err := p.begin(s); err != nil {
			return err
		}
		return p.syncIfDue()
	}
	p.buf = appendPosition(p.buf[:0], s.at, p.marker)
	n, err := p.file.Write(p.buf)
	p.size += int64(n)
	if err != nil {
		// A part of it may be there, and what follows that would not be found.
		return fmt.Errorf("writing the position: %w", errors.Join(err, p.drop()))
	}
	p.dirty = true
	return p.syncIfDue()
}

// begin writes a new position file and puts it into the place of the old one.
func (p *position) begin(s *saved) error {
	if err := p.drop(); err != nil {
		return err
	}
	_, _ = rand.Read(p.marker[:]) // never fails: it ends the program instead
	p.buf = appendTracker(p.buf[:0], s, p.marker)
	tmp := p.path() + vfs.ReplaceSuffix
	f, err := p.fs.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("writing the position file: %w", err)
	}
	_, err = f.Write(p.buf)
	if err == nil && (p.kept || p.interval == 0) {
		// The old one may be on disk: the new one must be before it takes its place.
		err = vfs.SyncData(f)
	}
	if err == nil {
		err = p.fs.Rename(tmp, p.path())
	}
	if err != nil {
		return fmt.Errorf("writing the position file: %w", errors.Join(err, f.Close()))
	}
	p.file, p.size, p.dirty = f, int64(len(p.buf)), true
	p.changed(p.fs, p.dir)
	return nil
}

// drop closes the position file. The next position goes to a new one.
func (p *position) drop() error {
	if p.file == nil {
		return nil
	}
	f := p.file
	p.file, p.dirty = nil, false
	if err := f.Close(); err != nil {
		return fmt.Errorf("closing the position file: %w", err)
	}
	return nil
}

// forget removes the position file: its file is done with.
func (p *position) forget() error {
	if err := p.drop(); err != nil {
		return err
	}
	p.kept = false
	err := p.fs.Remove(p.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing the position file: %w", err)
	}
	p.changed(p.fs, p.dir)
	return nil
}

// changed says that a name in dir was changed.
func (p *position) changed(fsys vfs.FS, dir string) { p.dirs[place{fsys, dir}] = struct{}{} }

// settle syncs what was changed when a file is done with. If nothing of that file was synced before, it may wait for the others.
func (p *position) settle() error {
	if p.kept {
		return p.sync()
	}
	return p.syncIfDue()
}

func (p *position) syncIfDue() error {
	if p.interval > 0 && len(p.dirs) < mostDirs && time.Since(p.synced) < p.interval {
		return nil
	}
	return p.sync()
}

// sync makes all changes durable.
func (p *position) sync() error {
	if p.dirty {
		if err := vfs.SyncData(p.file); err != nil {
			// What did not reach the disk may never: begin anew.
			return fmt.Errorf("syncing the position file: %w", errors.Join(err, p.drop()))
		}
		p.dirty, p.kept = false, true
	}
	for at := range p.dirs {
		if err := at.fs.SyncDir(at.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("syncing the directory %s: %w", at.dir, err)
		}
		delete(p.dirs, at)
	}
	p.synced = time.Now()
	return nil
}

// close syncs and lets others have the directory.
func (p *position) close() error {
	return errors.Join(p.sync(), p.drop(), p.lock.Close())
}
