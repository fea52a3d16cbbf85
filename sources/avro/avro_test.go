package avro

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
	wire "github.com/flume-go/flume/wire/avro"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// decode reads lines "key = value" besides an address.
func decode(t testing.TB, settings ...string) *component.Decoded {
	t.Helper()
	set := property.Settings{"port": {Text: "0"}, "bind": {Text: "127.0.0.1"}}
	for _, line := range settings {
		key, value, _ := strings.Cut(line, " = ")
		set[key] = property.Value{Text: value}
	}
	entry, ok := component.Lookup(component.KindSource, "org.apache.flume.source.AvroSource")
	if !ok {
		t.Fatal("the class name of Flume is not known")
	}
	return component.Decode(entry, set, component.Scope{Prefix: "a1.sources.r1."})
}

// journal is a log that is written and read by several goroutines.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) count(what string) int { return strings.Count(j.String(), what) }

// outlet is an emitter that counts, and fails as it is told.
type outlet struct {
	mu     sync.Mutex
	events int
	err    error
}

func (o *outlet) Emit(_ context.Context, b *event.Batch) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.events += b.Len()
	}
	return o.err
}

func (o *outlet) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

func (o *outlet) stored() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.events
}

// subject is a running source.
type subject struct {
	addr string
	out  outlet
	log  journal
	set  *metrics.Set
}

// run runs a source until the end of the test.
func run(t testing.TB, settings ...string) *subject {
	t.Helper()
	d := decode(t, settings...)
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	s := &subject{set: metrics.NewSet(metrics.KindSource, "r1")}
	src, err := component.New[flow.Source](d, component.Env{
		Agent: "a1", Name: "r1", FS: vfs.OS{}, Log: slog.New(slog.NewTextHandler(&s.log, nil)), Metrics: s.set,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, &s.out) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(limit):
			t.Error("Run does not return")
		}
	})
	eventually(t, "to listen", func() bool { return s.log.count("msg=listening") > 0 })
	_, s.addr, _ = strings.Cut(s.log.String(), "address=")
	s.addr, _, _ = strings.Cut(s.addr, " ")
	return s
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waiting in vain %s", what)
		}
		flow.Sleep(t.Context(), time.Millisecond)
	}
}

func (s *subject) counts(names ...string) map[string]int64 {
	all := map[string]int64{}
	for _, n := range names {
		all[n] = s.set.Counter(n).Value()
	}
	return all
}

