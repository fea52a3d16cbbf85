package netcatudp

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/udp/udptest"
)

func start(t *testing.T, out flow.Emitter, settings ...string) *udptest.Running {
	t.Helper()
	return udptest.Start(t, out, "netcatudp", append(settings, "bind = 127.0.0.1")...)
}

func TestDatagrams(t *testing.T) {
	large := strings.Repeat("x", 60_000)
	out := udptest.NewRecorder()
	in := start(t, out)
	for _, c := range []struct{ datagram, want string }{
		{"plain", "plain"},
		{"line\n", "line"},
		{"first\nsecond\n", "first"},
		{"cr\r\n", "cr\r"},
		{"\n", ""},
		{"", ""},
		{"\x00\xff", "\x00\xff"},
		{large, large},
	} {
		in.Send(t, c.datagram)
		e := out.Next(t)
		if string(e.Body) != c.want || len(e.Headers) != 0 {
			t.Errorf("datagram %.20q: event %.20q with %v", c.datagram, e.Body, e.Headers)
		}
	}
}

func TestRemoteAddress(t *testing.T) {
	for _, key := range []string{"remoteAddress", "remoteAddressHeader"} {
		out := udptest.NewRecorder()
		in := start(t, out, key+" = from")
		for range 2 {
			in.Send(t, "x")
			e := out.Next(t)
			if diff := cmp.Diff([]event.Header{{Key: "from", Value: "/" + in.Conn.LocalAddr().String()}}, e.Headers); diff != "" {
				t.Errorf("%s (-want +got):\n%s", key, diff)
			}
		}
	}
}

func TestAddressText(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.7:40312":          "/10.0.0.7:40312",
		"[::ffff:10.0.0.7]:514":   "/10.0.0.7:514",
		"[::1]:5":                 "/[0:0:0:0:0:0:0:1]:5",
		"[2001:db8::a0b:1]:65535": "/[2001:db8:0:0:0:0:a0b:1]:65535",
		"[fe80::1%eth0]:1":        "/[fe80:0:0:0:0:0:0:1%eth0]:1",
	} {
		if got := string(appendAddress(nil, netip.MustParseAddrPort(in))); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// TestWaitingDatagrams: what waits while the channel is full is not lost, and each
// datagram keeps its sender.
func TestWaitingDatagrams(t *testing.T) {
	const n = 100
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
	in := start(t, out, "remoteAddress = from", "receiveBuffer = 1048576")
	in.Send(t, "0")
	<-arrived
	for i := 1; i < n; i++ {
		in.Send(t, fmt.Sprint(i))
	}
	close(release)
	for i := range n {
		e := out.Next(t)
		if from, _ := e.Header("from"); string(e.Body) != fmt.Sprint(i) || from != "/"+in.Conn.LocalAddr().String() {
			t.Fatalf("event %d is %q from %q", i, e.Body, from)
		}
	}
}

func TestNotCurable(t *testing.T) {
	out := udptest.NewRecorder()
	out.Fail = func(int) error { return flow.Fatal(errors.New("broken")) }
	in := start(t, out)
	in.Send(t, "x")
	if err := in.Wait(t); flow.ClassOf(err) != flow.ClassFatal || !strings.HasPrefix(err.Error(), "handing on datagrams: ") {
		t.Errorf("Run returned %v", err)
	}
	if got := in.Source.(*source).lost.Value(); got != 1 {
		t.Errorf("dropped_datagrams is %d", got)
	}
}

func TestPortInUse(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	addr := pc.LocalAddr().String()
	_, port, _ := net.SplitHostPort(addr)
	src := udptest.New(t, "netcatudp", slog.New(slog.DiscardHandler), "bind = 127.0.0.1", "port = "+port)
	err = src.Run(t.Context(), udptest.NewRecorder())
	if err == nil || !strings.HasPrefix(err.Error(), "listening on "+addr+" (properties bind and port): ") {
		t.Errorf("Run returned %v", err)
	}
}
