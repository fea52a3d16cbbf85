package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flume-go/flume/flow"
)

// TestStressReload reloads random configurations under load. Clients of a netcat
// source keep an oracle: a line is acknowledged when its OK came. In the end
// every acknowledged line was delivered exactly once, every other at most once,
// and connections broke only when their own source had changed.
//
// The short form runs with the suite; FLUME_STRESS=<reloads> the long one.
func TestStressReload(t *testing.T) {
	reloads := 25
	if s := os.Getenv("FLUME_STRESS"); s != "" {
		reloads = 3000
		if n, err := strconv.Atoi(s); err == nil && n > 1 {
			reloads = n
		}
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("FLUME_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("%d reloads, FLUME_SEED=%d", reloads, seed)
	rng := rand.New(rand.NewPCG(seed, 0))

	name := t.Name()
	collected := benches.get(name)
	port := freePort(t)
	g := &generator{rng: rng, bench: name, port: port}
	a := newAgent(t, 20*time.Second)
	start(t, a, g.next())

	ctx, stop := context.WithCancel(t.Context())
	clients := make([]*client, 12)
	var wg sync.WaitGroup
	for i := range clients {
		c := &client{id: i, addr: fmt.Sprintf("127.0.0.1:%d", port)}
		clients[i] = c
		wg.Go(func() { c.run(ctx) })
	}
	eventually(t, "clients are served", func() bool { return clients[0].acked.Load() > 10 })

	var watching sync.WaitGroup
	watching.Go(func() {
		for flow.Sleep(ctx, time.Millisecond) {
			a.Status() // as the console does
		}
	})
	refused := 0
	shut := false
	for i := range reloads {
		if rng.IntN(10) == 0 {
			// A broken configuration never gets as far as a reload.
			if spec := parse(t, g.broken()); !spec.Problems.HasErrors() {
				t.Fatalf("a broken configuration passed the check")
			}
			continue
		}
		restarts := g.sourceRestarts
		text := g.next()
		// Never twice in a row: what the reload before left to be opened later, and
		// what is to be carried over into it, must get the chance.
		shut = !shut && rng.IntN(40) == 0
		collected.shut.Store(shut)
		collected.reload.Store(int64(i))
		if os.Getenv("FLUME_STRESS_TEXT") != "" {
			t.Logf("reload %d at %v (shut %v):\n%s", i, time.Now().Format(time.StampMicro), shut, text)
		}
		err := a.Reload(t.Context(), topologyText(t, text))
		collected.shut.Store(false)
		switch {
		case errors.Is(err, errShut):
			// Undone, and if it was the source that changed, that was
			// stopped for nothing: it changes again with the next one.
			refused++
			g.sourceRestarts += g.sourceRestarts - restarts
		case err != nil:
			t.Fatalf("reload %d: %v\n%s", i, err, text)
		}
		// Let the channels fill before the next one.
		want := acks(clients) + int64(rng.IntN(100))
		eventually(t, fmt.Sprintf("fresh lines are acknowledged after reload %d with\n%s", i, text), func() bool { return acks(clients) >= want })
	}
	stop()
	wg.Wait()
	watching.Wait()
	if err := a.Reload(t.Context(), topologyText(t, g.calm())); err != nil {
		t.Fatal(err)
	}
	if err := a.Stop(context.Background()); err != nil {
		t.Errorf("stopping: %v", err)
	}
	check(t, collected, clients, g.sourceRestarts)
	t.Logf("%d lines acknowledged, %d connections made, source restarted %d times, %d reloads undone", acks(clients), connections(clients), g.sourceRestarts, refused)
}

// check compares what clients know with what was delivered.
func check(t *testing.T, collected *bench, clients []*client, restarts int) {
	t.Helper()
	lost, doubled := 0, 0
	for _, c := range clients {
		for _, id := range append(c.ackedIDs, c.unknownIDs...) {
			if v := collected.visits(id); len(v) > 1 {
				doubled++
				t.Logf("line %s was delivered to (sink, reload) %v", id, v)
			}
		}
		for _, id := range c.ackedIDs {
			if collected.count(id) == 0 {
				lost++
				t.Logf("line %s was lost", id)
			}
		}
	}
	if lost > 0 || doubled > 0 {
		t.Errorf("%d acknowledged lines were lost, %d lines were delivered more than once", lost, doubled)
	}
	if made, allowed := connections(clients), len(clients)*(restarts+1); made > allowed {
		t.Errorf("clients had to connect %d times, more than the %d that %d restarts of their source explain", made, allowed, restarts)
	}
}

func acks(clients []*client) (n int64) {
	for _, c := range clients {
		n += c.acked.Load()
	}
	return n
}

func connections(clients []*client) (n int) {
	for _, c := range clients {
		n += int(c.connected.Load())
	}
	return n
}

// client sends numbered lines and waits for each answer.
type client struct {
	id        int
	addr      string
	acked     atomic.Int64
	connected atomic.Int64

	// Read after run has returned.
	ackedIDs, unknownIDs []string
}

func (c *client) run(ctx context.Context) {
	n, bursts := 0, 0
	for ctx.Err() == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.addr)
		if err != nil {
			flow.Sleep(ctx, 5*time.Millisecond)
			continue
		}
		served := false
		in := bufio.NewReader(conn)
		for ctx.Err() == nil {
			var burst []string // lines that come to the source as one batch
			for range 1 + bursts%5 {
				burst = append(burst, fmt.Sprintf("%d-%d", c.id, n))
				n++
			}
			bursts++
			if _, err := conn.Write([]byte(strings.Join(burst, "\n") + "\n")); err != nil {
				c.unknownIDs = append(c.unknownIDs, burst...)
				break
			}
			if !c.answers(in, burst) {
				break
			}
			if !served {
				served = true
				c.connected.Add(1)
			}
		}
		conn.Close()
	}
}

