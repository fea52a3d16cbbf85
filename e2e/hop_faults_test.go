//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flume-go/flume/e2e/harness"
)

// hopsAtOnce is how many histories one chain of agents goes through before everything is compared.
const hopsAtOnce = 100

// TestHopFaults lets the network between three agents fail, and the agents, while clients send, and compares in the end. A history
// is one fault, or two at a time: latency, little bandwidth, packets in slices, half open connections, resets, connections cut after some
// bytes, a network that is down, answers that are lost though the request was stored; agents that are killed (kill -9), also right after
// they have taken what they send, stopped, and started with other sizes of batches.
//
// With avro and file channels every event that a client was told is stored arrives once; with thrift, which has no place for the identity
// of events, and with memory channels, at least once, and twice only what was under way when a connection ended.
//
// FLUME_HOPS is about the number of histories with avro and file channels, half of them over TLS, half of them compressed; there are some
// more of the other kinds. FLUME_HOP_SEED repeats the settings and faults of a run.
func TestHopFaults(t *testing.T) {
	zerolog.SetGlobalLevel(zerolog.Disabled) // of toxiproxy
	histories := environment(t, "FLUME_HOPS", 60)
	seed := uint64(environment(t, "FLUME_HOP_SEED", int(rand.Uint32()>>1)+1))
	t.Logf("FLUME_HOPS=%d FLUME_HOP_SEED=%d", histories, seed)
	for _, k := range hopKinds {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			hopRun(t, k.hopKind, k.share, max(k.share*histories/100, 10), seed)
		})
	}
}

// hopKinds are what there are chains of, each with its share of FLUME_HOPS, in per cent.
var hopKinds = []struct {
	hopKind
	share int
}{
	{hopKind{"avro", "file", hopCover{}}, 25},
	{hopKind{"avro", "file", hopCover{tls: true}}, 25},
	{hopKind{"avro", "file", hopCover{deflate: true}}, 25},
	{hopKind{"avro", "file", hopCover{deflate: true, tls: true}}, 25},
	{hopKind{"thrift", "file", hopCover{}}, 5},
	{hopKind{"thrift", "file", hopCover{tls: true}}, 5},
	{hopKind{"avro", "memory", hopCover{}}, 5},
	{hopKind{"avro", "memory", hopCover{deflate: true, tls: true}}, 5},
}

// hopRun runs so many histories, on as many chains at a time as tests run in parallel.
func hopRun(t *testing.T, kind hopKind, share, histories int, seed uint64) {
	var (
		mu  sync.Mutex
		sum hopReport
	)
	start := time.Now()
	t.Run("chains", func(t *testing.T) {
		for done := 0; done < histories; done += hopsAtOnce {
			n := min(hopsAtOnce, histories-done)
			seed := seed + uint64(done/hopsAtOnce)
			t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
				t.Parallel()
				w := newHopWorld(t, kind, seed)
				t.Cleanup(func() {
					if t.Failed() {
						t.Logf("repeat with FLUME_HOPS=%d FLUME_HOP_SEED=%d in %s", (100*n+share-1)/share, seed, kind)
					}
				})
				w.run(t, n)
				mu.Lock()
				defer mu.Unlock()
				sum.add(w.report)
			})
		}
	})
	t.Logf("%s, in %v: %s", kind, time.Since(start).Round(time.Second), sum)
	if kind.once() && sum.repeated == 0 && sum.hops.cuts > 10 {
		t.Error("answers were lost, and no repeat was suppressed: the test proves nothing")
	}
}

// history is one fault, or two, under load.
func (w *hopWorld) history(t *testing.T) {
	t.Helper()
	before := w.book.tally().answers
	switch n := w.rng.IntN(10); {
	case n < 4:
		w.disturb(t)
		w.wait(t, 50, 150)
	case n < 6 || !w.kind.durable():
		w.loseAnswer(t)
	case n < 7:
		w.killSender(t)
	case n < 9:
		w.endOne(t)
	default:
		w.disturb(t)
		w.wait(t, 0, 50)
		w.endOne(t)
	}
	for _, h := range w.hops {
		if err := h.heal(); err != nil {
			t.Fatal(err)
		}
	}
	w.report.histories++
	if !harness.Poll(30*time.Second, func() bool { return w.book.tally().answers > before }) {
		t.Fatalf("history %d: no client was answered:\n%s", w.report.histories, w.nodes[0].victim.log.String())
	}
}

