package componenttest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	_ "github.com/flume-go/flume/all"
	"github.com/flume-go/flume/conform/componenttest"
	"github.com/flume-go/flume/internal/gen/reference"
	"github.com/flume-go/flume/internal/gen/tree"
)

func TestComponents(t *testing.T) { componenttest.Run(t, root(t)) }

// TestGenerated holds what the generator writes besides the README files.
func TestGenerated(t *testing.T) {
	root := root(t)
	folders, err := tree.Components(root)
	if err != nil {
		t.Fatal(err)
	}
	all, err := tree.AllFile(folders)
	if err != nil {
		t.Fatal(err)
	}
	current(t, filepath.Join(root, "all", "all.go"), all)

	components, err := reference.Components(root)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := reference.Pages(components)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range pages {
		current(t, filepath.Join(root, reference.Dir, name), want)
	}
}

func current(t *testing.T, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil {
		t.Errorf("run make generate: %v", err)
		return
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not current, run make generate (-want +got):\n%s", name, diff)
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := tree.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
