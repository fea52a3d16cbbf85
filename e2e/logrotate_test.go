//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// runsAtOnce is how many times logrotate runs on the logs of one world before everything is compared.
const runsAtOnce = 12

// TestLogrotate lets logrotate rotate logs that are being written, in every way that people configure it, while a
// taildir source follows them and its agent is killed (kill -9) now and then, at any moment of a rotation,
// and compares in the end: every line was delivered, none was invented or changed, and without kills none came
// again. After a kill the batch in flight may, and that of the sink.
//
// FLUME_ROTATIONS is the least number of rotated logs, FLUME_ROTATE_SEED repeats the settings of a run.
func TestLogrotate(t *testing.T) {
	harness.Tools(t)
	harness.Binary(t)
	rotations := environment(t, "FLUME_ROTATIONS", 1)
	seed := uint64(environment(t, "FLUME_ROTATE_SEED", int(rand.Uint32())))
	t.Logf("FLUME_ROTATIONS=%d FLUME_ROTATE_SEED=%d", rotations, seed)
	var (
		mu    sync.Mutex
		sum   rotateReport
		start = time.Now()
	)
	for sum.rotations < rotations && !t.Failed() {
		t.Run("round", func(t *testing.T) {
			for i, r := range rotationsOf(t) {
				own := seed + uint64(i)
				t.Run(r.name, func(t *testing.T) {
					t.Parallel()
					w := newRotateWorld(t, r, own)
					w.run()
					t.Logf("%d logs, batches of %d: %s", len(w.writers), w.batch, w.figures)
					mu.Lock()
					defer mu.Unlock()
					sum.add(w.figures)
				})
			}
		})
		if t.Failed() {
			t.Fatalf("repeat with FLUME_ROTATIONS=1 FLUME_ROTATE_SEED=%d", seed)
		}
		seed += uint64(len(rotationWays))
	}
	t.Logf("in all, in %v: %s", time.Since(start).Round(time.Second), sum)
}

// rotationsOf returns the ways of rotation, or the one that FLUME_ROTATE_WAY names.
func rotationsOf(t *testing.T) []rotation {
	name := os.Getenv("FLUME_ROTATE_WAY")
	if name == "" {
		return rotationWays
	}
	for _, r := range rotationWays {
		if r.name == name {
			return []rotation{r}
		}
	}
	t.Fatalf("FLUME_ROTATE_WAY=%s is none of the ways", name)
	return nil
}

// rotateWorld is some logs in one directory, their writers, logrotate, and the agents that follow them.
type rotateWorld struct {
	*world
	rotation
	t       *testing.T
	rng     *rand.Rand
	writers []*logWriter
	batch   int // of the source
	idle    int // idleTimeout in ms
	open    int // maxOpenFiles
	got     *receipts
	since   []int    // for each log, the first line that was issued behind the latest rotation
	logs    []string // of the agents that were killed
	figures rotateReport
}

