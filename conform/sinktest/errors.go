package sinktest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/flume-go/flume/flow"
)

var errorRules = []rule{
	{
		name: "deliver again",
		rule: "After an error of the scripted class the same batch is delivered again, and then all of it has arrived.",
		when: fails,
		run: func(r *rig) {
			r.open()
			want := r.deliver(3)
			for _, how := range r.h.tries() {
				b, ids := r.batch(5)
				for range 3 {
					r.inVain(how, func() error { return r.try(context.Background(), b) })
				}
				r.behave(Take)
				err := r.try(context.Background(), b)
				r.free(b)
				if err != nil {
					r.fatalf("the destination %s no more, and Deliver returned %v", how, err)
				}
				want = append(want, ids...)
				r.expectAfterErrors(want)
				want = append(want, r.deliver(2)...)
				r.expectAfterErrors(want)
			}
		},
	},
	{
		name: "deliver another",
		rule: "After an error another batch may come: it arrives, and of the failed one nothing does that the harness does not declare.",
		when: fails,
		run: func(r *rig) {
			r.open()
			want := r.deliver(3)
			var lost []int
			for _, how := range r.h.tries() {
				b, ids := r.batch(5)
				lost = append(lost, ids...)
				r.inVain(how, func() error { return r.try(context.Background(), b) })
				r.free(b)
				r.behave(Take)
				want = append(want, r.deliver(2)...)
				if r.dest.Content == nil {
					continue
				}
				got := r.arrived()
				if r.h.Duplicates {
					got = slices.DeleteFunc(got, func(id int) bool { return slices.Contains(lost, id) })
				}
				if !slices.Equal(got, want) {
					r.fatalf("the destination %s once: arrived are events %v\nwant %v", how, got, want)
				}
			}
		},
	},
	{
		name: "ended context",
		rule: "Deliver whose context has ended returns soon: nil if all has arrived, an error that is worth another try if not.",
		run: func(r *rig) {
			r.open()
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			b, ids := r.batch(3)
			began := time.Now()
			err := r.try(ctx, b)
			if took := time.Since(began); took > patience/2 {
				r.fatalf("Deliver took %v", took)
			}
			if class := flow.ClassOf(err); err != nil && class != flow.ClassShutdown && class != flow.ClassRetry && class != flow.ClassUnknown {
				r.fatalf("Deliver returned %v (class %v)", err, class)
			}
			if err != nil {
				err = r.try(context.Background(), b)
			}
			r.free(b)
			if err != nil {
				r.fatalf("delivering again: %v", err)
			}
			r.expectAfterErrors(ids)
		},
	},
	{
		name: "hanging destination",
		rule: "Deliver that waits for the destination returns soon after its context ends, with an error.",
		when: hangs,
		run: func(r *rig) {
			r.open()
			r.behave(Hang)
			ctx, cancel := context.WithCancel(context.Background())
			defer time.AfterFunc(50*time.Millisecond, cancel).Stop()
			b, ids := r.batch(3)
			began := time.Now()
			r.inVain(Hang, func() error { return r.try(ctx, b) })
			if took := time.Since(began); took > patience/2 {
				r.fatalf("Deliver took %v, its context ended after 50ms", took)
			}
			r.behave(Take)
			err := r.try(context.Background(), b)
			r.free(b)
			if err != nil {
				r.fatalf("delivering again: %v", err)
			}
			r.expectAfterErrors(ids)
		},
	},
	{
		name: "reject",
		rule: "A rejection names the events that will never be taken, all others having arrived; or it names none, and none has arrived.",
		when: rejects,
		run: func(r *rig) {
			r.open()
			want := r.deliver(2)
			b, ids := r.batch(6)
			bad := []int{1, 4}
			for _, i := range bad {
				r.h.Spoil(b, b.At(i))
			}
			err := r.try(context.Background(), b)
			r.free(b)
			if flow.ClassOf(err) != flow.ClassReject {
				r.fatalf("Deliver returned %v (class %v)", err, flow.ClassOf(err))
			}
			if named := flow.Rejected(err); named != nil {
				slices.Sort(named)
				if !slices.Equal(named, bad) {
					r.fatalf("events %v of the batch are bad, rejected are %v", bad, named)
				}
				for i, id := range ids {
					if !slices.Contains(bad, i) {
						want = append(want, id)
					}
				}
			}
			r.expect(want)
			want = append(want, r.deliver(2)...)
			r.expect(want)
		},
	},
}

// inVain makes the destination misbehave and checks the class of the error that
// deliver returns.
func (r *rig) inVain(how Behaviour, deliver func() error) {
	r.t.Helper()
	r.behave(how)
	err := deliver()
	if class := flow.ClassOf(err); err == nil || class != r.h.Errors[how] || errors.Is(err, errLate) {
		r.fatalf("the destination %s: Deliver returned %v (class %v), the harness expects class %v", how, err, class, r.h.Errors[how])
	}
}
