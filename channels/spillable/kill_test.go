package spillable

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/flume-go/flume/internal/vfs"
)

// TestStartAfterAKill: nothing that the start logs tells of an error that there was not.
func TestStartAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem(1)
		small := map[string]string{"memoryCapacity": "4", "overflowTimeout": "0"}
		r := newRig(t, mem, small)
		r.put(3) // memory
		r.put(2) // disk
		r.put(1) // memory
		r.close()
		r.open(mem, small)
		killed := mem.CrashClone(vfs.CrashPolicy{Data: vfs.All, Entries: vfs.All})
		r.close()
		r.logs.Reset()
		next := newRig(t, killed, small)
		if logs := next.logs.String(); strings.Contains(logs, "<nil>") || !strings.Contains(logs, "there was no orderly stop since") {
			t.Errorf("the start logs:\n%s", logs)
		}
	})
}
