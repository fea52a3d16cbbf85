package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flume-go/flume/property"
)

// SystemOptsFile is the options file of the machine.
const SystemOptsFile = "/etc/flume/flume.opts"

// ReadOptsFile reads the options file: /etc/flume/flume.opts, else flume.opts in
// confDir. It returns arguments to put before those of the command line, which
// then win, and the file's path ("" if there is none). Keys are option names
// without dashes.
func ReadOptsFile(system, confDir string) (args []string, path string, err error) {
	for _, path = range []string{system, filepath.Join(confDir, "flume.opts")} {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, path, fmt.Errorf("reading options file: %w", err)
		}
		args, err := parseOpts(path, data)
		return args, path, err
	}
	return nil, "", nil
}

func parseOpts(path string, data []byte) ([]string, error) {
	entries, problems := property.Read(path, data)
	if problems.HasErrors() {
		return nil, problems
	}
	last := map[string]int{}
	for i, e := range entries {
		last[e.Key] = i // each key counts once, as in Flume: the last
	}
	var args []string
	for i, e := range entries {
		if last[e.Key] != i {
			continue
		}
		o, err := match(e.Key, false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Value.Key, err)
		}
		if o == nil {
			return nil, fmt.Errorf("%s: %q is not an option", e.Value.Key, e.Key)
		}
		value := strings.TrimSpace(e.Value.Text)
		switch {
		case o.Value:
			args = append(args, "--"+o.Name+"="+value)
		case value == "" || strings.EqualFold(value, "true"):
			args = append(args, "--"+o.Name)
		}
	}
	return args, nil
}
