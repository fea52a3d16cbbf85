package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Site is the surroundings of one agent: the ports and folders that its configuration names. Each run of
// a test has its own, so the same configuration text can run on several systems at once.
type Site struct {
	t     testing.TB
	root  string
	ports map[string]int
}

// NewSite makes an empty site below the test's temporary folder.
func NewSite(t testing.TB) *Site {
	t.Helper()
	return &Site{t: t, root: t.TempDir(), ports: make(map[string]int)}
}

// Port returns the port with this name and picks a free one the first time.
func (s *Site) Port(name string) int {
	s.t.Helper()
	if _, ok := s.ports[name]; !ok {
		s.ports[name] = FreePort(s.t)
	}
	return s.ports[name]
}

// Addr returns the loopback address of the port with this name.
func (s *Site) Addr(name string) string {
	return fmt.Sprintf("127.0.0.1:%d", s.Port(name))
}

// Dir returns the folder with this name and makes it the first time.
func (s *Site) Dir(name string) string {
	s.t.Helper()
	dir := s.Path(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	return dir
}

// Path returns a path below the site without making anything.
func (s *Site) Path(name string) string { return filepath.Join(s.root, name) }

var placeholder = regexp.MustCompile(`<(port|dir|path) ([a-z0-9.-]+)>`)

// Expand replaces <port x>, <dir x> and <path x> in a configuration.
func (s *Site) Expand(conf string) string {
	s.t.Helper()
	return placeholder.ReplaceAllStringFunc(conf, func(match string) string {
		parts := placeholder.FindStringSubmatch(match)
		switch parts[1] {
		case "port":
			return strconv.Itoa(s.Port(parts[2]))
		case "dir":
			return s.Dir(parts[2])
		default:
			return s.Path(parts[2])
		}
	})
}

// WriteFile writes a file or fails the test.
func WriteFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// ReadFiles returns the contents of the files of a folder one after the other, in the order of their
// names. A file that goes away meanwhile counts as empty.
func ReadFiles(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}