func connect(t testing.TB, addr string) *wire.Client {
	t.Helper()
	c, err := wire.Dial(t.Context(), wire.Options{Address: addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func batch(t testing.TB, n int) *event.Batch {
	b := event.NewBatch()
	t.Cleanup(b.Release)
	for range n {
		b.AppendCopy([]byte("body"))
	}
	return b
}

// TestAnswersAndCounters: what comes of each outcome of a call.
func TestAnswersAndCounters(t *testing.T) {
	s := run(t)
	c := connect(t, s.addr)
	for _, step := range []struct {
		err    error
		single bool
		n      int
		ok     bool
	}{
		{nil, false, 3, true}, {nil, true, 1, true}, {nil, false, 0, true},
		{flow.ErrFull, false, 2, false}, {errors.New("interceptor"), true, 1, false}, {flow.Reject(errors.New("bad")), false, 2, false},
		{flow.ErrFull, false, 0, true}, // there is nothing to store
		{nil, false, 2, true},
	} {
		s.out.fail(step.err)
		var err error
		if b := batch(t, step.n); step.single {
			err = c.Append(t.Context(), b.At(0), nil)
		} else {
			err = c.AppendBatch(t.Context(), b, nil)
		}
		var answer *wire.AnswerError
		if step.ok && err != nil || !step.ok && (!errors.As(err, &answer) || answer.Status != wire.Failed || answer.Text != "") {
			t.Errorf("%+v is answered with %v", step, err)
		}
	}
	want := map[string]int64{"AppendReceivedCount": 2, "AppendAcceptedCount": 1, "AppendBatchReceivedCount": 6, "AppendBatchAcceptedCount": 4, "EventReadFail": 0}
	got := s.counts("AppendReceivedCount", "AppendAcceptedCount", "AppendBatchReceivedCount", "AppendBatchAcceptedCount", "EventReadFail")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	if n := s.out.stored(); n != 6 {
		t.Errorf("%d events are stored", n)
	}
	if n := s.log.count("handing on events fails"); n != 1 {
		t.Errorf("the log tells of failures %d times:\n%s", n, s.log.String())
	}
	if s.log.count("handing on events works again") != 1 {
		t.Error("the log does not tell of their end")
	}
}

// TestNonsense: connections with something else than the protocol are closed, with
// one line for all from one address, and others go on.
func TestNonsense(t *testing.T) {
	s := run(t)
	good := connect(t, s.addr)
	for range 5 {
		for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x00\xc8\x01\x00\x00", "\x00\x00\x00\x01\x00\x00\x00\x01\x7f\xff\xff\xff"} {
			conn, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Write([]byte(text))
			if p, _ := io.ReadAll(conn); len(p) > 0 { // a reset is as good as an end
				t.Errorf("%q is answered with %q", text, p)
			}
			conn.Close()
		}
		if err := good.AppendBatch(t.Context(), batch(t, 1), nil); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "for the count", func() bool { return s.counts("EventReadFail")["EventReadFail"] == 15 })
	if n := s.log.count("level=WARN"); n != 1 {
		t.Errorf("the log has %d lines about it:\n%s", n, s.log.String())
	}
}

// TestFilteredClients: who is not allowed sees the connection close.
func TestFilteredClients(t *testing.T) {
	s := run(t, "ipFilter = true", "ipFilterRules = deny:ip:127.*")
	if _, err := wire.Dial(t.Context(), wire.Options{Address: s.addr}); err == nil {
		t.Error("a client may connect that is denied")
	}
	if s.set.OwnCounter("filtered_connections", "").Value() != 1 || s.log.count("ipFilterRules do not allow it") != 1 {
		t.Errorf("it is not told:\n%s", s.log.String())
	}
	connect(t, run(t, "ipFilter = true", "ipFilterRules = allow:name:localhost,deny:ip:*").addr)
}

// TestManyIdleConnections: they cost little, whatever they have sent before.
func TestManyIdleConnections(t *testing.T) {
	s := run(t)
	open := s.set.Gauge("OpenConnectionCount")
	var clients []*wire.Client
	for range 300 {
		clients = append(clients, connect(t, s.addr))
	}
	for _, c := range clients {
		if err := c.AppendBatch(t.Context(), batch(t, 1), nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := open.Value(); n != 300 {
		t.Errorf("%d connections are counted", n)
	}
	for _, c := range clients {
		c.Close()
	}
	eventually(t, "for the connections to end", func() bool { return open.Value() == 0 })
	if s.log.count("level=WARN") != 0 {
		t.Errorf("their ends are trouble:\n%s", s.log.String())
	}
}

func TestMaxConnections(t *testing.T) {
	s := run(t, "max-connections = 1")
	connect(t, s.addr)
	if _, err := wire.Dial(t.Context(), wire.Options{Address: s.addr}); err == nil {
		t.Error("there are two connections")
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct{ settings, want []string }{
		"defaults":       {nil, nil},
		"compression":    {[]string{"compression-type = Deflate"}, nil},
		"unknown type":   {[]string{"compression-type = gzip"}, []string{"warning compression-type"}},
		"threads":        {[]string{"threads = 10"}, []string{"advice threads"}},
		"bad threads":    {[]string{"threads = many"}, []string{"warning threads", "advice threads"}},
		"no rules":       {[]string{"ipFilter = true"}, []string{"error ipFilterRules"}},
		"bad rules":      {[]string{"ipFilter = true", "ipFilterRules = deny"}, []string{"error ipFilterRules"}},
		"unused rules":   {[]string{"ipFilterRules = deny:ip:*"}, []string{"warning ipFilterRules"}},
		"no store":       {[]string{"ssl = true"}, []string{"error keystore"}},
		"a typo":         {[]string{"compression-typ = deflate"}, []string{"warning compression-typ"}},
		"small requests": {[]string{"max-request-size = 1"}, []string{"error max-request-size"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("FLUME_SSL_KEYSTORE_PATH", "")
			var got []string
			d := decode(t, c.settings...)
			for _, p := range d.Problems {
				got = append(got, p.Severity.String()+" "+strings.TrimPrefix(p.Key, "a1.sources.r1."))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s\n%v", diff, d.Problems)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	if got := (Config{Port: 4141, Bind: "h"}).Claims(); len(got) != 1 || got[0].ID != "4141" || got[0].Host != "h" {
		t.Errorf("claims are %v", got)
	}
	if got := (Config{}).Claims(); got != nil {
		t.Errorf("any port is claimed: %v", got)
	}
}

// TestPeerLog: each address once a minute, and no more than so many.
func TestPeerLog(t *testing.T) {
	var p peerLog
	now := time.Now()
	for i := range 5 {
		if _, ok := p.allow("a", now); ok != (i == 0) {
			t.Errorf("line %d: %v", i, ok)
		}
	}
	if _, ok := p.allow("b", now); !ok {
		t.Error("another address is not told of")
	}
	if quiet, ok := p.allow("a", now.Add(2*time.Minute)); !ok || quiet != 4 {
		t.Errorf("after two minutes: %v, with %d before", ok, quiet)
	}
	lines := 0
	for i := range 3 * maxTroubled {
		if _, ok := p.allow(string(rune(0x4e00+i)), now.Add(2*time.Minute)); ok {
			lines++
		}
	}
	if lines > maxTroubled || len(p.peers) > maxTroubled+1 {
		t.Errorf("%d lines, %d addresses are remembered", lines, len(p.peers))
	}
}
