package sinktest

import (
	"context"

	"github.com/flume-go/flume/flow"
)

var lifecycleRules = []rule{
	{
		name: "close at any time",
		rule: "Close may be called without Open, and twice, and Open after Close and twice.",
		run: func(r *rig) {
			r.shut()
			r.shut()
			r.open()
			r.open()
			want := r.deliver(3)
			r.shut()
			r.shut()
			r.open()
			want = append(want, r.deliver(3)...)
			r.shut()
			r.expect(want)
		},
	},
	{
		name: "close flushes",
		rule: "After Close the destination has everything that was delivered, complete, and no batch is needed any more.",
		run: func(r *rig) {
			r.open()
			want := append(r.deliver(40), r.deliver(1)...)
			r.shut()
			r.expect(want)
			r.idle()
			r.expect(want)
		},
	},
	{
		name: "closed",
		rule: "A sink with a Lifecycle that is not open delivers nothing and says so, as shutting down.",
		run: func(r *rig) {
			if _, ok := r.sink.(flow.Lifecycle); !ok {
				return
			}
			r.notOpen("before Open")
			r.open()
			r.shut()
			r.notOpen("after Close")
			r.expect(nil)
		},
	},
	{
		name: "open in vain",
		rule: "Open that fails because the destination refuses leaves nothing behind: Close and another Open work.",
		when: refuses,
		run: func(r *rig) {
			r.behave(Refuse)
			for range 3 {
				err := r.tryOpen()
				if class := flow.ClassOf(err); err != nil && class != r.h.Errors[Refuse] {
					r.fatalf("Open returned %v (class %v), the harness expects class %v", err, class, r.h.Errors[Refuse])
				}
				if err := r.tryShut(); err != nil && flow.ClassOf(err) == flow.ClassFatal {
					r.fatalf("Close returned %v", err)
				}
			}
			r.behave(Take)
			r.open()
			want := r.deliver(3)
			r.shut()
			r.expect(want)
		},
	},
	{
		name: "close while the destination is away",
		rule: "Close of a sink whose destination is away returns, and what was delivered before has arrived; Open works when it is back.",
		when: refuses,
		run: func(r *rig) {
			r.open()
			want := r.deliver(3)
			b, _ := r.batch(2)
			r.inVain(Refuse, func() error { return r.try(context.Background(), b) })
			r.free(b)
			_ = r.tryShut() // may say that the end is missing
			r.behave(Take)
			r.open()
			want = append(want, r.deliver(3)...)
			r.shut()
			r.expectWithout(want)
		},
	},
}

// notOpen checks that nothing can be delivered.
func (r *rig) notOpen(when string) {
	r.t.Helper()
	b, _ := r.batch(1)
	err := r.try(context.Background(), b)
	r.free(b)
	if err == nil || flow.ClassOf(err) != flow.ClassShutdown {
		r.fatalf("Deliver %s returned %v (class %v)", when, err, flow.ClassOf(err))
	}
}

// expectWithout checks that these events have arrived, and others only where the
// harness says that what was delivered in vain may be there.
func (r *rig) expectWithout(want []int) {
	r.t.Helper()
	if r.dest.Content == nil {
		return
	}
	if !r.h.Duplicates {
		r.expect(want)
		return
	}
	arrived := map[int]bool{}
	for _, id := range r.arrived() {
		arrived[id] = true
	}
	for _, id := range want {
		if !arrived[id] {
			r.fatalf("event %d has not arrived", id)
		}
	}
}