// answers reads an answer for each line; false if the connection is broken.
func (c *client) answers(in *bufio.Reader, lines []string) bool {
	for i, id := range lines {
		answer, err := in.ReadString('\n')
		if err != nil {
			c.unknownIDs = append(c.unknownIDs, lines[i:]...)
			return false
		}
		if answer == "OK\n" {
			c.ackedIDs = append(c.ackedIDs, id)
			c.acked.Add(1)
		}
	}
	return true
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// generator makes random configurations. Every event goes to exactly one channel,
// each channel has sinks of its own, and an event that a sink rejects comes to
// another by the dead-letter channel, so that delivered once is right.
type generator struct {
	rng            *rand.Rand
	bench          string
	port           int
	line           int // max-line-length of the netcat source, the source's own setting
	sourceRestarts int
}

func (g *generator) pick(options ...string) string { return options[g.rng.IntN(len(options))] }

func (g *generator) next() string {
	if g.line == 0 {
		g.line = 512
	} else if g.rng.IntN(12) == 0 {
		g.line++
		g.sourceRestarts++
	}
	return g.text(false)
}

func (g *generator) calm() string { return g.text(true) }

func (g *generator) text(calm bool) string {
	var b strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&b, "a1."+format+"\n", args...) }
	channels := []string{"c1"}
	for _, c := range []string{"c2", "c3"} {
		if g.rng.IntN(2) == 0 {
			channels = append(channels, c)
		}
	}
	put("sources = n1")
	put("sources.n1.type = netcat")
	put("sources.n1.bind = 127.0.0.1")
	put("sources.n1.port = %d", g.port)
	put("sources.n1.max-line-length = %d", g.line)
	put("sources.n1.channels = %s", strings.Join(channels, " "))
	put("sources.n1.selector.type = load_balancing")
	put("sources.n1.selector.policy = %s", g.pick("round_robin", "random"))
	if g.rng.IntN(3) > 0 {
		put("sources.n1.interceptors = i1")
		put("sources.n1.interceptors.i1.type = testmark")
		put("sources.n1.interceptors.i1.value = %d", g.rng.IntN(3))
	}
	letters := !calm && g.rng.IntN(3) == 0
	if letters {
		channels = append(channels, "letters")
	}
	put("channels = %s", strings.Join(channels, " "))
	var sinks, groups []string
	for _, c := range channels {
		kind := g.pick("memory", "memory", "memory", "testgate", "testgate", "direct", "pseudotxn")
		if c == "letters" {
			kind = g.pick("memory", "testgate", "pseudotxn")
		}
		put("channels.%s.type = %s", c, kind)
		if kind == "testgate" {
			put("channels.%s.bench = %s", c, g.bench)
		}
		transaction := 100
		if kind != "pseudotxn" {
			transaction = []int{1, 2, 3, 100}[g.rng.IntN(4)]
			put("channels.%s.transactionCapacity = %d", c, transaction)
		}
		put("channels.%s.keep-alive = %d", c, 30+g.rng.IntN(2))
		members := 1 + g.rng.IntN(2)
		var names []string
		for m := range members {
			k := fmt.Sprintf("k%s%d", c, m)
			names = append(names, k)
			put("sinks.%s.type = testsink", k)
			put("sinks.%s.bench = %s", k, g.bench)
			put("sinks.%s.channel = %s", k, c)
			put("sinks.%s.batchSize = %d", k, min(transaction, []int{1, 10, 100}[g.rng.IntN(3)]))
			if !calm {
				put("sinks.%s.slow = %s", k, g.pick("0", "0", "1", "5"))
			}
			if letters && c != "letters" && g.rng.IntN(2) == 0 {
				put("sinks.%s.reject = %d", k, 2+g.rng.IntN(5))
				put("sinks.%s.deadLetter = letters", k)
			}
			if !calm && m > 0 {
				put("sinks.%s.fail = %d", k, g.rng.IntN(4))
			}
		}
		sinks = append(sinks, names...)
		if members > 1 && g.rng.IntN(2) == 0 {
			put("sinkgroups.g%s.sinks = %s", c, strings.Join(names, " "))
			put("sinkgroups.g%s.processor.type = %s", c, g.pick("failover", "load_balance"))
			groups = append(groups, "g"+c)
		}
	}
	put("sinks = %s", strings.Join(sinks, " "))
	if len(groups) > 0 {
		put("sinkgroups = %s", strings.Join(groups, " "))
	}
	return b.String()
}

// broken makes a configuration with an error in it.
func (g *generator) broken() string {
	return g.text(true) + g.pick(
		"a1.sources.n1.channels = nowhere",
		"a1.channels.c1.type = memry",
		"a1.sources.n1.port = many",
		"a1.sinks = kc10\na1.sinks.kc10.channel = c9",
	)
}
