package channeltest

import (
	"bytes"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/flume-go/flume/conform/internal/batches"
	"github.com/flume-go/flume/event"
)

var contentRules = []rule{
	{
		name: "content",
		rule: "Bodies of any length and headers of any kind come out as they went in.",
		run: func(r *rig) {
			r.open(r.h.capacity(20))
			b := event.NewBatch()
			for _, body := range [][]byte{nil, {}, {0}, []byte("x"), bytes.Repeat([]byte("0123456789abcdef"), 1<<20), []byte("last")} {
				b.Append(body)
			}
			headers := map[int][][2]string{
				1: {{"empty value", ""}, {"", "empty key"}},
				2: {{"naïve κλειδί", "значение 価値 🜚"}, {"new\nline=", "a\tb\r\n"}},
				3: {{"long", strings.Repeat("v", 70000)}},
			}
			for i := range 300 {
				headers[5] = append(headers[5], [2]string{strings.Repeat("k", i%9+1) + string(rune('0'+i)), "many"})
			}
			for i, hs := range headers {
				for _, h := range hs {
					b.SetHeader(b.At(i), h[0], h[1])
				}
			}
			want := batches.Clone(b)
			p := r.startBatch(b, nil)
			var got []event.Event
			for len(got) < len(want) {
				d := r.take(4)
				got = append(got, batches.Clone(d.Batch())...)
				r.ack(d)
			}
			if err := r.wait(p); err != nil {
				r.fatalf("the put returned %v", err)
			}
			if len(got) != len(want) {
				r.fatalf("%d events were put, %d taken", len(want), len(got))
			}
			for i := range want {
				if !bytes.Equal(got[i].Body, want[i].Body) {
					r.fatalf("the body of event %d, of %d bytes, came out different, with %d bytes", i, len(want[i].Body), len(got[i].Body))
				}
				if diff := cmp.Diff(want[i].Headers, got[i].Headers, cmpopts.EquateEmpty(), cmpopts.SortSlices(byKey)); diff != "" {
					r.fatalf("the headers of event %d came out different (-put +taken):\n%.2000s", i, diff)
				}
			}
		},
	},
	{
		name: "memory",
		rule: "What was put is the channel's own: the source may release and refill its memory, and a taken batch stays readable until it is settled.",
		run: func(r *rig) {
			r.open(r.h.capacity(100))
			var want []uint64
			for range 10 {
				want = append(want, r.put(10)...)
				r.scribble()
			}
			d := r.take(15) // joined or cut
			rest := r.take(100)
			n := d.Batch().Len()
			r.scribble()
			r.same(r.ids(d), want[:n])
			r.same(r.ids(rest), want[n:n+rest.Batch().Len()])
			r.ack(rest)
			r.scribble()
			r.same(r.ids(d), want[:n])
			r.nack(d)
			r.scribble()
			d = r.take(n)
			r.same(r.ids(d), want[:d.Batch().Len()])
		},
	},
	{
		name: "small share",
		rule: "A batch that is a part of another, or that keeps one line in a large block, comes out as it went in.",
		run: func(r *rig) {
			r.open(r.h.capacity(100))
			whole, ids := r.batch(10)
			view := whole.View(3, 6)
			p := r.startBatch(view, ids[3:6])
			whole.Release()
			block := event.NewBatch()
			block.Reserve(64 << 10)
			fill(block, r.next)
			r.next++
			q := r.startBatch(block, []uint64{r.next - 1})
			r.scribble()
			r.same(r.drain(4, 3), append(p.ids, q.ids...))
			for _, put := range []*pending{p, q} {
				if err := r.wait(put); err != nil {
					r.fatalf("the put of events %v returned %v", put.ids, err)
				}
			}
		},
	},
	{
		name: "empty batch",
		rule: "A put of no events stores none.",
		run: func(r *rig) {
			r.open(r.h.capacity(4))
			r.put(0)
			r.nothing("a batch of no events was put")
			want := r.put(1)
			r.same(r.drain(1, 4), want)
		},
	},
}

// byKey orders headers: their order is not part of the contract.
func byKey(a, b event.Header) bool { return a.Key < b.Key }

// scribble fills recycled memory with something else.
func (r *rig) scribble() {
	var held []*event.Batch
	for range 20 {
		b := event.NewBatch()
		for range 10 {
			e := b.AppendCopy(bytes.Repeat([]byte("#"), 400))
			b.SetHeader(e, "id", "#")
		}
		held = append(held, b)
	}
	for _, b := range held {
		b.Release()
	}
}
