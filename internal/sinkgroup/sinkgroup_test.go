package sinkgroup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/sinkgroup/sinktest"
)

var (
	errDown = errors.New("down")
	quiet   = slog.New(slog.DiscardHandler)
	ctx     = context.Background()
)

// pass lets the bubble's time pass and everything due happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestAMemberThatCannotOpenIsOpenedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members, sinks := sinktest.New(nil, "a", "b")
		sinks["a"].FailOpen(errDown)
		g := New(members, quiet)
		if err := g.Open(ctx); err != nil {
			t.Fatalf("Open with one good sink: %v", err)
		}
		b := event.NewBatch()
		defer b.Release()
		if err := g.Members[0].Deliver(ctx, b); !errors.Is(err, errDown) || !strings.Contains(err.Error(), "sink a is not open") {
			t.Errorf("Deliver to the closed member = %v", err)
		}
		if err := g.Members[1].Deliver(ctx, b); err != nil {
			t.Errorf("Deliver to the open member = %v", err)
		}
		pass(time.Minute)
		if g.Members[0].TakeFresh() {
			t.Error("fresh before it was opened")
		}
		sinks["a"].FailOpen(nil)
		pass(2 * maxReopen)
		if !g.Members[0].TakeFresh() || g.Members[0].TakeFresh() {
			t.Error("TakeFresh does not report the opening exactly once")
		}
		if err := g.Members[0].Deliver(ctx, b); err != nil {
			t.Errorf("Deliver after the opening = %v", err)
		}
		if err := g.Close(ctx); err != nil {
			t.Fatal(err)
		}
		if err := g.Members[0].Deliver(ctx, b); flow.ClassOf(errors.Unwrap(errors.Unwrap(err))) != flow.ClassShutdown {
			t.Errorf("Deliver after Close = %v", err)
		}
	})
}

func TestCloseEndsReopening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members, sinks := sinktest.New(nil, "a", "b")
		sinks["a"].FailOpen(errDown)
		g := New(members, quiet)
		if err := g.Open(ctx); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(g.Close(ctx), g.Close(ctx)); err != nil {
			t.Fatal(err)
		}
		sinks["a"].FailOpen(nil)
		pass(time.Minute) // the bubble fails the test if a goroutine is left
		if opens, _ := sinks["a"].Lives(); opens != 0 {
			t.Error("a closed group opened a member")
		}
		if err := g.Open(ctx); err != nil {
			t.Fatal(err)
		}
		if opens, _ := sinks["a"].Lives(); opens != 1 {
			t.Error("opening again left a member out")
		}
		if err := g.Close(ctx); err != nil {
			t.Fatal(err)
		}
	})
}

func TestNobodyCanOpen(t *testing.T) {
	members, sinks := sinktest.New(nil, "a", "b")
	sinks["a"].FailOpen(errDown)
	sinks["b"].FailOpen(errDown)
	g := New(members, quiet)
	err := g.Open(ctx)
	if !errors.Is(err, errDown) || !strings.Contains(err.Error(), "sink a") || !strings.Contains(err.Error(), "sink b") {
		t.Errorf("Open = %v", err)
	}
	sinks["b"].FailOpen(nil)
	if err := g.Open(ctx); err != nil {
		t.Errorf("Open again = %v", err)
	}
	if err := g.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestAFatalMemberIsOpenedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members, sinks := sinktest.New(nil, "a", "b")
		g := New(members, quiet)
		if err := g.Open(ctx); err != nil {
			t.Fatal(err)
		}
		b := event.NewBatch()
		defer b.Release()
		sinks["a"].Fail(flow.Fatal(errDown))
		if err := g.Members[0].Deliver(ctx, b); flow.ClassOf(err) != flow.ClassFatal {
			t.Errorf("Deliver = %v", err)
		}
		if err := g.Members[0].Deliver(ctx, b); !strings.Contains(err.Error(), "is not open") {
			t.Errorf("second Deliver = %v", err)
		}
		sinks["a"].Fail(nil)
		pass(2 * maxReopen)
		if opens, closes := sinks["a"].Lives(); opens != 2 || closes != 1 {
			t.Errorf("opened %d times, closed %d times", opens, closes)
		}
		if err := g.Members[0].Deliver(ctx, b); err != nil {
			t.Errorf("Deliver at last = %v", err)
		}
		if err := g.Close(ctx); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAllFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(nil, quiet)
		for _, c := range []struct {
			errs  []error
			in    time.Duration
			class flow.Class
			pause time.Duration
		}{
			{nil, time.Second, flow.ClassRetry, time.Second},
			{nil, -time.Second, flow.ClassRetry, 0},
			{[]error{errDown, errDown}, time.Hour, flow.ClassRetry, maxPause},
			{[]error{flow.Fatal(errDown)}, 0, flow.ClassRetry, 0},
			{[]error{errDown, flow.Unknown(errDown)}, 0, flow.ClassUnknown, 0},
		} {
			err := g.AllFailed(c.errs, time.Now().Add(c.in))
			if flow.ClassOf(err) != c.class || flow.Pause(err) != c.pause || strings.Contains(err.Error(), "\n") {
				t.Errorf("AllFailed(%v) = %v, %v, pause %v", c.errs, err, flow.ClassOf(err), flow.Pause(err))
			}
		}
	})
}

func TestWhatSettles(t *testing.T) {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, c := range []struct {
		ctx            context.Context
		err            error
		settles, works bool
	}{
		{ctx, nil, true, true},
		{ctx, errDown, false, false},
		{ctx, flow.Unknown(errDown), false, false},
		{ctx, flow.Fatal(errDown), false, false},
		{ctx, fmt.Errorf("wrapped: %w", flow.Reject(errDown, 1)), true, true},
		{ctx, flow.ErrClosed, true, false},
		{ended, errDown, true, false},
	} {
		if s, w := Settles(c.ctx, c.err), Works(c.err); s != c.settles || w != c.works {
			t.Errorf("%v: settles %v, works %v", c.err, s, w)
		}
	}
}
