package reference

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/gen/tree"
)

// Folder returns the folder of a type, relative to the root, with slashes.
func Folder(e *component.Entry) (string, error) {
	folder, ok := strings.CutPrefix(e.Package(), tree.Module+"/")
	if !ok {
		return "", fmt.Errorf("the Config of %s %s is declared in %q, not in a folder of this module", e.Kind, e.Info.Type, e.Package())
	}
	return folder, nil
}

// Components returns every registered type with the files of its folder below
// root, in the order of the flow.
func Components(root string) ([]Component, error) {
	var all []Component
	for _, k := range component.Kinds {
		for _, e := range component.All(k) {
			folder, err := Folder(e)
			if err != nil {
				return nil, err
			}
			c := Component{Entry: e, Folder: folder}
			readme, err := os.ReadFile(filepath.Join(root, folder, "README.md"))
			if err != nil {
				return nil, fmt.Errorf("reading the text of %s %s: %w", k, e.Info.Type, err)
			}
			c.Readme = string(readme)
			example, err := os.ReadFile(filepath.Join(root, folder, "example.conf"))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("reading the example of %s %s: %w", k, e.Info.Type, err)
			}
			c.Example = string(example)
			all = append(all, c)
		}
	}
	return all, nil
}

// Entries returns the types that a folder registers.
func Entries(all []Component, folder string) []*component.Entry {
	var out []*component.Entry
	for _, c := range all {
		if c.Folder == folder {
			out = append(out, c.Entry)
		}
	}
	return out
}

// Pages returns the files of Dir by name.
func Pages(all []Component) (map[string][]byte, error) {
	pages := map[string][]byte{"README.md": []byte(Index(all))}
	common, err := Common()
	if err != nil {
		return nil, err
	}
	pages["common.md"] = []byte(common)
	if pages["schema.json"], err = Schema(all); err != nil {
		return nil, err
	}
	for _, c := range all {
		pages[PageName(c.Entry)] = []byte(Page(c))
	}
	return pages, nil
}
