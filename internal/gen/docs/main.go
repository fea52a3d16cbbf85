// Docs is the second step of the generator: it fills the property tables in the
// components' README files and writes docs/reference. It is run by internal/gen,
// once all/all.go is up to date.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/flume-go/flume/all"
	"github.com/flume-go/flume/internal/gen/reference"
	"github.com/flume-go/flume/internal/gen/tree"
)

func main() {
	root, err := tree.Root(".")
	if err == nil {
		err = generate(root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func generate(root string) error {
	all, err := reference.Components(root)
	if err != nil {
		return err
	}
	if err := fill(root, all); err != nil {
		return err
	}
	pages, err := reference.Pages(all)
	if err != nil {
		return err
	}
	for name, text := range pages {
		if err := tree.Write(filepath.Join(root, reference.Dir, name), text); err != nil {
			return err
		}
	}
	return removeStale(filepath.Join(root, reference.Dir), pages)
}

// fill brings the README files up to date, on disk and in all. It fills what it
// can, so that one unfinished text does not hold up the others.
func fill(root string, all []reference.Component) error {
	var failed []error
	for i := range all {
		c := &all[i]
		text, err := reference.Fill(c.Readme, reference.Entries(all, c.Folder))
		if err != nil {
			failed = append(failed, fmt.Errorf("filling the property table of %s/README.md: %w", c.Folder, err))
			continue
		}
		c.Readme = text
		if err := tree.Write(filepath.Join(root, c.Folder, "README.md"), []byte(text)); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// removeStale removes generated pages of types that are gone.
func removeStale(dir string, pages map[string][]byte) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("looking for stale pages: %w", err)
	}
	for _, f := range files {
		if _, current := pages[f.Name()]; current || f.IsDir() {
			continue
		}
		name := filepath.Join(dir, f.Name())
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("looking for stale pages: %w", err)
		}
		if !strings.HasPrefix(string(text), reference.Mark) {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a stale page: %w", err)
		}
	}
	return nil
}
