package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ReplaceSuffix ends the name of the temporary file that [ReplaceFile] writes beside its
// target. One that is found at start was left by a crash; the next ReplaceFile reuses it.
const ReplaceSuffix = ".tmp"

// ReadFile returns the content of a file.
func ReadFile(fsys FS, name string) (data []byte, err error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(f)
}

// ReplaceFile gives a file new content so that, whenever the power fails, it holds all of
// the old content or all of the new. nil means that the new content is durable; after an
// error either may be. Calls for one name must not run at the same time.
func ReplaceFile(fsys FS, name string, data []byte, perm fs.FileMode) error {
	tmp := name + ReplaceSuffix
	if err := writeSynced(fsys, tmp, data, perm); err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	if err := fsys.Rename(tmp, name); err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	if err := fsys.SyncDir(filepath.Dir(name)); err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	return nil
}

// writeSynced writes a whole file and syncs it; its name is not durable yet.
func writeSynced(fsys FS, name string, data []byte, perm fs.FileMode) error {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// MkdirAllSync creates a directory and its missing parents, each durable before the next is
// made. It is safe to repeat after a crash at any point.
//
// The deepest directory that exists is synced as well, since an earlier run may have been
// killed between making and syncing it. If this process may not open that one's parent, then
// somebody else made it and the sync is left to them.
func MkdirAllSync(fsys FS, dir string, perm fs.FileMode) error {
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	_, err := fsys.Stat(dir)
	switch {
	case err == nil:
		// MkdirAll reports a file that is in the way.
		if err := fsys.MkdirAll(dir, perm); err != nil {
			return fmt.Errorf("creating directory %s: %w", dir, err)
		}
		if err := fsys.SyncDir(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("syncing the parent of directory %s: %w", dir, err)
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist) || parent == dir:
		return fmt.Errorf("creating directory %s: %w", dir, err)
	}
	if err := MkdirAllSync(fsys, parent, perm); err != nil {
		return err
	}
	if err := fsys.MkdirAll(dir, perm); err != nil {
		return fmt.Errorf("creating directory %s: %w", dir, err)
	}
	if err := fsys.SyncDir(parent); err != nil {
		return fmt.Errorf("syncing the parent of directory %s: %w", dir, err)
	}
	return nil
}