// wait passes between so many milliseconds.
func (w *hopWorld) wait(t *testing.T, least, most int) {
	pass(t.Context(), time.Duration(least+w.rng.IntN(most-least+1))*time.Millisecond)
}

// disturb makes the network of a hop bad.
func (w *hopWorld) disturb(t *testing.T) {
	t.Helper()
	h := w.hops[w.rng.IntN(len(w.hops))]
	stream := []string{"upstream", "downstream"}[w.rng.IntN(2)]
	n := func(least, most int) int { return least + w.rng.IntN(most-least+1) }
	var kind, attributes string
	switch w.rng.IntN(8) {
	case 0:
		kind, attributes = "latency", fmt.Sprintf(`"latency":%d,"jitter":%d`, n(1, 60), n(0, 20))
	case 1:
		kind, attributes = "bandwidth", fmt.Sprintf(`"rate":%d`, n(10, 300))
	case 2:
		kind, attributes = "slicer", fmt.Sprintf(`"average_size":%d,"size_variation":%d,"delay":%d`, n(20, 400), n(1, 19), n(0, 500))
	case 3:
		kind, attributes = "timeout", `"timeout":0` // half open: what is sent is lost
	case 4:
		kind, attributes = "reset_peer", fmt.Sprintf(`"timeout":%d`, n(0, 40))
	case 5:
		kind, attributes = "limit_data", fmt.Sprintf(`"bytes":%d`, n(0, 30_000))
	case 6:
		kind, attributes = "slow_close", fmt.Sprintf(`"delay":%d`, n(1, 100))
	default:
		if err := h.down(); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := h.toxic(fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":{%s}}`, kind, stream, attributes)); err != nil {
		t.Fatalf("adding the toxic %s: %v", kind, err)
	}
	if kind == "timeout" && w.rng.IntN(5) == 0 {
		pass(t.Context(), 1200*time.Millisecond) // until the sinks give up by themselves
	}
}

// loseAnswer cuts a connection behind a request that was stored, before its answer has passed.
func (w *hopWorld) loseAnswer(t *testing.T) {
	h := w.hops[w.rng.IntN(len(w.hops))]
	h.cutAnswer(w.rng.IntN(4), w.rng.IntN(20))
	harness.Poll(300*time.Millisecond, func() bool { return !h.isArmed() }) // nothing may be under way
	w.wait(t, 0, 100)
}

// killSender kills an agent that has sent what it does not know to be stored. The next one sends it in other batches.
func (w *hopWorld) killSender(t *testing.T) {
	t.Helper()
	i := w.rng.IntN(len(w.hops))
	if w.rng.IntN(3) > 0 { // otherwise some time between taking and sending
		w.holdAnswer(i)
	}
	w.kill(t, i)
	w.report.kills++
	w.start(t, i)
	if err := w.hops[i].heal(); err != nil {
		t.Fatal(err)
	}
	w.settle(t, i)
}

// holdAnswer keeps the answers of a hop back, from the next one on.
func (w *hopWorld) holdAnswer(i int) {
	before := w.hops[i].sum().cuts
	w.hops[i].hold()
	harness.Poll(300*time.Millisecond, func() bool { return w.hops[i].sum().cuts > before }) // nothing may be under way
}

// endOne kills or stops any agent and starts it again.
func (w *hopWorld) endOne(t *testing.T) {
	t.Helper()
	i := w.rng.IntN(len(w.nodes))
	if i > 0 && w.rng.IntN(2) == 0 {
		w.holdAnswer(i - 1) // it has stored something and nobody knows
	}
	if w.rng.IntN(3) > 0 {
		w.kill(t, i)
		w.report.kills++
	} else {
		w.awaitStart(t, i) // before, a signal ends it at once
		w.stop(t, i)
		w.report.stops++
	}
	w.wait(t, 0, 60)
	w.start(t, i)
	if w.rng.IntN(6) == 0 { // while it starts
		w.wait(t, 0, 60)
		w.kill(t, i)
		w.report.kills++
		w.start(t, i)
	}
	w.settle(t, i)
}

// settle mostly waits until an agent serves again.
func (w *hopWorld) settle(t *testing.T, i int) {
	t.Helper()
	if w.rng.IntN(4) > 0 {
		w.awaitStart(t, i)
		w.wait(t, 0, 80)
	}
}
