package javachannel

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// counts are the numbers of a report that a replay is about.
type counts struct{ events, uncommitted, returned, open, pending int }

func countsOf(r Report) counts {
	return counts{r.Events, r.UncommittedPuts, r.ReturnedTakes, r.OpenTakes, r.PendingTakes}
}

func TestReplay(t *testing.T) {
	tests := []struct {
		name   string
		make   func(c *channel)
		want   []string
		counts counts
	}{
		{"nothing at all", func(*channel) {}, []string{}, counts{}},
		{"a put counts from its commit", func(c *channel) {
			w := newLog(1)
			w.put(1, 1, "a")
			w.put(2, 2, "b")
			w.put(2, 3, "c")
			w.commit(2, 4, kindPut)
			w.commit(1, 5, kindPut)
			w.put(3, 6, "never")
			c.log("/d1", w)
		}, []string{"b", "c", "a"}, counts{events: 3, uncommitted: 1}},
		{"rollbacks", func(c *channel) {
			w := newLog(1)
			a := w.put(1, 1, "a")
			w.commit(1, 2, kindPut)
			w.put(2, 3, "b")
			w.rollback(2, 4)
			w.take(3, 5, a)
			w.rollback(3, 6)
			c.log("/d1", w)
		}, []string{"a"}, counts{events: 1}},
		{"logs are merged by order, across directories", func(c *channel) {
			w, v := newLog(1), newLog(2)
			w.put(1, 10, "a")
			v.put(2, 11, "b")
			v.commit(2, 12, kindPut)
			w.commit(1, 13, kindPut)
			v.put(3, 14, "c")
			v.commit(3, 15, kindPut)
			c.log("/d1", w)
			c.log("/d2", v)
		}, []string{"b", "a", "c"}, counts{events: 3}},
		{"equal orders", func(c *channel) {
			w, v := newLog(1), newLog(2)
			a := w.put(1, 1, "a")
			w.commit(1, 1, kindPut)
			v.take(2, 1, a)
			v.commit(2, 1, kindTake)
			c.log("/d1", w)
			c.log("/d2", v)
		}, []string{}, counts{}},
		{"takes out of turn", func(c *channel) {
			w := newLog(1)
			a, b, d := w.put(1, 1, "a"), w.put(1, 2, "b"), w.put(1, 3, "d")
			w.put(1, 4, "e")
			w.commit(1, 5, kindPut)
			w.take(2, 6, b)
			w.take(3, 7, a)
			w.take(4, 8, d)
			w.commit(2, 9, kindTake)
			w.commit(4, 10, kindTake)
			w.commit(3, 11, kindTake)
			c.log("/d1", w)
		}, []string{"e"}, counts{events: 1}},
		{"a take before its put, and one without", func(c *channel) {
			w := newLog(1)
			w.take(1, 1, pointerTo(1, 1000))
			w.take(1, 2, pointerTo(7, 0))
			w.take(1, 3, pointerTo(2, 0))
			w.commit(1, 4, kindTake)
			v := newLog(2)
			v.put(3, 6, "gone")
			v.put(3, 7, "here")
			v.commit(3, 8, kindPut)
			c.log("/d1", w)
			c.log("/d2", v)
		}, []string{"here"}, counts{events: 1, pending: 2}},
		{"on a checkpoint", func(c *channel) {
			w := newLog(1)
			a, b := w.put(1, 1, "a"), w.put(1, 2, "b")
			d, e := w.put(1, 3, "c"), w.put(1, 4, "d")
			w.commit(1, 5, kindPut)
			open := w.put(2, 6, "open")
			w.take(3, 7, a)
			w.take(4, 8, b)
			w.mark(9)
			w.put(2, 10, "too")
			w.commit(2, 11, kindPut)
			w.commit(3, 12, kindTake)
			w.take(5, 13, d)
			c.checkpoint("/c", checkpointFiles{order: 9, queue: []pointer{d, e}, head: 19,
				puts: map[int64][]pointer{2: {open}}, takes: map[int64][]pointer{3: {a}, 4: {b}}})
			c.log("/d1", w)
		}, []string{"b", "c", "d", "open", "too"}, counts{events: 5, returned: 1, open: 1}},
		{"taken again after a rollback", func(c *channel) {
			w := newLog(1)
			a, b := w.put(1, 1, "a"), w.put(1, 2, "b")
			w.commit(1, 3, kindPut)
			w.take(2, 4, a)
			w.take(2, 5, b)
			w.mark(6)
			w.rollback(2, 7)
			w.take(3, 8, a)
			w.commit(3, 9, kindTake)
			c.checkpoint("/c", checkpointFiles{order: 6, takes: map[int64][]pointer{2: {a, b}}})
			c.log("/d1", w)
		}, []string{"b"}, counts{events: 1, returned: 1}},
		{"what the checkpoint contains is skipped, wherever it stands", func(c *channel) {
			w := newLog(1)
			a := w.put(1, 1, "a")
			w.commit(1, 2, kindPut)
			w.put(2, 3, "b")
			w.commit(2, 4, kindPut)
			c.checkpoint("/c", checkpointFiles{order: 2, queue: []pointer{a}})
			c.log("/d1", w)
		}, []string{"a", "b"}, counts{events: 2}},
		{"from the backup's position", func(c *channel) {
			w := newLog(1)
			a := w.put(1, 1, "a")
			w.commit(1, 2, kindPut)
			w.mark(3)
			w.put(2, 4, "b")
			w.commit(2, 5, kindPut)
			w.mark(6)
			w.put(3, 7, "c")
			w.commit(3, 8, kindPut)
			w.data[0] = 0x55 // nobody may read it
			c.checkpoint("/c", checkpointFiles{order: 3, queue: []pointer{a}})
			c.log("/d1", w)
		}, []string{"b", "c"}, counts{events: 3}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newChannel(t)
			test.make(c)
			d := c.open()
			if diff := cmp.Diff(test.want, bodies(t, d)); diff != "" {
				t.Errorf("bodies (-want +got):\n%s", diff)
			}
			if got := countsOf(d.Report()); got != test.counts {
				t.Errorf("counts are %+v, want %+v", got, test.counts)
			}
		})
	}
}

