package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// cache runs setup.sh once and returns the folder that it fills.
var cache = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(root, "e2e", "setup.sh"))
	cmd.Stderr = os.Stderr
	if err := StartChild(cmd); err != nil {
		return "", err
	}
	if err := WaitChild(cmd); err != nil {
		return "", fmt.Errorf("running e2e/setup.sh: %w", err)
	}
	return cacheDir()
})

// binary builds our agent once and returns the path of the executable. Main removes it.
var binary = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, err := scratch()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "flume")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/flume")
	cmd.Dir = root
	if out, err := RunChild(cmd); err != nil {
		return "", fmt.Errorf("building ./cmd/flume: %w\n%s", err, out)
	}
	return path, nil
})

// scratch is a folder that lives as long as the test binary runs.
var scratch = sync.OnceValues(func() (string, error) {
	return os.MkdirTemp("", "flume-e2e-")
})

// Main runs the tests and removes what the package made for all of them. TestMain calls it.
func Main(m *testing.M) int {
	code := m.Run()
	dir, err := scratch()
	if err == nil {
		err = os.RemoveAll(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "removing the e2e scratch folder:", err)
		return 1
	}
	return code
}

// cacheDir returns the folder that setup.sh uses, by the same rule.
func cacheDir() (string, error) {
	if dir := os.Getenv("FLUME_E2E_CACHE"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding the e2e cache: %w", err)
	}
	return filepath.Join(home, ".cache", "flume-e2e"), nil
}

// moduleRoot returns the folder of go.mod: the nearest one at or above the test's working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the module: no go.mod at or above the working directory")
		}
		dir = parent
	}
}
