package syslogudp

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/syslog"
	"github.com/flume-go/flume/internal/udp/udptest"
)

func start(t testing.TB, out flow.Emitter, settings ...string) (*source, *udptest.Running) {
	t.Helper()
	in := udptest.Start(t, out, "org.apache.flume.source.SyslogUDPSource", append(settings, "host = 127.0.0.1")...)
	return in.Source.(*source), in
}

func TestDatagrams(t *testing.T) {
	large := "<13>1 - h " + strings.Repeat("x", 60_000)
	for compat, want := range map[string][]string{
		"none":  {"a", "b", "one\ntwo", "<", large[10:], "bad", "last"},
		"flume": {"a", "b", "one", large[10:], "bad", "last"},
	} {
		out := udptest.NewRecorder()
		src, in := start(t, out, "compat = "+compat)
		for _, d := range []string{
			"<13>1 - h a", "\n<13>1 - h b\n", "<13>1 - h one\ntwo\n", "", "\n\n", "<", large, "bad", "<13>1 - h last",
		} {
			in.Send(t, d)
		}
		var got []string
		for range want {
			e := out.Next(t)
			got = append(got, string(e.Body))
			if status, _ := e.Header("flume.syslog.status"); (status == "Invalid") != (string(e.Body) == "bad" || string(e.Body) == "<") {
				t.Errorf("event %.20q has status %q", e.Body, status)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("compat = %s (-want +got):\n%s", compat, diff)
		}
		empty := int64(2)
		if compat == "flume" {
			empty++
		}
		if n := src.readFail.Value(); n != empty {
			t.Errorf("compat = %s: EventReadFail is %d, want %d", compat, n, empty)
		}
	}
}

func TestClientHeaders(t *testing.T) {
	out := udptest.NewRecorder()
	_, in := start(t, out, "clientIPHeader = ip", "clientHostnameHeader = name")
	for range 3 {
		in.Send(t, "<13>x")
		e := out.Next(t)
		ip, _ := e.Header("ip")
		name, ok := e.Header("name")
		if ip != "127.0.0.1" || !ok || name == "" {
			t.Errorf("headers %v", e.Headers)
		}
	}
}

// counting is a resolver that counts.
type counting struct{ asked *int }

func (c counting) LookupAddr(_ context.Context, addr string) ([]string, error) {
	*c.asked++
	return []string{"host-" + addr}, nil
}

func (c counting) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr(strings.TrimPrefix(host, "host-"))}, nil
}

// TestPeers: names are asked for once in a while, not for each datagram, and
// senders that are made up do not fill the memory.
func TestPeers(t *testing.T) {
	asked := 0
	p := newPeers(counting{&asked}, syslog.Settings{ClientHostname: "name"})
	now := time.Now()
	name := func(addr string, at time.Time) string {
		b := event.NewBatch()
		defer b.Release()
		e := b.Append([]byte("x"))
		p.headers(t.Context(), b, e, netip.MustParseAddr(addr), at)
		value, _ := e.Header("name")
		return strings.Clone(value)
	}
	for _, addr := range []string{"10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.1"} {
		if got := name(addr, now); got != "host-"+addr {
			t.Errorf("%s is called %q", addr, got)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times for two senders", asked)
	}
	name("10.0.0.1", now.Add(peerTime+time.Second))
	if asked != 3 {
		t.Errorf("after %v, asked %d times", peerTime, asked)
	}
	for i := range maxPeers + 100 {
		name(netip.AddrFrom4([4]byte{11, 0, byte(i >> 8), byte(i)}).String(), now)
	}
	if len(p.known) > maxPeers {
		t.Errorf("%d senders are remembered", len(p.known))
	}
}

// TestFull: nothing is lost while the channel is full, and what the kernel drops
// meanwhile is counted, if it tells.
func TestFull(t *testing.T) {
	const n = 500
	arrived, release := make(chan struct{}), make(chan struct{})
	out := udptest.NewRecorder()
	out.Fail = func(call int) error {
		if call > 1 {
			return nil
		}
		close(arrived)
		<-release
		return flow.ErrFull
	}
	src, in := start(t, out, "receiveBuffer = 4096")
	in.Send(t, "<13>1 - h first")
	<-arrived
	for range n {
		in.Send(t, "<13>1 - h "+strings.Repeat("x", 1000))
	}
	close(release)
	if e := out.Next(t); string(e.Body) != "first" {
		t.Errorf("event %q", e.Body)
	}
	received := int64(1)
	for deadline := time.After(udptest.Limit); runtime.GOOS == "linux" && received+src.dropped.Value() < n+1; {
		select {
		case <-out.Events:
			received++
		case <-deadline:
			t.Fatalf("of %d datagrams %d arrived, and %d are counted as dropped", n+1, received, src.dropped.Value())
		default:
			flow.Sleep(t.Context(), time.Millisecond)
		}
	}
}

func TestNotCurable(t *testing.T) {
	out := udptest.NewRecorder()
	out.Fail = func(int) error { return flow.Fatal(errors.New("broken")) }
	src, in := start(t, out)
	in.Send(t, "<13>x")
	if err := in.Wait(t); flow.ClassOf(err) != flow.ClassFatal || !strings.HasPrefix(err.Error(), "handing on messages: ") {
		t.Errorf("Run returned %v", err)
	}
	if n := src.lost.Value(); n != 1 {
		t.Errorf("dropped_messages is %d", n)
	}
}
