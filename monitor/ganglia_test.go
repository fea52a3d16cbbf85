package monitor

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/metrics"
)

// bytesOf reads hexadecimal bytes; spaces and line ends are for the reader.
func bytesOf(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGanglia30Packet(t *testing.T) {
	want := bytesOf(t, `
		00000000
		00000005 666c6f61 74000000
		0000000a 682e666c 756d652e 612e0000
		00000002 32350000
		00000000
		00000003 0000003c 00000000`)
	if diff := cmp.Diff(want, string(ganglia30("h", "flume.a.", "25"))); diff != "" {
		t.Errorf("packet differs (-want +got):\n%s", diff)
	}
}

func TestGanglia31Packets(t *testing.T) {
	metadata, value := ganglia31("host", "flume.b", "SINK")
	wantMetadata := bytesOf(t, `
		00000080
		00000004 686f7374
		00000007 666c756d 652e6200
		00000000
		00000006 73747269 6e670000
		00000007 666c756d 652e6200
		00000000
		00000003 0000003c 00000000
		00000001
		00000005 47524f55 50000000
		00000005 666c756d 65000000`)
	wantValue := bytesOf(t, `
		00000085
		00000004 686f7374
		00000007 666c756d 652e6200
		00000000
		00000002 25730000
		00000004 53494e4b`)
	if diff := cmp.Diff([]string{wantMetadata, wantValue}, []string{string(metadata), string(value)}); diff != "" {
		t.Errorf("packets differ (-want +got):\n%s", diff)
	}
}

func TestGangliaType(t *testing.T) {
	for value, want := range map[string]string{
		"0": "float", "25": "float", "-1": "float", "25.0": "float", "1.0E-5": "float", "1.7976931348623157E308": "float",
		"1e400": "float", "NaN": "float", "-Infinity": "float", "1f": "float", "1.5d": "float", ".5": "float", " 7 ": "float",
		"": "string", "true": "string", "SOURCE": "string", "inf": "string", "nan": "string", "1 2": "string", "d": "string", "-": "string",
	} {
		if got := gangliaType(value); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

// packetLog is a socket that keeps what is sent.
type packetLog struct {
	net.PacketConn
	mu   sync.Mutex
	to   map[string][]string
	fail error
}

func (p *packetLog) WriteTo(b []byte, addr net.Addr) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return 0, p.fail
	}
	p.to[addr.String()] = append(p.to[addr.String()], string(b))
	return len(b), nil
}

// take returns what was sent to an address since the last take.
func (p *packetLog) take(addr string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.to[addr]
	delete(p.to, addr)
	return out
}

func testGanglia(t *testing.T, o Options, settings map[string]string) *ganglia {
	t.Helper()
	f := &fake{registry: metrics.NewRegistry()}
	f.registry.Register(metrics.NewSet("OTHER", "x")) // StartTime, StopTime and Type alone
	settings["type"] = "ganglia"
	r, err := New(settings, f, o)
	if err != nil {
		t.Fatal(err)
	}
	g := r.(*ganglia)
	g.host = "h"
	g.lookup = func(_ context.Context, host string) ([]net.IPAddr, error) {
		if host != "known" {
			return nil, errors.New("no such host")
		}
		return []net.IPAddr{{IP: net.IPv6loopback}, {IP: net.IPv4(192, 0, 2, 1)}}, nil
	}
	return g
}

// TestGangliaRounds sees two rounds: what is sent, when, and to whom, with a host
// that gets an address later.
func TestGangliaRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, log := logged(t)
		g := testGanglia(t, o, map[string]string{"hosts": "unknown:1,known:8649", "pollFrequency": "10", "isGanglia3": "TRUE"})
		var found sync.Map
		inner := g.lookup
		g.lookup = func(ctx context.Context, host string) ([]net.IPAddr, error) {
			if _, ok := found.Load(host); ok {
				return []net.IPAddr{{IP: net.IPv4(192, 0, 2, 2)}}, nil
			}
			return inner(ctx, host)
		}
		conn := &packetLog{to: map[string][]string{}}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			g.run(ctx, conn)
		}()
		round := []string{
			string(ganglia30("h", "flume.OTHER.x.StartTime", "0")),
			string(ganglia30("h", "flume.OTHER.x.StopTime", "0")),
			string(ganglia30("h", "flume.OTHER.x.Type", "OTHER")),
		}
		synctest.Wait()
		if diff := cmp.Diff(round, conn.take("192.0.2.1:8649")); diff != "" {
			t.Errorf("first round differs (-want +got):\n%s", diff)
		}
		time.Sleep(10*time.Second - 1) //nolint:forbidigo // the bubble's clock
		synctest.Wait()
		if got := conn.take("192.0.2.1:8649"); got != nil {
			t.Errorf("%d packets before the interval is over", len(got))
		}
		found.Store("unknown", true)
		time.Sleep(time.Nanosecond) //nolint:forbidigo // the bubble's clock
		synctest.Wait()
		for _, addr := range []string{"192.0.2.1:8649", "192.0.2.2:1"} {
			if diff := cmp.Diff(round, conn.take(addr)); diff != "" {
				t.Errorf("second round to %s differs (-want +got):\n%s", addr, diff)
			}
		}
		stop()
		<-done
		if n := strings.Count(log.String(), "no such host"); n != 1 || !strings.Contains(log.String(), "unknown:1") {
			t.Errorf("%d lines for one failure: %s", n, log)
		}
		if !strings.Contains(log.String(), "is sent to again") {
			t.Errorf("the recovery is not logged: %s", log)
		}
	})
}

