package thrift

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/flume-go/flume/event"
)

// picky is a Store that takes nothing with a body that it refuses, nor more calls at once than it likes.
type picky struct {
	mu     sync.Mutex
	refuse string
	most   int
	stored []string
	rounds []int // calls of each, taken or not
}

func (p *picky) store(_ context.Context, b *event.Batch, calls []Request) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rounds = append(p.rounds, len(calls))
	var bodies []string
	for i := range b.Len() {
		bodies = append(bodies, string(b.At(i).Body))
	}
	if slices.Contains(bodies, p.refuse) || p.most > 0 && len(calls) > p.most {
		return errors.New("refused")
	}
	p.stored = append(p.stored, bodies...)
	return nil
}

// together sends a call for each body in one write, all but the first ahead, and returns the answers.
func together(t *testing.T, c *Client, ahead bool, bodies ...string) (answers []Status) {
	t.Helper()
	var calls []int32
	for i, body := range bodies {
		b := event.NewBatch()
		b.AppendCopy([]byte(body))
		calls = append(calls, c.Queue(b, 0, 1, totalSize(b), ahead || i > 0))
		b.Release()
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, seq := range calls {
		status, err := c.Answer(seq)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, status)
	}
	return answers
}

// TestAhead: behind a call that is not taken none is that was sent before the client knew; the others are.
func TestAhead(t *testing.T) {
	const ok, no = StatusOK, StatusFailed
	for _, p := range []Protocol{Compact, Binary} {
		s := &picky{refuse: "refused"}
		c := NewClient(dial(t, start(t, flumeServer(nil), s.store)), p)
		if orders, err := c.Orders(); err != nil || !orders {
			t.Fatalf("%v: the server does not keep the order of calls: %v", p, err)
		}
		for _, step := range []struct {
			ahead  bool
			bodies []string
			want   []Status
		}{
			{false, []string{"1", "2", "3"}, []Status{ok, ok, ok}},
			{false, []string{"refused", "a", "b"}, []Status{no, no, no}},
			{true, []string{"c", "d"}, []Status{no, no}},
			{true, []string{"e"}, []Status{no}},
			{false, []string{"4", "5"}, []Status{ok, ok}},
			{true, []string{"6"}, []Status{ok}},
		} {
			if got := together(t, c, step.ahead, step.bodies...); !slices.Equal(got, step.want) {
				t.Errorf("%v: %q are answered with %v, want %v", p, step.bodies, got, step.want)
			}
		}
		if want := []string{"1", "2", "3", "4", "5", "6"}; !slices.Equal(s.stored, want) {
			t.Errorf("%v: stored %q, want %q", p, s.stored, want)
		}
	}
}

// TestAheadTooMany: a store that takes one call, but not all that have come together, gets on.
func TestAheadTooMany(t *testing.T) {
	s := &picky{most: 1}
	c := NewClient(dial(t, start(t, flumeServer(nil), s.store)), Compact)
	for left := []string{"1", "2", "3", "4"}; len(left) > 0; {
		if len(s.rounds) > 20 {
			t.Fatalf("after 20 puts %q are stored", s.stored)
		}
		for _, status := range together(t, c, false, left...) {
			if status == StatusOK {
				left = left[1:]
			}
		}
	}
	if want := []string{"1", "2", "3", "4"}; !slices.Equal(s.stored, want) {
		t.Errorf("stored %q, want %q", s.stored, want)
	}
}

// TestAheadOfRefusal: a call without an argument is answered with an exception, and nothing of those behind it is stored.
func TestAheadOfRefusal(t *testing.T) {
	var r recorder
	var e Encoder
	e.Reset(Compact, 0)
	one := func(seq int32, body string, ahead bool) []byte {
		b := event.NewBatch()
		defer b.Release()
		b.AppendCopy([]byte(body))
		e.Reset(Compact, 0)
		e.addBatch(Compact, seq, b, 0, 1, totalSize(b), ahead)
		return slices.Clone(e.Written())
	}
	e.Reset(Compact, 0)
	from := e.FrameBegin()
	e.Message(Message{Type: Call, Seq: 2, Name: []byte(MethodAppendBatch), Protocol: Compact})
	e.Stop()
	e.FrameEnd(from)
	bad := slices.Clone(e.Written())
	in := slices.Concat(one(1, "1", false), bad, one(3, "3", true), one(4, "4", true), one(5, "5", false))
	got := answers(t, converse(t, start(t, flumeServer(nil), r.store), in))
	const want = "1: OK\n2: exception 6 Internal error processing appendBatch: its argument is missing\n3: FAILED\n4: FAILED\n5: OK"
	if got != want {
		t.Errorf("answered %q, want %q", got, want)
	}
	var bodies []string
	for i := range r.events {
		bodies = append(bodies, string(r.events[i].Body))
	}
	if !slices.Equal(bodies, []string{"1", "5"}) {
		t.Errorf("stored %q", bodies)
	}
}

// TestNoOrders: a server that knows nothing of calls ahead, as Apache Flume's, says that there is no such method, and
// passes over the mark.
func TestNoOrders(t *testing.T) {
	server, s := flumeServer(nil), new(picky)
	server.Service.Orders = false
	c := NewClient(dial(t, start(t, server, s.store)), Compact)
	if orders, err := c.Orders(); err != nil || orders {
		t.Errorf("the server keeps the order of calls: %v, %v", orders, err)
	}
	if got := together(t, c, false, "1"); got[0] != StatusOK {
		t.Errorf("after the question a call is answered with %v", got[0])
	}
}
