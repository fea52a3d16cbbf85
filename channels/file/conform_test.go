package file

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/flume-go/flume/conform/channeltest"
	"github.com/flume-go/flume/internal/vfs"
)

func TestConformance(t *testing.T) {
	dir := t.TempDir() // the suite has it in memory, except where it counts allocations
	channeltest.Run(t, channeltest.Harness{
		Type: "file",
		Settings: map[string]string{
			"checkpointDir":        filepath.Join(dir, "checkpoint"),
			"dataDirs":             filepath.Join(dir, "data1") + "," + filepath.Join(dir, "data2"),
			"maxFileSize":          "65536",
			"minimumRequiredSpace": "1048576",
		},
		Capacity: func(events int) map[string]string {
			n := strconv.Itoa(events)
			return map[string]string{"capacity": n, "transactionCapacity": n}
		},
		KeepAlive: func(seconds int) map[string]string {
			return map[string]string{"keep-alive": strconv.Itoa(seconds)}
		},
		Durable:  true,
		Reserves: true,
		Allocs:   0.1,
		AllocsOn: func() (vfs.FS, map[string]string) {
			return vfs.OS{}, map[string]string{"maxFileSize": "16777216"}
		},
	})
}
