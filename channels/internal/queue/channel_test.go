package queue

import (
	"context"
	"testing"

	"github.com/flume-go/flume/channels/internal/counters"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

// limited is a channel as a package makes one.
type limited struct{ Channel }

func (l limited) Open(context.Context) error {
	l.Queue.Open(Limits{Events: 3})
	return nil
}

// other is a channel of another sort.
type other struct{ flow.Channel }

func newLimited() flow.Channel {
	return limited{Channel{New(counters.New(metrics.NewSet(metrics.KindChannel, "c1")), 3)}}
}

func TestChannelHandsItsEventsOn(t *testing.T) {
	old, heir := newLimited(), newLimited()
	if err := old.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := event.NewBatch()
	b.AppendCopy([]byte("kept"))
	if err := old.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	b.Release()
	if err := old.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := heir.(flow.Heir).Inherit(other{old}); err == nil {
		t.Error("a channel without a queue can be inherited from")
	}
	if err := heir.(flow.Heir).Inherit(old); err != nil {
		t.Fatal(err)
	}
	if was, is := old.Stats().Events, heir.Stats().Events; was != 0 || is != 1 {
		t.Errorf("%d events stayed and %d went on, want 0 and 1", was, is)
	}
	if !heir.(flow.Volatile).Volatile() {
		t.Error("the channel is not volatile")
	}
	if err := heir.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
