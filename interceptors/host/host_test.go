package host

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/interceptors/internal/interceptortest"
)

// fake is a network as the words of a test give it: addresses and names separated
// by spaces, "" where a look-up fails.
type fake struct {
	host, forward, own string
	reverse            map[string]string
}

var errUnknown = errors.New("no such host")

func parse(s string) ([]netip.Addr, error) {
	if s == "" {
		return nil, errUnknown
	}
	var out []netip.Addr
	for a := range strings.FieldsSeq(s) {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

func (f fake) hostname() (string, error) {
	if f.host == "" {
		return "", errUnknown
	}
	return f.host, nil
}

func (f fake) addresses(_ context.Context, name string) ([]netip.Addr, error) {
	if name != f.host {
		return nil, errUnknown
	}
	return parse(f.forward)
}

func (f fake) names(_ context.Context, a netip.Addr) ([]string, error) {
	names, ok := f.reverse[a.String()]
	if !ok {
		return nil, errUnknown
	}
	return strings.Fields(names), nil
}

func (f fake) interfaces() ([]netip.Addr, error) { return parse(f.own) }

func TestAddress(t *testing.T) {
	for name, c := range map[string]struct {
		n    fake
		want string
	}{
		"of the name":               {fake{host: "h", forward: "192.0.2.7", own: "127.0.0.1 10.0.0.1"}, "192.0.2.7"},
		"IPv4 before IPv6":          {fake{host: "h", forward: "2001:db8::1 192.0.2.7"}, "192.0.2.7"},
		"IPv4 written as IPv6":      {fake{host: "h", forward: "::ffff:192.0.2.7"}, "192.0.2.7"},
		"first of equals":           {fake{host: "h", forward: "192.0.2.9 192.0.2.7"}, "192.0.2.9"},
		"name is the loopback":      {fake{host: "h", forward: "127.0.1.1", own: "127.0.0.1 ::1 fe80::1%eth0 10.0.0.1"}, "10.0.0.1"},
		"name is unknown":           {fake{host: "h", own: "127.0.0.1 10.0.0.1 2001:db8::1"}, "10.0.0.1"},
		"no name":                   {fake{own: "10.0.0.1"}, "10.0.0.1"},
		"IPv6 alone":                {fake{host: "h", forward: "::1", own: "::1 fe80::1%eth0 2001:db8::1"}, "2001:db8::1"},
		"link-local before nothing": {fake{host: "h", forward: "127.0.0.1", own: "127.0.0.1 fe80::1%eth0"}, "fe80::1"},
		"loopback before nothing":   {fake{host: "h", forward: "127.0.1.1", own: "127.0.0.1 ::1"}, "127.0.1.1"},
	} {
		got, err := address(t.Context(), c.n)
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	if got, err := address(t.Context(), fake{host: "h", own: "0.0.0.0"}); err == nil {
		t.Errorf("address %q out of nothing", got)
	}
}

func TestName(t *testing.T) {
	for name, c := range map[string]struct {
		n    fake
		want string
	}{
		"full name":              {fake{host: "h", forward: "192.0.2.7", reverse: map[string]string{"192.0.2.7": "h.example.com. other."}}, "h.example.com"},
		"of the loopback":        {fake{host: "h", forward: "127.0.1.1", reverse: map[string]string{"127.0.1.1": "h.example.com"}}, "h.example.com"},
		"localhost is no name":   {fake{host: "h", forward: "127.0.0.1", reverse: map[string]string{"127.0.0.1": "localhost. localhost.localdomain h.example.com"}}, "h.example.com"},
		"second address":         {fake{host: "h", forward: "::1 192.0.2.7", reverse: map[string]string{"::1": "ip6-localhost", "192.0.2.7": "h.example.com"}}, "h.example.com"},
		"no name of the address": {fake{host: "h", forward: "192.0.2.7"}, "h"},
		"no address":             {fake{host: "h"}, "h"},
	} {
		got, err := fullName(t.Context(), c.n)
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	if got, err := fullName(t.Context(), fake{own: "10.0.0.1"}); err == nil {
		t.Errorf("name %q out of nothing", got)
	}
}

func TestIntercept(t *testing.T) {
	n := fake{host: "h", forward: "192.0.2.7", reverse: map[string]string{"192.0.2.7": "h.example.com."}}
	for name, c := range map[string]struct {
		cfg      Config
		in, want []string
	}{
		"address":     {Config{HostHeader: "host", UseIP: true}, []string{"a", "b|host=x"}, []string{"a|host=192.0.2.7", "b|host=192.0.2.7"}},
		"name":        {Config{HostHeader: "from"}, []string{"a|host=x"}, []string{"a|host=x|from=h.example.com"}},
		"preserve":    {Config{HostHeader: "host", UseIP: true, PreserveExisting: true}, []string{"a", "b|host=x"}, []string{"a|host=192.0.2.7", "b|host=x"}},
		"empty batch": {Config{HostHeader: "host", UseIP: true}, nil, []string{}},
	} {
		i := &interceptor{cfg: c.cfg, log: slog.New(slog.DiscardHandler), network: n}
		if err := i.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := interceptortest.Batch(c.in...)
		if err := i.Intercept(b); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, interceptortest.Show(b)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		b.Release()
	}
}

func TestUnknownHostIsSaidAndLeavesTheHeaderOut(t *testing.T) {
	for _, useIP := range []bool{true, false} {
		var log bytes.Buffer
		i := &interceptor{cfg: Config{HostHeader: "host", UseIP: useIP}, log: slog.New(slog.NewTextHandler(&log, nil)), network: fake{}}
		if err := i.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "header=host") {
			t.Errorf("useIP=%t logged %q", useIP, log.String())
		}
		b := interceptortest.Batch("a", "b|host=old")
		if err := i.Intercept(b); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"a", "b|host=old"}, interceptortest.Show(b)); d != "" {
			t.Error(d)
		}
		b.Release()
	}
}

// deaf is a network whose name server never answers.
type deaf struct{ fake }

func (deaf) addresses(ctx context.Context, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestOpenDoesNotWaitForEverForTheNameServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		i := &interceptor{cfg: Config{UseIP: true}, log: slog.New(slog.DiscardHandler), network: deaf{fake{host: "h", own: "10.0.0.1"}}}
		if err := i.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i.value != "10.0.0.1" || time.Since(start) != lookupTime {
			t.Errorf("value %q after %s", i.value, time.Since(start))
		}
	})
}

// The system's answers are not foreseeable, but it always has one.
func TestSystem(t *testing.T) {
	for _, useIP := range []string{"true", "false"} {
		i := interceptortest.New(t, "org.apache.flume.interceptor.HostInterceptor$Builder", interceptortest.Settings{"useIP": useIP})
		b := interceptortest.Batch("a")
		got := i.Run(t, b)[0]
		b.Release()
		value, ok := strings.CutPrefix(got, "a|host=")
		if _, err := netip.ParseAddr(value); !ok || value == "" || useIP == "true" && err != nil {
			t.Errorf("useIP=%s: %q, log %s", useIP, got, i.Log)
		}
	}
}

func TestCloseWithoutOpenAndTwice(t *testing.T) {
	i, err := New(Config{}, component.Env{})
	if err != nil {
		t.Fatal(err)
	}
	l, ok := i.(flow.Lifecycle)
	if !ok {
		t.Fatal("no Lifecycle")
	}
	for range 2 {
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
