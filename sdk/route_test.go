package sdk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/internal/rpc"
)

var (
	errDown = errors.New("down")
	errSent = errors.New("no answer")
)

// fakeHost is a host that does as it is told and writes down what it is asked.
type fakeHost struct {
	name   string
	log    *strings.Builder
	fail   error // of calls
	after  int   // calls that succeed before
	closed bool
	down   bool // cannot be connected to
}

func (h *fakeHost) Address() string { return h.name }

func (h *fakeHost) Connect(context.Context) error {
	if h.down {
		return fmt.Errorf("%s is %w", h.name, errDown)
	}
	return nil
}

func (h *fakeHost) Call(ctx context.Context, c rpc.Call) (bool, error) {
	if err := h.Connect(ctx); err != nil {
		return false, err
	}
	if h.fail != nil && h.after == 0 {
		h.log.WriteString("!" + h.name)
		return errors.Is(h.fail, errSent), h.fail
	}
	h.after = max(h.after-1, 0)
	fmt.Fprintf(h.log, "%s%d ", h.name, c.Batch.Len())
	return false, nil
}

func (h *fakeHost) HangUp() {}

func (h *fakeHost) Close() error {
	h.closed = true
	return nil
}

func fakes(names string) (fs []*fakeHost, hosts []rpc.Host, log *strings.Builder) {
	log = new(strings.Builder)
	for _, n := range strings.Split(names, "") {
		f := &fakeHost{name: n, log: log}
		fs, hosts = append(fs, f), append(hosts, f)
	}
	return fs, hosts, log
}

// said requires what the hosts were asked since the last look.
func said(t *testing.T, log *strings.Builder, want string) {
	t.Helper()
	if got := strings.TrimSpace(log.String()); got != want {
		t.Errorf("the hosts were asked %q, want %q", got, want)
	}
	log.Reset()
}

func TestFailover(t *testing.T) {
	fs, hosts, log := fakes("abc")
	f := &client{rpc.NewFailover(hosts, len(hosts)), 10}
	send := func(n int) outcome { return f.send(t.Context(), made(0, n), false) }
	ok := func(n int, want string) {
		t.Helper()
		if o := send(n); o.err != nil || o.delivered != n {
			t.Errorf("%+v", o)
		}
		said(t, log, want)
	}
	ok(10, "a10")
	ok(5, "a5")
	// What is delivered is not sent again.
	fs[0].fail, fs[0].after = errDown, 1
	ok(25, "a10 !ab10 b5")
	// There is no way back, but around.
	fs[0].fail = nil
	ok(1, "b1")
	fs[1].fail, fs[2].down = errDown, true
	ok(1, "!ba1")
	// All fail, then the search goes on behind the last one.
	fs[0].fail, fs[0].after, fs[2].down, fs[2].fail = errSent, 0, false, errDown
	o := send(1)
	if o.err == nil || !o.unknown || o.delivered != 0 || !strings.Contains(o.err.Error(), "all 3 attempts failed") {
		t.Errorf("%+v", o)
	}
	said(t, log, "!a!b!c")
	// Nobody can be connected to: no more attempts, and then from the first one.
	for _, h := range fs {
		h.down = true
	}
	if o := send(1); o.err == nil || !strings.Contains(o.err.Error(), "no host can be connected to: a is down") {
		t.Errorf("%+v", o)
	}
	said(t, log, "")
	for _, h := range fs {
		h.down, h.fail = false, nil
	}
	ok(1, "a1")
	if err := f.Close(); err != nil || !fs[0].closed || !fs[1].closed || !fs[2].closed {
		t.Errorf("closing: %v, %v", err, fs)
	}
}

