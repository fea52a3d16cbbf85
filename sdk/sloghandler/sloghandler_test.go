package sloghandler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/flume-go/flume/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a client that keeps what it is given.
type fake struct {
	mu     sync.Mutex
	events []sdk.Event
	err    error
	limits []bool // whether there was a time limit
}

func (f *fake) Append(ctx context.Context, e sdk.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	_, limited := ctx.Deadline()
	f.limits = append(f.limits, limited)
	if f.err == nil {
		f.events = append(f.events, e)
	}
	return f.err
}

func (f *fake) AppendBatch(ctx context.Context, events []sdk.Event) error {
	for _, e := range events {
		if err := f.Append(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) BatchSize() int { return 100 }
func (f *fake) Close() error   { return nil }

// TestContract runs the tests of every slog.Handler.
func TestContract(t *testing.T) {
	var f *fake
	slogtest.Run(t, func(*testing.T) slog.Handler {
		f = &fake{}
		return New(f, Options{})
	}, func(t *testing.T) map[string]any {
		if len(f.events) != 1 {
			t.Fatalf("%d events were sent", len(f.events))
		}
		decoded := map[string]any{}
		if err := json.Unmarshal(f.events[0].Body, &decoded); err != nil {
			t.Fatal(err)
		}
		_, timed := f.events[0].Headers[HeaderTimestamp]
		if _, want := decoded[slog.TimeKey]; timed != want {
			t.Errorf("the header with the time: %v, the time in the body: %v", timed, want)
		}
		return decoded
	})
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	f := &fake{}
	given := map[string]string{"env": "test"}
	h := New(f, Options{Layout: Message, Headers: given, Address: "10.1.2.3", Level: slog.LevelDebug - 1})
	at := time.UnixMilli(1700000000123)
	for l, want := range map[slog.Level]string{
		-8: "5000", slog.LevelDebug: "10000", -1: "10000", slog.LevelInfo: "20000", slog.LevelWarn: "30000",
		slog.LevelError: "40000", 12: "50000",
	} {
		f.events = nil
		r := slog.NewRecord(at, l, "Grüße\n", 0)
		r.Add("k", 1)
		if err := h.Named("db").WithGroup("g").WithAttrs([]slog.Attr{slog.Int("n", 1)}).Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		wanted := []sdk.Event{{Body: []byte("Grüße"), Headers: map[string]string{
			HeaderLogger: "db", HeaderLevel: want, HeaderTimestamp: "1700000000123", HeaderAddress: "10.1.2.3",
			HeaderEncoding: "UTF8", "env": "test",
		}}}
		if diff := cmp.Diff(wanted, f.events); diff != "" {
			t.Errorf("level %d (-want +got):\n%s", l, diff)
		}
	}
	if !maps.Equal(given, map[string]string{"env": "test"}) {
		t.Errorf("the caller's headers were changed: %v", given)
	}
	for l, want := range map[slog.Level]bool{-6: false, -5: true, slog.LevelError: true} {
		if got := h.Enabled(t.Context(), l); got != want || Message(nil, &slog.HandlerOptions{Level: slog.Level(-5)}).Enabled(t.Context(), l) != want {
			t.Errorf("level %d is enabled: %v, want %v", l, got, want)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	f := &fake{}
	log := slog.New(New(f, Options{Layout: Text, AddSource: true}))
	log.Debug("no")
	log.Info("yes", "k", "v")
	if len(f.events) != 1 {
		t.Fatalf("%d events were sent", len(f.events))
	}
	e := f.events[0]
	if body := string(e.Body); !strings.HasSuffix(body, "msg=yes k=v") || !strings.Contains(body, "sloghandler_test.go") {
		t.Errorf("the body is %q", body)
	}
	if e.Headers[HeaderLogger] != "root" || e.Headers[HeaderAddress] == "" {
		t.Errorf("the headers are %v", e.Headers)
	}
}

// TestErrors: who is told what, and that a context that has ended is no reason for one.
func TestErrors(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for _, unsafe := range []bool{false, true} {
		var told []error
		f := &fake{err: down}
		h := New(f, Options{Unsafe: unsafe, Timeout: time.Minute, OnError: func(err error) { told = append(told, err) }})
		r := slog.NewRecord(time.Now(), slog.LevelInfo, "m", 0)
		if err := h.Handle(t.Context(), r); (err == nil) != unsafe {
			t.Errorf("unsafe %v: the error is %v", unsafe, err)
		}
		f.err = nil
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.Handle(ended, r); err != nil {
			t.Error(err)
		}
		if !slices.Equal(told, []error{down}) || !slices.Equal(f.limits, []bool{true, true}) {
			t.Errorf("told %v, limits %v", told, f.limits)
		}
	}
}

// TestConcurrent: bodies of records that are logged at the same time do not mix.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	f := &fake{}
	q := sdk.NewQueue(f, sdk.QueueOptions{})
	log := slog.New(New(q, Options{Layout: Message}))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 100 {
				log.Info(fmt.Sprintf("%d-%d", i, n))
			}
		})
	}
	wg.Wait()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, e := range f.events {
		got[string(e.Body)] = true
	}
	if len(got) != 800 || !got["7-99"] {
		t.Errorf("%d different records arrived", len(got))
	}
}
