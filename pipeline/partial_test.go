package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// half stores every second event of each put of more than one, and says so.
type half struct {
	flow.Channel
	why error // of the puts that it does not store whole
}

type halfStored struct {
	error
	missing []int
}

func (e halfStored) Unwrap() error  { return e.error }
func (e halfStored) Missing() []int { return e.missing }

func (h half) Put(ctx context.Context, b *event.Batch) error {
	if b.Len() == 1 {
		return h.Channel.Put(ctx, b)
	}
	stored := event.NewBatch()
	defer stored.Release()
	e := halfStored{error: h.why}
	for i := range b.Len() {
		if i%2 == 0 {
			stored.AppendShared(b, i, i+1)
		} else {
			e.missing = append(e.missing, i)
		}
	}
	if err := h.Channel.Put(ctx, stored); err != nil {
		return err
	}
	return flow.Unknown(fmt.Errorf("half of it: %w", e))
}

// TestWhatAChannelStoredOfAFailedPutIsNotPutAgain: into the same channel while it
// stands, into its successor when it was closed.
func TestWhatAChannelStoredOfAFailedPutIsNotPutAgain(t *testing.T) {
	for name, limit := range map[string]int{"whole": 0, "in parts": 4} {
		t.Run(name+", full", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := memory(t)
				e, _ := newEmitter(t, Route{Selector: toAll{}, Branches: []Branch{branch("a", half{a, flow.ErrFull}, limit)}})
				if err := emit(t, e, numbers(10)...); err != nil {
					t.Fatal(err)
				}
				expectEach(t, "a", contents(t, a), 10)
			})
		})
		for _, order := range []string{"a b gone", "gone a b", "a gone b"} {
			t.Run(name+", closed, "+order, func(t *testing.T) { closedHalfWay(t, limit, strings.Fields(order)) })
		}
	}
}

// closedHalfWay emits to three channels that close half way, a successor of one of
// which is missing in the next route.
func closedHalfWay(t *testing.T, limit int, order []string) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memory(t), memory(t)
		channels := map[string]flow.Channel{"a": a, "b": b, "gone": memory(t)}
		var branches []Branch
		for _, name := range order {
			branches = append(branches, branch(name, half{channels[name], flow.ErrClosed}, limit))
		}
		e, _ := newEmitter(t, Route{Selector: toAll{}, Branches: branches})
		var err error
		go func() { err = emit(t, e, numbers(10)...) }()
		pass(time.Second)
		next := Route{Selector: toAll{}, Branches: []Branch{branch("a", plain{a}, 3), branch("b", plain{b}, 3)}}
		if err := e.Install(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if err != nil {
			t.Error(err)
		}
		expectEach(t, "a", contents(t, a), 10)
		expectEach(t, "b", contents(t, b), 10)
	})
}

// expectEach checks that got is the first n numbers, each once, in any order.
func expectEach(t *testing.T, channel string, got []string, n int) {
	t.Helper()
	want := numbers(n)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("channel %s got %v, want each of %d once", channel, got, n)
	}
}

// TestLettersThatAreStoredAreNotPutAgain when the channel took only some of them.
func TestLettersThatAreStoredAreNotPutAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, letters := memory(t), memory(t)
		sink := &scriptedSink{answer: poison(true)}
		runSink(t, ch, sink, &Branch{Name: "letters", Channel: half{letters, flow.ErrFull}})
		put(t, ch, "bad0", "1", "bad2", "3", "bad4", "bad5")
		pass(time.Minute)
		got := contents(t, letters)
		slices.Sort(got)
		if want := []string{"bad0", "bad2", "bad4", "bad5"}; !slices.Equal(got, want) {
			t.Errorf("the letters are %v, want %v", got, want)
		}
		if got := sink.delivered(); !slices.Equal(got, []string{"1", "3"}) {
			t.Errorf("delivered %v", got)
		}
	})
}
