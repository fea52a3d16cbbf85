//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// killsAtOnce is how many kills the directories of one channel go through before everything is compared.
const killsAtOnce = 20

// TestFileChannelKill kills an agent (kill -9) between a netcat source, a file channel and file_roll sinks at random
// moments, its recovery among them, starts it again on the same directories with other settings, and compares
// in the end: every acknowledged line was delivered, none was invented or changed, and none was delivered
// again but those of the last moments before a kill.
//
// FLUME_KILLS is the number of kills, FLUME_KILL_SEED repeats the settings and the moments of a run.
func TestFileChannelKill(t *testing.T) {
	kills := environment(t, "FLUME_KILLS", 25)
	seed := uint64(environment(t, "FLUME_KILL_SEED", int(rand.Uint32())))
	t.Logf("FLUME_KILLS=%d FLUME_KILL_SEED=%d", kills, seed)
	var sum report
	start := time.Now()
	for i := uint64(0); sum.kills < kills; i++ {
		n := min(killsAtOnce, kills-sum.kills)
		ok := t.Run(fmt.Sprintf("seed %d", seed+i), func(t *testing.T) {
			w := newKillWorld(t, seed+i)
			w.run(t, n)
			sum.add(w.report)
			t.Logf("%s: %s", w, w.report)
		})
		if !ok {
			t.Fatalf("repeat with FLUME_KILLS=%d FLUME_KILL_SEED=%d", n, seed+i)
		}
	}
	t.Logf("in all, in %v: %s", time.Since(start).Round(time.Second), sum)
}

// environment returns a number from the environment.
func environment(t testing.TB, name string, otherwise int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is not a number of at least 1", name, v)
	}
	return n
}

// killWorld is a world with settings that change.
type killWorld struct {
	*world
	rng     *rand.Rand
	ring    keyRing
	dirs    int // data directories; grows
	sinks   int
	clients int
	key     string // alias of the active key; empty while nothing is encrypted
}

func newKillWorld(t *testing.T, seed uint64) *killWorld {
	rng := rand.New(rand.NewPCG(seed, 0))
	w := &killWorld{world: newWorld(t, seed), rng: rng}
	w.ring = newKeyRing(t, w.root)
	w.dirs, w.sinks, w.clients = 1+rng.IntN(3), 1+rng.IntN(2), 1+rng.IntN(6)
	if rng.IntN(2) == 0 {
		w.key = keyAliases[rng.IntN(len(keyAliases))]
	}
	return w
}

func (w *killWorld) String() string {
	encryption := "not encrypted"
	if w.key != "" {
		encryption = "encrypted"
	}
	return fmt.Sprintf("%d clients, %d data directories, %d sinks, in the end %s", w.clients, w.dirs, w.sinks, encryption)
}

// run goes through so many kills, drains the channel and compares.
func (w *killWorld) run(t *testing.T, kills int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := load{book: w.book, addr: w.addr(w.source), bursts: 1 + w.rng.IntN(150), pause: time.Duration(1+w.rng.IntN(15)) * time.Millisecond}
	wait := d.run(ctx, w.clients)
	for range kills {
		w.killOnce(t)
	}
	cancel()
	wait()
	w.drain(t)
	w.finish(t)
	if damaged, err := filepath.Glob(filepath.Join(w.root, "data*", "quarantine", "*")); err != nil || len(damaged) > 0 {
		t.Errorf("records were called damaged though the agent was only killed: %v %v", damaged, err)
	}
}

