// Gen writes what derives from the components: all/all.go, the property tables
// in their README files, and docs/reference.
//
// It works in two steps. The first reads source text, so that a component is
// found before anything imports it, and writes all/all.go. The second
// (internal/gen/docs) is a program that imports all, and so knows every
// component's schema.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/flume-go/flume/internal/gen/tree"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := tree.Root(".")
	if err != nil {
		return err
	}
	folders, err := tree.Components(root)
	if err != nil {
		return err
	}
	all, err := tree.AllFile(folders)
	if err != nil {
		return err
	}
	if err := tree.Write(filepath.Join(root, "all", "all.go"), all); err != nil {
		return err
	}
	docs := exec.Command("go", "run", "./internal/gen/docs") //nolint:noctx // it ends by itself, and with this program
	docs.Dir, docs.Stdout, docs.Stderr = root, os.Stdout, os.Stderr
	if err := docs.Run(); err != nil {
		return fmt.Errorf("generating the documentation: %w", err)
	}
	return nil
}