func newRotateWorld(t *testing.T, r rotation, seed uint64) *rotateWorld {
	rng := rand.New(rand.NewPCG(seed, 1))
	pick := func(n ...int) int { return n[rng.IntN(len(n))] }
	w := &rotateWorld{world: newWorld(t, seed), rotation: r, t: t, rng: rng}
	w.batch, w.idle, w.open = pick(1, 1, 10, 100), pick(1000, 120_000), pick(8, 1000)
	if r.seen {
		// A file whose name matches no more is read as long as it is open: what a slow program writes to it late, too.
		w.idle, w.open = 120_000, 1000
	}
	w.got = newReceipts(w.book)
	if err := os.Mkdir(filepath.Join(w.root, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 1 + rng.IntN(4) {
		l := &logWriter{book: w.book, client: uint8(i), path: filepath.Join(w.root, "logs", string(rune('a'+i))+".log"), log: r.log,
			bursts: pick(1, 10, 40), pause: time.Duration(pick(2, 10, 30)) * time.Millisecond}
		if r.log != forEver {
			// A copy that is made in the middle of a line parts it for good.
			l.block = pick(0, 0, 512, 4096)
		}
		w.writers = append(w.writers, l)
		w.got.latest[l.client] = -1
	}
	w.since = make([]int, len(w.writers))
	harness.WriteFile(t, filepath.Join(w.root, "logrotate.conf"), r.config(w.root))
	return w
}

// begin writes the configuration of the next life.
func (w *rotateWorld) begin() *life {
	l := &life{batch: []int{1, 100, 1000}[w.rng.IntN(3)]}
	dir := filepath.Join(w.root, "out", fmt.Sprintf("%04d", len(w.lives)))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
	var c topology
	settings := append([]string{"type = taildir", "positionFile = " + filepath.Join(w.root, "positions.json"),
		fmt.Sprintf("batchSize = %d", w.batch), fmt.Sprintf("idleTimeout = %d", w.idle), fmt.Sprintf("maxOpenFiles = %d", w.open),
		"unterminatedLine = wait"}, w.follow...)
	var names []string
	for i, g := range w.filegroups(w.root) {
		names = append(names, fmt.Sprintf("g%d", i))
		settings = append(settings, fmt.Sprintf("filegroups.g%d = %s", i, g))
	}
	c.source("r", "c", append(settings, "filegroups = "+strings.Join(names, " "))...)
	c.channel("c", "type = file", "checkpointDir = "+filepath.Join(w.root, "checkpoint"), "dataDirs = "+filepath.Join(w.root, "data"),
		"transactionCapacity = 10000", "minimumRequiredSpace = 1048576")
	c.sink("k", "c", "type = file_roll", "sink.directory = "+dir, "sink.rollInterval = 0", fmt.Sprintf("sink.batchSize = %d", l.batch))
	l.conf, l.sinks = c.String(), []string{dir}
	w.lives = append(w.lives, l)
	return l
}

// startAgent starts the next life.
func (w *rotateWorld) startAgent() *victim {
	return startVictim(w.t, w.root, w.begin().conf, w.metric)
}

// run goes through so many runs of logrotate, and compares.
func (w *rotateWorld) run() {
	stop := writeLogs(w.root, w.writers)
	v := w.startAgent()
	defer func() {
		v.kill()
		if w.t.Failed() {
			positions, _ := os.ReadFile(filepath.Join(w.root, "positions.json")) // what there is helps
			w.t.Logf("what the agents said:\n%s\n%s\npositions: %s", strings.Join(w.logs, "\n"), v.log.String(), positions)
		}
	}()
	for range runsAtOnce {
		if w.seen {
			w.awaitSeen(v)
		}
		if w.down > 0 && w.rng.IntN(3) == 0 {
			v = w.rotateAndKill(v)
		} else {
			w.rotate()
		}
		w.pause()
	}
	if err := stop(); err != nil {
		w.t.Fatal(err)
	}
	w.settle(v)
}

// pause lets the writers write for a while.
func (w *rotateWorld) pause() {
	d := time.Duration(w.rng.Int64N(int64(150 * time.Millisecond)))
	if w.seconds {
		d += time.Second
	}
	pass(w.t.Context(), d)
}

// rotate runs logrotate once.
func (w *rotateWorld) rotate() {
	args := []string{"logrotate", "-v", "-s", filepath.Join(w.root, "logrotate.state"), filepath.Join(w.root, "logrotate.conf")}
	if !w.sized {
		args = append(args, "-f")
	}
	for _, l := range w.writers {
		l.notice()
	}
	limit := time.AfterFunc(time.Minute, func() { reopenLogs(w.root, w.writers) })
	out, status := harness.RunProgram(w.t, harness.Program{Argv: args, Dir: w.root})
	if !limit.Stop() {
		w.t.Errorf("logrotate waited a minute for the signal:\n%s", out)
	}
	if status != 0 {
		w.t.Fatalf("logrotate ended with status %d:\n%s", status, out)
	}
	w.figures.rotations += strings.Count(out, "rotating log ")
	issued := w.book.tally().issued
	for i := range w.since {
		w.since[i] = issued
	}
}

// awaitSeen waits until a line of each log that was written behind the latest rotation has been delivered, and
// where contents are removed, all that was written before it.
func (w *rotateWorld) awaitSeen(v *victim) {
	ok := harness.Poll(drainLimit, func() bool {
		w.got.advance(w.lives)
		for i, first := range w.since {
			if w.got.latest[uint8(i)] < first {
				return false
			}
		}
		return !w.gone || w.got.haveAll(slices.Min(w.since))
	})
	if !ok {
		w.t.Fatalf("what was written behind a rotation is not delivered: %d of %d lines are:\n%s", len(w.got.lines), w.book.tally().issued, v.log.String())
	}
}

// rotateAndKill kills the agent at some moment of a rotation or without one, rotates some more, and starts the
// next agent, which may be killed while it starts.
func (w *rotateWorld) rotateAndKill(v *victim) *victim {
	w.kill(v, time.Duration(w.rng.Int64N(int64(60*time.Millisecond))), w.rng.IntN(2) == 0)
	for range w.rng.IntN(w.down) {
		w.pause()
		w.rotate()
	}
	v = w.startAgent()
	if w.rng.IntN(3) == 0 {
		w.figures.early++
		w.kill(v, time.Duration(w.rng.Int64N(int64(60*time.Millisecond))), false)
		v = w.startAgent()
	}
	return v
}

// kill kills the agent after some time, at which logrotate may be running.
func (w *rotateWorld) kill(v *victim, after time.Duration, rotating bool) {
	l := w.lives[len(w.lives)-1]
	done := make(chan bool)
	go func() {
		pass(w.t.Context(), after)
		l.killed = time.Now()
		done <- v.kill()
	}()
	if rotating {
		w.rotate()
	}
	if !<-done {
		w.t.Fatalf("the agent ended by itself, with %s:\n%s\nits configuration:\n%s", v.cmd.ProcessState, v.log.String(), l.conf)
	}
	w.figures.kills++
	w.logs = append(w.logs, v.log.String())
	w.figures.told += unreadBytes(v.log.String())
}
