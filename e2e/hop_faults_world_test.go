//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// hopKind is what a chain is made of.
type hopKind struct {
	wire    string // avro or thrift: between the agents
	channel string // file or memory
	cover   hopCover
}

// callsAhead is how many calls a sink has under way at most, by Avro and by Thrift.
const callsAhead = 32

// hopCover is what the bytes between the agents are wrapped in.
type hopCover struct{ deflate, tls bool }

// String returns a name without a comma: it becomes part of names of folders, of which properties take lists.
func (k hopKind) String() string {
	name := k.wire + " and " + k.channel
	if k.cover.deflate {
		name += " deflated"
	}
	if k.cover.tls {
		name += " over TLS"
	}
	return name
}

// once reports whether a repeat is suppressed.
func (k hopKind) once() bool { return k.wire == "avro" && k.channel == "file" }

// durable reports whether agents may be ended.
func (k hopKind) durable() bool { return k.channel == "file" }

// hopWorld is a chain of three agents:
//
//	clients → agent 0 → hop 0 → agent 1 → hop 1 → agent 2 → files
type hopWorld struct {
	kind   hopKind
	rng    *rand.Rand
	book   *hopBook
	certs  harness.Certificates // of its agents, if they speak TLS
	nodes  [3]*hopNode
	hops   [2]*hop
	lives  []*hopLife
	report hopReport
}

// hopNode is one of the agents, in all its lives.
type hopNode struct {
	dir          string
	host         string
	port, metric int
	victim       *victim
	batch        int // of its sinks, in this life
	repeated     int // events that its channel did not store again, in this life
}

// hopLife is what agent 2 delivered in one of its lives.
type hopLife struct {
	dir    string
	batch  int
	killed bool
}

