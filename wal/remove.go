package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/flume-go/flume/internal/vfs"
)

// Remove deletes a log that nobody has open, with all events in it; copies of damaged records stay. It may be
// repeated after an error or a crash: what is left must not be opened before. Of opts only the places are used.
func Remove(opts Options) error {
	opts, err := opts.withDefaults()
	if err != nil {
		return err
	}
	remove := func(dir, name string) error {
		if err := opts.FS.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the log: %w", err)
		}
		return nil
	}
	for _, dir := range opts.Dirs {
		entries, err := opts.FS.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the log: %w", err)
		}
		for _, e := range entries {
			if _, ok := slotOf(e.Name()); ok {
				if err := remove(dir, e.Name()); err != nil {
					return err
				}
			}
		}
		if err := opts.FS.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the log: %w", err)
		}
	}
	for _, name := range []string{checkpointName, checkpointName + vfs.ReplaceSuffix, reserveName} {
		if err := remove(opts.CheckpointDir, name); err != nil {
			return err
		}
	}
	if err := opts.FS.SyncDir(opts.CheckpointDir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the log: %w", err)
	}
	return nil
}