func TestFailoverAttempts(t *testing.T) {
	fs, hosts, log := fakes("abc")
	for _, h := range fs {
		h.fail = errDown
	}
	for attempts, want := range map[int]string{1: "!a", 2: "!a!b", 5: "!a!b!c!a!b"} {
		f := &client{rpc.NewFailover(hosts, attempts), 10}
		if o := f.send(t.Context(), made(0, 1), true); !errors.Is(o.err, errDown) {
			t.Errorf("%+v", o)
		}
		said(t, log, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o := (&client{rpc.NewFailover(hosts, 3), 10}).send(ctx, made(0, 1), true); !errors.Is(o.err, context.Canceled) {
		t.Errorf("%+v", o)
	}
	said(t, log, "")
}

func TestRoundRobin(t *testing.T) {
	fs, hosts, log := fakes("abc")
	b := &client{rpc.NewBalancer(hosts, false, 0), 2}
	for range 4 {
		if o := b.send(t.Context(), made(0, 1), false); o.err != nil {
			t.Error(o.err)
		}
	}
	said(t, log, "a1 b1 c1 a1")
	fs[1].fail, fs[1].after, fs[2].fail = errDown, 1, errDown
	if o := b.send(t.Context(), made(0, 6), false); o.err != nil || o.delivered != 6 {
		t.Errorf("%+v", o)
	}
	said(t, log, "b2 !b!ca2 a2")
	fs[0].fail, fs[0].after = errSent, 1
	o := b.send(t.Context(), made(0, 6), false)
	if !errors.Is(o.err, errSent) || !errors.Is(o.err, errDown) || o.delivered != 2 || !o.unknown {
		t.Errorf("%+v", o)
	}
	said(t, log, "!ca2 !a!b")
}

func TestRandom(t *testing.T) {
	_, hosts, log := fakes("abc")
	b := &client{rpc.NewBalancer(hosts, true, 0), 10}
	for range 200 {
		if o := b.send(t.Context(), made(0, 1), false); o.err != nil {
			t.Error(o.err)
		}
	}
	for _, h := range []string{"a1", "b1", "c1"} {
		if n := strings.Count(log.String(), h); n < 20 {
			t.Errorf("%s had %d of 200 calls", h, n)
		}
	}
}

func TestBackoffOfBalancer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, hosts, log := fakes("ab")
		b := &client{rpc.NewBalancer(hosts, false, DefaultMaxBackoff), 10}
		send := func() error { return b.send(t.Context(), made(0, 1), false).err }
		fs[0].fail = errDown
		if err := errors.Join(send(), send(), send()); err != nil {
			t.Error(err)
		}
		said(t, log, "!ab1 b1 b1")
		fs[1].fail, fs[1].after = errDown, 0
		if send() == nil {
			t.Error("sent though both are down")
		}
		if err := send(); err == nil || !strings.Contains(err.Error(), "all hosts have failed lately") {
			t.Errorf("the error is %v", err)
		}
		said(t, log, "!b")
		<-time.After(2*time.Second + time.Millisecond)
		fs[0].fail, fs[1].fail = nil, nil
		if err := errors.Join(send(), send()); err != nil {
			t.Error(err)
		}
		if got := strings.Fields(log.String()); len(got) != 2 || got[0] == got[1] || !slices.Contains(got, "a1") {
			t.Errorf("the hosts were asked %v", got)
		}
	})
}

// TestRoutes sends through real agents, one of which goes away in the middle.
func TestRoutes(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		for strategy, s := range map[string]Strategy{"failover": Failover, "round robin": RoundRobin, "random": Random} {
			t.Run(name+" "+strategy, func(t *testing.T) {
				t.Parallel()
				one, two := started(t, p), started(t, p)
				c := open(t, Options{Hosts: []string{one.addr, two.addr}, Protocol: p, Strategy: s, BatchSize: 3})
				for i := range 20 {
					if i == 10 {
						one.stop()
					}
					if err := c.AppendBatch(t.Context(), made(10*i, 10*i+10)); err != nil {
						t.Fatal(err)
					}
				}
				first, _ := one.taken()
				second, _ := two.taken()
				got := map[string]bool{}
				for _, e := range slices.Concat(first, second) {
					got[string(e.Body)] = true
				}
				if len(got) != 200 || len(first)+len(second) != 200 {
					t.Errorf("%d events arrived, %d different ones, want 200", len(first)+len(second), len(got))
				}
				if len(second) < 100 || s == Failover && len(first) != 100 {
					t.Errorf("the first has %d events, the second %d", len(first), len(second))
				}
			})
		}
	}
}