func newHopWorld(t *testing.T, kind hopKind, seed uint64) *hopWorld {
	own := uint64(crc32.ChecksumIEEE([]byte(kind.String()))) // faults differ from kind to kind
	w := &hopWorld{kind: kind, rng: rand.New(rand.NewPCG(seed, own)), book: &hopBook{ledger: ledger{seed: seed}}}
	root, host := t.TempDir(), ownHost()
	for i := range w.nodes {
		w.nodes[i] = &hopNode{dir: filepath.Join(root, strconv.Itoa(i)), host: host, port: 4141 + i, metric: harness.FreePort(t)}
		if err := os.MkdirAll(w.nodes[i].dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i := range w.hops {
		w.hops[i] = newHop(t, host, w.nodes[i+1].port, kind.cover)
	}
	if kind.cover.tls {
		w.certs = harness.MakeCertificates(t, host)
	}
	t.Cleanup(func() {
		for _, n := range w.nodes {
			if n.victim != nil {
				n.victim.kill()
			}
		}
	})
	return w
}

var hosts atomic.Uint32

// ownHost returns a loopback address that no other chain uses: while an agent is down, nobody else must get its port.
func ownHost() string {
	n := uint32(os.Getpid())<<6 + hosts.Add(1)%64
	return fmt.Sprintf("127.%d.%d.%d", 128+(n>>14)%64, (n>>7)%128, 1+n%128)
}

func (n *hopNode) addr() string { return fmt.Sprintf("%s:%d", n.host, n.port) }

func (n *hopNode) monitor() string { return fmt.Sprintf("127.0.0.1:%d", n.metric) }

// start starts an agent with other settings than before.
func (w *hopWorld) start(t *testing.T, i int) {
	t.Helper()
	pick := func(n ...int) int { return n[w.rng.IntN(len(n))] }
	n := w.nodes[i]
	n.batch, n.repeated = pick(1, 10, 100, 500), 0
	var c topology
	if i == 0 {
		c.source("s", "c", "type = avro") // the clients'
	} else {
		c.source("s", "c", "type = "+w.kind.wire)
		c.add("sources", "s", w.coverOfSource()...)
	}
	c.add("sources", "s", "bind = "+n.host, fmt.Sprintf("port = %d", n.port))
	if w.kind.channel == "file" {
		c.channel("c", "type = file", "checkpointDir = "+filepath.Join(n.dir, "checkpoint"), "dataDirs = "+filepath.Join(n.dir, "data"),
			fmt.Sprintf("capacity = %d", pick(3000, 1_000_000)), "transactionCapacity = 2000", "checkpointInterval = 1000",
			fmt.Sprintf("maxFileSize = %d", pick(200_000, 2_000_000)), "minimumRequiredSpace = 1048576", "keep-alive = 1")
	} else {
		c.channel("c", "type = memory", "capacity = 100000", "transactionCapacity = 2000", "keep-alive = 1")
	}
	if i == len(w.nodes)-1 {
		l := &hopLife{dir: filepath.Join(n.dir, "out", fmt.Sprintf("%04d", len(w.lives))), batch: n.batch}
		w.lives = append(w.lives, l)
		c.sink("k", "c", "type = file_roll", "sink.directory = "+l.dir, "sink.createDirectory = true", "sink.rollInterval = 0",
			"sink.serializer = header_and_text", fmt.Sprintf("sink.batchSize = %d", n.batch))
	} else {
		for k := range 1 + w.rng.IntN(2) {
			name := fmt.Sprintf("k%d", k)
			c.sink(name, "c", "type = "+w.kind.wire, "hostname = "+n.host, fmt.Sprintf("port = %d", w.hops[i].port()),
				fmt.Sprintf("batch-size = %d", n.batch), "connect-timeout = 1000", "request-timeout = 1000")
			c.add("sinks", name, w.coverOfSink()...)
		}
		w.hops[i].connectsWith(n.batch * callsAhead)
	}
	n.victim = startVictim(t, n.dir, c.String(), n.metric)
}

// coverOfSource returns the properties of sources between the agents.
func (w *hopWorld) coverOfSource() (settings []string) {
	if w.kind.cover.deflate {
		settings = append(settings, "compression-type = deflate")
	}
	if w.kind.cover.tls {
		settings = append(settings, "ssl = true", "keystore = "+w.certs.ServerStore, "keystore-password = "+w.certs.Password,
			"keystore-type = PKCS12")
	}
	return settings
}

// coverOfSink returns the properties of sinks between the agents.
func (w *hopWorld) coverOfSink() (settings []string) {
	if w.kind.cover.deflate {
		settings = append(settings, "compression-type = deflate")
	}
	if w.kind.cover.tls {
		settings = append(settings, "ssl = true", "truststore = "+w.certs.Authority, "truststore-type = PEM", "verify-hostname = true")
	}
	return settings
}

// kill ends an agent as kill -9 does.
func (w *hopWorld) kill(t *testing.T, i int) {
	t.Helper()
	w.sample(i)
	if i == len(w.nodes)-1 {
		w.lives[len(w.lives)-1].killed = true
	}
	if v := w.nodes[i].victim; !v.kill() {
		t.Fatalf("agent %d ended by itself, with %s:\n%s", i, v.cmd.ProcessState, v.log.String())
	}
	w.close(t, i)
}

// stop ends an agent in good order.
func (w *hopWorld) stop(t *testing.T, i int) {
	t.Helper()
	w.sample(i)
	w.nodes[i].victim.stop(t)
	w.close(t, i)
}

// close looks at what an agent that has ended has said.
func (w *hopWorld) close(t *testing.T, i int) {
	t.Helper()
	n := w.nodes[i]
	w.report.repeated += n.repeated
	n.repeated = 0
	for _, word := range []string{"amaged", "panic", "oroutine "} {
		if n.victim.log.contains(word) {
			t.Errorf("agent %d says %q though it was only ended:\n%s", i, word, n.victim.log.String())
		}
	}
}

// awaitStart waits until an agent serves connections.
func (w *hopWorld) awaitStart(t *testing.T, i int) {
	t.Helper()
	n := w.nodes[i]
	up := func() bool {
		conn, err := net.Dial("tcp", n.addr())
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}
	if !harness.Poll(30*time.Second, func() bool { return up() || !n.victim.running() }) || !n.victim.running() {
		t.Fatalf("agent %d does not serve:\n%s", i, n.victim.log.String())
	}
}

// sample reads how many events an agent did not store again.
func (w *hopWorld) sample(i int) {
	n := w.nodes[i]
	resp, err := client.Get("http://" + n.monitor() + "/prometheus")
	if err != nil {
		return // it is starting
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), `flume_channel_events_repeated_total{component="c"} `); ok {
			if f, err := strconv.ParseFloat(value, 64); err == nil {
				n.repeated = max(n.repeated, int(f))
			}
		}
	}
}

