package faulttest

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	_ "github.com/flume-go/flume/channels/memory"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// TestMemoryIsNotDurable has a channel in memory go through what a durable one survives.
func TestMemoryIsNotDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHistory(1, func(fsys vfs.FS) (flow.Channel, error) {
			entry, ok := component.Lookup(component.KindChannel, "memory")
			if !ok {
				return nil, errors.New("there is no memory channel")
			}
			d := component.Decode(entry, property.Settings{}, component.Scope{Prefix: "a1.channels.c1."})
			return component.New[flow.Channel](d, component.Env{
				Agent: "a1", Name: "c1", Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindChannel, "c1"), FS: fsys,
			}, nil)
		})
		h.Takers = 0
		h.Live(Life{})
		if err := h.Err(); err != nil {
			t.Errorf("after a life: %v", err)
		}
		h.Settle()
		if err := h.Err(); err == nil || !strings.Contains(err.Error(), "is lost") {
			t.Errorf("after another: %v, want that events are lost", err)
		}
	})
}

// TestBook enters what a broken channel does, each in a book with the events 0 and 1 of one put and 2 of another, in its
// first life.
func TestBook(t *testing.T) {
	failure := errors.New("disk failure")
	deliver := func(b *book, id int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.deliver(id)
	}
	ack := func(b *book, id int) {
		b.leave([]int{id})
		b.acknowledged([]int{id})
	}
	for _, tt := range []struct {
		name string
		do   func(b *book)
		want string // part of the complaint; empty for none
	}{
		{"all in order", func(b *book) {
			b.put(0, 2, nil)
			b.put(2, 1, nil)
			deliver(b, 0)
			ack(b, 0)
			b.begin()
			b.settle([]int{1, 2})
		}, ""},
		{"an acknowledgement undone by a crash", func(b *book) {
			b.put(0, 2, nil)
			deliver(b, 0)
			ack(b, 0)
			b.begin()
			deliver(b, 0)
			b.back([]int{0})
			b.settle([]int{0, 1})
		}, ""},
		{"a failed put that is there after a crash", func(b *book) {
			b.put(0, 2, failure)
			b.begin()
			b.settle([]int{0, 1})
		}, ""},
		{"lost", func(b *book) {
			b.put(0, 2, nil)
			b.begin()
			b.settle([]int{0})
		}, "event 1 is lost"},
		{"lost after it came again", func(b *book) {
			b.put(0, 2, failure)
			b.begin()
			deliver(b, 0)
			deliver(b, 1)
			b.begin()
			b.settle([]int{1})
		}, "event 0 is lost"},
		{"half a failed put", func(b *book) {
			b.put(0, 2, failure)
			b.begin()
			b.settle([]int{1})
		}, "1 events are there and 1 are not"},
		{"held by two", func(b *book) {
			deliver(b, 0)
			deliver(b, 0)
		}, "delivered to two"},
		{"again in the same life", func(b *book) {
			b.put(0, 2, nil)
			deliver(b, 0)
			ack(b, 0)
			deliver(b, 0)
		}, "again in the life"},
		{"again after an orderly end", func(b *book) {
			b.put(0, 2, nil)
			deliver(b, 0)
			ack(b, 0)
			b.endedWell()
			b.begin()
			deliver(b, 0)
		}, "an orderly end"},
		{"a failed put", func(b *book) {
			b.put(0, 2, failure)
			deliver(b, 0)
		}, "its put had failed"},
		{"failed after it was delivered", func(b *book) {
			deliver(b, 0)
			b.put(0, 2, failure)
		}, "was delivered, and its put failed"},
		{"called off", func(b *book) {
			b.calledOff(0, 2)
			b.begin()
			deliver(b, 0)
		}, "called off"},
		{"out of order", func(b *book) {
			b.put(0, 2, nil)
			b.settle([]int{1, 0})
		}, "behind event 1"},
	} {
		b := &book{}
		b.begin()
		for _, n := range []int{2, 1} {
			batch, _ := b.batch(0, n)
			batch.Release()
		}
		tt.do(b)
		got := strings.Join(b.complaints, "\n")
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: complaints %q, want %q", tt.name, got, tt.want)
		}
	}
}
