package spillable

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// TestModel does random things to a channel and to a plain queue, stops and kills included. A kill loses what was in memory, that
// and nothing else.
func TestModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The wrapper hides t.Deadline, which may not be called in a bubble.
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) {
			m := &model{fs: vfs.NewMem(1), rank: map[int]int{}, carried: map[int]bool{}}
			m.r = &rig{t: t}
			m.start(t)
			defer func() { _ = m.r.ch.Close(context.Background()) }() // when a check fails
			t.Repeat(map[string]func(*rapid.T){
				"put": m.put, "take": m.take, "ack": m.ack, "nack": m.nack, "reopen": m.reopen, "restart": m.restart, "kill": m.kill,
				"": m.check,
			})
			m.finish()
		})
	})
}

// model is a channel next to a plain queue of ids.
type model struct {
	r  *rig
	fs *vfs.Mem

	ready   []int // in order
	open    []modelDelivery
	rank    map[int]int  // of each event in the order
	carried map[int]bool // was in memory at a stop
}

type modelDelivery struct {
	flow.Delivery
	ids []int
}

// start makes another channel on what the file system has, with as much memory as it likes.
func (m *model) start(t *rapid.T) {
	m.r.open(m.fs, map[string]string{
		"memoryCapacity":  strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "memory")),
		"overflowTimeout": "0", "avgEventSize": "10", "byteCapacity": "80", "byteCapacityBufferPercentage": "0",
	})
}

func (m *model) put(t *rapid.T) {
	n := rapid.IntRange(1, 5).Draw(t, "events")
	for id := m.r.next; id < m.r.next+n; id++ {
		m.rank[id] = id
		m.ready = append(m.ready, id)
	}
	m.r.must(m.r.tryPut(n, rapid.SampledFrom([]int{0, 25}).Draw(t, "size")))
}

func (m *model) take(t *rapid.T) {
	limit := rapid.IntRange(1, 8).Draw(t, "limit")
	d := m.r.take(limit)
	if d == nil {
		if len(m.ready) > 0 {
			t.Fatalf("nothing can be taken, the plain queue is %v", m.ready)
		}
		return
	}
	got := m.r.ids(d)
	// Batches on the disk end a delivery nowhere, memory neither: all that is there comes at once.
	want := m.ready[:min(limit, len(m.ready))]
	if !slices.Equal(got, want) {
		t.Fatalf("took %v, want %v", got, want)
	}
	m.ready = slices.Clone(m.ready[len(got):])
	m.open = append(m.open, modelDelivery{d, got})
}

// pick removes one of the open deliveries.
func (m *model) pick(t *rapid.T) modelDelivery {
	if len(m.open) == 0 {
		t.Skip("no delivery is open")
	}
	i := rapid.IntRange(0, len(m.open)-1).Draw(t, "delivery")
	d := m.open[i]
	m.open = slices.Delete(m.open, i, i+1)
	return d
}

func (m *model) ack(t *rapid.T) { m.r.must(m.pick(t).Ack()) }

func (m *model) nack(t *rapid.T) {
	d := m.pick(t)
	m.r.must(d.Nack())
	m.giveBack(d.ids)
}

func (m *model) giveBack(ids []int) {
	m.ready = append(m.ready, ids...)
	slices.SortFunc(m.ready, func(a, b int) int { return cmp.Compare(m.rank[a], m.rank[b]) })
}

// stop closes the channel, with deliveries open.
func (m *model) stop() {
	for _, id := range m.r.inMemoryIDs() {
		m.carried[id] = true
	}
	m.r.close()
	m.abandon()
}

// abandon gives up the open deliveries of a closed channel.
func (m *model) abandon() {
	for _, d := range m.open {
		m.giveBack(d.ids)
		_ = d.Nack() // releases its memory
	}
	m.open = nil
}

func (m *model) reopen(*rapid.T) {
	m.stop()
	m.r.must(m.r.ch.Open(context.Background()))
}

func (m *model) restart(t *rapid.T) {
	m.stop()
	m.start(t)
}

// kill ends the process without a word. What was carried over an earlier stop comes first then.
func (m *model) kill(t *rapid.T) {
	flow.Sleep(context.Background(), time.Second) // acknowledgements are written within milliseconds
	lost := m.r.inMemoryIDs()
	old := m.r.ch
	m.fs = m.fs.Crash(vfs.CrashPolicy{Data: vfs.All, Entries: vfs.All})
	_ = old.Close(context.Background()) // it cannot succeed; for its goroutines
	m.abandon()
	m.ready = slices.DeleteFunc(m.ready, func(id int) bool { return slices.Contains(lost, id) })
	slices.SortStableFunc(m.ready, func(a, b int) int {
		switch {
		case m.carried[a] == m.carried[b]:
			return 0
		case m.carried[a]:
			return -1
		default:
			return 1
		}
	})
	for i, id := range m.ready {
		m.rank[id] = i - len(m.ready) // before all that is still to come
	}
	m.start(t)
}

func (m *model) check(t *rapid.T) {
	held := len(m.ready)
	for _, d := range m.open {
		held += len(d.ids)
	}
	s := m.r.ch.Stats()
	if s.Events != held || s.InFlight != held-len(m.ready) {
		t.Fatalf("stats %+v, the plain queue holds %d events, %d of them in open deliveries", s, held, held-len(m.ready))
	}
	if memory := m.r.number("memory_events"); memory != len(m.r.inMemoryIDs()) || memory > m.r.ch.cfg.MemoryCapacity {
		t.Fatalf("%d events are in memory, those are %v; memoryCapacity is %d", memory, m.r.inMemoryIDs(), m.r.ch.cfg.MemoryCapacity)
	}
}

func (m *model) finish() {
	m.stop()
	m.r.must(m.r.ch.Open(context.Background()))
	if got := m.r.drain(); !slices.Equal(got, m.ready) {
		m.r.t.Fatalf("in the end %v was there, want %v", got, m.ready)
	}
	if n := m.r.ch.now.Load().readyBytes; n != 0 {
		m.r.t.Fatalf("in the end %d bytes count as ready", n)
	}
	if s := m.r.ch.Stats(); s.Events != 0 || s.Bytes != 0 || !s.Oldest.IsZero() {
		m.r.t.Fatalf("in the end stats are %+v", s)
	}
	m.r.close()
}
