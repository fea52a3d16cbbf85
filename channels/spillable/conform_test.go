package spillable

import (
	"maps"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/flume-go/flume/conform/channeltest"
	"github.com/flume-go/flume/internal/vfs"
)

// TestConformance runs the suite with everything in memory, everything on the disk, and both by turns. A power cut loses what is
// in memory: those rules are for the disk alone.
func TestConformance(t *testing.T) {
	dir := t.TempDir() // the suite has it in memory, except where it counts allocations
	settings := func(more map[string]string) map[string]string {
		all := map[string]string{
			"checkpointDir":        filepath.Join(dir, "checkpoint"),
			"dataDirs":             filepath.Join(dir, "data1") + "," + filepath.Join(dir, "data2"),
			"maxFileSize":          "65536",
			"minimumRequiredSpace": "1048576",
		}
		maps.Copy(all, more)
		return all
	}
	timeout := func(seconds int) map[string]string {
		return map[string]string{"overflowTimeout": strconv.Itoa(seconds)}
	}
	onDisk := func() (vfs.FS, map[string]string) {
		return vfs.OS{}, map[string]string{"maxFileSize": "16777216"}
	}
	inMemory := func() vfs.FS { return vfs.NewMem(1) }

	t.Run("memory", func(t *testing.T) {
		channeltest.Run(t, channeltest.Harness{
			Type:     "spillablememory",
			Settings: settings(map[string]string{"overflowCapacity": "0"}),
			Capacity: func(events int) map[string]string {
				n := strconv.Itoa(events)
				return map[string]string{"memoryCapacity": n, "transactionCapacity": n}
			},
			KeepAlive: timeout,
			FS:        inMemory,
			Durable:   true,
			Reserves:  true,
			Allocs:    0.05,
			AllocsOn:  onDisk,
		})
	})
	t.Run("disk", func(t *testing.T) {
		channeltest.Run(t, channeltest.Harness{
			Type:     "spillablememory",
			Settings: settings(map[string]string{"memoryCapacity": "0"}),
			Capacity: func(events int) map[string]string {
				n := strconv.Itoa(events)
				return map[string]string{"overflowCapacity": n, "transactionCapacity": n}
			},
			KeepAlive: timeout,
			Durable:   true,
			Reserves:  true,
			Allocs:    0.2,
			AllocsOn:  onDisk,
		})
	})
	t.Run("both", func(t *testing.T) {
		channeltest.Run(t, channeltest.Harness{
			Type:     "spillablememory",
			Settings: settings(map[string]string{"memoryCapacity": "5", "overflowTimeout": "0"}),
			FS:       inMemory,
			Durable:  true,
			Reserves: true,
			Allocs:   0.2,
			AllocsOn: onDisk,
		})
	})
}
