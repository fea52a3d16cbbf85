package spooldir

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// TestKilledAtAnyTime ends the process before each operation on files in turn. What comes after the next start has everything, and of what
// came before at most the batch that was being handed on.
func TestKilledAtAnyTime(t *testing.T) {
	for _, settings := range [][]string{
		{"positionSyncInterval = 0"},
		{"positionSyncInterval = 1000000"},
		{"deletePolicy = immediate"},
		{"trackingPolicy = tracker_dir", "positionSyncInterval = 0"},
	} {
		for at := int64(0); ; at++ {
			if untouched := killAt(t, 0, at, settings, false); untouched {
				if at < 10 {
					t.Fatalf("%v: there are %d operations only", settings, at)
				}
				break
			}
		}
	}
}

// TestPowerCutAtAnyTime is the same with a power cut, and positions synced after each batch.
func TestPowerCutAtAnyTime(t *testing.T) {
	for _, settings := range [][]string{
		{"positionSyncInterval = 0"},
		{"positionSyncInterval = 0", "deletePolicy = immediate"},
		{"positionSyncInterval = 0", "trackingPolicy = tracker_dir"},
	} {
		for seed := range int64(2) {
			for at := int64(0); ; at++ {
				if killAt(t, seed, at, settings, true) {
					break
				}
			}
		}
	}
}

const crashBatch = 3

// killAt runs a source until operation number at, and another one from what the first has left. It reports whether the first came to its end.
func killAt(t *testing.T, seed, at int64, settings []string, power bool) (untouched bool) {
	t.Helper()
	mem := vfs.NewMem(uint64(1000*seed + at))
	settings = append(settings, fmt.Sprint("batchSize = ", crashBatch))
	r := newMemRig(t, mem, settings...)
	want := map[string]bool{}
	rng := rand.New(rand.NewPCG(1, uint64(len(settings))))
	for i := range 3 {
		var text strings.Builder
		for j := range 1 + rng.IntN(10) {
			line := fmt.Sprintf("%d-%d", i, j)
			want[line] = true
			text.WriteString(line + "\n")
		}
		r.drop(fmt.Sprint("f", i), text.String())
	}
	if err := errors.Join(mem.SyncDir(r.dir), mem.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	killed := errors.New("killed")
	dead := false
	failing := vfs.NewFailing(mem, func(op vfs.Op) vfs.Action {
		if dead = dead || op.N >= at; dead {
			return vfs.Action{Err: killed}
		}
		return vfs.Action{}
	})
	r.src.fs, r.src.files = failing, failing
	r.out.fail = func(*event.Batch) error {
		if dead { // nothing is handed on by the dead
			return flow.Fatal(killed)
		}
		return nil
	}
	err := r.round()
	if untouched = !dead; untouched && err != nil {
		t.Fatal(err)
	}
	first := r.out.take()
	kept := vfs.CrashPolicy{Data: vfs.All, Entries: vfs.All}
	if power {
		kept = vfs.CrashPolicy{Data: vfs.Mixed, Entries: vfs.Mixed}
	}
	left := mem.CrashClone(kept)
	again := newMemRig(t, left, settings...)
	again.mustRound()
	second := again.out.take()

	times := map[string]int{}
	for _, line := range append(first, second...) {
		times[line]++
	}
	twice := 0
	for line := range want {
		if times[line] == 0 {
			t.Fatalf("%v, killed at operation %d: %s is lost; before %q, after %q", settings, at, line, first, second)
		}
		twice += times[line] - 1
	}
	if limit := crashBatch; twice > limit {
		t.Fatalf("%v, killed at operation %d: %d lines came twice; before %q, after %q\n%s", settings, at, twice, first, second, again.log)
	}
	return untouched
}