// TestManyLogs has more logs than may be open at a time, and more events than a batch.
func TestManyLogs(t *testing.T) {
	const logs, perLog = 3 * maxOpen, 60
	c := newChannel(t)
	var want []string
	order := int64(1)
	for id := range logs {
		w := newLog(int32(id + 1))
		for i := range perLog {
			body := string(rune('a'+i%26)) + string(rune('A'+id%26))
			w.put(order, order, body)
			w.commit(order, order+1, kindPut)
			order += 2
			want = append(want, body)
		}
		c.log([]string{"/d1", "/d2"}[id%2], w)
	}
	d := c.open()
	for range 2 { // reading again yields the same
		if diff := cmp.Diff(want, bodies(t, d)); diff != "" {
			t.Errorf("bodies (-want +got):\n%s", diff)
		}
		if n := len(d.scan.files.open); n != maxOpen {
			t.Errorf("%d logs are open", n)
		}
	}
	if r := d.Report(); r.Logs != logs || r.Delivered != len(want) || r.DeliveredBytes != int64(2*len(want)) || r.MaxOrder != order-1 {
		t.Errorf("report: %+v", r)
	}
}

func TestCancel(t *testing.T) {
	c := newChannel(t)
	w := newLog(1)
	w.put(1, 1, "a")
	w.commit(1, 2, kindPut)
	c.log("/d1", w)
	ctx, cancel := context.WithCancelCause(context.Background())
	d := c.open()
	why := errors.New("enough")
	cancel(why)
	if _, err := Open(ctx, c.options()); !errors.Is(err, why) {
		t.Errorf("Open: %v", err)
	}
	if err := d.Check(ctx); !errors.Is(err, why) {
		t.Errorf("Check: %v", err)
	}
}
