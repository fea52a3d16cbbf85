package monitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flume-go/flume/flow"
)

const (
	lookupLimit = 5 * time.Second
	maxPoll     = 24 * 60 * 60 // seconds
)

// ganglia sends all of Flume's metrics to Ganglia's daemons, at once and then at
// an interval. As in Flume the interval is the pause between two rounds.
type ganglia struct {
	subject  Subject
	interval time.Duration
	old      bool // the format before 3.1
	host     string
	nodes    []*gangliaNode
	log      *slog.Logger
	lookup   func(ctx context.Context, host string) ([]net.IPAddr, error)

	tooLong map[string]bool // metrics that were reported not to fit a packet

	mu   sync.Mutex
	stop context.CancelFunc
	done chan struct{}
}

var _ Reporter = (*ganglia)(nil)

// gangliaNode is one receiver.
type gangliaNode struct {
	host   string
	port   int
	addr   *net.UDPAddr // nil until the name has been resolved
	failed string       // the failure that was logged last; "" when it works
}

// newGanglia returns the reporter "ganglia".
func newGanglia(s *settings, subject Subject, o Options) Reporter {
	return &ganglia{
		subject:  subject,
		interval: time.Duration(s.number("pollFrequency", 60, 1, maxPoll)) * time.Second,
		old:      s.flag("isGanglia3"),
		host:     localName(o.Log),
		nodes:    gangliaNodes(s),
		log:      o.Log,
		lookup:   net.DefaultResolver.LookupIPAddr,
		tooLong:  map[string]bool{},
	}
}

func localName(log *slog.Logger) string {
	name, err := os.Hostname()
	if err != nil {
		log.Warn("this machine's name is unknown; Ganglia is told localhost", "error", err)
		return "localhost"
	}
	return name
}

// gangliaNodes reads the hosts. As in Flume what is no host:port is left out, and
// it is an error if nothing is left.
func gangliaNodes(s *settings) []*gangliaNode {
	var out []*gangliaNode
	list := s.text("hosts", "")
	for entry := range strings.SplitSeq(list, ",") {
		host, port, err := net.SplitHostPort(strings.TrimSpace(entry))
		n, bad := strconv.ParseUint(port, 10, 16)
		if err != nil || host == "" || bad != nil || n == 0 {
			if list != "" {
				s.log.Warn("Ganglia host is left out: it is not host:port", "property", s.prefix+"hosts", "host", entry)
			}
			continue
		}
		out = append(out, &gangliaNode{host: host, port: int(n)})
	}
	if len(out) == 0 {
		s.fail("hosts", fmt.Sprintf("%q names no Ganglia host; it is a list of host:port, separated by commas", list))
	}
	return out
}

// Addr implements Reporter: nothing is listened on.
func (g *ganglia) Addr() string { return "" }

// Start implements Reporter.
func (g *ganglia) Start(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stop != nil {
		return errors.New("ganglia monitoring was started before")
	}
	conn, err := net.ListenUDP("udp", nil)
	if err != nil {
		return fmt.Errorf("opening a UDP socket for ganglia monitoring: %w", err)
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.stop, g.done = stop, make(chan struct{})
	g.log.Info("ganglia monitoring sends", "hosts", len(g.nodes), "interval", g.interval.String())
	go func() {
		defer close(g.done)
		defer conn.Close()
		g.run(run, conn)
	}()
	return nil
}

// Close implements Reporter.
func (g *ganglia) Close(ctx context.Context) error {
	g.mu.Lock()
	stop, done := g.stop, g.done
	g.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("closing ganglia monitoring: %w", context.Cause(ctx))
	}
}

func (g *ganglia) run(ctx context.Context, conn net.PacketConn) {
	for {
		g.resolve(ctx)
		g.round(ctx, conn)
		if !flow.Sleep(ctx, g.interval) {
			return
		}
	}
}

// resolve looks every name up again, all at the same time: addresses change. A
// node whose name cannot be resolved keeps the address it had.
func (g *ganglia) resolve(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	var wg sync.WaitGroup
	for _, n := range g.nodes {
		wg.Go(func() {
			addr, err := g.address(ctx, n)
			if err == nil {
				n.addr = addr
				return
			}
			if n.addr == nil && !errors.Is(ctx.Err(), context.Canceled) {
				n.report(g.log, err)
			}
		})
	}
	wg.Wait()
}

func (g *ganglia) address(ctx context.Context, n *gangliaNode) (*net.UDPAddr, error) {
	ips, err := g.lookup(ctx, n.host)
	if err != nil {
		return nil, err
	}
	best := ips[0] // without an error there is one
	for _, ip := range ips {
		if ip.IP.To4() != nil { // as Java prefers by default
			best = ip
			break
		}
	}
	return &net.UDPAddr{IP: best.IP, Zone: best.Zone, Port: n.port}, nil
}

// report logs the first of several equal failures, and their end (nil).
func (n *gangliaNode) report(log *slog.Logger, err error) {
	to := net.JoinHostPort(n.host, strconv.Itoa(n.port))
	switch {
	case err == nil && n.failed != "":
		n.failed = ""
		log.Info("Ganglia host is sent to again", "host", to)
	case err != nil && n.failed != err.Error():
		n.failed = err.Error()
		log.Warn("Ganglia host cannot be sent to; it is tried again with each round", "host", to, "error", err)
	}
}

// round sends every metric to every node.
func (g *ganglia) round(ctx context.Context, conn net.PacketConn) {
	failures := make([]error, len(g.nodes))
	all := flumeJSON(g.subject.Metrics())
	for _, component := range sortedKeys(all) {
		for _, attribute := range sortedKeys(all[component]) {
			if ctx.Err() != nil {
				return
			}
			for _, p := range g.packets(gangliaPrefix+component+"."+attribute, all[component][attribute]) {
				g.send(conn, p, failures)
			}
		}
	}
	for i, n := range g.nodes {
		if n.addr != nil {
			n.report(g.log, failures[i])
		}
	}
}

// packets returns the packets of one metric, none if it does not fit.
func (g *ganglia) packets(name, value string) [][]byte {
	var out [][]byte
	if g.old {
		out = [][]byte{ganglia30(g.host, name, value)}
	} else {
		metadata, reading := ganglia31(g.host, name, value)
		out = [][]byte{metadata, reading}
	}
	for _, p := range out {
		if len(p) <= maxPacket {
			continue
		}
		// Names are as many as the configuration has; the bound is for reloads.
		if !g.tooLong[name] && len(g.tooLong) < 1000 {
			g.tooLong[name] = true
			g.log.Warn("metric is not sent to Ganglia: it does not fit a packet", "metric", name, "bytes", len(p), "limit", maxPacket)
		}
		return nil
	}
	return out
}

// send sends p to each node that has an address and keeps each one's last failure.
func (g *ganglia) send(conn net.PacketConn, p []byte, failures []error) {
	for i, n := range g.nodes {
		if n.addr == nil {
			continue
		}
		if _, err := conn.WriteTo(p, n.addr); err != nil {
			failures[i] = err
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
