package heap

import (
	"path"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

const meminfo = "MemTotal:       16777216 kB\nMemFree:         1048576 kB\n" // 16 GiB

func TestMax(t *testing.T) {
	for _, c := range []struct {
		name  string
		env   string
		files map[string]string
		want  int64
	}{
		{"told", "1073741824", map[string]string{"/proc/meminfo": meminfo}, 1 << 30},
		{"machine", "", map[string]string{"/proc/meminfo": meminfo}, 4 << 30},
		{"nothing known", "", nil, 1 << 30},
		{"broken meminfo", "", map[string]string{"/proc/meminfo": "MemTotal: many kB\n"}, 1 << 30},
		{"cgroup 2 in a container", "", map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "2147483648\n",
		}, 512 << 20},
		{"cgroup 2 without limit", "", map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n",
		}, 4 << 30},
		{"cgroup 2, limit of the outer group", "", map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/system.slice/flume.service\n",
			"/sys/fs/cgroup/system.slice/flume.service/memory.max": "8589934592\n",
			"/sys/fs/cgroup/system.slice/memory.max":               "4294967296\n",
		}, 1 << 30},
		{"cgroup 1, path of the host", "", map[string]string{
			"/proc/meminfo":     meminfo,
			"/proc/self/cgroup": "5:cpu,cpuacct:/docker/12ab\n4:memory:/docker/12ab\ngarbage\n",
			"/sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n",
		}, 256 << 20},
		{"cgroup 1 without limit", "", map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "4:memory:/\n",
			"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 4 << 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := vfs.NewMem(1)
			for name, text := range c.files {
				write(t, fs, name, text)
			}
			got, err := Max(func(string) string { return c.env }, fs)
			if err != nil || got != c.want {
				t.Errorf("Max() = %d, %v; want %d", got, err, c.want)
			}
		})
	}
}

func TestMaxRefusesNonsense(t *testing.T) {
	for _, env := range []string{"1g", "0", "-5"} {
		_, err := Max(func(string) string { return env }, vfs.NewMem(1))
		if err == nil || !strings.Contains(err.Error(), Variable) {
			t.Errorf("%s=%s: error %v does not name the variable", Variable, env, err)
		}
	}
}

func TestMaxFollowsGoMemoryLimit(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(3 << 30))
	if got, err := Max(func(string) string { return "" }, vfs.NewMem(1)); err != nil || got != 3<<30 {
		t.Errorf("Max() = %d, %v; want the limit of 3 GiB", got, err)
	}
}

func write(t *testing.T, fs vfs.FS, name, text string) {
	t.Helper()
	if err := fs.MkdirAll(path.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := vfs.ReplaceFile(fs, name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
