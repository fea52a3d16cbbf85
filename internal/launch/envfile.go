package launch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// EnvFile is the name of the script in the configuration directory that Flume's
// launcher sources before it starts.
const EnvFile = "flume-env.sh"

// unexported are the variables that the launcher uses from the script whether it
// exports them or not.
var unexported = []string{"JAVA_OPTS", "FLUME_JAVA_OPTS", "FLUME_CLASSPATH"}

// envTimeout bounds the script: a launcher that hangs starts nothing.
const envTimeout = 30 * time.Second

// ReadEnvFile runs flume-env.sh of dir in a shell, as the launcher does, and
// returns the variables that it leaves: those it exports and the few that the
// launcher reads anyway. found is false when there is no such file.
func ReadEnvFile(ctx context.Context, dir string) (vars map[string]string, found bool, err error) {
	path := filepath.Join(dir, EnvFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, true, fmt.Errorf("reading %s: %w", path, err)
	}
	shell, err := exec.LookPath("bash")
	if err != nil {
		if shell, err = exec.LookPath("sh"); err != nil {
			return nil, true, fmt.Errorf("reading %s: it is a shell script and there is no shell", path)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, envTimeout)
	defer cancel()
	// A shell goes on after a file that it cannot parse, with half of it done: that
	// is looked for first. The script may print; what it leaves comes after a
	// mark, variable by variable with zero bytes between.
	script := `"$0" -n "$1" || exit; . "$1" >&2; printf 'FLUME-ENV\0'; for v in ` + strings.Join(unexported, " ") + `; do eval "printf '%s=%s\0' $v \"\${$v}\""; done; env -0`
	cmd := exec.CommandContext(ctx, shell, "-c", script, shell, abs)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, true, fmt.Errorf("running %s: %w: %s", path, err, words(&stderr))
	}
	_, dump, ok := bytes.Cut(out, []byte("FLUME-ENV\x00"))
	if !ok {
		return nil, true, fmt.Errorf("running %s: the script ended the shell: %s", path, words(&stderr))
	}
	vars = map[string]string{}
	for pair := range strings.SplitSeq(string(dump), "\x00") {
		if k, v, ok := strings.Cut(pair, "="); ok && (v != "" || vars[k] == "") {
			vars[k] = v
		}
	}
	return vars, true, nil
}

// words is what a script that failed says of it: its first line.
func words(stderr *bytes.Buffer) string {
	line, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "it printed no error; run it with bash -x to see where it ends"
	}
	return line
}
