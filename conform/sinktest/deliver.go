package sinktest

import (
	"bytes"
	"context"
	"maps"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/invariants"
)

var deliverRules = []rule{
	{
		name: "deliver",
		rule: "When Deliver has returned nil the destination has all of the batch, behind all earlier ones, in order.",
		run: func(r *rig) {
			r.open()
			var want []int
			for _, n := range []int{1, 7, 100, 1, 30} {
				want = append(want, r.deliver(n)...)
				r.expect(want)
			}
		},
	},
	{
		name: "empty batch",
		rule: "A batch of no events is delivered, and nothing arrives.",
		run: func(r *rig) {
			r.open()
			r.deliver(0)
			r.expect(nil)
			want := r.deliver(2)
			r.deliver(0)
			r.expect(want)
		},
	},
	{
		name: "content",
		rule: "Bodies of any length and headers of any kind arrive as they were.",
		run: func(r *rig) {
			r.open()
			largest := r.h.Largest
			if largest == 0 {
				largest = 16 << 20
				if invariants.Enabled {
					largest = 1 << 20 // poisoning is slow
				}
			}
			bodies := [][]byte{{}, {0}, []byte("x"), bytes.Repeat([]byte("0123456789abcdef"), largest/16), {}, []byte("last")}
			if !r.h.Lines {
				bodies = append(bodies, []byte("\n"), []byte("two\nlines\n"))
			}
			headers := []map[string]string{
				nil,
				{"empty value": "", "": "empty key"},
				{"naïve κλειδί": "значение 価値 🜚", "new\nline=": "a\tb\r\n"},
				{"long": strings.Repeat("v", 70000)},
			}
			b := event.NewBatch()
			for i, body := range bodies {
				r.add(b, body, headers[i%len(headers)])
			}
			err := r.try(context.Background(), b)
			r.free(b)
			if err != nil {
				r.fatalf("Deliver returned %v", err)
			}
			if r.dest.Content == nil {
				return
			}
			got := r.content()
			if len(got) != len(bodies) {
				r.fatalf("%d events have arrived, of %d", len(got), len(bodies))
			}
			for i, e := range got {
				if !bytes.Equal(e.Body, bodies[i]) {
					r.fatalf("the body of event %d, of %d bytes, has arrived different, with %d bytes", i, len(bodies[i]), len(e.Body))
				}
				r.sameHeaders(i, e, headers[i%len(headers)])
			}
		},
	},
	{
		name: "idle",
		rule: "Time that passes between batches costs nothing of what was delivered, nor does it keep the next from arriving.",
		run: func(r *rig) {
			r.open()
			want := r.deliver(3)
			for range 3 {
				r.idle()
				r.expect(want)
				want = append(want, r.deliver(2)...)
			}
			r.expect(want)
		},
	},
}

// sameHeaders checks the headers of an event that has arrived. Those that Prepare
// added do not count.
func (r *rig) sameHeaders(i int, e event.Event, want map[string]string) {
	r.t.Helper()
	if !r.h.Headers {
		return
	}
	got := map[string]string{}
	for _, h := range e.Headers {
		got[h.Key] = h.Value
	}
	if want == nil {
		want = map[string]string{}
	}
	if r.h.Prepare != nil {
		maps.DeleteFunc(got, func(k, _ string) bool { _, ok := want[k]; return !ok })
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.fatalf("the headers of event %d have arrived different (-sent +arrived):\n%.2000s", i, diff)
	}
}

// idle lets time pass: an hour, where that takes no time.
func (r *rig) idle() {
	pause := time.Hour
	if r.h.Sockets {
		pause = 10 * time.Millisecond
	}
	<-time.After(pause)
}
