//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/flume-go/flume/e2e/harness"
)

// cutShort has an agent killed when the test ends, of which it has seen everything by then: each avro source of
// Apache Flume takes four seconds to stop.
func cutShort(t *testing.T, p *harness.Process) *harness.Process {
	t.Helper()
	t.Cleanup(func() { kill(t, p) })
	return p
}

// kill ends a process as kill -9 does and waits until it is gone.
func kill(t *testing.T, p *harness.Process) {
	t.Helper()
	if !p.Exited() {
		p.Signal(t, syscall.SIGKILL)
		p.Wait(t, deliveryLimit)
	}
}

// durable adds a file channel of this name.
func (c *topology) durable(name string) {
	c.channel(name, "type = file", "checkpointDir = <dir "+name+".checkpoint>", "dataDirs = <dir "+name+".data>",
		"capacity = 100000", "keep-alive = 1", "minimumRequiredSpace = 1048576")
}

// keep adds a file channel and a file_roll sink, both of this name, that writes batches of such a size to the site's
// folder of the same name.
func (c *topology) keep(name string, batch int) {
	c.durable(name)
	c.sink(name, name, "type = file_roll", "sink.directory = <dir "+name+">", "sink.rollInterval = 0",
		fmt.Sprintf("sink.batchSize = %d", batch))
}

// arrived returns how often each line is in the files of a folder. The last line of a file may be half a one if
// its agent was killed: it is left out.
func arrived(t *testing.T, dir string) map[string]int {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]int)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			if body, whole := bytes.CutSuffix(line, []byte("\n")); whole {
				all[string(body)]++
			}
		}
	}
	return all
}

// again returns how many lines arrived more than once, each as often as it came too often.
func again(lines map[string]int) (n int) {
	for _, times := range lines {
		n += times - 1
	}
	return n
}
