package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/flume-go/flume/internal/vfs"
)

// Remove deletes a log with all events in it. Nobody may have it open, or the error wraps [vfs.ErrLocked] and nothing is
// deleted. Copies of damaged records stay, and so do the lock files, on which others may wait. It may be repeated after an
// error or a crash; what is left must not be opened before. Of opts only the places are used.
func Remove(opts Options) error {
	opts, err := opts.withDefaults()
	if err != nil {
		return fmt.Errorf("removing a log: %w", err)
	}
	l := newLog(opts)
	if err := errors.Join(l.remove(), l.release()); err != nil {
		return fmt.Errorf("removing the log in %s: %w", opts.CheckpointDir, err)
	}
	return nil
}

// remove locks the directories that there are and deletes the files of the log in them: the checkpoint last, so that an
// opening that ought not to be finds segments missing.
func (l *Log) remove() error {
	there := make(map[string]bool)
	for _, dir := range l.opts.directories() {
		_, err := l.opts.FS.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = l.lockDirectory(dir)
		}
		if err != nil {
			return err
		}
		there[filepath.Clean(dir)] = true
	}
	for _, dir := range l.opts.Dirs {
		if !there[filepath.Clean(dir)] {
			continue
		}
		if err := l.removeFrom(dir, isSegment); err != nil {
			return err
		}
	}
	if !there[filepath.Clean(l.opts.CheckpointDir)] {
		return nil
	}
	return l.removeFrom(l.opts.CheckpointDir, isCheckpoint)
}

// removeFrom deletes the files of a directory whose names match, durably.
func (l *Log) removeFrom(dir string, match func(name string) bool) error {
	entries, err := l.opts.FS.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !match(e.Name()) {
			continue
		}
		if err := l.opts.FS.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return l.opts.FS.SyncDir(dir)
}

func isSegment(name string) bool {
	_, ok := slotOf(name)
	return ok
}

func isCheckpoint(name string) bool {
	return name == checkpointName || name == checkpointName+vfs.ReplaceSuffix || name == reserveName
}
