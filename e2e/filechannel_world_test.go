//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// drainLimit is how long an agent may take to deliver all that its channel holds.
const drainLimit = 90 * time.Second

// world is one file channel between a netcat source and file_roll sinks, the agents that live and die on its
// directories, and what their clients were told.
type world struct {
	root   string
	book   *ledger
	source int // port
	metric int // port
	lives  []*life
	report report
}

func newWorld(t *testing.T, seed uint64) *world {
	return &world{root: t.TempDir(), book: &ledger{seed: seed}, source: harness.FreePort(t), metric: harness.FreePort(t)}
}

func (w *world) addr(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// life is one run of the agent.
type life struct {
	conf   string
	sinks  []string // directories, each of one sink of this life
	batch  int      // of each sink
	killed time.Time
	early  bool // killed while it started
}

// treeSize returns the bytes of the files of a directory.
func treeSize(dir string) (n int64) {
	entries, _ := os.ReadDir(dir) // a directory that is not there holds nothing
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// empty waits until the channel of a running agent holds nothing.
func (w *world) empty(t *testing.T, v *victim) {
	t.Helper()
	size, known := -1, false
	if !harness.Poll(drainLimit, func() bool {
		size, known = metric(w.addr(w.metric), "CHANNEL.c", "ChannelSize")
		return known && size == 0 || !v.running()
	}) || !v.running() {
		t.Fatalf("the channel was not emptied, it holds %d events:\n%s", size, v.log.String())
	}
}

// report is the figures of a run.
type report struct {
	kills, early           int
	issued, acked, refused int
	delivered, again, torn int
	lost                   int
	mostAgain              int
}

func (r *report) add(o report) {
	r.kills += o.kills
	r.early += o.early
	r.issued += o.issued
	r.acked += o.acked
	r.refused += o.refused
	r.delivered += o.delivered
	r.again += o.again
	r.torn += o.torn
	r.lost += o.lost
	r.mostAgain = max(r.mostAgain, o.mostAgain)
}

func (r report) String() string {
	return fmt.Sprintf("%d kills (%d while starting), %d lines sent, %d acknowledged, %d refused, %d delivered, "+
		"%d of them again (at most %d by a sink after a kill), %d lost, %d half lines at the end of files",
		r.kills, r.early, r.issued, r.acked, r.refused, r.delivered, r.again, r.mostAgain, r.lost, r.torn)
}