// begin chooses the settings of the next life. A blocked one has no sink that works, so that the
// channel fills. The last one gets everything out.
func (w *killWorld) begin(t *testing.T, blocked, last bool) *life {
	pick := func(n ...int) int { return n[w.rng.IntN(len(n))] }
	l := &life{batch: pick(1, 10, 100, 500)}
	var c topology
	c.source("s", "c", "type = netcat", "bind = 127.0.0.1", fmt.Sprintf("port = %d", w.source), fmt.Sprintf("max-line-length = %d", longLine))
	if !last && w.dirs < 4 && w.rng.IntN(15) == 0 {
		w.dirs++
	}
	var data []string
	for i := range w.dirs {
		data = append(data, filepath.Join(w.root, fmt.Sprintf("data%d", i)))
	}
	capacity := pick(700, 5000, 1_000_000)
	c.channel("c", "type = file",
		"checkpointDir = "+filepath.Join(w.root, "checkpoint"), "dataDirs = "+strings.Join(data, ","),
		fmt.Sprintf("capacity = %d", capacity), fmt.Sprintf("transactionCapacity = %d", min(capacity, 10000)),
		fmt.Sprintf("maxFileSize = %d", pick(65_536, 200_000, 1_000_000)),
		"checkpointInterval = 1000", "minimumRequiredSpace = 1048576",
		fmt.Sprintf("keep-alive = %d", pick(0, 1)), "fsyncPerTransaction = true")
	if w.key == "" && w.rng.IntN(80) == 0 || w.key != "" && w.rng.IntN(4) == 0 {
		w.key = keyAliases[w.rng.IntN(len(keyAliases))]
	}
	if w.key != "" {
		c.add("channels", "c", w.ring.settings(w.key)...)
	}
	for i := range w.sinks {
		dir := filepath.Join(w.root, "out", fmt.Sprintf("%04d-%d", len(w.lives), i))
		c.sink(fmt.Sprintf("k%d", i), "c", "type = file_roll", "sink.directory = "+dir, "sink.rollInterval = 0",
			fmt.Sprintf("sink.batchSize = %d", l.batch), fmt.Sprintf("sink.rollSize = %d", pick(0, 50_000)))
		if !blocked {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			l.sinks = append(l.sinks, dir)
		}
	}
	l.conf = c.String()
	w.lives = append(w.lives, l)
	return l
}

// killOnce starts the agent and kills it: while it starts, or some time after it has answered clients.
func (w *killWorld) killOnce(t *testing.T) {
	l := w.begin(t, w.rng.IntN(5) == 0, false)
	before := w.book.tally().answers
	l.early = w.rng.IntN(3) == 0
	delay := time.Duration(w.rng.Int64N(int64(400 * time.Millisecond)))
	if l.early {
		delay = time.Duration(w.rng.Int64N(int64(40 * time.Millisecond)))
	}
	v := startVictim(t, w.root, l.conf, w.metric)
	defer v.kill()
	if !l.early {
		if !harness.Poll(30*time.Second, func() bool { return w.book.tally().answers > before || !v.running() }) {
			t.Errorf("life %d: no client was answered:\n%s", len(w.lives), v.log.String())
		}
	}
	pass(t.Context(), delay)
	l.killed = time.Now()
	if !v.kill() {
		t.Fatalf("life %d: the agent ended by itself, with %s:\n%s\nits configuration:\n%s", len(w.lives), v.cmd.ProcessState, v.log.String(), l.conf)
	}
	w.report.kills++
	if l.early {
		w.report.early++
	}
	if v.log.contains("amaged") {
		t.Errorf("life %d speaks of damage though the agent was only killed:\n%s", len(w.lives), v.log.String())
	}
}

// drain lets two agents live to a natural end: the first delivers everything, a line of this moment included, and
// the second must find nothing.
func (w *killWorld) drain(t *testing.T) {
	l := w.begin(t, false, true)
	v := startVictim(t, w.root, l.conf, w.metric)
	defer v.kill()
	w.empty(t, v)
	fresh := w.book.tally().issued
	ctx, cancel := context.WithCancel(t.Context())
	wait := load{book: w.book, addr: w.addr(w.source), bursts: 1, pause: time.Hour}.run(ctx, 1)
	answered := harness.Poll(30*time.Second, func() bool {
		w.book.mu.Lock()
		defer w.book.mu.Unlock()
		return fresh < len(w.book.acked) && w.book.acked[fresh]
	})
	cancel()
	wait()
	if !answered {
		t.Errorf("a line sent after the last kill was not acknowledged:\n%s", v.log.String())
	}
	w.empty(t, v)
	v.stop(t)
	idle := w.begin(t, false, true)
	v = startVictim(t, w.root, idle.conf, w.metric)
	defer v.kill()
	w.empty(t, v)
	v.stop(t)
	for _, dir := range idle.sinks {
		if n := treeSize(dir); n > 0 {
			t.Errorf("%d bytes were delivered again after an orderly stop", n)
		}
	}
}
