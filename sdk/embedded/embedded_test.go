package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The sinks of tests take events, or do not.

func init() {
	component.RegisterSink(component.Info{Type: "testsink"}, func(cfg sinkConfig, _ component.Env) (flow.Sink, error) {
		return shelves.get(cfg.Shelf), nil
	})
}

type sinkConfig struct {
	Shelf string `flume:"shelf,required" doc:"Where the events are put."`
}

var shelves = struct {
	sync.Mutex
	byName map[string]*shelf
	get    func(string) *shelf
}{byName: map[string]*shelf{}}

func init() {
	shelves.get = func(name string) *shelf {
		shelves.Lock()
		defer shelves.Unlock()
		if shelves.byName[name] == nil {
			shelves.byName[name] = &shelf{changed: make(chan struct{}, 1000)}
		}
		return shelves.byName[name]
	}
}

type shelf struct {
	mu      sync.Mutex
	shut    bool
	got     []string
	changed chan struct{}
}

func (s *shelf) Deliver(_ context.Context, b *event.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return errors.New("the shelf is shut")
	}
	for i := range b.Len() {
		e := b.At(i)
		text := string(e.Body)
		for _, h := range e.Headers {
			text += " " + h.Key + "=" + h.Value
		}
		s.got = append(s.got, text)
		s.changed <- struct{}{}
	}
	return nil
}