// TestGangliaSendFailures counts the lines of a socket that fails for two rounds
// and then works.
func TestGangliaSendFailures(t *testing.T) {
	o, log := logged(t)
	g := testGanglia(t, o, map[string]string{"hosts": "known:8649"})
	conn := &packetLog{to: map[string][]string{}, fail: errors.New("network is unreachable")}
	g.resolve(t.Context())
	g.round(t.Context(), conn)
	g.round(t.Context(), conn)
	if n := strings.Count(log.String(), "cannot be sent to"); n != 1 {
		t.Errorf("%d lines for one failure: %s", n, log)
	}
	conn.fail = nil
	g.round(t.Context(), conn)
	if got := conn.take("192.0.2.1:8649"); len(got) != 6 || !strings.Contains(log.String(), "is sent to again") {
		t.Errorf("%d packets, log %s", len(got), log)
	}
}

func TestGangliaTooLong(t *testing.T) {
	o, log := logged(t)
	g := testGanglia(t, o, map[string]string{"hosts": "known:8649"})
	long := strings.Repeat("n", maxPacket)
	for range 2 {
		if got := g.packets(long, "1"); got != nil {
			t.Errorf("%d packets", len(got))
		}
	}
	if n := strings.Count(log.String(), "does not fit"); n != 1 {
		t.Errorf("%d lines for one metric", n)
	}
}

// TestGangliaSocket sends over the network's loopback.
func TestGangliaSocket(t *testing.T) {
	daemon, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	r, err := New(map[string]string{"type": "ganglia", "hosts": daemon.LocalAddr().String()}, newFake(), options(t))
	if err != nil {
		t.Fatal(err)
	}
	start(t, r)
	if err := daemon.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, maxPacket)
	n, _, err := daemon.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	host := r.(*ganglia).host
	want, _ := ganglia31(host, "flume.CHANNEL.c1.ChannelCapacity", "100")
	if diff := cmp.Diff(string(want), string(b[:n])); diff != "" {
		t.Errorf("first packet differs (-want +got):\n%s", diff)
	}
	if err := r.Start(t.Context()); err == nil {
		t.Error("a second Start is no error")
	}
}
