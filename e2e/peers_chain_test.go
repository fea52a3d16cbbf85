//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

const (
	chainKills = 3  // of the agent in the middle
	chainBatch = 50 // events that a sink sends at once
)

// chainBranches are the protocols that a chain speaks, each between channels of its own.
var chainBranches = []string{"avro", "thrift"}

// chain is three agents in a row, each with file channels, and what goes in and comes out.
type chain struct {
	first, middle, last *harness.Site
	books               map[string]*ledger // by branch
}

// TestPeersChain sends through three agents, one of Apache Flume between two of ours and the other way round, and
// kills the one in the middle (kill -9) while it works: nothing that the first one has acknowledged is lost, and no
// more comes twice than was under way at the moments of the kills.
func TestPeersChain(t *testing.T) {
	t.Parallel()
	systems := harness.Systems()
	for i, outer := range systems {
		inner := systems[1-i]
		t.Run(fmt.Sprintf("%s-%s-%s", outer.Name, inner.Name, outer.Name), func(t *testing.T) {
			t.Parallel()
			c := chain{harness.NewSite(t), harness.NewSite(t), harness.NewSite(t), make(map[string]*ledger)}
			c.run(t, outer, inner)
		})
	}
}

func (c *chain) run(t *testing.T, outer, inner harness.System) {
	confs := c.configure()
	cutShort(t, outer.Start(t, harness.Launch{Name: "a1", Conf: confs[2]}))
	middle := cutShort(t, inner.Start(t, harness.Launch{Name: "a1", Conf: confs[1]}))
	cutShort(t, outer.Start(t, harness.Launch{Name: "a1", Conf: confs[0]}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var waits []func()
	for _, branch := range chainBranches {
		c.books[branch] = &ledger{seed: rand.Uint64()}
		clients := load{book: c.books[branch], addr: c.first.Addr(branch), bursts: 10, pause: 40 * time.Millisecond}
		waits = append(waits, clients.run(ctx, 2))
	}
	for range chainKills {
		c.awaitMore(t)
		pass(ctx, time.Duration(rand.Int64N(int64(300*time.Millisecond))))
		kill(t, middle)
		middle = cutShort(t, inner.Start(t, harness.Launch{Name: "a1", Conf: confs[1]}))
	}
	c.awaitMore(t)
	cancel()
	for _, wait := range waits {
		wait()
	}
	for _, branch := range chainBranches {
		c.compare(t, branch)
	}
}

// configure returns the configurations of the three agents.
func (c *chain) configure() [3]string {
	var first, middle, last topology
	for _, branch := range chainBranches {
		source := []string{"type = " + branch, "bind = 127.0.0.1", "port = <port " + branch + ">"}
		sink := func(to *harness.Site) []string {
			return []string{"type = " + branch, "hostname = 127.0.0.1", fmt.Sprintf("port = %d", to.Port(branch)),
				fmt.Sprintf("batch-size = %d", chainBatch)}
		}
		first.netcat(branch, branch, fmt.Sprintf("max-line-length = %d", longLine))
		first.durable(branch)
		first.sink(branch, branch, sink(c.middle)...)
		middle.source(branch, branch, source...)
		middle.durable(branch)
		middle.sink(branch, branch, sink(c.last)...)
		last.source(branch, branch, source...)
		last.keep(branch, chainBatch)
	}
	return [3]string{c.first.Expand(first.String()), c.middle.Expand(middle.String()), c.last.Expand(last.String())}
}

// awaitMore waits until something was sent into and has come out of each branch that had not come out before.
func (c *chain) awaitMore(t *testing.T) {
	t.Helper()
	for _, branch := range chainBranches {
		sent := c.books[branch].tally().issued
		harness.Eventually(t, drainLimit, "new events to come out of the chain's branch of "+branch, func() bool {
			for line := range arrived(t, c.last.Dir(branch)) {
				if id, err := c.books[branch].identify([]byte(line)); err == nil && id >= sent {
					return true
				}
			}
			return false
		})
	}
}

// compare waits until everything that was acknowledged has come out, and compares.
func (c *chain) compare(t *testing.T, branch string) {
	t.Helper()
	book := c.books[branch]
	var (
		lines   map[string]int
		missing int
	)
	harness.Poll(drainLimit, func() bool {
		lines = arrived(t, c.last.Dir(branch))
		missing = 0
		for id, acked := range book.acked {
			if acked && lines[string(book.appendLine(nil, id))] == 0 {
				missing++
			}
		}
		return missing == 0
	})
	sum := book.tally()
	if missing > 0 || sum.oks == 0 {
		t.Errorf("%s: %d of %d acknowledged events are lost", branch, missing, sum.oks)
	}
	for line := range lines {
		if _, err := book.identify([]byte(line)); err != nil {
			t.Errorf("%s: %v", branch, err)
		}
	}
	// At a kill one batch may be on its way into the middle agent, and one out of it.
	if n := again(lines); n > chainKills*2*chainBatch {
		t.Errorf("%s: %d events came again, at most %d may", branch, n, chainKills*2*chainBatch)
	}
	if err := book.complaint(); err != nil {
		t.Errorf("%s: %v", branch, err)
	}
	t.Logf("%s: %d events acknowledged, %d refused, %d came again", branch, sum.oks, sum.refused, again(lines))
}
