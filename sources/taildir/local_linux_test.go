package taildir

import (
	"os"
	"strings"
	"testing"
)

// TestLocal compares with what the system calls the file systems that there are.
func TestLocal(t *testing.T) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"ext4": true, "xfs": true, "btrfs": true, "tmpfs": true, "proc": false, "overlay": false, "fuse": false, "nfs4": false}
	kinds := map[string]string{} // by directory: the last mount is the one that is seen
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && !strings.Contains(f[1], `\`) {
			kinds[f[1]] = f[2]
		}
	}
	checked := 0
	for dir, kind := range kinds {
		local, known := want[kind]
		if _, err := os.Stat(dir); err != nil || !known {
			continue
		}
		checked++
		if isLocal(dir) != local {
			t.Errorf("%s, which is %s, is local: %v", dir, kind, !local)
		}
	}
	if checked == 0 {
		t.Error("no known file system is mounted, not even /proc")
	}
	if isLocal("/does/not/exist") {
		t.Error("what does not exist is local")
	}
}
