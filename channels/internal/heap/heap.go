// Package heap says how much memory a Java virtual machine in the place of this
// process would give to its heap. Limits that Apache Flume derives from its heap
// are derived from the same number here, so that a configuration that does not
// name them means the same.
package heap

import (
	"errors"
	"fmt"
	"math"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/flume-go/flume/internal/vfs"
)

// Variable is the environment variable with the heap in bytes; the launcher sets
// it from the -Xmx of JAVA_OPTS.
const Variable = "FLUME_MAX_HEAP"

// unknownMemory stands for the machine's memory where it cannot be found out.
const unknownMemory = 4 << 30

// Max returns the heap in bytes: FLUME_MAX_HEAP; else GOMEMLIMIT; else, like a
// JVM without -Xmx, a quarter of the memory that the control group or the
// machine has. getenv is os.Getenv; fs shows /proc and /sys.
func Max(getenv func(string) string, fs vfs.FS) (int64, error) {
	if text := getenv(Variable); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err == nil && n <= 0 {
			err = errors.New("not positive")
		}
		if err != nil {
			return 0, fmt.Errorf("reading environment variable %s=%q: %w; give a number of bytes", Variable, text, err)
		}
		return n, nil
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit, nil
	}
	return memory(fs) / 4, nil
}

// memory returns the bytes this process may use: the machine's, or fewer if a
// control group says so.
func memory(fs vfs.FS) int64 {
	total := memTotal(fs)
	groups, err := vfs.ReadFile(fs, "/proc/self/cgroup")
	if err != nil {
		return total // not Linux, or /proc is not there
	}
	for line := range strings.Lines(string(groups)) {
		// hierarchy:controllers:path, where version 2 has hierarchy 0 and no controllers
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[0] == "0" && parts[1] == "":
			total = min(total, groupLimit(fs, "/sys/fs/cgroup", parts[2], "memory.max"))
		case hasController(parts[1], "memory"):
			total = min(total, groupLimit(fs, "/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes"))
		}
	}
	return total
}

func hasController(list, name string) bool {
	for c := range strings.SplitSeq(list, ",") {
		if c == name {
			return true
		}
	}
	return false
}

// groupLimit returns the lowest limit of a group and the groups around it. In a
// container the path may be the host's and not be mounted: what is not there
// does not count, and the root is where the container's own limit is then.
func groupLimit(fs vfs.FS, root, group, file string) int64 {
	lowest := int64(math.MaxInt64)
	for dir := path.Clean("/" + group); ; dir = path.Dir(dir) {
		if text, err := vfs.ReadFile(fs, path.Join(root, dir, file)); err == nil {
			// "max" and nonsense are no limit.
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
				lowest = min(lowest, n)
			}
		}
		if dir == "/" {
			return lowest
		}
	}
}

func memTotal(fs vfs.FS) int64 {
	info, err := vfs.ReadFile(fs, "/proc/meminfo")
	if err != nil {
		return unknownMemory
	}
	for line := range strings.Lines(string(info)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err == nil && kib > 0 && kib < math.MaxInt64>>10 {
				return kib << 10
			}
		}
	}
	return unknownMemory
}