// run goes through so many histories, lets everything come out, and compares.
func (w *hopWorld) run(t *testing.T, histories int) {
	for i := range w.nodes {
		w.start(t, i)
	}
	for i := range w.nodes {
		w.awaitStart(t, i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := hopLoad{
		book: w.book, addr: w.nodes[0].addr(),
		batch: 1 + w.rng.IntN(60), pause: time.Duration(5+w.rng.IntN(20)) * time.Millisecond,
	}
	wait := d.run(ctx, 1+w.rng.IntN(4))
	for range histories {
		w.history(t)
	}
	cancel()
	wait()
	w.drain(t)
	w.compare(t)
}

// drain waits until all has come out and ends the agents.
func (w *hopWorld) drain(t *testing.T) {
	t.Helper()
	for i := range w.nodes {
		w.awaitStart(t, i)
	}
	for i, n := range w.nodes {
		size, known := -1, false
		if !harness.Poll(drainLimit, func() bool {
			size, known = metric(n.monitor(), "CHANNEL.c", "ChannelSize")
			return known && size == 0 || !n.victim.running()
		}) || !n.victim.running() {
			t.Fatalf("the channel of agent %d was not emptied, it holds %d events:\n%s", i, size, n.victim.log.String())
		}
		w.stop(t, i)
	}
	for _, h := range w.hops {
		w.report.hops.add(h.sum())
	}
}

// hopReport is the figures of a run.
type hopReport struct {
	histories, kills, stops int
	issued, acked, refused  int
	clientAgain             int // batches that clients sent again
	delivered               int // different events
	duplicates, allowed     int // more copies than one; those of them that clients or kills of the last agent explain
	lost, repeated, resent  int
	hops                    hopTotals
}

func (r *hopReport) add(o hopReport) {
	r.histories += o.histories
	r.kills += o.kills
	r.stops += o.stops
	r.issued += o.issued
	r.acked += o.acked
	r.refused += o.refused
	r.clientAgain += o.clientAgain
	r.delivered += o.delivered
	r.duplicates += o.duplicates
	r.allowed += o.allowed
	r.lost += o.lost
	r.repeated += o.repeated
	r.resent += o.resent
	r.hops.add(o.hops)
}

func (r hopReport) String() string {
	return fmt.Sprintf("%d histories (%d kills, %d stops, %d connections, %d answers cut off, %d proxies stuck); "+
		"%d events sent, %d acknowledged, %d refused, %d batches sent again by clients; %d delivered, %d lost, %d duplicates, "+
		"%d of them of clients and %d of the last sink's batches; at least %d repeats suppressed",
		r.histories, r.kills, r.stops, r.hops.conns, r.hops.cuts, r.hops.stuck,
		r.issued, r.acked, r.refused, r.clientAgain, r.delivered, r.lost, r.duplicates, r.allowed, r.resent, r.repeated)
}

func (s *hopTotals) add(o hopTotals) {
	s.conns += o.conns
	s.exposed += o.exposed
	s.cuts += o.cuts
	s.stuck += o.stuck
}
