package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/property"
)

// storeBackup keeps resolved properties for a start without their sources. They
// may hold passwords: only the owner can read them. They replace the last ones
// in one step.
func (l *Loader) storeBackup(props *Properties) property.Problems {
	path := l.backupPath()
	if path == "" {
		return nil
	}
	if err := writeBackup(path, props); err != nil {
		return property.Problems{{
			Severity: property.Warning,
			At:       property.Position{File: path},
			What:     fmt.Sprintf("the backup of the configuration cannot be written: %v", err),
			Remedy:   "make the directory given with -b writable",
		}}
	}
	return nil
}

func writeBackup(path string, props *Properties) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("creating backup directory: %w", err)
	}
	file, err := os.CreateTemp(dir, filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("creating backup: %w", err)
	}
	err = fillBackup(file, props)
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing backup: %w", err), os.Remove(file.Name()))
	}
	return nil
}

// fillBackup writes the properties, syncs and closes file.
func fillBackup(file *os.File, props *Properties) error {
	w := bufio.NewWriter(file)
	fmt.Fprintf(w, "# Resolved configuration as of %s. Used when its sources cannot be read.\n", time.Now().Format(time.RFC3339))
	for key, v := range props.All() {
		fmt.Fprintln(w, property.Escape(key, v.Text))
	}
	err := w.Flush() // has the errors of all that was written
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// fromBackup returns the backup in place of the configuration that failed to
// load with cause, or cause itself if there is none.
func (l *Loader) fromBackup(cause error) (Result, error) {
	path := l.backupPath()
	if path == "" {
		return Result{}, cause
	}
	data, _, err := newFileSource(path, path).Fetch(context.Background())
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			cause = errors.Join(cause, err)
		}
		return Result{}, cause
	}
	m := merger{defs: make(map[string]*definition), problems: append(property.Problems(nil), l.remarks...)}
	m.add(path, data)
	props := m.tidy() // substituted when it was stored
	if props.Len() == 0 {
		return Result{}, cause
	}
	m.problems = append(m.problems, property.Problem{
		Severity: property.Warning,
		At:       property.Position{File: path},
		What:     fmt.Sprintf("the backup of an earlier load is used, because: %v", cause),
		Remedy:   "make the configuration readable again; it is then loaded by itself",
	})
	m.problems.Sort()
	return Result{Properties: props, Problems: m.problems, Backup: true}, nil
}
