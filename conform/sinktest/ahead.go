package sinktest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/flume-go/flume/conform/internal/batches"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// sendsAhead selects the rules for a sink that need not have the answer to one batch
// before it sends the next.
func sendsAhead(h *Harness) bool { return h.Ahead }

func refusesAhead(h *Harness) bool { return h.Ahead && refuses(h) }
func failsAhead(h *Harness) bool   { return h.Ahead && fails(h) }
func hangsAhead(h *Harness) bool   { return h.Ahead && hangs(h) }

var aheadRules = []rule{
	{
		name: "ahead declared",
		rule: "A sink that sends ahead says so in the harness.",
		when: func(h *Harness) bool { return !h.Ahead },
		run: func(r *rig) {
			r.open()
			r.deliver(1)
			if s, ok := r.sink.(flow.Sender); ok && s.Window() > 1 {
				r.fatalf("its window is %d", s.Window())
			}
		},
	},
	{
		name: "ahead",
		rule: "Batches that are sent ahead arrive once, in the order of Send, and each is there when its Wait has returned nil.",
		when: sendsAhead,
		run: func(r *rig) {
			r.open()
			want := r.deliver(1)
			for _, sizes := range [][]int{{1}, {1, 7, 3}, {100, 0, 1, 30}, {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}} {
				for _, s := range r.send(sizes...) {
					if err := r.wait(context.Background(), s); err != nil {
						r.fatalf("Wait returned %v", err)
					}
					r.free(s.batch)
					want = append(want, s.ids...)
					r.expectFirst(want)
				}
				r.expect(want)
			}
			want = append(want, r.deliver(3)...)
			r.expect(want)
		},
	},
	{
		name: "refused ahead",
		rule: "When the destination does not take a batch, it takes none of those that were sent before Wait told of it.",
		when: refusesAhead,
		run: func(r *rig) {
			r.open()
			want := r.deliver(1)
			for range 3 {
				r.behave(RefuseOnce)
				all := r.send(3, 1, 5)
				r.waitInVain(all, r.h.Errors[Refuse])
				r.expect(want)
				want = append(want, r.deliverSent(all)...)
				r.expect(want)
			}
		},
	},
	{
		name: "failed ahead",
		rule: "Behind a batch that failed all that was sent ahead fails too; delivered again in the same order, it arrives.",
		when: failsAhead,
		run: func(r *rig) {
			r.open()
			want := r.deliver(1)
			for _, how := range r.h.tries() {
				r.behave(how)
				all := r.send(2, 4, 1)
				r.waitInVain(all, r.h.Errors[how])
				r.behave(Take)
				want = append(want, r.deliverSent(all)...)
				r.expectAfterErrors(want)
			}
		},
	},
	{
		name: "hanging ahead",
		rule: "Wait that waits for the destination returns soon after its context ends, with an error, for each batch.",
		when: hangsAhead,
		run: func(r *rig) {
			r.open()
			want := r.deliver(1)
			r.behave(Hang)
			all := r.send(1, 2, 3)
			ctx, cancel := context.WithCancel(context.Background())
			defer time.AfterFunc(50*time.Millisecond, cancel).Stop()
			began := time.Now()
			for i, s := range all {
				if err := r.wait(ctx, s); err == nil || errors.Is(err, errLate) {
					r.fatalf("the answer to batch %d of %d was waited for in vain, and Wait returned %v", i+1, len(all), err)
				}
			}
			if took := time.Since(began); took > patience/2 {
				r.fatalf("the answers took %v, their context ended after 50ms", took)
			}
			r.behave(Take)
			want = append(want, r.deliverSent(all)...)
			r.expectAfterErrors(want)
		},
	},
}

// sent is a batch under way.
type sent struct {
	batch   *event.Batch
	was     []event.Event
	ids     []int
	sending flow.Sending
	err     error // of Send: nothing is under way
}

// send sends batches of these sizes, as many as the window takes, until Send fails.
func (r *rig) send(sizes ...int) []*sent {
	r.t.Helper()
	sink, ok := r.sink.(flow.Sender)
	if !ok {
		r.fatalf("the harness says that the sink sends ahead, and it is no flow.Sender")
	}
	window := sink.Window()
	if window < 2 {
		r.fatalf("the harness says that the sink sends ahead, and it has a window of %d though it has delivered something", window)
	}
	var all []*sent
	for _, n := range sizes[:min(len(sizes), window)] {
		s := new(sent)
		s.batch, s.ids = r.batch(n)
		s.batch.Seal()
		s.was = batches.Clone(s.batch)
		s.err = r.within(context.Background(), "Send", func(ctx context.Context) (err error) {
			s.sending, err = sink.Send(ctx, s.batch)
			return err
		})
		all = append(all, s)
		if s.err != nil {
			break
		}
	}
	return all
}

// wait returns what became of s, and checks that the sink has left the batch alone.
func (r *rig) wait(ctx context.Context, s *sent) error {
	r.t.Helper()
	if s.err != nil {
		return s.err
	}
	err := r.within(ctx, "Wait", s.sending.Wait)
	if !slices.EqualFunc(s.was, s.batch.Events(), batches.Same) {
		r.fatalf("the sink has changed the batch, or released it")
	}
	return err
}

// waitInVain waits for the answers to all, which must be errors, of the first one of this class.
func (r *rig) waitInVain(all []*sent, first flow.Class) {
	r.t.Helper()
	for i, s := range all {
		err := r.wait(context.Background(), s)
		class := flow.ClassOf(err)
		if err == nil || class == flow.ClassReject || i == 0 && class != first || errors.Is(err, errLate) {
			r.fatalf("the first of %d batches must fail with class %v, and those behind it fail: batch %d returned %v (class %v)", len(all), first, i+1, err, class)
		}
	}
}

// deliverSent delivers what was sent in vain, and returns the ids of all of it.
func (r *rig) deliverSent(all []*sent) (ids []int) {
	r.t.Helper()
	for _, s := range all {
		err := r.try(context.Background(), s.batch)
		r.free(s.batch)
		if err != nil {
			r.fatalf("delivering again what was sent in vain: %v", err)
		}
		ids = append(ids, s.ids...)
	}
	return ids
}
