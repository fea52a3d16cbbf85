package launch

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// hasShell is false where there are no scripts; Flume's launcher has none there either.
func hasShell() bool {
	_, err := exec.LookPath("sh")
	return err == nil && runtime.GOOS != "windows"
}

func TestReadEnvFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("FROM_OUTSIDE", "o")
	t.Setenv("JAVA_OPTS", "")
	t.Setenv("FLUME_JAVA_OPTS", "")
	t.Setenv("FLUME_CLASSPATH", "")
	write(t, filepath.Join(dir, EnvFile), `# Flume's own template does this, too.
echo "printing is harmless"
export JAVA_HOME=/usr/lib/jvm
JAVA_OPTS="-Xms100m -Xmx200m"
FLUME_CLASSPATH=/a:/b
NOT_EXPORTED=hidden
export MULTI="two
lines"
export WITH_EQUALS=a=b
export COMBINED="$FROM_OUTSIDE-$(printf '%s' computed)"
`)
	if !hasShell() {
		if _, found, err := ReadEnvFile(t.Context(), dir); !found || err == nil {
			t.Errorf("without a shell: found %v, error %v", found, err)
		}
		return
	}
	vars, found, err := ReadEnvFile(t.Context(), dir)
	if err != nil || !found {
		t.Fatalf("found %v, error %v", found, err)
	}
	want := map[string]string{
		"JAVA_HOME": "/usr/lib/jvm", "JAVA_OPTS": "-Xms100m -Xmx200m", "FLUME_CLASSPATH": "/a:/b",
		"MULTI": "two\nlines", "WITH_EQUALS": "a=b", "COMBINED": "o-computed",
	}
	got := map[string]string{}
	for k := range want {
		got[k] = vars[k]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if v, ok := vars["NOT_EXPORTED"]; ok {
		t.Errorf("NOT_EXPORTED = %q", v)
	}
}

func TestReadEnvFileKeepsWhatIsExportedOutside(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("FLUME_JAVA_OPTS", "-Dfrom=outside")
	write(t, filepath.Join(dir, EnvFile), "export OTHER=1\n")
	if !hasShell() {
		return
	}
	vars, _, err := ReadEnvFile(t.Context(), dir)
	if err != nil || vars["FLUME_JAVA_OPTS"] != "-Dfrom=outside" {
		t.Errorf("FLUME_JAVA_OPTS = %q, error %v", vars["FLUME_JAVA_OPTS"], err)
	}
}

func TestReadEnvFileFails(t *testing.T) {
	dir := t.TempDir()
	if vars, found, err := ReadEnvFile(t.Context(), dir); found || err != nil || vars != nil {
		t.Errorf("without a file: %v, %v, %v", vars, found, err)
	}
	if !hasShell() {
		return
	}
	for name, script := range map[string]string{
		"syntax": "if then fi(\n",
		"exit":   "exit 0\n",
		"status": "echo 'no such disk' >&2; exit 3\n",
		"silent": "exit 3\n",
	} {
		write(t, filepath.Join(dir, EnvFile), script)
		_, found, err := ReadEnvFile(t.Context(), dir)
		if err == nil || !found || !strings.Contains(err.Error(), filepath.Join(dir, EnvFile)) {
			t.Errorf("%s: found %v, error %v", name, found, err)
		}
		if silent := name == "silent" || name == "exit"; silent && !strings.HasSuffix(err.Error(), ": it printed no error; run it with bash -x to see where it ends") {
			t.Errorf("%s: the error does not say that there is nothing to say: %q", name, err)
		}
		if name == "status" && !strings.Contains(err.Error(), "no such disk") {
			t.Errorf("the script's own words are missing: %v", err)
		}
	}
}

func TestReadOptsFile(t *testing.T) {
	dir := t.TempDir()
	nowhere := filepath.Join(dir, "nowhere")
	own := write(t, filepath.Join(dir, "flume.opts"), "# options\nname = a1\nconf-file=x.conf\nno-reload-conf=true\ndryrun = false\npoll-interval = 3\npoll-interval = 5\n")
	args, path, err := ReadOptsFile(nowhere, dir)
	if err != nil || path != own {
		t.Fatalf("path %q, error %v", path, err)
	}
	want := []string{"--name=a1", "--conf-file=x.conf", "--no-reload-conf", "--poll-interval=5"}
	if diff := cmp.Diff(want, args); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	system := write(t, filepath.Join(dir, "system.opts"), "n = a2\n")
	args, path, err = ReadOptsFile(system, dir)
	if err != nil || path != system || cmp.Diff([]string{"--name=a2"}, args) != "" {
		t.Errorf("the machine's file: %q, %q, %v", args, path, err)
	}

	if args, path, err = ReadOptsFile(nowhere, nowhere); err != nil || path != "" || args != nil {
		t.Errorf("no file: %q, %q, %v", args, path, err)
	}
}

func TestReadOptsFileRefuses(t *testing.T) {
	dir := t.TempDir()
	nowhere := filepath.Join(dir, "nowhere")
	for text, want := range map[string]string{
		"name = a1\nwhatever = x\n": `flume.opts:2:1: "whatever" is not an option`,
		"conf-p = x\n":              "flume.opts:1:1: option --conf-p is ambiguous",
		"name = \\u12\n":            "flume.opts:1:",
	} {
		write(t, filepath.Join(dir, "flume.opts"), text)
		if _, _, err := ReadOptsFile(nowhere, dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", text, err, want)
		}
	}
	if err := os.Mkdir(nowhere, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, path, err := ReadOptsFile(nowhere, dir); err == nil || path != nowhere {
		t.Errorf("a directory: path %q, error %v", path, err)
	}
}