func (s *shelf) has(t *testing.T, n int, want string) {
	t.Helper()
	for range n {
		select {
		case <-s.changed:
		case <-time.After(10 * time.Second):
			t.Fatalf("%d events did not come", n)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := strings.Join(s.got, "; "); got != want {
		t.Errorf("delivered %q, want %q", got, want)
	}
	s.got = nil
}

func (s *shelf) set(shut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut = shut
}

// props is a configuration with one sink, changed by pairs of keys and values.
func props(t *testing.T, changes ...string) map[string]string {
	m := map[string]string{"channel.type": "memory", "sinks": "k1", "k1.type": "testsink", "k1.shelf": t.Name()}
	for i := 0; i < len(changes); i += 2 {
		if m[changes[i]] = changes[i+1]; changes[i+1] == "" {
			delete(m, changes[i])
		}
	}
	return m
}

func configured(t *testing.T, p map[string]string) (*Agent, *shelf) {
	t.Helper()
	t.Cleanup(func() { // last
		shelves.Lock()
		defer shelves.Unlock()
		delete(shelves.byName, t.Name())
	})
	a := New("my app.x", Options{Log: slog.New(slog.DiscardHandler), StopLimit: 2 * time.Second})
	if err := a.Configure(p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(context.Background()); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return a, shelves.get(t.Name())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAgent(t *testing.T) {
	t.Parallel()
	a, s := configured(t, props(t, "source.type", "EMBEDDED", "source.interceptors", "i", "source.interceptors.i.type", "static",
		"source.interceptors.i.key", "dc", "source.interceptors.i.value", "west", "processor.type", "default"))
	if err := a.Put(t.Context(), sdk.Event{}); !errors.Is(err, ErrNotStarted) {
		t.Errorf("before the start: %v", err)
	}
	must(t, a.Start(t.Context()))
	if err := a.Start(t.Context()); !errors.Is(err, ErrStarted) {
		t.Errorf("starting again: %v", err)
	}
	if err := a.Configure(props(t)); !errors.Is(err, ErrStarted) {
		t.Errorf("configuring while it runs: %v", err)
	}
	body := []byte("one")
	must(t, a.Put(t.Context(), sdk.Event{Body: body, Headers: map[string]string{"h": "v"}}))
	copy(body, "xxx") // the channel has a copy
	s.has(t, 1, "one h=v dc=west")
	must(t, a.PutAll(t.Context(), []sdk.Event{{Body: []byte("two")}, {Body: []byte("three")}}))
	must(t, a.PutAll(t.Context(), nil))
	s.has(t, 2, "two dc=west; three dc=west")
	must(t, a.Stop(t.Context()))
	must(t, a.Stop(t.Context()))
	if err := a.Put(t.Context(), sdk.Event{}); !errors.Is(err, ErrNotStarted) {
		t.Errorf("after the stop: %v", err)
	}
	must(t, a.Start(t.Context()))
	must(t, a.Put(t.Context(), sdk.Event{Body: []byte("four")}))
	s.has(t, 1, "four dc=west")
}

// TestDisk: what was put survives the agent.
func TestDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := props(t, "channel.type", "file", "channel.checkpointDir", filepath.Join(dir, "c"), "channel.dataDirs", filepath.Join(dir, "d"))
	a, s := configured(t, p)
	s.set(true)
	must(t, a.Start(t.Context()))
	must(t, a.Put(t.Context(), sdk.Event{Body: []byte("kept")}))
	if n := a.Waiting(); n != 1 {
		t.Errorf("%d events wait, want 1", n)
	}
	must(t, a.Stop(t.Context()))
	s.set(false)
	other, _ := configured(t, p)
	must(t, other.Start(t.Context()))
	s.has(t, 1, "kept")
}

// TestStop delivers what is in memory, and tells what could not be.
func TestStop(t *testing.T) {
	t.Parallel()
	a, s := configured(t, props(t))
	must(t, a.Start(t.Context()))
	for i := range 10 {
		must(t, a.Put(t.Context(), sdk.Event{Body: fmt.Append(nil, i)}))
	}
	must(t, a.Stop(t.Context()))
	s.has(t, 10, "0; 1; 2; 3; 4; 5; 6; 7; 8; 9")
	s.set(true)
	must(t, a.Start(t.Context()))
	must(t, a.Put(t.Context(), sdk.Event{}))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := a.Stop(ctx); err == nil || !strings.Contains(err.Error(), "1 events were in memory") {
		t.Errorf("the error is %v", err)
	}
}

// TestFull: a full channel refuses.
func TestFull(t *testing.T) {
	t.Parallel()
	a, s := configured(t, props(t, "channel.capacity", "1", "channel.transactionCapacity", "1", "channel.keep-alive", "0"))
	s.set(true)
	must(t, a.Start(t.Context()))
	must(t, a.Put(t.Context(), sdk.Event{}))
	if err := a.Put(t.Context(), sdk.Event{}); !errors.Is(err, flow.ErrFull) {
		t.Errorf("the error is %v", err)
	}
	s.set(false)
}

func TestConcurrentPuts(t *testing.T) {
	t.Parallel()
	a, s := configured(t, props(t))
	must(t, a.Start(t.Context()))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if err := a.Put(t.Context(), sdk.Event{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.has(t, 200, strings.Repeat("; ", 199))
}

func TestWrongState(t *testing.T) {
	t.Parallel()
	a := New("a", Options{})
	if err := a.Start(t.Context()); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("starting without a configuration: %v", err)
	}
	// A directory that cannot be made.
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	b, _ := configured(t, props(t, "channel.type", "file", "channel.checkpointDir", filepath.Join(file, "c"), "channel.dataDirs", filepath.Join(file, "d")))
	if err := b.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "opening the channel") {
		t.Errorf("starting without a directory: %v", err)
	}
	if n := b.Waiting(); n != 0 {
		t.Errorf("%d events wait", n)
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		changes []string
		want    string
	}{
		{[]string{"channel.type", ""}, "channel.type: is required"},
		{[]string{"channel.type", "memroy"}, `did you mean "memory"?`},
		{[]string{"sinks", ""}, "sinks: is required"},
		{[]string{"sinks", "k1 Source"}, `"Source" is no name`},
		{[]string{"sinks", "k1 k2"}, "k2.type: is required"},
		{[]string{"k1.type", ""}, "k1.type: is required"},
		{[]string{"k1.shelf", ""}, "k1.shelf: is required"},
		{[]string{"chanel.type", "memory"}, `did you mean "channel.type"?`},
		{[]string{"wholly.other", "x"}, "unknown property; properties begin with"},
		{[]string{"plain", "x"}, "unknown property"},
		{[]string{"processor.type", "load_balance"}, "processor"},
		{[]string{"source.type", "nothing"}, "source.type"},
	} {
		err := New("a", Options{}).Configure(props(t, tt.changes...))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), agentKey+".s") {
			t.Errorf("%q: the error is %v, want %q", tt.changes, err, tt.want)
		}
	}
	// What is odd is logged.
	var log bytes.Buffer
	a := New("a", Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, a.Configure(props(t, "channel.capaciti", "7")))
	if !strings.Contains(log.String(), "channel.capaciti") || !strings.Contains(log.String(), "did you mean") {
		t.Errorf("the log has %q", log.String())
	}
}
